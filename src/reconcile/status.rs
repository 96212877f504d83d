//! What the loop shows of itself after each pass: an immutable picture, for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::belief::said;
use super::checker::Verdict;
use super::concern::Concern;
use super::pass::{PassError, Picture, Refused, Report};
use super::schedule::{Now, Why};
use super::tally::Tally;
use crate::model::{
    Desired, DestinationKey, Health, HealthOverride, OnDown, Overrides, Quiesced, Record, Service, ServiceKey,
};
use crate::plan::{Because, HostNote, Overlaid, Weighed};

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

/// An object of the host that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostTrouble {
    /// `sysctl net.ipv4.ip_forward`, or `the host` for all of it.
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
            services: left,
            helpers: _,
            overrides,
            suspicions,
            docker: _,
            host: _,
            tally,
        } = part;
        for key in services {
            self.services.remove(key);
        }
        self.services.extend(left);
        self.trouble = trouble.or(self.trouble.take());
        let before = std::mem::take(self);
        *self =
            Self { outdated, pass_at, pass_why, blind, failing, failing_more, overrides, suspicions, tally, ..before };
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

/// What a pass was made under.
pub(super) struct Told<'a> {
    pub(super) why: Why,
    pub(super) outdated: bool,
    /// Why the files are not in force, if they would delete too much.
    pub(super) waits: Option<&'a Refused>,
    pub(super) now: Now,
    /// What the pass was about.
    pub(super) concern: &'a Concern,
    pub(super) backoff: &'a Backoff,
}

/// The status after a pass.
pub(super) fn of(
    told: Told<'_>,
    result: &Result<Report, PassError>,
    desired: &Desired,
    record: &Record,
    overrides: &Overrides,
) -> Status {
    let Told { why, outdated, waits, now, concern, backoff } = told;
    let trouble = match result {
        Ok(report) => report.refused.as_ref().or(waits).map(|refused| format!("pass refused: {refused}")),
        Err(error) => Some(error.to_string()),
    };
    let mut status = Status {
        outdated: outdated || waits.is_some(),
        pass_at: now.unix,
        pass_why: why.to_string(),
        trouble,
        blind: result.is_err(),
        overrides: overrides.clone(),
        helpers: record
            .helpers
            .iter()
            .map(|(mark, helped)| ServiceKey::Mark { family: helped.service.family(), mark: *mark })
            .collect(),
        ..Status::default()
    };
    (status.failing, status.failing_more) = failing(backoff, now);
    if let Ok(report) = result {
        status.host = host_trouble(report);
        let Picture { services, verdicts, drains, ready: _, awaited: _ } = &report.picture;
        status.suspicions.clone_from(&verdicts.trouble);
        for (key, overlaid) in services {
            let judge = |destination: &DestinationKey, status: &mut DestinationStatus| {
                let verdict = verdicts.destinations.get(&(*key, *destination));
                let verdict = verdict.map(|verdict| (verdict, unix_of(verdict.since, now)));
                status.judge(verdict, said(overrides, key, destination));
            };
            status.services.insert(*key, service(desired, key, overlaid, judge));
        }
        if desired.api.is_some() {
            plain_services(&mut status, concern, desired);
        }
        for ((key, destination), drain) in drains {
            let of_service = status.services.entry(*key).or_insert_with(|| bare(desired, key));
            let of_destination = of_service.destinations.entry(*destination).or_default();
            of_destination.drain = Some(*drain);
            if let Some(verdict) = verdicts.destinations.get(&(*key, *destination)) {
                of_destination.judge(Some((verdict, unix_of(verdict.since, now))), None);
            }
        }
    }
    status
}

/// What failed now, and what failed before and waits.
fn host_trouble(report: &Report) -> Vec<HostTrouble> {
    let failed = report.host_outcomes().filter(|(_, result)| !result.is_ok());
    let failed = failed.map(|(step, result)| (step.operation.key.to_string(), result.to_string()));
    let waiting = report.plan.host.notes.iter().filter_map(|note| match note {
        HostNote::Waiting { verb: _, key, held } => Some((key.to_string(), held.reason.clone())),
        HostNote::Unknown { reason } => Some(("the host".to_owned(), reason.clone())),
        HostNote::Kept { .. }
        | HostNote::InUse { .. }
        | HostNote::Draining { .. }
        | HostNote::Unmoved { .. }
        | HostNote::Foreign { .. } => None,
    });
    failed.chain(waiting).map(|(object, reason)| HostTrouble { object, reason }).collect()
}

/// Puts in those that nothing is laid over.
fn plain_services(status: &mut Status, concern: &Concern, desired: &Desired) {
    let mut put = |key: &ServiceKey, configured: &Service| {
        status.services.entry(*key).or_insert_with(|| {
            let weights = configured.destinations.iter().map(|(destination, settings)| {
                let (configured, effective) = (Some(settings.weight), settings.weight);
                (*destination, DestinationStatus { configured, effective, ..DestinationStatus::default() })
            });
            let count = configured.destinations.len();
            ServiceStatus { up: count, of: count, destinations: weights.collect(), ..bare(desired, key) }
        });
    };
    match concern {
        Concern::All => desired.table.services.iter().for_each(|(key, service)| put(key, service)),
        Concern::Services(keys) => {
            let found = keys.iter().filter_map(|key| desired.table.services.get_key_value(key));
            found.for_each(|(key, service)| put(key, service));
        }
    }
}

/// What is so of a service whatever its destinations are like.
fn bare(desired: &Desired, key: &ServiceKey) -> ServiceStatus {
    let policy = desired.policies.get(key);
    ServiceStatus {
        name: desired.origins.get(key).map(|origin| origin.name.clone()),
        fallback_to: policy.and_then(|policy| policy.fallback).map(|(destination, _)| destination),
        ignores_down: policy.is_some_and(|policy| policy.on_down == OnDown::Ignore),
        ..ServiceStatus::default()
    }
}

/// What was refused and is tried again, and how many more there are than are named.
fn failing(backoff: &Backoff, now: Now) -> (Vec<Failing>, usize) {
    let mut all = backoff.entries(now);
    let named = all.by_ref().take(MOST_FAILING).collect();
    (named, all.count())
}

fn service(
    desired: &Desired,
    key: &ServiceKey,
    overlaid: &Overlaid,
    judge: impl Fn(&DestinationKey, &mut DestinationStatus),
) -> ServiceStatus {
    let Overlaid { up, of, failed, panic, fallback, awaited: _, destinations } = overlaid;
    let destinations = destinations.iter().map(|(key, weighed)| {
        let Weighed { configured, effective, because, forced: _ } = *weighed;
        let quiesced = match because {
            Because::Quiesced(why) => Some(why),
            _ => None,
        };
        let mut status = DestinationStatus {
            configured: Some(configured),
            effective: effective.unwrap_or(0),
            why: weighed.why(),
            quiesced,
            ..DestinationStatus::default()
        };
        judge(key, &mut status);
        (*key, status)
    });
    ServiceStatus {
        up: *up,
        of: *of,
        failed: *failed,
        panic: *panic,
        fallback: *fallback,
        destinations: destinations.collect(),
        ..bare(desired, key)
    }
}

/// When something was, in seconds since 1970.
pub fn unix_of(at: Instant, now: Now) -> u64 {
    now.unix.saturating_sub(now.at.saturating_duration_since(at).as_secs())
}
