//! What the log says of a pass: one line for the pass, and before it a line for each thing that a person
//! would want to know, up to a point.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::host::HostResult;
use super::notice::{DrainEnd, Notice};
use super::pass::{PassError, Refused, Report, StepResult};
use super::schedule::Why;
use crate::model::Desired;
use crate::plan::render::{host_note_line, host_operation_line, note_line, operation_line};
use crate::plan::{Cause, HostNote, Note, SkipReason, Verb};

/// As many operations, failures and kept services of one pass are written out; of the rest only the number.
pub(super) const LINES: usize = 50;

/// What a pass was made under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) why: Why,
    pub(super) took: Duration,
    /// How many services it concerned, if not all.
    pub(super) services: Option<usize>,
    /// The files are refused, and an older configuration is in force.
    pub(super) outdated: bool,
    /// The files would delete too much, and an older configuration is in force.
    pub(super) waits: bool,
}

impl Circumstances {
    fn ms(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What the last pass said of what lasts, so as to say it once.
#[derive(Debug, Default)]
pub(super) struct Said {
    refused: Option<String>,
    kept: BTreeSet<String>,
    /// What looks like our own trouble.
    trouble: Vec<String>,
}

/// Logs a pass.
///
/// `seen` is what happened that a report does not tell, for there is none.
pub(super) fn pass(
    told: Circumstances,
    result: &Result<Report, PassError>,
    seen: &[Notice],
    desired: &Desired,
    said: &mut Said,
) {
    let report = match result {
        Ok(report) => report,
        Err(problem) => {
            // Health is as it is, whatever comes of the pass.
            happened(seen);
            error!(why = %told.why, ms = told.ms(), "pass failed: {problem}");
            return;
        }
    };
    suspicions(&report.picture.verdicts.trouble, &mut said.trouble);
    happened(&report.notices);
    if let Some(refusal) = &report.refused {
        refusal_line(told, refusal, &mut said.refused);
        return;
    }
    let is_part = told.services.is_some();
    if !told.waits && !is_part {
        said.refused = None;
    }
    host_steps(report);
    steps(report, desired);
    notes(report, is_part, &mut said.kept);
    for unknown in &report.unknown {
        debug!("not understood, left alone: {unknown}");
    }
    if let Some(problem) = &report.store_error {
        error!("the ownership record was not written: {problem}");
    }
    summary(told, report);
}

/// Logs that a configuration waits.
pub(super) fn refused(told: Circumstances, refusal: &Refused, said: &mut Said) {
    refusal_line(told, refusal, &mut said.refused);
}

fn refusal_line(told: Circumstances, refusal: &Refused, last: &mut Option<String>) {
    let (why, ms) = (told.why, told.ms());
    let text = refusal.to_string();
    if last.as_ref() == Some(&text) && why.is_only_a_look() {
        debug!(why = %why, ms, "pass refused, as before");
    } else if last.as_ref() == Some(&text) {
        info!(why = %why, ms, "pass refused, as before");
    } else {
        error!(why = %why, ms, "pass refused, nothing applied: {text}");
        *last = Some(text);
    }
}

fn steps(report: &Report, desired: &Desired) {
    // What is deleted has no name any more.
    let name = |key| desired.origins.get(key).map(|origin| origin.name.as_str());
    let (mut done, mut failed) = (0, 0);
    for (step, result) in report.outcomes() {
        let line = operation_line(&step.operation);
        let name = name(step.operation.service());
        let count = if result.is_ok() { &mut done } else { &mut failed };
        *count += 1;
        match (result, step.cause) {
            (StepResult::Done | StepResult::Converged, _) if *count > LINES => debug!(name, "{line}"),
            (StepResult::Draining { .. }, _) if *count > LINES => debug!(name, "{line}: {result}"),
            (StepResult::Draining { .. }, _) => info!(name, "{line}: {result}"),
            (StepResult::Done | StepResult::Converged, Cause::Drift) => warn!(name, "drift repaired: {line}"),
            (StepResult::Done | StepResult::Converged, Cause::Change) => info!(name, "{line}"),
            (StepResult::Failed(_) | StepResult::Skipped { .. } | StepResult::Unverified(_), _) => {
                if *count > LINES {
                    debug!(name, "failed: {line}: {result}");
                } else {
                    warn!(name, "failed: {line}: {result}");
                }
            }
        }
    }
    more(done, "operations");
    more(failed, "failures");
}

/// The host's part of it.
fn host_steps(report: &Report) {
    for (number, (step, result)) in report.host_outcomes().enumerate() {
        let line = host_operation_line(&step.operation);
        match (result, step.cause) {
            _ if number >= LINES => debug!("{line}: {result}"),
            (HostResult::Done, Cause::Drift) => warn!("drift repaired: {line}"),
            (HostResult::Done, Cause::Change) => info!("{line}"),
            (HostResult::Failed(_) | HostResult::Skipped(_) | HostResult::Unverified(_), _) => {
                warn!("failed: {line}: {result}");
            }
        }
    }
    more(report.host_results.len(), "operations on the host");
}

/// A failure is said when it happens and then counted as waiting; what is kept is said when it is news.
fn notes(report: &Report, is_part: bool, said: &mut BTreeSet<String>) {
    let mut kept = Vec::new();
    for note in &report.plan.host.notes {
        match note {
            HostNote::Kept { .. } | HostNote::InUse { .. } | HostNote::Unmoved { .. } | HostNote::Unknown { .. } => {
                kept.push(host_note_line(note))
            }
            HostNote::Draining { .. } | HostNote::Foreign { .. } | HostNote::Waiting { .. } => {
                debug!("{}", host_note_line(note));
            }
        }
    }
    for note in &report.plan.notes {
        match note {
            Note::KeptService { .. } | Note::HeldBack { reason: SkipReason::FirstCheck, .. } => {
                kept.push(note_line(note))
            }
            Note::Draining { .. }
            | Note::Waiting { .. }
            | Note::HeldBack { .. }
            | Note::ForeignService { .. }
            | Note::ForeignDestination { .. } => debug!("{}", note_line(note)),
        }
    }
    let news: Vec<&String> = kept.iter().filter(|line| !said.contains(*line)).collect();
    for line in news.iter().take(LINES) {
        info!("{line}");
    }
    more(news.len(), "things that are kept");
    if !is_part {
        said.clear();
    }
    said.extend(kept);
}

/// What looks like the checker's own trouble, when it is news.
fn suspicions(trouble: &[String], said: &mut Vec<String>) {
    for text in trouble.iter().filter(|text| !said.contains(text)) {
        error!("{text}");
    }
    if trouble.is_empty() && !said.is_empty() {
        info!("what looked like trouble of this machine's own is over");
    }
    trouble.clone_into(said);
}

/// What happened to destinations and services.
fn happened(notices: &[Notice]) {
    for notice in notices.iter().take(LINES) {
        match notice {
            Notice::DestinationUp { service, name, destination } => {
                info!(name, "{destination} of {service} is up");
            }
            Notice::DestinationDown { service, name, destination, reason } => {
                warn!(name, "{destination} of {service} is down: {reason}");
            }
            Notice::ServiceFailed { service, name, up, of } => {
                error!(name, "{service} has failed: {up} of {of} destinations are up, fewer than min_healthy");
            }
            Notice::ServiceRestored { service, name, up, of } => {
                info!(name, "{service} is restored: {up} of {of} destinations are up");
            }
            Notice::PanicBegun { service, name, down, of } => error!(
                name,
                "{down} of {of} destinations of {service} went down at once, more than panic_threshold: the checker is \
                 suspected, and their weights are kept"
            ),
            Notice::PanicEnded { service, name } => {
                info!(name, "the destinations of {service} are believed to be down or up again as their checks say");
            }
            Notice::DrainDone { service, name, destination, connections, why } => {
                let name = name.as_deref();
                match why {
                    DrainEnd::Idle => info!(name, "{destination} of {service} is drained"),
                    DrainEnd::Deadline => {
                        warn!(name, connections, "{destination} of {service} is deleted: the time for its drain is up");
                    }
                    DrainEnd::Down => {
                        warn!(name, connections, "{destination} of {service} is deleted: it drained, and is down");
                    }
                }
            }
            Notice::ConfigurationRefused { .. } | Notice::DriftRepaired { .. } | Notice::HostDriftRepaired { .. } => {}
        }
    }
    more(notices.len(), "changes of health");
}

fn more(count: usize, what: &str) {
    if count > LINES {
        info!("… and {} {what} more", count - LINES);
    }
}

fn summary(told: Circumstances, report: &Report) {
    let counts = report.plan.counts();
    let host = &report.plan.host;
    let causes = report.plan.steps.iter().map(|step| step.cause).chain(host.steps.iter().map(|step| step.cause));
    let drift = causes.filter(|cause| *cause == Cause::Drift).count();
    let waiting = report.plan.notes.iter().filter(|note| matches!(note, Note::Waiting { .. })).count();
    let waiting = waiting + host.notes.iter().filter(|note| matches!(note, HostNote::Waiting { .. })).count();
    let draining = report.picture.drains.len();
    let (changed, failed) = (report.changed(), report.failed());
    let unchanged = report.plan.unchanged + host.unchanged;
    if report.results.is_empty() && report.host_results.is_empty() && told.why.is_only_a_look() {
        debug!(why = %told.why, services = told.services, draining, unchanged, ms = told.ms(), "pass");
        return;
    }
    info!(
        why = %told.why,
        services = told.services,
        add = counts.add.total() + host.count(Verb::Add),
        edit = counts.edit.total() + host.count(Verb::Edit),
        delete = counts.delete.total() + host.count(Verb::Delete),
        drift,
        changed,
        failed,
        waiting,
        draining = (draining > 0).then_some(draining),
        unchanged,
        ms = told.ms(),
        config = (told.outdated || told.waits).then_some("refused"),
        "pass"
    );
}
