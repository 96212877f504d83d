//! Where a pass gets health from: the checks of a running daemon, or, for a single pass, what can be told without any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::belief::{believe, said};
use super::checker::{Checker, Verdicts};
use super::notice::Notice;
use super::observe::Inputs;
use super::standing::{Marks, Standing, full_weight};
use super::status::Status;
use crate::model::{Desired, DestinationKey, Health, Initial, LiveService, ServiceKey, SharedChecks};
use crate::plan::{Effective, Of, Ramp};

/// Where health comes from.
pub enum Sight<'a> {
    /// Checks that are running, and what was seen before.
    Checks { checker: &'a mut dyn Checker, standing: &'a mut Standing, now: Instant },
    /// Nobody checks here. A running daemon may have told what it knows; without one, what is live and has weight counts
    /// as up, what has none as down, and what is not there as its `initial` says, but not as waiting for a check. What an
    /// operator says goes over all of it.
    Once { status: Option<&'a Status> },
}

/// What was seen.
pub(super) struct Seen {
    pub health: BTreeMap<Of, Health>,
    pub ramps: BTreeMap<Of, Ramp>,
    pub suspects: BTreeMap<ServiceKey, BTreeSet<DestinationKey>>,
    pub verdicts: Arc<Verdicts>,
}

impl Sight<'_> {
    /// Whether anybody checks.
    pub(super) fn checks(&self) -> bool {
        matches!(self, Self::Checks { .. })
    }

    /// Has checked what is to be checked, and says what is known.
    pub(super) fn look(
        &mut self,
        inputs: &Inputs<'_, '_>,
        live: &BTreeMap<ServiceKey, LiveService>,
        marks: &Marks,
        leaving: &BTreeMap<Of, SharedChecks>,
    ) -> Seen {
        match self {
            Self::Checks { checker, standing, now } => {
                if let Some(assignments) = standing.assign(inputs, live, marks, leaving) {
                    checker.assign(assignments);
                }
                let verdicts = checker.verdicts();
                let beliefs = standing.beliefs(inputs, live, &verdicts);
                let reason =
                    |of: &Of| verdicts.destinations.get(of).map(|verdict| verdict.reason.clone()).unwrap_or_default();
                standing.take(inputs, live, &beliefs, reason, *now);
                let suspects = standing.suspects().clone();
                let health = beliefs.into_iter().map(|(of, belief)| (of, belief.health)).collect();
                Seen { health, ramps: standing.ramps(*now), suspects, verdicts }
            }
            Self::Once { status } => once(inputs, live, *status),
        }
    }

    /// What follows for whole services.
    pub(super) fn judge(&mut self, desired: &Desired, effective: &Effective<'_>) {
        if let Self::Checks { standing, .. } = self {
            standing.judge(desired, effective);
        }
    }

    /// What has happened since the last time, and is not told yet.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        match self {
            Self::Checks { standing, .. } => standing.take_notices(),
            Self::Once { .. } => Vec::new(),
        }
    }
}

fn once(inputs: &Inputs<'_, '_>, live: &BTreeMap<ServiceKey, LiveService>, status: Option<&Status>) -> Seen {
    let Inputs { desired, overrides, record, .. } = *inputs;
    let (mut health, mut ramps) = (BTreeMap::new(), BTreeMap::new());
    for (key, policy) in &desired.policies {
        let told = status.and_then(|status| status.services.get(key));
        for (destination, _) in policy.checks.iter().filter(|(_, checks)| !checks.is_empty()) {
            let of = (*key, *destination);
            let weight = live.get(key).and_then(|service| Some(service.destinations.get(destination)?.settings.weight));
            let full = full_weight(inputs, &of).unwrap_or(0);
            let told = told.and_then(|service| Some((service.panic, service.destinations.get(destination)?.checks?)));
            let found = match (told, policy.initial, weight) {
                // The daemon keeps the weights of what it suspects, and of nothing else that is down.
                (Some((true, Health::Down)), _, Some(1..)) => Health::Up,
                (Some((_, health)), _, _) => health,
                (None, _, Some(0)) if full > 0 && !record.drains_destination(key, destination) => Health::Down,
                (None, Initial::Down, None) => Health::Down,
                (None, _, _) => Health::Up,
            };
            let forced = said(overrides, key, destination).map(|given| given.health);
            health.insert(of, believe(Some(found), forced).health);
            if let (Some(weight), Some(_), false) = (weight, status, policy.slow_start.is_zero())
                && (1..full).contains(&weight)
            {
                // Somewhere on its way: where it is just now.
                ramps.insert(of, Ramp { done: 2 * u64::from(weight) + 1, of: 2 * u64::from(full) });
            }
        }
    }
    for (service, of_service) in &overrides.services {
        for (destination, given) in of_service {
            if let Some(given) = given.health {
                health.entry((*service, *destination)).or_insert(believe(None, Some(given.health)).health);
            }
        }
    }
    let (suspects, verdicts) = (BTreeMap::new(), Arc::default());
    Seen { health, ramps, suspects, verdicts }
}
