//! What is on its way out of the table, for how long, and which marks carry checks.

use std::collections::{BTreeMap, BTreeSet};

use super::belief::said;
use super::checker::Verdicts;
use super::observe::Inputs;
use super::standing::{Marks, drain_of, uses_vip};
use crate::model::{
    Checks, DestinationKey, Drain, Forced, Health, Helped, LiveDestination, LiveService, ServiceKey, SharedChecks,
};
use crate::plan::{Leave, Of, connections, overlay_helper};

/// As many marks are ours.
const MARKS: u32 = 65_536;

/// The drains that are on record.
pub(super) struct Leaving<'a> {
    inputs: &'a Inputs<'a, 'a>,
    begun: BTreeMap<Of, &'a Drain>,
}

impl<'a> Leaving<'a> {
    /// Those on record that are live still.
    pub(super) fn new(inputs: &'a Inputs<'a, 'a>, live: &BTreeMap<ServiceKey, LiveService>) -> Self {
        let mut begun = BTreeMap::new();
        for (service, drains) in &inputs.record.drains {
            for (destination, drain) in drains {
                let is_live = live.get(service).is_some_and(|found| found.destinations.contains_key(destination));
                if is_live && !inputs.desired.table.has(service, destination) {
                    begun.insert((*service, *destination), drain);
                }
            }
        }
        Self { inputs, begun }
    }

    /// The checks that go on: what is down need not be waited for.
    pub(super) fn checks(&self) -> BTreeMap<Of, SharedChecks> {
        let checks = |of: &Of, drain: &Drain| {
            let farewell = self.inputs.farewells.get(of).cloned();
            farewell.unwrap_or_else(|| SharedChecks::new(drain.checks.clone()))
        };
        self.begun.iter().map(|(of, drain)| (*of, checks(of, drain))).collect()
    }

    /// The services with checks in which something has weight that is ours and on its way out.
    pub(super) fn serving(&self, live: &BTreeMap<ServiceKey, LiveService>) -> BTreeSet<ServiceKey> {
        let Inputs { desired, record, .. } = *self.inputs;
        let serves = |service: &ServiceKey, (destination, found): (&DestinationKey, &LiveDestination)| {
            found.settings.weight > 0
                && record.owns_destination(service, destination)
                && !desired.table.has(service, destination)
                && !is_fallback(self.inputs, service, destination)
        };
        let checked = desired.policies.iter().filter(|(_, policy)| !policy.checks.is_empty());
        let served = checked.filter(|(service, _)| {
            live.get(service).is_some_and(|found| found.destinations.iter().any(|of| serves(service, of)))
        });
        served.map(|(service, _)| *service).collect()
    }

    /// How a destination leaves that the plan deletes. Without verdicts, none of them is down.
    pub(super) fn leave(
        &self,
        service: &ServiceKey,
        destination: &DestinationKey,
        found: &LiveDestination,
        verdicts: Option<&Verdicts>,
    ) -> Leave {
        let Inputs { record, unix, .. } = *self.inputs;
        let at_once = |exempt| Leave { wait: None, connections: connections(found), exempt, begun: true };
        if record.is_helper(service) || self.inputs.desired.table.has(service, destination) {
            // It is desired, and not effective: `on_down = "delete"`.
            return at_once(true);
        }
        let policy = self.inputs.desired.policies.get(service);
        if policy.is_some_and(|policy| policy.ended.contains(destination)) {
            return at_once(true);
        }
        let of = (*service, *destination);
        let on_record = self.begun.get(&of).copied();
        let quiesced = found.settings.weight == 0;
        let begun = on_record.filter(|drain| quiesced || drain.quiesced);
        let retires = is_fallback(self.inputs, service, destination);
        let is_up = said(self.inputs.overrides, service, destination).map(|given| given.health) == Some(Forced::Up);
        let verdict = verdicts.and_then(|verdicts| verdicts.destinations.get(&of));
        if !is_up && verdict.is_some_and(|verdict| verdict.health == Health::Down) {
            return at_once(on_record.is_some() || retires);
        }
        let whole = wait(self.inputs, service).as_secs();
        let left = match begun {
            Some(drain) => deadline(self.inputs, service, drain).saturating_sub(unix).min(whole),
            None => whole,
        };
        let exempt = on_record.is_some() || retires;
        let wait = (left > 0).then_some(left);
        Leave { wait, connections: connections(found), exempt, begun: begun.is_some() && quiesced }
    }
}

/// The longest wait for the connections of a destination of that service.
fn wait(inputs: &Inputs<'_, '_>, service: &ServiceKey) -> std::time::Duration {
    let left_with = inputs.record.services.get(service).and_then(|owned| owned.drain);
    drain_of(inputs.desired, service).or(left_with.map(std::time::Duration::from_secs)).unwrap_or(inputs.desired.drain)
}

/// When a drain is over at the latest: one that was made shorter meanwhile ends sooner.
pub(super) fn deadline(inputs: &Inputs<'_, '_>, service: &ServiceKey, drain: &Drain) -> u64 {
    drain.until.min(drain.since.saturating_add(wait(inputs, service).as_secs()))
}

fn is_fallback(inputs: &Inputs<'_, '_>, service: &ServiceKey, destination: &DestinationKey) -> bool {
    let policy = inputs.desired.policies.get(service);
    policy.and_then(|policy| policy.fallback).is_some_and(|(fallback, _)| fallback == *destination)
}

/// The drain that begins now.
pub(super) fn begin(inputs: &Inputs<'_, '_>, of: &Of) -> Drain {
    let checks = inputs.farewells.get(of).map(|checks| Checks::clone(checks)).unwrap_or_default();
    let until = inputs.unix.saturating_add(wait(inputs, &of.0).as_secs());
    Drain { since: inputs.unix, until, quiesced: false, checks }
}

/// The marks that are to carry checks, by mark. With nobody to check, those that are there stay as they are.
pub(super) fn next_helpers(
    inputs: &Inputs<'_, '_>,
    live: &BTreeMap<ServiceKey, LiveService>,
    checks: bool,
) -> BTreeMap<u32, Helped> {
    let before = &inputs.record.helpers;
    if !checks {
        let family = |helped: &Helped| helped.service.family();
        let is_live = |(mark, helped): &(&u32, &Helped)| {
            live.contains_key(&ServiceKey::Mark { family: family(helped), mark: **mark })
        };
        return before.iter().filter(is_live).map(|(mark, helped)| (*mark, *helped)).collect();
    }
    let mut wanted: BTreeSet<Helped> = BTreeSet::new();
    for (service, policy) in &inputs.desired.policies {
        let through = policy.checks.iter().filter(|(_, checks)| uses_vip(checks));
        wanted.extend(through.map(|(destination, _)| Helped { service: *service, destination: *destination }));
    }
    let mut helpers = BTreeMap::new();
    for (mark, helped) in before {
        if wanted.remove(helped) {
            helpers.insert(*mark, *helped);
        }
    }
    let taken: BTreeSet<u32> = live.keys().chain(inputs.desired.table.services.keys()).filter_map(mark_of).collect();
    let first = inputs.desired.check_marks;
    let mut free = (first..=first.saturating_add(MARKS - 1)).filter(|mark| !taken.contains(mark));
    for helped in wanted {
        // With all of them in use, the rest stays unchecked, as what it counts as.
        let Some(mark) = free.find(|mark| !helpers.contains_key(mark)) else { break };
        helpers.insert(mark, helped);
    }
    helpers
}

fn mark_of(service: &ServiceKey) -> Option<u32> {
    match service {
        ServiceKey::Mark { mark, .. } => Some(*mark),
        ServiceKey::Address { .. } => None,
    }
}

/// The marks whose helper is in the kernel as it should be: before that, what is marked goes anywhere.
pub(super) fn marks_ready(
    helpers: &BTreeMap<u32, Helped>,
    inputs: &Inputs<'_, '_>,
    live: &BTreeMap<ServiceKey, LiveService>,
) -> Marks {
    let is_ready = |(mark, helped): &(&u32, &Helped)| {
        let settings = inputs.desired.table.services.get(&helped.service)?.destinations.get(&helped.destination)?;
        let (key, service) = overlay_helper(**mark, helped, settings);
        Some(live.get(&key)?.to_service() == service)
    };
    let ready = helpers.iter().filter(|helper| is_ready(helper) == Some(true));
    ready.map(|(mark, helped)| ((helped.service, helped.destination), *mark)).collect()
}
