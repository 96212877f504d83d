//! What a pass concerns: everything, or some services.
//!
//! Events say when to look again, and this says where. Whoever is in doubt says [`Concern::All`]: that is always right, and
//! only slower. What nobody has told of (drift, a lost event) is found by the next pass over everything, which the resync is.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::standing::uses_vip;
use crate::model::{Checks, Desired, Helped, Host, Policy, Record, ServiceKey, SharedChecks};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Concern {
    All,
    Services(BTreeSet<ServiceKey>),
}

impl Default for Concern {
    /// Nothing.
    fn default() -> Self {
        Self::Services(BTreeSet::new())
    }
}

impl Concern {
    /// These services, too.
    pub(super) fn add(&mut self, services: impl IntoIterator<Item = ServiceKey>) {
        match self {
            Self::All => {}
            Self::Services(known) => known.extend(services),
        }
    }

    /// All of `other`, too.
    pub(super) fn join(&mut self, other: Self) {
        match other {
            Self::All => *self = Self::All,
            Self::Services(services) => self.add(services),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Services(services) if services.is_empty())
    }

    pub(super) fn covers(&self, service: &ServiceKey) -> bool {
        match self {
            Self::All => true,
            Self::Services(services) => services.contains(service),
        }
    }

    /// What follows from one configuration taking the place of another: the services that are not the same in both. What
    /// changes for the host, or for the marks of checks, is everybody's.
    pub(super) fn between(before: &Desired, after: &Desired, record: &Record) -> Self {
        // What is not compared here is acted on by others, or only told.
        let Desired { table, origins, manage, max_delete, resync: _, state_dir: _, policies, .. } = before;
        let Desired { drain, checks_at_once: _, check_marks, hooks: _, host, .. } = before;
        let globals = manage == &after.manage
            && max_delete == &after.max_delete
            && drain == &after.drain
            && check_marks == &after.check_marks
            && host == &after.host;
        if !globals {
            return Self::All;
        }
        let mut services = BTreeSet::new();
        differing(&table.services, &after.table.services, |one, other| one == other, &mut services);
        let has_host = *host != Host::default() || !record.host.is_empty();
        if has_host && !services.is_empty() {
            return Self::All;
        }
        // Mostly, destinations share their checks with those before them.
        let known: Cell<Option<[*const Checks; 2]>> = Cell::new(None);
        let same_checks = |one: &SharedChecks, other: &SharedChecks| {
            let pair = [Arc::as_ptr(one), Arc::as_ptr(other)];
            let same = known.get() == Some(pair) || one == other;
            if same {
                known.set(Some(pair));
            }
            same
        };
        differing(policies, &after.policies, |one, other| same_policy(one, other, same_checks), &mut services);
        differing(origins, &after.origins, |one, other| one.name == other.name, &mut services);
        let marked = |policy: &Policy| policy.checks.values().any(uses_vip);
        let of = |key: &ServiceKey| [policies.get(key), after.policies.get(key)];
        if services.iter().flat_map(of).flatten().any(marked) {
            return Self::All;
        }
        Self::Services(services)
    }
}

fn same_policy(one: &Policy, other: &Policy, same_checks: impl Fn(&SharedChecks, &SharedChecks) -> bool) -> bool {
    // Which containers it is that are destinations is seen by the destinations.
    let Policy { checks, on_down, slow_start, fallback, min_healthy, initial, panic_threshold, .. } = one;
    let Policy { drain, containers: _, quiesced, ended, .. } = one;
    *on_down == other.on_down
        && *slow_start == other.slow_start
        && *fallback == other.fallback
        && *min_healthy == other.min_healthy
        && *initial == other.initial
        && *panic_threshold == other.panic_threshold
        && *drain == other.drain
        && *quiesced == other.quiesced
        && *ended == other.ended
        && checks.len() == other.checks.len()
        && checks.iter().zip(&other.checks).all(|(one, other)| one.0 == other.0 && same_checks(one.1, other.1))
}

/// The keys of which the values are not the same in both. One walk along both.
fn differing<V>(
    one: &BTreeMap<ServiceKey, V>,
    other: &BTreeMap<ServiceKey, V>,
    same: impl Fn(&V, &V) -> bool,
    found: &mut BTreeSet<ServiceKey>,
) {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    loop {
        match (one.peek(), other.peek()) {
            (Some((left, before)), Some((right, after))) if left == right => {
                if !same(before, after) {
                    found.insert(**left);
                }
                one.next();
                other.next();
            }
            (Some((left, _)), Some((right, _))) if left > right => {
                found.insert(**right);
                other.next();
            }
            (Some((left, _)), _) => {
                found.insert(**left);
                one.next();
            }
            (None, Some((right, _))) => {
                found.insert(**right);
                other.next();
            }
            (None, None) => return,
        }
    }
}

/// These services with all that goes with them: the services that carry their checks, and the services that those are for.
/// Nothing if a check has no mark yet: marks are handed out with a view of everything.
pub(super) fn with_helpers(
    mut services: BTreeSet<ServiceKey>,
    desired: &Desired,
    record: &Record,
) -> Option<BTreeSet<ServiceKey>> {
    let through = |service: &ServiceKey| {
        let checks = desired.policies.get(service).into_iter().flat_map(|policy| &policy.checks);
        let service = *service;
        let through = checks.filter(|(_, checks)| uses_vip(checks));
        through.map(move |(destination, _)| Helped { service, destination: *destination }).collect::<Vec<_>>()
    };
    let mut wanted: BTreeSet<Helped> = services.iter().flat_map(through).collect();
    if wanted.is_empty() && record.helpers.is_empty() {
        return Some(services);
    }
    let key_of = |mark: u32, of: &ServiceKey| ServiceKey::Mark { family: of.family(), mark };
    let mut more = Vec::new();
    for (mark, helped) in &record.helpers {
        let helper = key_of(*mark, &helped.service);
        if services.contains(&helped.service) {
            // One that is to go is everybody's matter, too.
            if !wanted.remove(helped) {
                return None;
            }
            more.push(helper);
        } else if services.contains(&helper) {
            // Its service has other helpers, perhaps.
            return None;
        }
    }
    services.extend(more);
    wanted.is_empty().then_some(services)
}
