//! What operators ordered by hand, beside the configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DestinationKey, ServiceKey};

/// The overrides for one destination. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Since when it is drained: weight 0 until that is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_since: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<WeightOverride>,
}

/// A weight that stands for the configured one. Health, ramps and drains work on it as on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightOverride {
    /// 0..=65535
    pub weight: u32,
    pub since: u64,
    /// Until then, or until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

impl Override {
    /// Whether it overrides nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Without what has run out by `now`, in seconds since 1970.
    #[must_use]
    pub fn at(mut self, now: u64) -> Self {
        if self.weight.is_some_and(|weight| weight.until.is_some_and(|until| until <= now)) {
            self.weight = None;
        }
        self
    }
}

/// All overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides {
    pub services: BTreeMap<ServiceKey, BTreeMap<DestinationKey, Override>>,
}

impl Overrides {
    /// The order for a destination that holds at `now`, in seconds since 1970.
    pub fn get(&self, service: &ServiceKey, destination: &DestinationKey, now: u64) -> Override {
        let found = self.services.get(service).and_then(|of_service| of_service.get(destination));
        found.copied().unwrap_or_default().at(now)
    }

    /// Replaces the override for a destination; an empty one is taken away.
    pub fn set(&mut self, service: ServiceKey, destination: DestinationKey, order: Override) {
        let of_service = self.services.entry(service).or_default();
        if order.is_empty() {
            of_service.remove(&destination);
        } else {
            of_service.insert(destination, order);
        }
        if of_service.is_empty() {
            self.services.remove(&service);
        }
    }

    /// Takes away what has run out by `now`, and says whether that was anything.
    pub fn expire(&mut self, now: u64) -> bool {
        let before = self.clone();
        for (service, of_service) in &before.services {
            for (destination, order) in of_service {
                self.set(*service, *destination, order.at(now));
            }
        }
        *self != before
    }

    /// When the next one runs out.
    pub fn next_end(&self) -> Option<u64> {
        let overrides = self.services.values().flat_map(BTreeMap::values);
        overrides.filter_map(|order| order.weight.and_then(|weight| weight.until)).min()
    }
}
