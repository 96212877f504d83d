//! What the loop shows of itself after each pass: an immutable picture, for whoever asks.

mod making;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use serde::{Deserialize, Serialize};

pub(super) use making::{Told, of};

use super::backoff::Failures;
use super::checker::Verdict;
use super::schedule::Now;
use super::tally::Tally;
use crate::model::{DestinationKey, Health, HealthOverride, Overrides, Quiesced, ServiceKey};

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
    /// The last pass could not be made: what the kernel has is not known.
    pub blind: bool,
    /// What the kernel did not take, and is tried again; [`MOST_FAILING`] of them, and how many more there are.
    pub failing: Vec<Failing>,
    pub failing_more: usize,
    /// All of them and those of the host, by what they are and why.
    pub failures: Failures,
    /// Of services that are draining, or desired: all of them if there is an HTTP side, else those that health or overrides
    /// matter for.
    pub services: BTreeMap<ServiceKey, ServiceStatus>,
    /// Services that carry checks through IPVS; ours, and not the configuration's.
    pub helpers: BTreeSet<ServiceKey>,
    pub overrides: Overrides,
    /// What looks like the checker's own trouble, in words.
    pub suspicions: Vec<String>,
    /// The engine whose containers are destinations, if one is followed; put in by whoever answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerStatus>,
    /// The names that destinations are looked up by; put in by whoever answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameStatus>,
    /// Of the host around the table, what is not as it should be.
    pub host: Vec<HostTrouble>,
    /// What has been done until now, in numbers.
    pub tally: Tally,
}

/// So many failing objects are named.
pub const MOST_FAILING: usize = 1000;

/// A service or a destination that is not as it should be, since the kernel did not take what was to be done. Times are
/// seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failing {
    #[cfg_attr(test, schemars(with = "String"))]
    pub service: ServiceKey,
    /// Nothing if it is the service itself.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub destination: Option<DestinationKey>,
    /// In words, as the kernel's answer is understood.
    pub reason: String,
    /// How often it was tried, and since when.
    pub tries: u32,
    pub since: u64,
    pub retry_at: u64,
}

impl Failing {
    /// `10.0.0.11:80 of tcp://192.0.2.10:80`, or the service alone.
    pub fn object(&self) -> String {
        let of = self.destination.map(|destination| format!("{destination} of ")).unwrap_or_default();
        format!("{of}{}", self.service)
    }
}

/// Whether the kernel is what the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It could not be looked at, or was not yet.
    Unknown,
    /// It is what an older configuration says: the files are refused, or would delete too much.
    Outdated,
    /// Something could not be done.
    Differs,
    /// It is, with what health, drains and operators lay over it.
    AsConfigured,
}

/// A Docker engine, as it was seen last. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DockerStatus {
    /// Where it is: a path, or `tcp://HOST:PORT`.
    pub engine: String,
    /// What it calls its version; empty before it was reached.
    pub version: String,
    /// When its containers were listed last; nothing before the first time.
    pub listed_at: Option<u64>,
    /// Since when it cannot be followed, and why; what was known before stays.
    pub away_since: Option<u64>,
    pub trouble: Option<String>,
    /// How many containers are known, and how many destinations they make.
    pub containers: usize,
    pub destinations: usize,
    /// What is wrong with containers; the first 1000.
    pub findings: Vec<DockerFinding>,
}

/// What is wrong with a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DockerFinding {
    /// Its name.
    pub container: String,
    pub message: String,
}

/// A name that destinations are looked up by. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameStatus {
    pub name: String,
    /// What it stands for, as far as that is known.
    pub addresses: Vec<IpAddr>,
    /// When it was looked up well last; nothing before the first time since the start.
    pub known_at: Option<u64>,
    /// Since when it is not, and why; what it stood for before stays.
    pub away_since: Option<u64>,
    pub trouble: Option<String>,
}

/// An object of the host that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostTrouble {
    /// `sysctl net.ipv4.ip_forward`, `the ownership record`, or `the host` for all of it.
    pub object: String,
    pub reason: String,
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
    /// The fallback, if there is to be one.
    pub fallback_to: Option<DestinationKey>,
    /// Nothing happens to a destination of it that is down.
    pub ignores_down: bool,
    pub destinations: BTreeMap<DestinationKey, DestinationStatus>,
}

/// A destination as the last pass left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DestinationStatus {
    /// What it counts as; nothing if it has no checks, and no operator says anything of it.
    pub health: Option<Health>,
    /// What its checks say, which is another thing while an operator says otherwise; nothing if it has none.
    pub checks: Option<Health>,
    /// Why its checks say that it is down, or what the last of them found wrong; else empty.
    pub reason: String,
    /// Since when its health is so.
    pub since: Option<u64>,
    pub flapping: bool,
    /// What the configuration says; nothing for what is not in it any more.
    pub configured: Option<u32>,
    /// What should be in the kernel.
    pub effective: u32,
    /// Why that is not what is configured, and what an operator says of its health, in words; empty if it is as it should be.
    pub why: String,
    /// It is on its way up to this weight: slow start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_to: Option<u32>,
    /// What it comes from gives it no new connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiesced: Option<Quiesced>,
    /// Set while it is on its way out of the table.
    pub drain: Option<DrainStatus>,
}

impl Status {
    /// Takes in what a pass over these services left. What is about all of it stays as the last pass over everything said.
    pub fn put_part(&mut self, services: &BTreeSet<ServiceKey>, part: Self) {
        let Self {
            outdated,
            pass_at,
            pass_why,
            trouble,
            blind,
            failing,
            failing_more,
            failures,
            services: left,
            helpers: _,
            overrides,
            suspicions,
            docker: _,
            names: _,
            host: _,
            tally,
        } = part;
        for key in services {
            self.services.remove(key);
        }
        self.services.extend(left);
        self.trouble = trouble.or(self.trouble.take());
        let before = std::mem::take(self);
        *self = Self {
            outdated,
            pass_at,
            pass_why,
            blind,
            failing,
            failing_more,
            failures,
            overrides,
            suspicions,
            tally,
            ..before
        };
    }

    /// Whether the kernel is what the configuration says.
    pub fn agreement(&self) -> Agreement {
        if self.pass_at == 0 || self.blind {
            Agreement::Unknown
        } else if self.outdated {
            Agreement::Outdated
        } else if self.trouble.is_some() || !self.failing.is_empty() || !self.host.is_empty() {
            Agreement::Differs
        } else {
            Agreement::AsConfigured
        }
    }

    /// Takes in what is so without a pass.
    pub fn tell(&mut self, outdated: bool, tally: &Tally) {
        self.outdated = outdated;
        self.tally.clone_from(tally);
    }
}

impl DestinationStatus {
    /// Takes in what its checks say, `since` in seconds since 1970, and what an operator says, which goes over that.
    pub fn judge(&mut self, verdict: Option<(&Verdict, u64)>, forced: Option<HealthOverride>) {
        if let Some((verdict, since)) = verdict {
            self.health = Some(verdict.health);
            self.checks = Some(verdict.health);
            self.reason.clone_from(&verdict.reason);
            self.since = Some(since);
            self.flapping = verdict.checks.iter().any(|check| check.flapping);
        }
        if let Some(forced) = forced {
            self.health = Some(forced.health.into());
            self.since = Some(forced.since);
        }
    }
}

/// A drain under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DrainStatus {
    /// Active, inactive and persistent connections that were left.
    pub connections: u64,
    /// When it is deleted at the latest.
    pub until: u64,
}

/// Where the status goes after each pass.
pub trait Board {
    fn post(&mut self, status: Status);

    /// Puts what a pass over these services left into what was posted last: [`Status::put_part`].
    fn amend(&mut self, services: &BTreeSet<ServiceKey>, part: Status);

    /// Puts in what is so without a pass: [`Status::tell`].
    fn tell(&mut self, _outdated: bool, _tally: &Tally) {}
}

/// Nowhere.
impl Board for () {
    fn post(&mut self, _: Status) {}

    fn amend(&mut self, _: &BTreeSet<ServiceKey>, _: Status) {}
}

/// When something was, in seconds since 1970.
pub fn unix_of(at: Instant, now: Now) -> u64 {
    now.unix.saturating_sub(now.at.saturating_duration_since(at).as_secs())
}
