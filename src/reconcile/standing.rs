//! What the loop remembers of health between passes: who was up, who is on a ramp, whose checker is suspected, which
//! service has failed. Deterministic: verdicts, the live table and the time come in; layers and notices go out.

mod suspects;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::belief::{Belief, believe, said};
use super::checker::{Assignment, Assignments, Verdicts};
use super::notice::Notice;
use super::observe::Inputs;
use crate::model::{
    Desired, DestinationKey, Health, Initial, LiveService, OnDown, Policy, Quiesced, ServiceKey, SharedChecks, Via,
};
use crate::plan::{Effective, Of, Ramp};

/// The live table, as far as it is needed here.
type LiveServices = BTreeMap<ServiceKey, LiveService>;

#[derive(Debug, Clone, Copy)]
struct Known {
    belief: Belief,
    /// When its checks went from up to down before our eyes.
    went_down: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Instant,
    length: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Standing {
    known: BTreeMap<Of, Known>,
    ramps: BTreeMap<Of, Begun>,
    suspects: BTreeMap<ServiceKey, BTreeSet<DestinationKey>>,
    failed: BTreeSet<ServiceKey>,
    /// Destinations whose containers were stopping.
    stopping: BTreeMap<Of, ()>,
    assigned: Assignments,
    /// What has happened and was not told yet: a pass may fail after it was seen.
    notices: Vec<Notice>,
}

/// A mark that is ready to carry checks to a destination.
pub(super) type Marks = BTreeMap<Of, u32>;

impl Standing {
    /// Whom to check: what is desired and has checks, and what is on its way out and has some still. `marks` are those whose
    /// helper is in the kernel; a destination that waits for one is not assigned yet. Gives the assignments if they are
    /// other than the last ones.
    pub(super) fn assign(
        &mut self,
        inputs: &Inputs<'_, '_>,
        live: &LiveServices,
        marks: &Marks,
        leaving: &BTreeMap<Of, SharedChecks>,
    ) -> Option<&Assignments> {
        let desired = inputs.desired;
        let mut next = Assignments::new();
        for (key, policy) in &desired.policies {
            let name = desired.origins.get(key).map_or("", |origin| origin.name.as_str());
            for (destination, checks) in &policy.checks {
                let of = (*key, *destination);
                let mark = marks.get(&of).copied();
                let waits = mark.is_none() && uses_vip(checks);
                if checks.is_empty() || waits || stops(policy, destination) {
                    continue;
                }
                let seed = match self.assigned.get(&of) {
                    Some(before) => before.seed,
                    None => self.seed(inputs, &of, policy, live),
                };
                next.insert(of, Assignment { name: name.to_owned(), checks: checks.clone(), seed, mark });
            }
        }
        for (of, checks) in leaving {
            if checks.is_empty() || uses_vip(checks) || next.contains_key(of) {
                continue;
            }
            // What is leaving counts as up until it is seen to be down: its connections are worth waiting for.
            let before = self.assigned.get(of);
            let seed = before.map_or(Health::Up, |before| before.seed);
            let name = before.map(|before| before.name.clone()).unwrap_or_default();
            next.insert(*of, Assignment { name, checks: checks.clone(), seed, mark: None });
        }
        if next == self.assigned {
            return None;
        }
        self.assigned = next;
        Some(&self.assigned)
    }

    /// What a destination counts as until its checks have spoken.
    fn seed(&self, inputs: &Inputs<'_, '_>, of: &Of, policy: &Policy, live: &LiveServices) -> Health {
        if let Some(known) = self.known.get(of).and_then(|known| known.belief.checks) {
            return known;
        }
        match (policy.initial, live_weight(of, live)) {
            // Its container has started anew.
            (Initial::Live, _) if self.stopping.contains_key(of) => Health::Unknown,
            (Initial::Up, _) if self.stopping.contains_key(of) => Health::Up,
            // What was seen to be down before a restart is not put to use for what it was at its beginning.
            (Initial::Up, Some(0)) if inputs.record.owns_destination(&of.0, &of.1) => {
                without_weight(inputs, of, policy.on_down)
            }
            (Initial::Up, _) => Health::Up,
            (Initial::Down, _) => Health::Down,
            (Initial::Live, None) => Health::Unknown,
            (Initial::Live, Some(0)) => without_weight(inputs, of, policy.on_down),
            (Initial::Live, Some(_)) => Health::Up,
        }
    }

    /// What is believed of every destination that has checks: what was found, or what it counts as until something is,
    /// unless an operator says otherwise; and of those without that an operator speaks for, or did until now.
    pub(super) fn beliefs(
        &self,
        inputs: &Inputs<'_, '_>,
        live: &LiveServices,
        verdicts: &Verdicts,
    ) -> BTreeMap<Of, Belief> {
        let Inputs { desired, overrides, .. } = *inputs;
        let forced = |of: &Of| said(overrides, &of.0, &of.1).map(|given| given.health);
        let mut beliefs = BTreeMap::new();
        for (key, policy) in &desired.policies {
            let checked = policy.checks.iter().filter(|(_, checks)| !checks.is_empty());
            for (destination, checks) in checked.filter(|(destination, _)| !stops(policy, destination)) {
                let of = (*key, *destination);
                let found = verdicts.destinations.get(&of).map(|verdict| verdict.health);
                // A check that waits for its helper says nothing yet.
                let found = found.filter(|_| self.assigned.contains_key(&of) || !uses_vip(checks));
                let found = found.unwrap_or_else(|| self.seed(inputs, &of, policy, live));
                beliefs.insert(of, believe(Some(found), forced(&of)));
            }
        }
        let spoken_for = overrides.services.iter().flat_map(|(service, of_service)| {
            let with_health = of_service.iter().filter(|(_, given)| given.health.is_some());
            with_health.map(|(destination, _)| (*service, *destination))
        });
        let until_now = self.known.iter().filter(|(_, known)| known.belief.forced.is_some()).map(|(of, _)| *of);
        for of in spoken_for.chain(until_now).chain(self.ramps.keys().copied()) {
            if desired.table.has(&of.0, &of.1) {
                beliefs.entry(of).or_insert_with(|| believe(None, forced(&of)));
            }
        }
        beliefs
    }

    /// Takes in what is known now, and notes what has happened since the last time.
    pub(super) fn take(
        &mut self,
        inputs: &Inputs<'_, '_>,
        live: &LiveServices,
        beliefs: &BTreeMap<Of, Belief>,
        reasons: impl Fn(&Of) -> String,
        now: Instant,
    ) {
        let desired = inputs.desired;
        let mut notices = std::mem::take(&mut self.notices);
        for (of, &belief) in beliefs {
            let Some(policy) = desired.policies.get(&of.0) else { continue };
            let before = self.known.get(of).copied();
            let (service, destination) = *of;
            let name = || name_of(desired, &service);
            let slow_start = Begun { at: now, length: policy.slow_start };
            // A check may have spoken before the first pass: then it counted as something until just now, which nobody has seen.
            let seed = || self.seed(inputs, of, policy, live);
            let unseen = || {
                Some(seed()).filter(|seed| belief.checks.is_some() && belief.forced.is_none() && *seed != Health::Up)
            };
            let believed = before.map(|known| known.belief.health).or_else(unseen);
            let went_down = match (before.and_then(|known| known.belief.checks), belief.checks) {
                (Some(Health::Up), Some(Health::Down)) => Some(now),
                (_, Some(Health::Down)) => before.and_then(|known| known.went_down),
                _ => None,
            };
            match (believed, belief.health) {
                (None, Health::Up) => {
                    // Without checks it was never anything but up.
                    let resumed = resumed(inputs, of, policy.slow_start, live, now);
                    if let Some(resumed) = resumed.filter(|_| belief.checks.is_some()) {
                        self.ramps.insert(*of, resumed);
                    }
                }
                (Some(Health::Down | Health::Unknown), Health::Up) => {
                    let was_down = believed == Some(Health::Down);
                    let ramp = match live_weight(of, live) {
                        // It was not taken out: in a panic, ignored, or down for less than a pass.
                        Some(1..) => resumed(inputs, of, policy.slow_start, live, now),
                        // What has no weight by override, and nothing else is known of, has not come up just now.
                        _ => (was_down || full_weight(inputs, of) != Some(0)).then_some(slow_start),
                    };
                    self.ramps.extend(ramp.map(|ramp| (*of, ramp)));
                    if was_down {
                        notices.push(Notice::DestinationUp { service, name: name(), destination });
                    }
                }
                (Some(Health::Up | Health::Unknown), Health::Down) => {
                    self.ramps.remove(of);
                    let reason = if belief.forced.is_some() { "by override".to_owned() } else { reasons(of) };
                    notices.push(Notice::DestinationDown { service, name: name(), destination, reason });
                }
                _ => {}
            }
            self.known.insert(*of, Known { belief, went_down });
        }
        self.known.retain(|of, _| beliefs.contains_key(of));
        self.ramps.retain(|of, begun| {
            beliefs.contains_key(of)
                && !begun.length.is_zero()
                && now.saturating_duration_since(begun.at) < begun.length
        });
        let quiesced = desired.policies.iter().filter(|(_, policy)| !policy.quiesced.is_empty());
        let stopping = quiesced.flat_map(|(key, policy)| {
            let stopping = policy.quiesced.keys().filter(|destination| stops(policy, destination));
            stopping.map(|destination| ((*key, *destination), ()))
        });
        self.stopping = stopping.collect();
        self.suspect(inputs, now, &mut notices);
        self.notices = notices;
    }

    /// How far each ramp has come.
    pub(super) fn ramps(&self, now: Instant) -> BTreeMap<Of, Ramp> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let ramp = |begun: &Begun| Ramp { done: ms(now.saturating_duration_since(begun.at)), of: ms(begun.length) };
        self.ramps.iter().map(|(of, begun)| (*of, ramp(begun))).collect()
    }

    /// When a ramp has its next step: in twenty of them it comes to its end.
    pub(super) fn next_step(&self, now: Instant) -> Option<Duration> {
        const STEPS: u32 = 20;
        let step = |begun: &Begun| {
            let left = (begun.at + begun.length).saturating_duration_since(now);
            (begun.length / STEPS).clamp(Duration::from_millis(250), Duration::from_secs(5)).min(left)
        };
        self.ramps.values().map(step).min()
    }

    /// Notes which services have failed or were restored.
    pub(super) fn judge(&mut self, desired: &Desired, effective: &Effective<'_>) {
        let notices = &mut self.notices;
        let failed: BTreeSet<ServiceKey> =
            effective.services.iter().filter(|(_, overlaid)| overlaid.failed).map(|(key, _)| *key).collect();
        for (service, overlaid) in &effective.services {
            let (name, up, of) = (name_of(desired, service), overlaid.up, overlaid.of);
            match (self.failed.contains(service), overlaid.failed) {
                (false, true) => notices.push(Notice::ServiceFailed { service: *service, name, up, of }),
                (true, false) => notices.push(Notice::ServiceRestored { service: *service, name, up, of }),
                _ => {}
            }
        }
        // Nothing is laid over it any more.
        for service in self.failed.iter().filter(|service| !effective.services.contains_key(service)) {
            if let Some(wanted) = desired.table.services.get(service) {
                let (name, of) = (name_of(desired, service), wanted.destinations.len());
                notices.push(Notice::ServiceRestored { service: *service, name, up: of, of });
            }
        }
        self.failed = failed;
    }

    /// What is remembered of these services, taken out.
    pub(super) fn take_part(&mut self, services: &BTreeSet<ServiceKey>) -> Self {
        fn of<V>(map: &mut BTreeMap<Of, V>, services: &BTreeSet<ServiceKey>) -> BTreeMap<Of, V> {
            let first = |service: &ServiceKey| (*service, DestinationKey::FIRST);
            let of_service = |service| map.range(first(service)..).take_while(move |(of, _)| of.0 == *service);
            let keys: Vec<Of> = services.iter().flat_map(of_service).map(|(of, _)| *of).collect();
            keys.into_iter().filter_map(|of| map.remove_entry(&of)).collect()
        }
        Self {
            known: of(&mut self.known, services),
            ramps: of(&mut self.ramps, services),
            suspects: services.iter().filter_map(|key| self.suspects.remove_entry(key)).collect(),
            failed: services.iter().filter_map(|key| self.failed.take(key)).collect(),
            stopping: of(&mut self.stopping, services),
            assigned: of(&mut self.assigned, services),
            notices: Vec::new(),
        }
    }

    /// Puts back what [`Self::take_part`] took, as it is now.
    pub(super) fn put_part(&mut self, part: Self) {
        let Self { known, ramps, suspects, failed, stopping, assigned, notices } = part;
        self.known.extend(known);
        self.ramps.extend(ramps);
        self.suspects.extend(suspects);
        self.failed.extend(failed);
        self.stopping.extend(stopping);
        self.assigned.extend(assigned);
        self.notices.extend(notices);
    }

    /// The services in which something is on a ramp.
    pub(super) fn ramping(&self) -> BTreeSet<ServiceKey> {
        self.ramps.keys().map(|(service, _)| *service).collect()
    }

    /// What has happened and was not taken yet.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// Whether its container is stopping. What it answers meanwhile says nothing of what it will be if it starts again, and that it
/// goes is no failure.
fn stops(policy: &Policy, destination: &DestinationKey) -> bool {
    policy.quiesced.get(destination) == Some(&Quiesced::Stopping)
}

/// At the start, a weight that is neither 0 nor full is a ramp that was under way: it goes on from there.
fn resumed(inputs: &Inputs<'_, '_>, of: &Of, length: Duration, live: &LiveServices, now: Instant) -> Option<Begun> {
    let full = full_weight(inputs, of)?;
    let weight = live_weight(of, live).filter(|weight| (1..full).contains(weight))?;
    // The share that gives this very weight when it is rounded down.
    let done = length.mul_f64((f64::from(weight) + 0.5) / f64::from(full));
    Some(Begun { at: now.checked_sub(done)?, length })
}

/// What a destination that is up would weigh at the end of its ramp: what operators gave it, or else what is configured.
pub(super) fn full_weight(inputs: &Inputs<'_, '_>, (service, destination): &Of) -> Option<u32> {
    let configured = inputs.desired.table.services.get(service)?.destinations.get(destination)?.weight;
    let given = inputs.overrides.get(service, destination, inputs.unix);
    Some(match given.drained_since {
        Some(_) => 0,
        None => given.weight.map_or(configured, |weight| weight.weight),
    })
}

fn name_of(desired: &Desired, service: &ServiceKey) -> String {
    desired.origins.get(service).map(|origin| origin.name.clone()).unwrap_or_default()
}

/// What it says of the health of a destination that it is live and has no weight: that it was down, unless there is
/// another reason for that. Then nothing is known yet; but what is not down is not deleted for it, nor is what comes back
/// from a drain kept waiting.
fn without_weight(inputs: &Inputs<'_, '_>, of: &Of, on_down: OnDown) -> Health {
    let (service, destination) = of;
    // Drained, by override, or as it is configured.
    let is_meant = full_weight(inputs, of) == Some(0);
    match on_down {
        _ if inputs.record.drains_destination(service, destination) => Health::Up,
        _ if !is_meant => Health::Down,
        OnDown::Delete => Health::Up,
        OnDown::Quiesce | OnDown::Ignore => Health::Unknown,
    }
}

fn live_weight((service, destination): &Of, live: &LiveServices) -> Option<u32> {
    Some(live.get(service)?.destinations.get(destination)?.settings.weight)
}

/// Whether a check goes through IPVS.
pub(super) fn uses_vip(checks: &SharedChecks) -> bool {
    checks.list.iter().any(|named| named.check.via == Via::Vip)
}

/// The policy of a service, or of one that has none.
pub(super) fn drain_of(desired: &Desired, service: &ServiceKey) -> Option<Duration> {
    desired.policies.get(service).map(|policy: &Policy| policy.drain)
}
