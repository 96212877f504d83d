//! Lays containers, and what names stand for, over what is written. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    Auto, Desired, DestinationKey, DestinationSettings, Docker, Family, Named, Policy, Record, Service, ServiceKey,
    ServiceOrigin, SharedChecks,
};
use crate::source::docker::{Base, Contributed, Destinations, Finding, Gathered, Ground, Snapshot, gather};
use crate::source::names::Answers;

/// What is written of a service.
#[derive(Debug, Clone)]
struct Plain {
    service: Service,
    origin: ServiceOrigin,
    policy: Policy,
}

impl Plain {
    /// The destinations that are written.
    fn written(&self) -> BTreeSet<DestinationKey> {
        let fallback = self.policy.fallback.map(|(fallback, _)| fallback);
        self.service.destinations.keys().copied().chain(fallback).collect()
    }
}

/// A configuration, as far as containers and names have to do with it.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub docker: Option<Arc<Docker>>,
    pub ground: Ground,
    /// The services that ask for containers, or have names.
    plain: BTreeMap<ServiceKey, Plain>,
    /// How often names are looked up.
    pub every: Duration,
}

/// What a service gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// What a service is called that came about by itself.
    pub auto: Option<String>,
    /// Of containers.
    pub destinations: Destinations,
    /// What each of its names stands for, and what comes of that.
    pub addresses: Vec<Vec<IpAddr>>,
    pub named: Destinations,
}

/// What all of them get.
pub(super) type AllGiven = BTreeMap<ServiceKey, Given>;

/// What services have of which not all names are known.
pub(super) type Held = BTreeMap<ServiceKey, Destinations>;
/// The same, as it is kept.
pub(super) type HeldKeys = BTreeMap<ServiceKey, HeldFor>;

/// What is held of a service, and for which names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldFor {
    hosts: BTreeSet<String>,
    destinations: BTreeSet<DestinationKey>,
}

impl Laid {
    /// Nothing if nobody asks for any of it.
    pub(super) fn of(desired: &Desired) -> Option<Self> {
        let docker = desired.docker.clone().map(Arc::new);
        let mut ground = Ground::default();
        let mut plain = BTreeMap::new();
        for (key, origin) in &desired.origins {
            if docker.is_some() {
                ground.names.insert(*key, origin.name.clone());
            }
            let (Some(service), Some(policy)) = (desired.table.services.get(key), desired.policies.get(key)) else {
                continue;
            };
            let selector = policy.containers.as_ref().filter(|_| docker.is_some());
            if selector.is_none() && policy.named.is_empty() {
                continue;
            }
            let of = Plain { service: service.clone(), origin: origin.clone(), policy: policy.clone() };
            if let Some(selector) = selector {
                let (name, selector) = (origin.name.clone(), Arc::clone(selector));
                ground.bases.insert(*key, Base { name, selector, written: of.written() });
            }
            plain.insert(*key, of);
        }
        (docker.is_some() || !plain.is_empty()).then_some(Self { docker, ground, plain, every: desired.resolve })
    }

    /// A service is no more what was written of it.
    pub(super) fn let_go(&mut self, key: &ServiceKey) {
        self.ground.bases.remove(key);
        self.plain.remove(key);
    }

    /// What follows from the containers that were seen.
    pub(super) fn gather(&self, seen: &Snapshot) -> (AllGiven, BTreeSet<Finding>) {
        let Some(docker) = &self.docker else { return Default::default() };
        let Gathered { services, auto, findings } = gather(docker, &self.ground, seen);
        let written = services.into_iter().map(|(key, destinations)| (key, Given { destinations, ..Given::default() }));
        let auto = auto
            .into_iter()
            .map(|(key, (name, destinations))| (key, Given { auto: Some(name), destinations, ..Given::default() }));
        (written.chain(auto).collect(), findings)
    }

    /// All names, with the families of their services.
    pub(super) fn hosts(&self) -> BTreeMap<String, BTreeSet<Family>> {
        let mut hosts: BTreeMap<String, BTreeSet<Family>> = BTreeMap::new();
        for (key, plain) in self.named() {
            for named in &plain.policy.named {
                hosts.entry(named.host.clone()).or_default().insert(key.family());
            }
        }
        hosts
    }

    /// The services of which not all names are known.
    pub(super) fn unknown(&self, answers: &Answers) -> BTreeSet<ServiceKey> {
        self.named().map(|(key, _)| *key).filter(|key| !self.unknown_of(key, answers).is_empty()).collect()
    }

    /// The names of a service that lead nowhere in it, as far as is known.
    fn unknown_of(&self, key: &ServiceKey, answers: &Answers) -> BTreeSet<&str> {
        let named = self.plain.get(key).into_iter().flat_map(|plain| &plain.policy.named);
        let unknown = named.filter(|named| meant(named, key.family(), answers).is_empty());
        unknown.map(|named| named.host.as_str()).collect()
    }

    /// What is known of names by the configuration itself, in which it was put before.
    pub(super) fn answered(&self) -> Answers {
        let mut answers = Answers::new();
        for named in self.plain.values().flat_map(|plain| &plain.policy.named) {
            let known: &mut Vec<IpAddr> = answers.entry(named.host.clone()).or_default();
            let news: Vec<IpAddr> =
                named.addresses.iter().filter(|address| !known.contains(address)).copied().collect();
            known.extend(news);
        }
        answers
    }

    /// The services with names, and what is written of them.
    fn named(&self) -> impl Iterator<Item = (&ServiceKey, &Plain)> {
        self.plain.iter().filter(|(_, plain)| !plain.policy.named.is_empty())
    }

    /// Adds what follows from what names stand for. While one of a service is not known, the service has what is `held` as well.
    pub(super) fn resolve(&self, all: &mut AllGiven, answers: &Answers, held: &Held) {
        for (key, plain) in self.named() {
            let given = all.entry(*key).or_default();
            let named = &plain.policy.named;
            given.addresses = named.iter().map(|named| meant(named, key.family(), answers)).collect();
            let written = plain.written();
            let is_unknown = given.addresses.iter().any(Vec::is_empty);
            given.named = held.get(key).filter(|_| is_unknown).cloned().unwrap_or_default();
            given.named.retain(|destination, _| !written.contains(destination));
            for (named, addresses) in named.iter().zip(&given.addresses) {
                for address in addresses {
                    let destination = DestinationKey { address: *address, port: named.port };
                    // What is written goes before names, and of two names the one that is written first.
                    let is_held = given.named.get(&destination).is_some_and(|other| other.id == HELD);
                    if !written.contains(&destination) && (is_held || !given.named.contains_key(&destination)) {
                        given.named.insert(destination, contributed(named, *address, addresses.len()));
                    }
                }
            }
            // What is only held for containers gives way to what is known.
            let Given { destinations, named, .. } = given;
            destinations
                .retain(|destination, contributed| !contributed.id.is_empty() || !named.contains_key(destination));
        }
    }

    /// What is owned, for a start on which nothing is known of containers: what may be one stays. A weight that is on record may
    /// be what health or a drain made of it, so it is the service's.
    pub(super) fn hold(&self, record: &Record) -> AllGiven {
        let mut all = AllGiven::new();
        for (key, base) in &self.ground.bases {
            all.insert(*key, Given { destinations: of_record(record, key, base), ..Given::default() });
        }
        // Nobody knows any more what they were called.
        let auto = self.docker.as_ref().and_then(|docker| docker.auto.as_ref()).map(|auto| &auto.selector);
        for (key, selector) in
            record.services.keys().filter_map(|key| Some((key, auto.filter(|_| self.may_be_auto(key))?)))
        {
            let (selector, written) = (Arc::new(selector.clone()), BTreeSet::new());
            let base = Base { name: key.to_string(), selector, written };
            let destinations = of_record(record, key, &base);
            if !destinations.is_empty() {
                all.insert(*key, Given { auto: Some(base.name), destinations, ..Given::default() });
            }
        }
        all
    }

    /// What is owned of the services of which not all names are known; of those that had something `held` before, that alone: what
    /// was written there and is no more has been taken out by somebody.
    pub(super) fn hold_names(&self, record: &Record, answers: &Answers, before: &HeldKeys) -> Held {
        let of = |(key, plain): (&ServiceKey, &Plain)| {
            let named = &plain.policy.named;
            let unknown = named.iter().find(|named| meant(named, key.family(), answers).is_empty())?;
            let mut held = owned(record, key, &plain.written(), unknown.settings.weight, unknown.checks.as_ref());
            held.values_mut().for_each(|contributed| contributed.id = HELD.to_owned());
            let is_old =
                |before: &&HeldFor| self.unknown_of(key, answers).into_iter().all(|host| before.hosts.contains(host));
            if let Some(before) = before.get(key).filter(is_old) {
                held.retain(|destination, _| before.destinations.contains(destination));
            }
            Some((*key, held))
        };
        self.named().filter_map(of).collect()
    }

    /// What a service keeps for its names, in words; nothing if that is nothing.
    pub(super) fn what_stays(&self, key: &ServiceKey, held: &Destinations, answers: &Answers) -> Option<String> {
        if held.is_empty() {
            return None;
        }
        let destinations: Vec<String> = held.keys().map(DestinationKey::to_string).collect();
        let hosts: Vec<String> = self.unknown_of(key, answers).into_iter().map(|host| format!("`{host}`")).collect();
        let (hosts, destinations) = (hosts.join(" and "), destinations.join(", "));
        Some(format!(
            "{key} keeps {destinations} until it is known which {} addresses {hosts} has",
            key.family().word()
        ))
    }

    /// What is held, as it is kept.
    pub(super) fn held_keys(&self, held: &Held, answers: &Answers) -> HeldKeys {
        let of = |(key, held): (&ServiceKey, &Destinations)| {
            let hosts = self.unknown_of(key, answers).into_iter().map(str::to_owned).collect();
            (*key, HeldFor { hosts, destinations: held.keys().copied().collect() })
        };
        held.iter().map(of).collect()
    }

    /// What services have now to which a name comes that is not known yet. Of those that had such names already, what was `held` for
    /// them: whoever takes an address out of the file then means it.
    pub(super) fn hold_as_before(
        &self,
        (before, laid_before): (&Desired, Option<&Self>),
        answers: &Answers,
        held: &Held,
    ) -> Held {
        let of = |key: ServiceKey| {
            let known_before = laid_before.map(|laid| laid.unknown_of(&key, answers)).unwrap_or_default();
            let is_old = self.unknown_of(&key, answers).is_subset(&known_before);
            let mut holds = match held.get(&key).filter(|_| is_old) {
                Some(held) => held.clone(),
                None => as_before(before, &key, HELD)?,
            };
            let written = self.plain.get(&key)?.written();
            holds.retain(|destination, _| !written.contains(destination));
            Some((key, holds))
        };
        self.unknown(answers).into_iter().filter_map(of).collect()
    }

    /// Whether a service can have come about by itself.
    pub(super) fn may_be_auto(&self, key: &ServiceKey) -> bool {
        let ServiceKey::Address { address, .. } = key else { return false };
        let auto = self.docker.as_ref().and_then(|docker| docker.auto.as_ref());
        auto.is_some_and(|auto| auto.addresses.contains(address)) && !self.ground.names.contains_key(key)
    }

    /// What is in force, for the first configuration that asks for containers: what may be one stays until it is known what is.
    pub(super) fn stay(&self, key: &ServiceKey, before: &Desired) -> Option<Given> {
        let base = self.ground.bases.get(key)?;
        let mut destinations = as_before(before, key, "")?;
        destinations.retain(|destination, _| !base.written.contains(destination));
        Some(Given { destinations, ..Given::default() })
    }

    /// Puts what a service gets into `desired`, in the place of what it has there.
    pub(super) fn put(&self, desired: &mut Desired, key: ServiceKey, given: &Given, ended: &BTreeSet<DestinationKey>) {
        let Some(Plain { mut service, mut origin, mut policy }) = self.plain(key, given) else { return };
        for (destination, contributed) in given.named.iter().chain(&given.destinations) {
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
        for (named, addresses) in policy.named.iter_mut().zip(&given.addresses) {
            named.addresses.clone_from(addresses);
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
        let docker = self.docker.as_ref()?;
        let Auto { settings, policy, .. } = docker.auto.as_ref()?;
        let service = Service { settings: settings.clone(), destinations: BTreeMap::new() };
        // It stands in no file: whoever asks where it comes from is told the engine.
        let file = docker.endpoint.to_string().into();
        let origin = ServiceOrigin { name: given.auto.clone()?, file, line: 0, destinations: BTreeMap::new() };
        Some(Plain { service, origin, policy: policy.clone() })
    }
}

/// What stands in the place of a container's ID where something was there before a name was known.
const HELD: &str = "held";

/// What a name stands for in a service of that family; nothing if it is not known.
fn meant(named: &Named, family: Family, answers: &Answers) -> Vec<IpAddr> {
    let known = answers.get(&named.host).into_iter().flatten();
    let of_family = known.filter(|address| Family::of(**address) == family).copied();
    of_family.take(if named.all { usize::MAX } else { 1 }).collect()
}

fn contributed(named: &Named, address: IpAddr, of: usize) -> Contributed {
    let name = named.name.as_ref().unwrap_or(&named.host);
    Contributed {
        settings: named.settings,
        // Each is called by a name of its own.
        name: if of > 1 { format!("{name}@{address}") } else { name.clone() },
        id: String::new(),
        checks: named.checks.clone(),
        quiesced: None,
    }
}

/// What is owned of a service and not written, as it was left, without what is on its way out.
fn owned(
    record: &Record,
    key: &ServiceKey,
    written: &BTreeSet<DestinationKey>,
    weight: u32,
    checks: Option<&SharedChecks>,
) -> Destinations {
    let owned = record.services.get(key).into_iter().flat_map(|owned| &owned.destinations);
    let held =
        owned.filter(|(destination, _)| !written.contains(destination) && !record.drains_destination(key, destination));
    let held = held.filter_map(|(destination, left): (_, &Option<DestinationSettings>)| {
        let mut settings = (*left)?;
        settings.weight = if settings.weight == 0 { weight } else { settings.weight };
        let (name, checks) = (destination.to_string(), checks.cloned());
        Some((*destination, Contributed { settings, name, id: String::new(), checks, quiesced: None }))
    });
    held.collect()
}

fn of_record(record: &Record, key: &ServiceKey, base: &Base) -> Destinations {
    let checks = base.selector.checks.clone().filter(|checks| !checks.is_empty());
    owned(record, key, &base.written, base.selector.weight, checks.as_ref())
}

/// What a service has in a configuration.
fn as_before(before: &Desired, key: &ServiceKey, id: &str) -> Option<Destinations> {
    let (service, origin) = (before.table.services.get(key)?, before.origins.get(key)?);
    let policy = before.policies.get(key);
    let of = |(destination, settings): (&DestinationKey, &DestinationSettings)| {
        let name = origin.destinations.get(destination).cloned();
        let contributed = Contributed {
            settings: *settings,
            name: name.unwrap_or_else(|| destination.to_string()),
            id: id.to_owned(),
            checks: policy.and_then(|policy| policy.checks.get(destination).cloned()),
            quiesced: policy.and_then(|policy| policy.quiesced.get(destination).copied()),
        };
        (*destination, contributed)
    };
    Some(service.destinations.iter().map(of).collect())
}
