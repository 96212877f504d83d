//! Desired with health, overrides, ramps and fallbacks laid over it: what should be in the kernel now.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};

use crate::model::{
    Desired, DestinationKey, DestinationSettings, Forced, Forward, Health, Helped, Overrides, Policy, Scheduler,
    Service, ServiceFlags, ServiceKey, ServiceSettings, Table,
};

use super::join::Follow;
use super::weight::{Because, Factors, Ramp, weight};

/// A destination of a service.
pub type Of = (ServiceKey, DestinationKey);

/// What is laid over a configuration. What has run out is not in it.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// What destinations count as: all that have checks, and others that an operator speaks for.
    pub health: BTreeMap<Of, Health>,
    pub ramps: BTreeMap<Of, Ramp>,
    /// Destinations that their checks call down and are not believed, by service.
    pub suspects: BTreeMap<ServiceKey, BTreeSet<DestinationKey>>,
    /// Services in which something that is ours and not desired any more has weight still.
    pub served: BTreeSet<ServiceKey>,
    /// Destinations of these services that count as down, and of which nothing bad was found yet, or not any more.
    pub hopeful: BTreeSet<Of>,
    pub overrides: Overrides,
    /// Firewall marks that carry checks.
    pub helpers: BTreeMap<u32, Helped>,
}

/// What should be in the kernel.
#[derive(Debug)]
pub struct Effective<'a> {
    pub table: Cow<'a, Table>,
    /// Of the services for which health or overrides matter.
    pub services: BTreeMap<ServiceKey, Overlaid>,
}

/// A service that health or overrides matter for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlaid {
    /// Destinations that are not down, and all, without the fallback.
    pub up: usize,
    pub of: usize,
    /// Fewer are up than `min_healthy` asks for.
    pub failed: bool,
    pub panic: bool,
    /// The fallback is in use.
    pub fallback: bool,
    /// Nobody may take new connections before a first check, and what is to go does so until then.
    pub awaited: bool,
    pub destinations: BTreeMap<DestinationKey, Weighed>,
}

impl Overlaid {
    /// Whether the service is to be otherwise than it is configured.
    fn changes_something(&self) -> bool {
        self.fallback || self.destinations.values().any(|weighed| weighed.effective != Some(weighed.configured))
    }
}

/// The weight of a destination, and how it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    pub configured: u32,
    /// `None`: it should not be in the table.
    pub effective: Option<u32>,
    pub because: Because,
    /// What an operator says of its health.
    pub forced: Option<Forced>,
}

impl Weighed {
    /// Why the weight is not what is configured, and what an operator says of the health, in words; empty if there is
    /// nothing to say.
    pub fn why(&self) -> String {
        match (self.because, self.forced) {
            (Because::Configured, None) => String::new(),
            (because, None) => because.to_string(),
            (Because::Configured | Because::Down, Some(forced)) => format!("{forced} by override"),
            (Because::Ignored, Some(forced)) => format!("{forced} by override, which on_down ignores"),
            (because, Some(forced)) => format!("{because}; {forced} by override"),
        }
    }
}

/// Lays `layers` over `desired`. What comes out as it is configured is taken as it is, without a copy if that is all of it.
pub fn overlay<'a>(desired: &'a Desired, layers: &Layers) -> Effective<'a> {
    let mut effective = Effective { table: Cow::Borrowed(&desired.table), services: BTreeMap::new() };
    // A destination without checks is on a ramp when an operator does not call it down any more.
    let ramping: BTreeSet<&ServiceKey> = layers.ramps.keys().map(|(service, _)| service).collect();
    let mut health = Follow::new(layers.health.iter());
    for (key, service) in &desired.table.services {
        let policy = desired.policies.get(key);
        let cared_for = policy.is_some_and(|policy| {
            !policy.checks.is_empty() || policy.fallback.is_some() || !policy.quiesced.is_empty()
        });
        if !cared_for && !layers.overrides.services.contains_key(key) && !ramping.contains(key) {
            continue;
        }
        let overlaid = overlay_service(key, service, policy, layers, &mut health);
        if overlaid.changes_something()
            && let Some(wanted) = effective.table.to_mut().services.get_mut(key)
        {
            for (destination, weighed) in &overlaid.destinations {
                match (weighed.effective, wanted.destinations.get_mut(destination)) {
                    (Some(weight), Some(settings)) => settings.weight = weight,
                    _ => drop(wanted.destinations.remove(destination)),
                }
            }
            if let Some((destination, settings)) =
                policy.and_then(|policy| policy.fallback).filter(|_| overlaid.fallback)
            {
                let given = layers.overrides.services.get(key).and_then(|given| given.get(&destination));
                let given = given.copied().unwrap_or_default();
                let (overridden, drained) = (given.weight.map(|given| given.weight), given.drained_since.is_some());
                let factors = Factors { overridden, drained, ..Factors::default() };
                let weight = weight(settings.weight, &factors).0.unwrap_or(0);
                wanted.destinations.insert(destination, DestinationSettings { weight, ..settings });
            }
        }
        effective.services.insert(*key, overlaid);
    }
    for (mark, helped) in &layers.helpers {
        if let Some(settings) = desired_settings(desired, helped) {
            let (key, service) = helper(*mark, helped, settings);
            effective.table.to_mut().services.insert(key, service);
        }
    }
    effective
}

fn overlay_service(
    key: &ServiceKey,
    service: &Service,
    policy: Option<&Policy>,
    layers: &Layers,
    health: &mut Follow<btree_map::Iter<'_, Of, Health>>,
) -> Overlaid {
    let suspects = layers.suspects.get(key);
    let mut overlaid = Overlaid { of: service.destinations.len(), panic: suspects.is_some(), ..Overlaid::default() };
    let overrides = layers.overrides.services.get(key);
    for (destination, settings) in &service.destinations {
        let of = (*key, *destination);
        let given = overrides.and_then(|overrides| overrides.get(destination)).copied().unwrap_or_default();
        let forced = given.health.map(|given| given.health);
        let factors = Factors {
            overridden: given.weight.map(|given| given.weight),
            drained: given.drained_since.is_some(),
            quiesced: policy.and_then(|policy| policy.quiesced.get(destination)).copied(),
            health: health.find(&of).copied(),
            // An operator is believed.
            suspect: forced.is_none() && suspects.is_some_and(|suspects| suspects.contains(destination)),
            on_down: policy.map(|policy| policy.on_down).unwrap_or_default(),
            ramp: layers.ramps.get(&of).copied(),
        };
        let (effective, because) = weight(settings.weight, &factors);
        overlaid.up += usize::from(factors.health != Some(Health::Down) && factors.quiesced.is_none());
        let weighed = Weighed { configured: settings.weight, effective, because, forced };
        overlaid.destinations.insert(*destination, weighed);
    }
    if let Some(policy) = policy {
        overlaid.failed = policy.min_healthy.is_some_and(|share| share.is_missed(overlaid.up, overlaid.of));
        let serves = overlaid.destinations.values().any(|weighed| weighed.effective.is_some_and(|weight| weight > 0));
        let hope = |(destination, weighed): (&DestinationKey, &Weighed)| {
            weighed.because == Because::Unchecked || layers.hopeful.contains(&(*key, *destination))
        };
        overlaid.awaited = !serves && layers.served.contains(key) && overlaid.destinations.iter().any(hope);
        overlaid.fallback = policy.fallback.is_some() && !serves && !overlaid.awaited;
    }
    overlaid
}

/// How a destination is reached that a helper leads to; nothing if it is not configured any more.
fn desired_settings<'a>(desired: &'a Desired, helped: &Helped) -> Option<&'a DestinationSettings> {
    desired.table.services.get(&helped.service)?.destinations.get(&helped.destination)
}

/// The service that carries checks through IPVS to one destination.
pub fn helper(mark: u32, helped: &Helped, settings: &DestinationSettings) -> (ServiceKey, Service) {
    let key = ServiceKey::Mark { family: helped.service.family(), mark };
    let service = Service {
        settings: ServiceSettings {
            scheduler: Scheduler::new("rr"),
            flags: ServiceFlags::default(),
            persistence: None,
        },
        destinations: [(helped.destination, helper_settings(settings.forward))].into(),
    };
    (key, service)
}

fn helper_settings(forward: Forward) -> DestinationSettings {
    DestinationSettings { forward, weight: 1, max_connections: 0, min_connections: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OnDown, Override, Share, WeightOverride};
    use crate::plan::testing::{destination_key, service_key, table, weight as settings};
    use std::time::Duration;

    const WEB: &str = "tcp://192.0.2.10:80";
    const A: &str = "10.0.0.1:80";
    const B: &str = "10.0.0.2:80";
    const SORRY: &str = "10.0.0.99:80";

    fn desired(policy: Policy) -> Desired {
        let table = table(&[(WEB, &[(A, 100), (B, 50)])]);
        Desired { table, policies: [(service_key(WEB), policy)].into(), ..Desired::default() }
    }

    fn policy() -> Policy {
        let mut policy = Policy::new(Duration::ZERO);
        for key in [A, B] {
            policy.checks.insert(destination_key(key), Default::default());
        }
        policy.fallback = Some((destination_key(SORRY), settings(1)));
        policy.min_healthy = Some(Share::Percent(100));
        policy
    }

    fn health(a: Health, b: Health) -> Layers {
        let of = |key| (service_key(WEB), destination_key(key));
        Layers { health: [(of(A), a), (of(B), b)].into(), ..Layers::default() }
    }

    fn weights(desired: &Desired, layers: &Layers) -> (Vec<(String, u32)>, Overlaid) {
        let effective = overlay(desired, layers);
        let of_web = &effective.table.services[&service_key(WEB)].destinations;
        let weights = of_web.iter().map(|(key, settings)| (key.to_string(), settings.weight)).collect();
        (weights, effective.services.get(&service_key(WEB)).cloned().unwrap_or_default())
    }

    fn list(of: &[(&str, u32)]) -> Vec<(String, u32)> {
        of.iter().map(|(key, weight)| ((*key).to_owned(), *weight)).collect()
    }

    #[test]
    fn what_nothing_is_laid_over_is_not_copied() {
        let desired = desired(Policy::new(Duration::ZERO));
        assert!(matches!(overlay(&desired, &Layers::default()).table, Cow::Borrowed(_)));
    }

    #[test]
    fn one_that_is_down_is_quiesced_and_a_service_below_its_minimum_has_failed() {
        let desired = desired(policy());
        let (found, overlaid) = weights(&desired, &health(Health::Down, Health::Up));
        assert_eq!(found, list(&[(A, 0), (B, 50)]));
        assert_eq!((overlaid.up, overlaid.of, overlaid.failed, overlaid.fallback), (1, 2, true, false));
        let (found, overlaid) = weights(&desired, &health(Health::Up, Health::Up));
        assert_eq!(found, list(&[(A, 100), (B, 50)]));
        assert!(!overlaid.failed);
    }

    #[test]
    fn the_fallback_is_there_while_none_is_up() {
        let mut desired = desired(policy());
        let (found, overlaid) = weights(&desired, &health(Health::Down, Health::Down));
        assert_eq!(found, list(&[(A, 0), (B, 0), (SORRY, 1)]));
        assert!(overlaid.fallback);
        desired.policies.get_mut(&service_key(WEB)).unwrap().on_down = OnDown::Delete;
        assert_eq!(weights(&desired, &health(Health::Down, Health::Down)).0, list(&[(SORRY, 1)]));
        // Suspects keep their weights, so there is no need for it.
        let suspects = [(service_key(WEB), BTreeSet::from([destination_key(A), destination_key(B)]))].into();
        let layers = Layers { suspects, ..health(Health::Down, Health::Down) };
        let (found, overlaid) = weights(&desired, &layers);
        assert_eq!(found, list(&[(A, 100), (B, 50)]));
        assert!(overlaid.panic && overlaid.failed && !overlaid.fallback);
    }

    #[test]
    fn the_fallback_has_the_weight_that_an_operator_gives_it() {
        let desired = desired(policy());
        let down = || health(Health::Down, Health::Down);
        let with = |given| {
            let mut layers = down();
            layers.overrides.set(service_key(WEB), destination_key(SORRY), given);
            weights(&desired, &layers).0
        };
        let weight = Some(WeightOverride { weight: 7, since: 1, until: None });
        assert_eq!(with(Override { weight, ..Override::default() }), list(&[(A, 0), (B, 0), (SORRY, 7)]));
        let drained = Override { drained_since: Some(1), weight, ..Override::default() };
        assert_eq!(with(drained), list(&[(A, 0), (B, 0), (SORRY, 0)]));
    }

    #[test]
    fn overrides_work_without_checks() {
        let desired = desired(Policy::new(Duration::ZERO));
        let mut layers = Layers::default();
        let drained = Override { drained_since: Some(1), ..Override::default() };
        layers.overrides.set(service_key(WEB), destination_key(A), drained);
        let (found, overlaid) = weights(&desired, &layers);
        assert_eq!(found, list(&[(A, 0), (B, 50)]));
        assert_eq!(overlaid.destinations[&destination_key(A)].because, Because::Drained);
    }

    #[test]
    fn why_tells_what_an_operator_says_beside_the_rest() {
        for (because, forced, want) in [
            (Because::Configured, None, ""),
            (Because::Configured, Some(Forced::Up), "up by override"),
            (Because::Down, None, "down"),
            (Because::Down, Some(Forced::Down), "down by override"),
            (Because::Ignored, Some(Forced::Down), "down by override, which on_down ignores"),
            (Because::Drained, Some(Forced::Down), "drained by override; down by override"),
            (Because::Overridden, Some(Forced::Up), "weight by override; up by override"),
            (Because::Ramp(10), Some(Forced::Up), "slow start to 10; up by override"),
        ] {
            let weighed = Weighed { configured: 10, effective: Some(1), because, forced };
            assert_eq!(weighed.why(), want);
        }
    }

    #[test]
    fn a_ramp_counts_without_checks() {
        let desired = desired(Policy::new(Duration::ZERO));
        let of_a = (service_key(WEB), destination_key(A));
        let ramps = [(of_a, Ramp { done: 1, of: 2 })].into();
        assert_eq!(weights(&desired, &Layers { ramps, ..Layers::default() }).0, list(&[(A, 50), (B, 50)]));
    }

    #[test]
    fn a_helper_is_a_service_of_one_destination_reached_as_it_is_configured() {
        let mut desired = desired(policy());
        let service = desired.table.services.get_mut(&service_key(WEB)).unwrap();
        service.destinations.get_mut(&destination_key(A)).unwrap().forward = Forward::Dr;
        let helped = Helped { service: service_key(WEB), destination: destination_key(A) };
        let gone = Helped { destination: destination_key(SORRY), ..helped };
        let layers = Layers { helpers: [(7, helped), (8, gone)].into(), ..health(Health::Down, Health::Up) };
        let effective = overlay(&desired, &layers);
        let helper = &effective.table.services[&service_key("fwmark:7")].destinations[&destination_key(A)];
        assert_eq!((helper.forward, helper.weight), (Forward::Dr, 1));
        assert!(!effective.table.services.contains_key(&service_key("fwmark:8")));
    }
}
