//! The status after a pass, from what the pass reports.

use super::{DestinationStatus, Failing, HostTrouble, MOST_FAILING, ServiceStatus, Status, unix_of};
use crate::model::{Desired, DestinationKey, OnDown, Overrides, Record, Service, ServiceKey};
use crate::plan::{Because, HostNote, Overlaid, Weighed};
use crate::reconcile::backoff::Backoff;
use crate::reconcile::belief::said;
use crate::reconcile::concern::Concern;
use crate::reconcile::pass::{PassError, Picture, Refused, Report};
use crate::reconcile::schedule::{Now, Why};

/// What a pass was made under.
pub(in crate::reconcile) struct Told<'a> {
    pub(in crate::reconcile) why: Why,
    pub(in crate::reconcile) outdated: bool,
    /// Why the files are not in force, if they would delete too much.
    pub(in crate::reconcile) waits: Option<&'a Refused>,
    pub(in crate::reconcile) now: Now,
    /// What the pass was about.
    pub(in crate::reconcile) concern: &'a Concern,
    pub(in crate::reconcile) backoff: &'a Backoff,
}

/// The status after a pass.
pub(in crate::reconcile) fn of(
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
    status.failures = backoff.failures();
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
    let record = report.store_error.as_ref().map(|error| ("the ownership record".to_owned(), error.to_string()));
    failed.chain(waiting).chain(record).map(|(object, reason)| HostTrouble { object, reason }).collect()
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
        let (quiesced, ramp_to) = match because {
            Because::Quiesced(why) => (Some(why), None),
            Because::Ramp(full) => (None, Some(full)),
            _ => (None, None),
        };
        let mut status = DestinationStatus {
            configured: Some(configured),
            effective: effective.unwrap_or(0),
            why: weighed.why(),
            ramp_to,
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
