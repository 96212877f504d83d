//! Lays containers over what is written. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Auto, Desired, DestinationKey, Docker, Policy, Record, Service, ServiceKey, ServiceOrigin};
use crate::source::docker::{Base, Contributed, Destinations, Gathered, Ground, Snapshot, gather};

/// What is written of a service.
#[derive(Debug, Clone)]
struct Plain {
    service: Service,
    origin: ServiceOrigin,
    policy: Policy,
}

/// A configuration, as far as containers have to do with it.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub docker: Arc<Docker>,
    pub ground: Ground,
    /// The services that ask for containers.
    plain: BTreeMap<ServiceKey, Plain>,
}

/// What a service gets of containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// What a service is called that came about by itself.
    pub auto: Option<String>,
    pub destinations: Destinations,
}

/// What all of them get.
pub(super) type AllGiven = BTreeMap<ServiceKey, Given>;

impl Laid {
    /// Nothing if nobody asks for containers.
    pub(super) fn of(desired: &Desired) -> Option<Self> {
        let docker = Arc::new(desired.docker.clone()?);
        let mut ground = Ground::default();
        let mut plain = BTreeMap::new();
        for (key, origin) in &desired.origins {
            ground.names.insert(*key, origin.name.clone());
            let (Some(service), Some(policy)) = (desired.table.services.get(key), desired.policies.get(key)) else {
                continue;
            };
            let Some(selector) = &policy.containers else { continue };
            let mut written: BTreeSet<DestinationKey> = service.destinations.keys().copied().collect();
            written.extend(policy.fallback.map(|(fallback, _)| fallback));
            let base = Base { name: origin.name.clone(), selector: Arc::clone(selector), written };
            ground.bases.insert(*key, base);
            let of = Plain { service: service.clone(), origin: origin.clone(), policy: policy.clone() };
            plain.insert(*key, of);
        }
        Some(Self { docker, ground, plain })
    }

    /// A service is no more what was written of it.
    pub(super) fn let_go(&mut self, key: &ServiceKey) {
        self.ground.bases.remove(key);
        self.plain.remove(key);
    }

    /// What follows from what was seen.
    pub(super) fn gather(&self, seen: &Snapshot) -> (AllGiven, BTreeSet<crate::source::docker::Finding>) {
        let Gathered { services, auto, findings } = gather(&self.docker, &self.ground, seen);
        let written = services.into_iter().map(|(key, destinations)| (key, Given { auto: None, destinations }));
        let auto = auto.into_iter().map(|(key, (name, destinations))| (key, Given { auto: Some(name), destinations }));
        (written.chain(auto).collect(), findings)
    }

    /// What is owned, for a start on which nothing is known of containers: what may be one stays. A weight that is on record may
    /// be what health or a drain made of it, so it is the service's.
    pub(super) fn hold(&self, record: &Record) -> AllGiven {
        let mut all = AllGiven::new();
        for (key, base) in &self.ground.bases {
            all.insert(*key, Given { auto: None, destinations: of_record(record, key, base) });
        }
        // Nobody knows any more what they were called.
        let auto = self.docker.auto.as_ref().map(|auto| &auto.selector);
        for (key, selector) in
            record.services.keys().filter_map(|key| Some((key, auto.filter(|_| self.may_be_auto(key))?)))
        {
            let (selector, written) = (Arc::new(selector.clone()), BTreeSet::new());
            let base = Base { name: key.to_string(), selector, written };
            let destinations = of_record(record, key, &base);
            if !destinations.is_empty() {
                all.insert(*key, Given { auto: Some(base.name), destinations });
            }
        }
        all
    }

    /// Whether a service can have come about by itself.
    pub(super) fn may_be_auto(&self, key: &ServiceKey) -> bool {
        let ServiceKey::Address { address, .. } = key else { return false };
        let auto = self.docker.auto.as_ref();
        auto.is_some_and(|auto| auto.addresses.contains(address)) && !self.ground.names.contains_key(key)
    }

    /// What is in force, for the first configuration that asks for containers: what may be one stays until it is known what is.
    pub(super) fn stay(&self, key: &ServiceKey, in_force: &Desired) -> Option<Given> {
        let base = self.ground.bases.get(key)?;
        let (service, origin) = (in_force.table.services.get(key)?, in_force.origins.get(key)?);
        let checks = in_force.policies.get(key).map(|policy| &policy.checks);
        let others = service.destinations.iter().filter(|(destination, _)| !base.written.contains(destination));
        let others = others.map(|(destination, settings)| {
            let name = origin.destinations.get(destination).cloned();
            let contributed = Contributed {
                settings: *settings,
                name: name.unwrap_or_else(|| destination.to_string()),
                id: String::new(),
                checks: checks.and_then(|checks| checks.get(destination).cloned()),
                quiesced: None,
            };
            (*destination, contributed)
        });
        Some(Given { auto: None, destinations: others.collect() })
    }

    /// Puts what a service gets into `desired`, in the place of what it has there.
    pub(super) fn put(&self, desired: &mut Desired, key: ServiceKey, given: &Given, ended: &BTreeSet<DestinationKey>) {
        let Some(Plain { mut service, mut origin, mut policy }) = self.plain(key, given) else { return };
        for (destination, contributed) in &given.destinations {
            let Contributed { settings, name, id: _, checks, quiesced } = contributed;
            service.destinations.insert(*destination, *settings);
            origin.destinations.insert(*destination, name.clone());
            if let Some(checks) = checks {
                policy.checks.insert(*destination, Arc::clone(checks));
            }
            if let Some(why) = quiesced {
                policy.quiesced.insert(*destination, *why);
            }
        }
        policy.ended = ended.iter().filter(|key| !service.destinations.contains_key(key)).copied().collect();
        desired.table.services.insert(key, service);
        desired.origins.insert(key, origin);
        desired.policies.insert(key, policy);
    }

    fn plain(&self, key: ServiceKey, given: &Given) -> Option<Plain> {
        if let Some(plain) = self.plain.get(&key) {
            return Some(plain.clone());
        }
        let Auto { settings, policy, .. } = self.docker.auto.as_ref()?;
        let service = Service { settings: settings.clone(), destinations: BTreeMap::new() };
        // It stands in no file: whoever asks where it comes from is told the engine.
        let file = self.docker.endpoint.to_string().into();
        let origin = ServiceOrigin { name: given.auto.clone()?, file, line: 0, destinations: BTreeMap::new() };
        Some(Plain { service, origin, policy: policy.clone() })
    }
}

fn of_record(record: &Record, key: &ServiceKey, base: &Base) -> Destinations {
    let owned = record.services.get(key).into_iter().flat_map(|owned| &owned.destinations);
    let held = owned
        .filter(|(destination, _)| !base.written.contains(destination) && !record.drains_destination(key, destination));
    let held = held.filter_map(|(destination, left)| {
        let mut settings = (*left)?;
        settings.weight = if settings.weight == 0 { base.selector.weight } else { settings.weight };
        let contributed = Contributed {
            settings,
            name: destination.to_string(),
            id: String::new(),
            checks: base.selector.checks.clone().filter(|checks| !checks.is_empty()),
            quiesced: None,
        };
        Some((*destination, contributed))
    });
    held.collect()
}
