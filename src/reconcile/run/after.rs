//! What follows from a pass: when to look again, whom to tell, and what is held back for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Loop;
use crate::model::{HostKey, ServiceKey};
use crate::plan::render::{host_operation_line, operation_line};
use crate::plan::{Cause, HostStep, Verb};
use crate::reconcile::backoff::Object;
use crate::reconcile::concern::Concern;
use crate::reconcile::fault::Fault;
use crate::reconcile::host::HostResult;
use crate::reconcile::notice::Notice;
use crate::reconcile::pass::{PassError, Report, StepResult};
use crate::reconcile::schedule::Now;

impl Loop<'_> {
    /// Sees to the next pass that ramps, drains and overrides want, which had their turn in this one or not. However long a pass takes, most of the time is free.
    pub(super) fn look_again(&mut self, report: &Report, had_its_turn: bool, now: Now, took: Duration) {
        const DRAIN: Duration = Duration::from_secs(1);
        const SOON: Duration = Duration::from_millis(100);
        // An override may end beyond what a clock can tell.
        const LONGEST: Duration = Duration::from_secs(86_400);
        // While passes are refused, nothing of it can be done.
        let goes_on = report.refused.is_none();
        let drains = (goes_on && !self.record.drains.is_empty()).then_some(DRAIN.max(took * 20));
        let ramps = self.standing.next_step(now.at).filter(|_| goes_on).map(|step| step.max(took * 5));
        let owed = (goes_on && !self.owed.is_nothing()).then_some(SOON.max(took * 5));
        let ends = self.overrides.next_end().map(|end| Duration::from_secs(end.saturating_sub(now.unix).max(1)));
        let next = [drains, ramps, owed, ends].into_iter().flatten().min();
        let next = next.map(|wait| now.at + wait.min(LONGEST));
        // Else many passes over some services would put off the ramps and drains of all others without end.
        if had_its_turn { self.schedule.set_step(next) } else { self.schedule.bring_step(next) }
    }

    /// Tells whoever listens what happened.
    pub(super) fn tell(&mut self, seen: &[Notice], result: &Result<Report, PassError>) {
        for notice in seen {
            self.company.listener.notice(notice);
        }
        let Ok(report) = result else { return };
        for notice in &report.notices {
            self.company.listener.notice(notice);
        }
        // One for each service, so that a table that was cleared makes no flood.
        let mut repairs: BTreeMap<ServiceKey, Vec<String>> = BTreeMap::new();
        for (step, result) in report.outcomes() {
            if step.cause == Cause::Drift && result.is_ok() {
                repairs.entry(*step.operation.service()).or_default().push(operation_line(&step.operation));
            }
        }
        // And one for each interface, with all of its addresses.
        let mut of_host: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (step, result) in report.host_outcomes() {
            if step.cause == Cause::Drift && result.is_ok() {
                let key = &step.operation.key;
                let interface = key.interface().map(|name| HostKey::Interface(name.to_owned()));
                let object = interface.unwrap_or_else(|| key.clone()).to_string();
                of_host.entry(object).or_default().push(host_operation_line(&step.operation));
            }
        }
        for (object, lines) in of_host {
            self.company.listener.notice(&Notice::HostDriftRepaired { object, repair: lines.join("\n") });
        }
        for (service, lines) in repairs {
            let name = self.desired.origins.get(&service).map(|origin| origin.name.clone());
            self.company.listener.notice(&Notice::DriftRepaired { service, name, repair: lines.join("\n") });
        }
    }

    /// Notes what failed, and forgets what did not or is not wanted any more. What was skipped has no time of its
    /// own: it is held back for as long as what it depends on waits, and then goes with it.
    pub(super) fn remember(&mut self, report: &Report, concern: &Concern, now: Instant) {
        let mut failing = BTreeMap::new();
        for (step, result) in report.outcomes() {
            match result {
                StepResult::Failed(_) | StepResult::Unverified(_) => {
                    let fault = Fault::of(&step.operation, result);
                    failing.insert(Object::of(&step.operation), (fault, result.to_string()));
                }
                StepResult::Done | StepResult::Converged | StepResult::Draining { .. } | StepResult::Skipped { .. } => {
                }
            }
        }
        let has_its_time = |(step, result): &(&HostStep, &HostResult)| match result {
            HostResult::Done => false,
            HostResult::Skipped(_) => step.operation.kind() == Verb::Delete,
            HostResult::Failed(_) | HostResult::Unverified(_) => true,
        };
        for (step, result) in report.host_outcomes().filter(has_its_time) {
            failing.insert(Object::Host(step.operation.key.clone()), (Fault::of_host(result), result.to_string()));
        }
        let mut waiting: BTreeSet<Object> = report.plan.notes.iter().filter_map(Object::waiting).collect();
        waiting.extend(report.plan.host.notes.iter().filter_map(Object::host_waiting));
        self.backoff
            .keep_only(|object| !object.is_in(concern) || failing.contains_key(object) || waiting.contains(object));
        for (object, result) in failing {
            self.backoff.failed(object, result, now);
        }
    }
}
