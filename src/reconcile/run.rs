//! Passes for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::backoff::{Backoff, Object};
use super::narrate;
use super::pass::{Options, PassError, Report, StepResult, pass};
use super::schedule::{Event, Schedule, Why};
use super::store::RecordStore;
use crate::ipvs::Ipvs;
use crate::model::{Desired, Record};

/// As many events are taken between two looks at the schedule.
const MOST_EVENTS: usize = 1000;

/// What reading the configuration gave.
#[derive(Debug)]
pub enum Config {
    /// What was read is what was read last time, be that good or bad.
    Unchanged,
    New(Box<Desired>),
    /// The files are wrong; it was said why. The last good configuration stays in force.
    Refused,
}

/// Where the configuration comes from.
pub trait ConfigSource {
    /// Reads it. With `afresh`, what was read last time counts for nothing: what is wrong is said again.
    fn load(&mut self, afresh: bool) -> Config;
    /// Whether it reads otherwise than at the last [`load`](Self::load). For the resync and the poll, which look for
    /// events that were lost or cannot be had: the files may be half written, so it believes nothing of what it sees.
    fn changed(&mut self) -> bool;
    /// How often to look, where changes cannot be watched for.
    fn poll(&self) -> Option<Duration>;
}

/// The loop and all of its state.
pub struct Loop<'a> {
    ipvs: &'a mut dyn Ipvs,
    source: &'a mut dyn ConfigSource,
    store: &'a mut dyn RecordStore,
    desired: Desired,
    record: Record,
    schedule: Schedule,
    backoff: Backoff,
    /// Passes in a row that could not be made at all, and when to try the next.
    trouble: u32,
    said: narrate::Said,
    /// The files were refused, and what is in force is older than they are.
    outdated: bool,
    force: bool,
}

impl<'a> Loop<'a> {
    /// A loop that starts from a configuration that was accepted, and the record that was found.
    pub fn new(
        ipvs: &'a mut dyn Ipvs,
        source: &'a mut dyn ConfigSource,
        store: &'a mut dyn RecordStore,
        (desired, record): (Desired, Record),
        now: Instant,
    ) -> Self {
        let schedule = Schedule::new(desired.resync, now);
        let backoff = Backoff::new(fastrand::u64(..));
        Self {
            ipvs,
            source,
            store,
            desired,
            record,
            schedule,
            backoff,
            trouble: 0,
            said: narrate::Said::default(),
            outdated: false,
            force: false,
        }
    }

    /// Lets every pass go past `max_delete`.
    #[must_use]
    pub fn with_force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Makes passes until [`Event::Stop`], or until nobody can send an event any more. The first one is made
    /// at once.
    pub fn run(&mut self, events: &Receiver<Event>, clock: &dyn Fn() -> Instant) {
        let start = Why { start: true, ..Why::default() };
        self.reconcile(start, clock);
        loop {
            self.turn(clock);
            // Take what has come in before the next pass; one pass answers all of it. Not without end, so that
            // no flood of events can hold up what is due.
            let mut next = events.recv_timeout(self.idle(clock()));
            for _ in 0..MOST_EVENTS {
                match next {
                    Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(event) => self.schedule.event(event, clock()),
                    Err(RecvTimeoutError::Timeout) => break,
                }
                next = events.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                });
            }
        }
    }

    /// How long nothing is due.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        self.schedule.wait(now)
    }

    /// Does what is due, if anything is.
    pub(super) fn turn(&mut self, clock: &dyn Fn() -> Instant) {
        if let Some(why) = self.schedule.take(clock()) {
            self.tick(why, clock);
        }
    }

    /// Does what `why` asks for.
    pub(super) fn tick(&mut self, why: Why, clock: &dyn Fn() -> Instant) {
        let mut changed = false;
        if why.files || why.reload {
            match self.source.load(why.reload) {
                Config::New(desired) => {
                    self.desired = *desired;
                    self.schedule.set_resync(self.desired.resync, clock());
                    self.outdated = false;
                    changed = true;
                }
                Config::Refused => self.outdated = true,
                Config::Unchanged => {}
            }
        } else if (why.resync || why.poll) && self.source.changed() {
            self.schedule.event(Event::Files, clock());
        }
        self.schedule.set_poll(self.source.poll(), clock());
        if changed || why.reload {
            // Something was mended, perhaps; whoever did it wants to see it now.
            self.backoff.clear();
        }
        if changed || why.reload || why.resync || why.retry {
            self.reconcile(why, clock);
        }
    }

    /// Makes a pass, says what came of it, and sees when to try again.
    fn reconcile(&mut self, why: Why, clock: &dyn Fn() -> Instant) {
        let started = clock();
        let backoff = &self.backoff;
        let options =
            Options { force: self.force, only: None, held: &|operation| backoff.held(&Object::of(operation), started) };
        let result = pass(self.ipvs, &self.desired, &mut self.record, self.store, &options);
        let now = clock();
        let told = narrate::Circumstances { why, took: now - started, outdated: self.outdated };
        narrate::pass(told, &result, &self.desired, &mut self.said);
        match result {
            // A refusal does not go away by itself: the next resync looks again.
            Ok(report) if report.refused.is_some() => {
                self.trouble = 0;
                self.schedule.set_retry(None);
            }
            Ok(report) => {
                self.trouble = 0;
                self.remember(&report, now);
                // What was due at the start had its turn, be it that the pass was refused. And failures that fall
                // due one by one make no more than a pass a second.
                let next = self.backoff.next_after(started).map(|at| at.max(now + Backoff::FIRST));
                self.schedule.set_retry(next);
            }
            Err(PassError::Observe(_) | PassError::Apply { .. }) => {
                self.trouble = self.trouble.saturating_add(1);
                let delay = self.backoff.delay(self.trouble);
                self.schedule.set_retry(Some(now + delay));
            }
        }
    }

    /// Notes what failed, and forgets what did not or is not wanted any more. What was skipped has no time of its
    /// own: it is held back for as long as what it depends on waits, and then goes with it.
    fn remember(&mut self, report: &Report, now: Instant) {
        let mut failing = BTreeMap::new();
        for (step, result) in report.outcomes() {
            match result {
                StepResult::Failed(_) | StepResult::Unverified(_) => {
                    failing.insert(Object::of(&step.operation), result);
                }
                StepResult::Done | StepResult::Converged | StepResult::Skipped { .. } => {}
            }
        }
        let waiting: BTreeSet<Object> = report.plan.notes.iter().filter_map(Object::waiting).collect();
        self.backoff.keep_only(|object| failing.contains_key(object) || waiting.contains(object));
        for (object, result) in failing {
            self.backoff.failed(object, result.to_string(), now);
        }
    }
}
