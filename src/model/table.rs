//! A whole IPVS table, sorted, without counters.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DestinationKey, DestinationSettings, ServiceKey, ServiceSettings};

/// A table as plans are made from it: [`Table`], or [`Live`](super::Live) with all that the kernel counts.
pub trait TableView {
    type Service: ServiceView;

    /// The services, by their key.
    fn services(&self) -> &BTreeMap<ServiceKey, Self::Service>;
}

/// A service of such a table.
pub trait ServiceView {
    type Destination: AsRef<DestinationSettings>;

    fn settings(&self) -> &ServiceSettings;

    /// The destinations, by their key.
    fn destinations(&self) -> &BTreeMap<DestinationKey, Self::Destination>;

    /// The sum of the weights of all destinations.
    fn total_weight(&self) -> u64 {
        self.destinations().values().map(|found| u64::from(found.as_ref().weight)).sum()
    }
}

impl TableView for Table {
    type Service = Service;

    #[inline]
    fn services(&self) -> &BTreeMap<ServiceKey, Service> {
        &self.services
    }
}

impl ServiceView for Service {
    type Destination = DestinationSettings;

    #[inline]
    fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    #[inline]
    fn destinations(&self) -> &BTreeMap<DestinationKey, DestinationSettings> {
        &self.destinations
    }
}

impl AsRef<Self> for DestinationSettings {
    #[inline]
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A service with its destinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub settings: ServiceSettings,
    #[serde(default)]
    pub destinations: BTreeMap<DestinationKey, DestinationSettings>,
}

/// Services by their key. Sorted, so that every walk over it, and all that is printed from it, is stable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Table {
    pub services: BTreeMap<ServiceKey, Service>,
}

impl Table {
    /// Whether that service has that destination.
    pub fn has(&self, service: &ServiceKey, destination: &DestinationKey) -> bool {
        self.services.get(service).is_some_and(|service| service.destinations.contains_key(destination))
    }

    /// The number of destinations over all services.
    pub fn destination_count(&self) -> usize {
        self.services.values().map(|service| service.destinations.len()).sum()
    }

    /// The number of services and destinations together.
    pub fn entry_count(&self) -> usize {
        self.services.len() + self.destination_count()
    }

    /// The kernel modules that it needs, by their names with underscores.
    pub fn modules(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::from(["ip_vs".to_owned()]);
        for Service { settings, .. } in self.services.values() {
            // No scheduler has no module.
            if settings.scheduler.as_str() != "none" {
                names.insert(format!("ip_vs_{}", settings.scheduler));
            }
            if let Some(engine) = settings.persistence.as_ref().and_then(|sticky| sticky.engine.as_ref()) {
                names.insert(format!("ip_vs_pe_{engine}"));
            }
        }
        names
    }
}
