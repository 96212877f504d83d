//! How well destinations are, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{DestinationKey, DestinationSettings, Named, Quiesced, Selector, SharedChecks};
use serde::{Deserialize, Serialize};

/// What is known of a destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing yet.
    #[default]
    Unknown,
    Up,
    Down,
}

impl Health {
    /// `unknown`, `up` or `down`.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What health does to a service, and how it lets go of destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The checks of its destinations; one that is not here has none.
    pub checks: BTreeMap<DestinationKey, SharedChecks>,
    pub on_down: OnDown,
    /// How long a destination that came up takes back to its full weight; zero is at once.
    pub slow_start: Duration,
    /// Used while no destination is up: its key, and what it is set to.
    pub fallback: Option<(DestinationKey, DestinationSettings)>,
    /// With fewer destinations up the service counts as failed.
    pub min_healthy: Option<Share>,
    pub initial: Initial,
    /// If more than this share of the destinations goes down at once, the checker is suspected: percent, 0..=100.
    pub panic_threshold: Option<u8>,
    /// The longest wait for the connections of a deleted destination; zero deletes at once.
    pub drain: Duration,
    /// The containers that are its destinations as well.
    pub containers: Option<Arc<Selector>>,
    /// Its destinations whose addresses are names.
    pub named: Vec<Named>,
    /// Destinations that get no new connections, since what they come from says so.
    pub quiesced: BTreeMap<DestinationKey, Quiesced>,
    /// What was a destination, and is no more: nobody answers there, so their connections are not waited for.
    pub ended: BTreeSet<DestinationKey>,
}

impl Policy {
    /// Of a service that has nothing but a drain.
    pub fn new(drain: Duration) -> Self {
        Self {
            checks: BTreeMap::new(),
            on_down: OnDown::default(),
            slow_start: Duration::ZERO,
            fallback: None,
            min_healthy: None,
            initial: Initial::default(),
            panic_threshold: None,
            drain,
            containers: None,
            named: Vec::new(),
            quiesced: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }
}

/// What becomes of a destination that is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDown {
    /// Weight 0: its connections go on.
    #[default]
    Quiesce,
    Delete,
    /// Nothing; it is only shown.
    Ignore,
}

/// What a destination counts as until its checks have spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initial {
    /// What the kernel shows: with weight up, without down; what was not there waits.
    #[default]
    Live,
    Up,
    Down,
}

/// A number of destinations, or a share of those that a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Count(u32),
    /// 0..=100
    Percent(u8),
}

impl Share {
    /// Whether `part` of `whole` is less than this.
    pub fn is_missed(self, part: usize, whole: usize) -> bool {
        match self {
            Share::Count(count) => part < usize::try_from(count).unwrap_or(usize::MAX),
            Share::Percent(percent) => part * 100 < whole * usize::from(percent),
        }
    }
}

/// Programs that are told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The program and its arguments; the first is an absolute path.
    pub on_change: Vec<String>,
    /// A run that takes longer is ended.
    pub timeout: Duration,
    /// So many runs at the same time; at least 1.
    pub at_once: usize,
}
