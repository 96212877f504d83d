//! What operators order by hand: what it can be about, what is said of it, and how it is written down. The commands and the
//! HTTP side share it, so that both have one set of rules and sentences.

mod known;
mod words;

pub(crate) use known::{Known, Target};
pub(crate) use words::words;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Action, Desired, DestinationKey, Override, Overrides, ServiceKey, ServiceOrigin};
use crate::reconcile::{OverrideStore, OverridesError};

/// How long to wait for others that change overrides.
const PATIENCE: Duration = Duration::from_secs(10);

/// An override that was given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) target: Target,
    pub(crate) before: Override,
    pub(crate) after: Override,
    pub(crate) sentence: String,
}

/// Writes down what was ordered of each target. `now` in seconds since 1970.
pub(crate) fn give(
    action: Action,
    known: &Known,
    targets: &[Target],
    state_dir: &Path,
    now: u64,
) -> Result<Vec<Given>, OverridesError> {
    OverrideStore::new(state_dir).change(PATIENCE, now, |overrides| {
        targets
            .iter()
            .map(|target| {
                let before = overrides.get(&target.service, &target.destination, now);
                let after = if action.is_moot(known.standing(*target)) { before } else { action.on(before, now) };
                overrides.set(target.service, target.destination, after);
                let sentence = action.sentence(known, *target, (before, after), now);
                Given { target: *target, before, after, sentence }
            })
            .collect()
    })
}

/// Whether the configuration has the destination; unknown without one.
pub(crate) fn is_configured(
    desired: Option<&Desired>,
    service: &ServiceKey,
    destination: &DestinationKey,
) -> Option<bool> {
    let desired = desired?;
    let fallback = desired.policies.get(service).and_then(|policy| policy.fallback);
    let of_table = desired.table.services.get(service);
    Some(
        of_table.is_some_and(|service| service.destinations.contains_key(destination))
            || fallback.is_some_and(|(key, _)| key == *destination),
    )
}

/// Each override, for programs.
pub(crate) fn document(
    overrides: &Overrides,
    origins: &BTreeMap<ServiceKey, ServiceOrigin>,
    desired: Option<&Desired>,
) -> Value {
    let each = overrides.services.iter().flat_map(|(service, of_service)| {
        of_service.iter().map(move |(destination, given)| {
            json!({
                "service": service,
                "name": origins.get(service).map(|origin| &origin.name),
                "destination": destination,
                "drained_since": given.drained_since,
                "weight": given.weight,
                "health": given.health,
                "configured": is_configured(desired, service, destination),
            })
        })
    });
    each.collect()
}
