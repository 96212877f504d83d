//! What health does to a service: the keys that `[defaults]` and services have in common, and the fallback.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Gather, destination_place, tell};
use crate::config::decode::{At, Field};
use crate::config::fault::{Fault, Faults};
use crate::config::tree::Place;
use crate::config::values::{self, Bounds, DAY, HOUR};
use crate::config::{raw, rules};
use crate::model::{DestinationKey, DestinationSettings, Initial, OnDown, Policy, ServiceKey, Share};

/// Of drains.
pub(in crate::config) const DRAIN: Bounds =
    Bounds { least: (Duration::ZERO, "0s"), most: (DAY.saturating_mul(7), "7d") };
const SLOW_START: Bounds = Bounds { least: (Duration::ZERO, "0s"), most: (HOUR, "1h") };

/// The keys of a table that concern health.
pub(super) struct PolicyKeys<'r> {
    pub on_down: &'r Field<String>,
    pub slow_start: &'r Field<raw::Period>,
    pub min_healthy: &'r Field<raw::Share>,
    pub initial: &'r Field<String>,
    pub panic_threshold: &'r Field<raw::Percent>,
    pub drain: &'r Field<raw::Period>,
}

impl<'r> PolicyKeys<'r> {
    pub(super) fn of_defaults(raw: &'r raw::Defaults) -> Self {
        let raw::Defaults { on_down, slow_start, min_healthy, initial, panic_threshold, drain, .. } = raw;
        Self { on_down, slow_start, min_healthy, initial, panic_threshold, drain }
    }

    pub(super) fn of_service(raw: &'r raw::Service) -> Self {
        let raw::Service { on_down, slow_start, min_healthy, initial, panic_threshold, drain, .. } = raw;
        Self { on_down, slow_start, min_healthy, initial, panic_threshold, drain }
    }

    /// These keys over what another table says; what cannot be understood is as there, and a fault.
    pub(super) fn over(&self, base: &Policy, faults: &mut Faults) -> Policy {
        let Self { on_down, slow_start, min_healthy, initial, panic_threshold, drain } = self;
        let mut policy = base.clone();
        let words = [("quiesce", OnDown::Quiesce), ("delete", OnDown::Delete), ("ignore", OnDown::Ignore)];
        if let Some(word) = on_down.get().and_then(|at| values::word(at, "way to treat what is down", &words, faults)) {
            policy.on_down = word;
        }
        let words = [("live", Initial::Live), ("up", Initial::Up), ("down", Initial::Down)];
        if let Some(word) = initial.get().and_then(|at| values::word(at, "initial state", &words, faults)) {
            policy.initial = word;
        }
        let mut period = |field: &Field<raw::Period>, what: &str, bounds: &Bounds| {
            field.get().and_then(|at| values::period(at, what, bounds, faults))
        };
        if let Some(time) = period(slow_start, "a slow start", &SLOW_START) {
            policy.slow_start = time;
        }
        if let Some(time) = period(drain, "a drain", &DRAIN) {
            policy.drain = time;
        }
        if let Some(share) = min_healthy.get().and_then(|at| share(at, faults)) {
            policy.min_healthy = Some(share);
        }
        if let Some(At { place, value }) = panic_threshold.get()
            && let Some(percent) = values::percent(*place, &value.0, "a panic threshold", 100, faults)
        {
            policy.panic_threshold = Some(percent);
        }
        policy
    }
}

fn share(at: &At<raw::Share>, faults: &mut Faults) -> Option<Share> {
    match &at.value {
        raw::Share::Percent(text) => values::percent(at.place, text, "min_healthy", 100, faults).map(Share::Percent),
        raw::Share::Count(count) => {
            let at = At { place: at.place, value: *count };
            values::number(&at, "a number of destinations", u32::MAX, faults).map(Share::Count)
        }
    }
}

impl Gather<'_, '_> {
    /// The fallback as a destination, whatever the address of its service.
    pub(super) fn fallback_settings(&mut self, raw: &raw::Service) -> Option<DestinationSettings> {
        let at = raw.fallback.get()?;
        let raw = &at.value.0;
        for place in [raw.check.place(), raw.checks.place(), raw.check_pass.place()].into_iter().flatten() {
            let fault = Fault::new(place, "a fallback is not checked: there is nothing else to turn to");
            self.faults.push(fault.help("remove it"));
        }
        let settings = self.destination(at.place, raw)?;
        if settings.weight == 0 {
            let place = raw.weight.place().or(self.defaults.raw.weight.place()).unwrap_or(at.place);
            let fault = Fault::new(place, "a fallback of weight 0 would get no connections");
            self.faults.push(fault.help("give it a weight of 1 or more, or remove the fallback"));
        }
        Some(settings)
    }

    /// The fallback of the service at one of its addresses.
    pub(super) fn fallback(
        &mut self,
        raw: &raw::Service,
        settings: Option<DestinationSettings>,
        service: &ServiceKey,
        destinations: &BTreeMap<DestinationKey, Place>,
    ) -> Option<(DestinationKey, DestinationSettings)> {
        let raw = &raw.fallback.get()?.value.0;
        let At { place, value } = raw.address.get()?;
        let key = values::destination_key(*place, value, service.port().unwrap_or(0), self.faults)?;
        if let Some(other) = destinations.get(&key) {
            let fault = Fault::new(*place, format!("the fallback {key} is a destination of its service, too"));
            self.faults.push(
                fault.related(*other, "this one").help("remove it from the destinations, or have another fallback"),
            );
            return None;
        }
        let settings = settings?;
        let defaults = &self.defaults.raw;
        tell(rules::destination(service, &key, &settings), self.faults, |key| {
            Some(destination_place(raw, defaults, key).unwrap_or(*place))
        });
        self.seen.note(*place, service, &key, settings.forward);
        Some((key, settings))
    }
}
