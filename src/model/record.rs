//! The ownership record: what this ipvsd added or adopted, and how it left it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Checks, DestinationKey, DestinationSettings, HostKey, Manage, OwnedHost, ServiceKey, ServiceSettings};

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
    /// How long its destinations are waited for when they are deleted, in seconds: for when the configuration does not
    /// know the service any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<u64>,
}

/// A destination that is to go, and waits for its connections. That it is to go follows from what is live, owned and
/// desired; only what does not follow is remembered here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// When it is deleted at the latest, in seconds since 1970.
    pub until: u64,
    /// It was seen without weight since. Before that nobody is waited for, and its time is to come; weight that somebody else gives it
    /// afterwards is taken away again, and changes no deadline.
    #[serde(default)]
    pub quiesced: bool,
    /// Its last checks: they go on, for what is down need not be waited for.
    #[serde(default)]
    pub checks: Checks,
}

/// The destination that a helper service leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Helped {
    pub service: ServiceKey,
    pub destination: DestinationKey,
}

/// All that is owned in one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub services: BTreeMap<ServiceKey, OwnedService>,
    #[serde(default)]
    pub drains: BTreeMap<ServiceKey, BTreeMap<DestinationKey, Drain>>,
    /// Firewall marks that carry checks through IPVS. Their services are owned as others are.
    #[serde(default)]
    pub helpers: BTreeMap<u32, Helped>,
    /// What was added to the host around the table, or set there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host: BTreeMap<HostKey, OwnedHost>,
}

impl Record {
    /// What is owned of these services, and nothing of the host.
    #[must_use]
    pub fn part(&self, services: &BTreeSet<ServiceKey>) -> Self {
        fn of<V: Clone>(map: &BTreeMap<ServiceKey, V>, services: &BTreeSet<ServiceKey>) -> BTreeMap<ServiceKey, V> {
            services.iter().filter_map(|key| Some((*key, map.get(key)?.clone()))).collect()
        }
        let helpers = self.helpers.iter().filter(|(_, helped)| services.contains(&helped.service));
        Self {
            services: of(&self.services, services),
            drains: of(&self.drains, services),
            helpers: helpers.map(|(mark, helped)| (*mark, *helped)).collect(),
            host: BTreeMap::new(),
        }
    }

    /// Replaces what is owned of these services by `part`; all else stays.
    pub fn put_part(&mut self, services: &BTreeSet<ServiceKey>, part: Self) {
        let Self { services: owned, drains, helpers, host: _ } = part;
        for key in services {
            self.services.remove(key);
            self.drains.remove(key);
        }
        self.services.extend(owned);
        self.drains.extend(drains);
        self.helpers.retain(|_, helped| !services.contains(&helped.service));
        self.helpers.extend(helpers);
    }

    /// How many of the services and destinations on record may be deleted, as `manage` has it.
    pub fn entries(&self, manage: &Manage) -> usize {
        let may_go = |key: &ServiceKey| *manage == Manage::Owned || manage.covers(key) || self.is_helper(key);
        let services = self.services.iter().filter(|(key, _)| may_go(key));
        services.map(|(_, owned)| 1 + owned.destinations.len()).sum()
    }

    /// Whether the service is owned.
    pub fn owns(&self, service: &ServiceKey) -> bool {
        self.services.contains_key(service)
    }

    /// Whether the service is one of ours that carry checks.
    pub fn is_helper(&self, service: &ServiceKey) -> bool {
        match service {
            ServiceKey::Mark { family, mark } => {
                self.helpers.get(mark).is_some_and(|helped| helped.service.family() == *family)
            }
            ServiceKey::Address { .. } => false,
        }
    }

    /// Whether that destination of that service is on its way out, or was until now.
    pub fn drains_destination(&self, service: &ServiceKey, destination: &DestinationKey) -> bool {
        self.drains.get(service).is_some_and(|drains| drains.contains_key(destination))
    }

    /// Whether that destination of that service is owned.
    pub fn owns_destination(&self, service: &ServiceKey, destination: &DestinationKey) -> bool {
        self.services.get(service).is_some_and(|owned| owned.destinations.contains_key(destination))
    }

    /// The same drains, by a clock that was set so many seconds forward.
    pub fn shift_drains(&mut self, seconds: i64) {
        for drain in self.drains.values_mut().flat_map(BTreeMap::values_mut) {
            drain.since = drain.since.saturating_add_signed(seconds);
            drain.until = drain.until.saturating_add_signed(seconds);
        }
    }

    /// No drain begins later than `now`, which is what a clock says that was set back meanwhile: it begins anew.
    pub fn begin_drains_by(&mut self, now: u64) {
        for drain in self.drains.values_mut().flat_map(BTreeMap::values_mut).filter(|drain| drain.since > now) {
            drain.until = now.saturating_add(drain.until.saturating_sub(drain.since));
            drain.since = now;
        }
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
