//! The ownership record: what this ipvsd added or adopted, and how it left it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DestinationKey, DestinationSettings, ServiceKey, ServiceSettings};

/// An owned service. `None` stands for an entry that is about to be added, written down before the
/// kernel is asked, so that a crash in between never leaves an entry that nobody owns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedService {
    /// How the last pass left the service.
    #[serde(default)]
    pub left: Option<ServiceSettings>,
    /// How the last pass left its destinations; only those that are owned.
    #[serde(default)]
    pub destinations: BTreeMap<DestinationKey, Option<DestinationSettings>>,
}

/// All that is owned in one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record {
    pub services: BTreeMap<ServiceKey, OwnedService>,
}

impl Record {
    /// Whether the service is owned.
    pub fn owns(&self, service: &ServiceKey) -> bool {
        self.services.contains_key(service)
    }

    /// Whether that destination of that service is owned.
    pub fn owns_destination(&self, service: &ServiceKey, destination: &DestinationKey) -> bool {
        self.services.get(service).is_some_and(|owned| owned.destinations.contains_key(destination))
    }

    /// How the last pass left the service, if it is owned and known.
    pub fn left(&self, service: &ServiceKey) -> Option<&ServiceSettings> {
        self.services.get(service)?.left.as_ref()
    }

    /// How the last pass left the destination, if it is owned and known.
    pub fn left_destination(&self, service: &ServiceKey, destination: &DestinationKey) -> Option<&DestinationSettings> {
        self.services.get(service)?.destinations.get(destination)?.as_ref()
    }
}
