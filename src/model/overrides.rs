//! What operators set by hand, beside the configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{DestinationKey, Health, ServiceKey};

/// What an operator wants of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Drain,
    Undrain,
    /// For so many seconds, or until it is taken back.
    Weight {
        weight: u32,
        seconds: Option<u64>,
    },
    ResetWeight,
    /// For so many seconds, or until it is taken back.
    Health {
        health: Forced,
        seconds: Option<u64>,
    },
    ResetHealth,
}

impl Action {
    /// Whether it takes something back.
    pub fn lifts(self) -> bool {
        matches!(self, Action::Undrain | Action::ResetWeight | Action::ResetHealth)
    }

    /// The override for a destination after this one, `now` in seconds since 1970. What is drained stays drained since then.
    pub fn on(self, before: Override, now: u64) -> Override {
        let until = |seconds: Option<u64>| seconds.map(|seconds| now.saturating_add(seconds));
        match self {
            Action::Drain => Override { drained_since: before.drained_since.or(Some(now)), ..before },
            Action::Undrain => Override { drained_since: None, ..before },
            Action::Weight { weight, seconds } => {
                Override { weight: Some(WeightOverride { weight, since: now, until: until(seconds) }), ..before }
            }
            Action::ResetWeight => Override { weight: None, ..before },
            Action::Health { health, seconds } => {
                // Since when it has been so, whoever says it again.
                let same = before.health.filter(|given| given.health == health);
                let since = same.map_or(now, |given| given.since);
                Override { health: Some(HealthOverride { health, since, until: until(seconds) }), ..before }
            }
            Action::ResetHealth => Override { health: None, ..before },
        }
    }
}

/// The overrides for one destination. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Override {
    /// Since when it is drained: weight 0 until that is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_since: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<WeightOverride>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthOverride>,
}

/// A weight that stands for the configured one. Health, ramps and drains work on it as on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WeightOverride {
    /// 0..=65535
    pub weight: u32,
    pub since: u64,
    /// Until then, or until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// What a destination counts as, whatever its checks say, and also if it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthOverride {
    pub health: Forced,
    pub since: u64,
    /// Until then, or until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// A health that can be set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    Up,
    Down,
}

impl From<Forced> for Health {
    fn from(forced: Forced) -> Self {
        match forced {
            Forced::Up => Self::Up,
            Forced::Down => Self::Down,
        }
    }
}

impl std::fmt::Display for Forced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Health::from(*self).fmt(f)
    }
}

impl Override {
    /// Whether it overrides nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Without what has run out by `now`, in seconds since 1970.
    #[must_use]
    pub fn at(mut self, now: u64) -> Self {
        let holds = |until: Option<u64>| until.is_none_or(|until| until > now);
        self.weight = self.weight.filter(|weight| holds(weight.until));
        self.health = self.health.filter(|health| holds(health.until));
        self
    }

    /// When the next part of it runs out.
    fn next_end(&self) -> Option<u64> {
        let weight = self.weight.and_then(|weight| weight.until);
        let health = self.health.and_then(|health| health.until);
        weight.into_iter().chain(health).min()
    }
}

/// All overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides {
    pub services: BTreeMap<ServiceKey, BTreeMap<DestinationKey, Override>>,
}

impl Overrides {
    /// The override for a destination as it holds at `now`, in seconds since 1970.
    pub fn get(&self, service: &ServiceKey, destination: &DestinationKey, now: u64) -> Override {
        let found = self.services.get(service).and_then(|of_service| of_service.get(destination));
        found.copied().unwrap_or_default().at(now)
    }

    /// Replaces the override for a destination; an empty one is taken away.
    pub fn set(&mut self, service: ServiceKey, destination: DestinationKey, given: Override) {
        let of_service = self.services.entry(service).or_default();
        if given.is_empty() {
            of_service.remove(&destination);
        } else {
            of_service.insert(destination, given);
        }
        if of_service.is_empty() {
            self.services.remove(&service);
        }
    }

    /// Takes away what has run out by `now`, and says whether that was anything.
    pub fn expire(&mut self, now: u64) -> bool {
        let before = self.clone();
        for (service, of_service) in &before.services {
            for (destination, given) in of_service {
                self.set(*service, *destination, given.at(now));
            }
        }
        *self != before
    }

    /// Those of these services.
    #[must_use]
    pub fn part(&self, services: &BTreeSet<ServiceKey>) -> Self {
        let of = services.iter().filter_map(|key| Some((*key, self.services.get(key)?.clone())));
        Self { services: of.collect() }
    }

    /// The services in which these and others are not the same.
    pub fn differing(&self, others: &Self) -> BTreeSet<ServiceKey> {
        let keys = self.services.keys().chain(others.services.keys());
        keys.filter(|key| self.services.get(key) != others.services.get(key)).copied().collect()
    }

    /// When the next one runs out.
    pub fn next_end(&self) -> Option<u64> {
        self.services.values().flat_map(BTreeMap::values).filter_map(Override::next_end).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Override {
        Override {
            drained_since: Some(1),
            weight: Some(WeightOverride { weight: 7, since: 2, until: Some(20) }),
            health: Some(HealthOverride { health: Forced::Down, since: 3, until: Some(10) }),
        }
    }

    #[test]
    fn each_part_runs_out_at_its_own_time() {
        let all = all();
        assert_eq!(all.at(9), all);
        assert_eq!(all.at(10), Override { health: None, ..all });
        assert_eq!(all.at(20), Override { health: None, weight: None, ..all });
        let endless = HealthOverride { health: Forced::Up, since: 3, until: None };
        assert_eq!(Override { health: Some(endless), ..all }.at(u64::MAX).health, Some(endless));

        let service = "tcp://192.0.2.10:80".parse().unwrap();
        let destination = "10.0.0.1:80".parse().unwrap();
        let mut overrides = Overrides::default();
        overrides.set(service, destination, all);
        assert_eq!(overrides.next_end(), Some(10));
        assert!(!overrides.expire(9) && overrides.expire(10) && !overrides.expire(10));
        assert_eq!(overrides.next_end(), Some(20));
        assert_eq!(overrides.get(&service, &destination, 19).weight, all.weight);
        overrides.set(service, destination, Override { drained_since: None, weight: None, ..all });
        assert_eq!(overrides.services.len(), 1, "the health alone is an override");
        assert!(overrides.expire(10));
        assert_eq!(overrides, Overrides::default());
    }

    #[test]
    fn what_is_kept_reads_back_and_so_does_what_was_kept_before_there_was_health() {
        let text = serde_json::to_string(&all()).unwrap();
        assert!(text.ends_with(r#""health":{"health":"down","since":3,"until":10}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Override>(&text).unwrap(), all());
        let old = r#"{"drained_since":1,"weight":{"weight":7,"since":2,"until":20}}"#;
        assert_eq!(serde_json::from_str::<Override>(old).unwrap(), Override { health: None, ..all() });
        assert_eq!(serde_json::to_string(&Override { health: None, ..all() }).unwrap(), old);
        for wrong in [r#"{"health":{"health":"unknown","since":3}}"#, r#"{"health":"down"}"#] {
            assert!(serde_json::from_str::<Override>(wrong).is_err(), "{wrong}");
        }
    }
}
