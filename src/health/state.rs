//! All that the engine decides: whom to check, when, how many at once, and when the loop has to hear of it. Pure: the
//! time is a parameter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::agenda::{Agenda, Id};
use super::meter::Meter;
use super::probe::Job;
use super::registry::Registry;
use crate::model::ServiceKey;
use crate::reconcile::{Assignments, Verdicts};

/// What the engine knows.
#[derive(Debug)]
pub(super) struct State {
    registry: Registry,
    agenda: Agenda,
    meter: Meter,
    at_once: usize,
    /// The loop has been told, and has not looked yet.
    told: bool,
    /// Runs under way whose target is gone: nobody waits for them.
    orphans: Vec<Id>,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Run this now. [`State::finish`] has to follow.
    Run(Start),
    /// Nothing before then.
    Wait(Instant),
    /// Nothing before a run has ended, or targets are added.
    Rest,
}

/// A run that is due.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) id: Id,
    pub(super) job: Arc<Job>,
    pub(super) planned: Instant,
}

/// How a run went.
#[derive(Debug)]
pub(super) struct Finish {
    pub(super) id: Id,
    pub(super) planned: Instant,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) result: Result<(), String>,
}

impl State {
    /// Nothing to check. The seed makes choices repeatable.
    pub(super) fn new(at_once: usize, seed: u64) -> Self {
        Self {
            registry: Registry::default(),
            agenda: Agenda::new(seed),
            meter: Meter::default(),
            at_once: at_once.max(1),
            told: false,
            orphans: Vec::new(),
        }
    }

    /// At least one run at a time.
    pub(super) fn set_at_once(&mut self, at_once: usize) {
        self.at_once = at_once.max(1);
    }

    /// Checks these from now on, and no others; with `services`, no others of those.
    pub(super) fn assign(&mut self, services: Option<&BTreeSet<ServiceKey>>, assignments: &Assignments, now: Instant) {
        let changes = self.registry.assign(services, assignments, now);
        for id in changes.removed {
            if self.agenda.remove(id) {
                self.orphans.push(id);
            }
        }
        let eager = changes.added.iter().filter(|(.., eager)| *eager).count();
        for (id, interval, is_eager) in changes.added {
            self.agenda.add(id, interval, is_eager.then(|| Agenda::soon(eager, interval)), now);
        }
    }

    /// What is known.
    pub(super) fn verdicts(&mut self, now: Instant) -> Arc<Verdicts> {
        self.registry.verdicts(now)
    }

    /// What is known of the destinations of these services.
    pub(super) fn verdicts_of(&self, services: &BTreeSet<ServiceKey>, now: Instant) -> Verdicts {
        self.registry.verdicts_of(services, now)
    }

    /// The services in which health has changed since the last time. The loop is told again of what changes from now on.
    pub(super) fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        self.told = false;
        self.registry.take_changed()
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        loop {
            if self.meter.in_flight >= self.at_once {
                return Next::Rest;
            }
            let Some((id, planned)) = self.agenda.take(now) else {
                return self.agenda.next().map_or(Next::Rest, Next::Wait);
            };
            // There always is a job: both forget a target at the same time.
            if let Some(job) = self.registry.job(id).cloned() {
                self.meter.in_flight += 1;
                self.meter.max_in_flight = self.meter.max_in_flight.max(self.meter.in_flight);
                return Next::Run(Start { id, job, planned });
            }
        }
    }

    /// A run has ended.
    pub(super) fn finish(&mut self, run: Finish) {
        let Finish { id, planned, started, ended, result } = run;
        self.meter.in_flight = self.meter.in_flight.saturating_sub(1);
        self.meter.runs += 1;
        self.meter.bad += u64::from(result.is_err());
        self.meter.started_late(started.saturating_duration_since(planned));
        let took = ended.saturating_duration_since(started);
        if let Some(outcome) = self.registry.result(id, result, took, ended) {
            self.agenda.done(id, outcome.interval, outcome.jitter, ended);
        }
    }

    /// A run was given up, because its target is gone.
    pub(super) fn give_up(&mut self) {
        self.meter.in_flight = self.meter.in_flight.saturating_sub(1);
    }

    /// Runs that nobody waits for any more, each once.
    pub(super) fn take_orphans(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.orphans)
    }

    /// Whether the loop has to be told now; it has been after that, and is not again before it looked.
    pub(super) fn has_to_tell(&mut self) -> bool {
        let tell = self.registry.has_changed() && !self.told;
        self.told |= tell;
        tell
    }

    /// How the engine is doing.
    pub(super) fn meter(&self) -> Meter {
        let mut meter = self.meter.clone();
        meter.targets = self.registry.len();
        meter
    }
}

#[cfg(test)]
#[path = "tests/state.rs"]
mod tests;
