//! The host around the table: what is wanted of it, and how to get there. Pure, as the diff of the table is.
//!
//! What the table needs stands before it and goes after it: modules, sysctls, timeouts, addresses and synchronisation are
//! added and edited before the first operation on the table, and deleted after the last. An address stays for as long as
//! a service has it, be that one that drains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{Desired, Host, HostKey, HostValue, MaxDelete, OwnedHost, ServiceKey};

use super::guard::TooManyDeletes;
use super::note::Held;
use super::operation::{Cause, Verb};

/// One change to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostOperation {
    pub key: HostKey,
    /// Nothing for an add.
    pub from: Option<HostValue>,
    /// Nothing for a delete.
    pub to: Option<HostValue>,
}

impl HostOperation {
    /// The kind of the operation.
    pub fn kind(&self) -> Verb {
        match (&self.from, &self.to) {
            (_, None) => Verb::Delete,
            (None, Some(_)) => Verb::Add,
            (Some(_), Some(_)) => Verb::Edit,
        }
    }
}

/// A change to the host, and why it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStep {
    pub operation: HostOperation,
    pub cause: Cause,
}

/// What is left alone, kept or waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostNote {
    /// It was set, is not written any more, and is left as it is; what it was before is known.
    Kept { key: HostKey, value: HostValue, before: HostValue },
    /// An interface of ours that others have put addresses on.
    InUse { key: HostKey, addresses: usize },
    /// An address that goes with its last service, which is still there.
    Draining { key: HostKey },
    /// An address that is to be on another interface, and is not there yet.
    Unmoved { key: HostKey },
    /// A synchronisation daemon that nobody wants here and that is not ours.
    Foreign { key: HostKey },
    /// The host could not be looked at, so nothing is done to it.
    Unknown { reason: String },
    /// An operation on an object that failed not long ago.
    Waiting { verb: Verb, key: HostKey, held: Held },
}

/// The operations that make the host what is wanted, and what was left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostPlan {
    /// Adds and edits in the order of their keys, then deletes against it.
    pub steps: Vec<HostStep>,
    pub notes: Vec<HostNote>,
    /// Wanted, and as it should be.
    pub unchanged: usize,
    /// Addresses that are ours.
    addresses: usize,
    /// Addresses that the plan takes from services that go on.
    taken: usize,
}

impl HostPlan {
    /// Whether there is nothing to do. There may be notes all the same.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The number of operations of a kind.
    pub fn count(&self, verb: Verb) -> usize {
        self.steps.iter().filter(|step| step.operation.kind() == verb).count()
    }

    /// Whether something is wanted that this plan does not do.
    pub fn is_waiting(&self) -> bool {
        let waits = |note: &HostNote| {
            matches!(note, HostNote::Waiting { .. } | HostNote::Unmoved { .. } | HostNote::Unknown { .. })
        };
        self.notes.iter().any(waits)
    }

    /// No plan, for the host could not be looked at.
    pub fn unknown(reason: String) -> Self {
        Self { notes: vec![HostNote::Unknown { reason }], ..Self::default() }
    }

    /// Whether the host could not be looked at.
    pub fn is_unknown(&self) -> bool {
        self.notes.iter().any(|note| matches!(note, HostNote::Unknown { .. }))
    }

    /// Refuses a plan that takes more addresses from services that go on than `max` allows. Addresses that go with their
    /// services are the table's matter.
    pub fn guard(&self, max: MaxDelete) -> Result<(), TooManyDeletes> {
        TooManyDeletes::check(self.taken, self.addresses, "address", max)
    }

    /// Takes the deletes of addresses that `stays` names, and of their interfaces, out of the plan, and notes each.
    pub fn keep(&mut self, stays: impl Fn(&IpAddr) -> bool, note: impl Fn(HostKey) -> HostNote) {
        let is_delete = |step: &HostStep| step.operation.kind() == Verb::Delete;
        let deletes = self.steps.iter().filter(|step| is_delete(step));
        let kept: Vec<HostKey> =
            deletes.map(|step| &step.operation.key).filter(|key| key.address().is_some_and(&stays)).cloned().collect();
        let full: BTreeSet<&str> = kept.iter().filter_map(HostKey::interface).collect();
        self.steps.retain(|step| {
            let key = &step.operation.key;
            let is_full = matches!(key, HostKey::Interface(name) if full.contains(&**name));
            !(is_delete(step) && (is_full || key.address().is_some_and(&stays)))
        });
        self.notes.extend(kept.into_iter().map(note));
    }

    fn push(&mut self, key: &HostKey, from: Option<&HostValue>, to: Option<&HostValue>, cause: Cause) {
        let operation = HostOperation { key: key.clone(), from: from.cloned(), to: to.cloned() };
        self.steps.push(HostStep { operation, cause });
    }

    /// Takes out what `held` names, and with an interface that waits the addresses that need it.
    #[must_use]
    pub fn hold(mut self, held: &dyn Fn(&HostKey) -> Option<Held>) -> Self {
        let missing = self.steps.iter().filter_map(|HostStep { operation, .. }| match &operation.key {
            HostKey::Interface(name) if operation.kind() == Verb::Add => Some((name.clone(), held(&operation.key)?)),
            _ => None,
        });
        let missing: BTreeMap<String, Held> = missing.collect();
        let needs = |HostOperation { key, to, .. }: &HostOperation| match key {
            HostKey::Address { interface, .. } if to.is_some() => missing.get(interface).cloned(),
            _ => None,
        };
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            let HostOperation { key, .. } = &step.operation;
            match held(key).or_else(|| needs(&step.operation)) {
                Some(held) => {
                    let (verb, key) = (step.operation.kind(), key.clone());
                    self.notes.push(HostNote::Waiting { verb, key, held });
                }
                None => steps.push(step),
            }
        }
        Self { steps, ..self }
    }
}

/// What is wanted of the host: what the configuration says, and the addresses that services have which are on their way
/// out. `in_use` are the addresses of the services that are there after this pass, as far as can be told.
pub fn host_wanted(
    desired: &Desired,
    record: &BTreeMap<HostKey, OwnedHost>,
    in_use: &BTreeSet<IpAddr>,
) -> BTreeMap<HostKey, HostValue> {
    let Host { addresses, sysctls, modules, timeouts, sync } = &desired.host;
    let mut wanted = BTreeMap::new();
    if *modules {
        wanted.extend(desired.table.modules().into_iter().map(|name| (HostKey::Module(name), HostValue::There)));
    }
    wanted.extend(sysctls.iter().map(|(name, value)| (HostKey::Sysctl(name.clone()), HostValue::Text(value.clone()))));
    wanted.extend(timeouts.iter().map(|(timeout, value)| (HostKey::Timeout(*timeout), HostValue::Seconds(*value))));
    wanted.extend(sync.iter().map(|(role, settings)| (HostKey::Sync(*role), HostValue::Sync(settings.kept(*role)))));
    let of_services = addresses_of(desired.table.services.keys());
    // What drains stays reachable where it is, whatever becomes of the key.
    let leaving = |address: &IpAddr| in_use.contains(address) && !of_services.contains(address);
    for key in record.keys().filter(|key| key.address().is_some_and(leaving)) {
        wanted.insert(key.clone(), HostValue::There);
        let interface = key.interface().map(|name| HostKey::Interface(name.to_owned()));
        let is_ours = |key: &HostKey| record.contains_key(key) || key.interface() == addresses.as_deref();
        wanted.extend(interface.filter(is_ours).map(|key| (key, HostValue::LINK)));
    }
    if let Some(interface) = addresses.as_ref().filter(|_| !of_services.is_empty()) {
        let key = |address| HostKey::Address { interface: interface.clone(), address };
        wanted.insert(HostKey::Interface(interface.clone()), HostValue::LINK);
        wanted.extend(of_services.iter().map(|address| (key(*address), HostValue::There)));
    }
    wanted
}

/// The addresses of services, each once. Those that stand for every address are nobody's, and the host has all of its own
/// loopback as it is (the kernel takes `::1` on no other interface).
pub fn addresses_of<'a>(services: impl IntoIterator<Item = &'a ServiceKey>) -> BTreeSet<IpAddr> {
    let addresses = services.into_iter().filter_map(|key| match key {
        ServiceKey::Address { address, .. } => Some(*address),
        ServiceKey::Mark { .. } => None,
    });
    addresses.filter(|address| !address.is_unspecified() && !address.is_loopback()).collect()
}

/// What a plan of the host is made from.
pub struct HostInputs<'a> {
    /// See [`host_wanted`].
    pub wanted: &'a BTreeMap<HostKey, HostValue>,
    /// Of what is wanted or on record, what is there; and all synchronisation daemons, if any are wanted or on record.
    pub live: &'a BTreeMap<HostKey, HostValue>,
    pub record: &'a BTreeMap<HostKey, OwnedHost>,
    /// See [`host_wanted`].
    pub in_use: &'a BTreeSet<IpAddr>,
    /// Synchronisation daemons that run, and have lost what they stand on ([`crate::model::Footing`]).
    pub adrift: &'a BTreeSet<HostKey>,
    /// Put settings back to what they were before they were set, wanted or not.
    pub restore: bool,
}

/// What turns `live` into `wanted`, as far as it is ours. Carried out in full it leaves nothing to do.
///
/// Settings that are not wanted any more keep their value, unless `restore` asks for what they were before.
pub fn host_diff(inputs: &HostInputs<'_>) -> HostPlan {
    let HostInputs { wanted, live, record, in_use, adrift, restore } = *inputs;
    let mut plan = HostPlan::default();
    let restored = |key: &HostKey| record.get(key)?.before.as_ref().filter(|_| restore && key.is_setting());
    for (key, value) in wanted {
        let value = restored(key).unwrap_or(value);
        match live.get(key) {
            Some(found) if key.is_met(value, found) && !adrift.contains(key) => plan.unchanged += 1,
            found => {
                let left = record.get(key).and_then(|owned| owned.left.as_ref());
                let drifted = left.is_some_and(|left| key.is_met(value, left));
                plan.push(key, found, Some(value), if drifted { Cause::Drift } else { Cause::Change });
            }
        }
    }
    let wanted_anywhere: BTreeSet<&IpAddr> = wanted.keys().filter_map(HostKey::address).collect();
    for (key, owned) in record.iter().rev().filter(|(key, _)| !wanted.contains_key(key)) {
        let Some(found) = live.get(key) else { continue };
        match (key, found) {
            (HostKey::Sysctl(_) | HostKey::Timeout(_), found) => match (&owned.before, restored(key)) {
                (Some(before), _) if before == found => {}
                (_, Some(before)) => plan.push(key, Some(found), Some(before), Cause::Change),
                (Some(before), None) => {
                    let (key, value, before) = (key.clone(), found.clone(), before.clone());
                    plan.notes.push(HostNote::Kept { key, value, before });
                }
                (None, None) => {}
            },
            // Nobody is hurt by a module that nobody needs; and an interface of another kind is not the one that was ours.
            (HostKey::Module(_), _) | (HostKey::Interface(_), HostValue::Link { dummy: false, .. }) => {}
            (HostKey::Interface(_), HostValue::Link { foreign: addresses @ 1.., .. }) => {
                plan.notes.push(HostNote::InUse { key: key.clone(), addresses: *addresses });
            }
            (HostKey::Interface(_) | HostKey::Address { .. } | HostKey::Sync(_), _) => {
                if let HostKey::Address { address, .. } = key {
                    plan.taken += usize::from(in_use.contains(address) && !wanted_anywhere.contains(address));
                }
                plan.push(key, Some(found), None, Cause::Change);
            }
        }
    }
    // What is put back stands among what is deleted; and of sysctls those that reset others are the first.
    plan.steps.sort_by_key(|HostStep { operation, .. }| match operation.kind() {
        Verb::Add | Verb::Edit => (false, operation.key.stage(), operation.key.turn()),
        Verb::Delete => (true, 0, 0),
    });
    plan.addresses =
        record.keys().filter(|key| matches!(key, HostKey::Address { .. }) && live.contains_key(key)).count();
    let daemons = live.keys().filter(|key| matches!(key, HostKey::Sync(_)));
    let foreign = daemons.filter(|key| !wanted.contains_key(key) && !record.contains_key(key));
    plan.notes.extend(foreign.map(|key| HostNote::Foreign { key: key.clone() }));
    plan
}

#[cfg(test)]
mod tests;
