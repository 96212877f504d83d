//! What the loop shows of itself after each pass: an immutable picture, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{DestinationKey, Health, Overrides, ServiceKey};

/// The state after a pass. Times are seconds since 1970. Also the answer of a daemon that is asked for its status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The configuration in force is older than the files, which are refused.
    pub outdated: bool,
    /// When the last pass ended, and why it was made.
    pub pass_at: u64,
    pub pass_why: String,
    /// Why the last pass could not be made or was refused, if so.
    pub trouble: Option<String>,
    /// Of services that are desired, or draining.
    pub services: BTreeMap<ServiceKey, ServiceStatus>,
    /// Services that carry checks through IPVS; ours, and not the configuration's.
    pub helpers: BTreeSet<ServiceKey>,
    pub overrides: Overrides,
    /// What looks like the checker's own trouble, in words.
    pub suspicions: Vec<String>,
}

/// A service as the last pass left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceStatus {
    /// What the configuration calls it; nothing if it is only draining.
    pub name: Option<String>,
    /// How many of its destinations are not down, and how many there are, without the fallback.
    pub up: usize,
    pub of: usize,
    /// Fewer are up than `min_healthy` asks for.
    pub failed: bool,
    /// So many went down at once that the checker is suspected, and weights are kept.
    pub panic: bool,
    /// The fallback is in use.
    pub fallback: bool,
    pub destinations: BTreeMap<DestinationKey, DestinationStatus>,
}

/// A destination as the last pass left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DestinationStatus {
    /// Nothing if it has no checks.
    pub health: Option<Health>,
    /// Why it is down, or what the last check found wrong; else empty.
    pub reason: String,
    /// Since when its health is so.
    pub since: Option<u64>,
    pub flapping: bool,
    /// What the configuration says; nothing for what is not in it any more.
    pub configured: Option<u32>,
    /// What should be in the kernel.
    pub effective: u32,
    /// Why that is not what is configured, in words; empty if it is.
    pub why: String,
    /// Set while it is on its way out of the table.
    pub drain: Option<DrainStatus>,
}

/// A drain under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStatus {
    /// Active, inactive and persistent connections that were left.
    pub connections: u64,
    /// When it is deleted at the latest.
    pub until: u64,
}

/// Where the status goes after each pass.
pub trait Board {
    fn post(&mut self, status: Status);
}

/// Nowhere.
impl Board for () {
    fn post(&mut self, _: Status) {}
}
