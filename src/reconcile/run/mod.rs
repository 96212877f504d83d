//! Passes for ever.

mod after;
mod configuration;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::backoff::{Backoff, Object};
use super::checker::Checker;
use super::host::{Ground, Host};
use super::narrate;
use super::notice::{Listener, Notice};
use super::overrides::OverrideSource;
use super::pass::{Hands, Options, PassError, Refused, Terms, pass};
use super::schedule::{Event, Now, Schedule, Why};
use super::sight::Sight;
use super::standing::Standing;
use super::status::{self, Board};
use super::store::RecordStore;
use crate::ipvs::Ipvs;
use crate::model::{Desired, Overrides, Record, SharedChecks};
use crate::plan::Of;

/// As many events are taken between two looks at the schedule.
const MOST_EVENTS: usize = 1000;

/// What reading the configuration gave.
#[derive(Debug)]
pub enum Config {
    /// What was read is what was read last time, be that good or bad.
    Unchanged,
    New(Box<Desired>),
    /// The files are wrong, and how; it was logged. The last good configuration stays in force.
    Refused(String),
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

/// Who the loop works with, besides the kernel.
pub struct Company<'a> {
    pub source: &'a mut dyn ConfigSource,
    pub store: &'a mut dyn RecordStore,
    pub overrides: &'a mut dyn OverrideSource,
    pub checker: &'a mut dyn Checker,
    pub listener: &'a mut dyn Listener,
    pub host: &'a mut dyn Host,
    pub board: &'a mut dyn Board,
}

/// The loop and all of its state.
pub struct Loop<'a> {
    ipvs: &'a mut dyn Ipvs,
    company: Company<'a>,
    desired: Desired,
    record: Record,
    /// When the last pass began.
    clock: Now,
    overrides: Overrides,
    standing: Standing,
    /// The last checks of what is owned, and not desired any more.
    farewells: BTreeMap<Of, SharedChecks>,
    schedule: Schedule,
    backoff: Backoff,
    /// Passes in a row that could not be made at all, and when to try the next.
    trouble: u32,
    said: narrate::Said,
    /// The files were refused, and what is in force is older than they are.
    outdated: bool,
    /// A configuration that would delete more than it may, and why it is not in force; what was before is, with all that
    /// health asks for.
    waiting: Option<(Box<Desired>, Refused)>,
    force: bool,
}

impl<'a> Loop<'a> {
    /// A loop that starts from a configuration that was accepted, and the record that was found.
    pub fn new(
        ipvs: &'a mut dyn Ipvs,
        company: Company<'a>,
        (desired, mut record): (Desired, Record),
        now: Now,
    ) -> Self {
        record.begin_drains_by(now.unix);
        company.checker.set_at_once(desired.checks_at_once);
        company.listener.configure(desired.hooks.as_ref());
        let schedule = Schedule::new(desired.resync, now.at);
        let backoff = Backoff::new(fastrand::u64(..));
        Self {
            ipvs,
            company,
            desired,
            record,
            clock: now,
            overrides: Overrides::default(),
            standing: Standing::default(),
            farewells: BTreeMap::new(),
            schedule,
            backoff,
            trouble: 0,
            said: narrate::Said::default(),
            outdated: false,
            waiting: None,
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
    pub fn run(&mut self, events: &Receiver<Event>, clock: &dyn Fn() -> Now) {
        let start = Why { start: true, ..Why::default() };
        self.tick(start, clock);
        loop {
            self.turn(clock);
            // Take what has come in before the next pass; one pass answers all of it. Not without end, so that
            // no flood of events can hold up what is due.
            let mut next = events.recv_timeout(self.idle(clock().at));
            for _ in 0..MOST_EVENTS {
                match next {
                    Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(event) => self.schedule.event(event, clock().at),
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
    pub(super) fn turn(&mut self, clock: &dyn Fn() -> Now) {
        if let Some(why) = self.schedule.take(clock().at) {
            self.tick(why, clock);
        }
    }

    /// Does what `why` asks for.
    pub(super) fn tick(&mut self, why: Why, clock: &dyn Fn() -> Now) {
        let mut changed = false;
        let source = &mut self.company.source;
        if why.files || why.reload {
            match source.load(why.reload) {
                Config::New(desired) => {
                    self.outdated = false;
                    self.waiting = None;
                    changed = self.take(desired, why, clock);
                }
                Config::Refused(problems) => {
                    self.outdated = true;
                    self.waiting = None;
                    self.company.listener.notice(&Notice::ConfigurationRefused { problems });
                }
                Config::Unchanged => {}
            }
        } else if (why.resync || why.poll) && source.changed() {
            self.schedule.event(Event::Files, clock().at);
        }
        if (why.resync || why.reload)
            && !changed
            && let Some((desired, _)) = self.waiting.take()
        {
            changed = self.take(desired, why, clock);
        }
        self.schedule.set_poll(self.company.source.poll(), clock().at);
        if changed || why.reload {
            // Something was mended, perhaps; whoever did it wants to see it now.
            self.backoff.clear();
        }
        let asked = why.start || why.reload || why.resync || why.retry || why.health || why.overrides || why.step;
        // One that waits changes nothing but what is told.
        if changed || asked || (why.files && self.waiting.is_some()) {
            self.reconcile(why, clock);
        }
    }

    fn circumstances(&self, why: Why, took: Duration) -> narrate::Circumstances {
        narrate::Circumstances { why, took, outdated: self.outdated, waits: self.waiting.is_some() }
    }

    /// Makes a pass, says what came of it, and sees when to try again.
    fn reconcile(&mut self, why: Why, clock: &dyn Fn() -> Now) {
        let started = clock();
        self.follow_the_clock(started);
        self.overrides = self.company.overrides.current(started.unix).clone();
        let backoff = &self.backoff;
        let options = Options {
            force: self.force,
            only: None,
            held: &|operation| backoff.held(&Object::of(operation), started.at),
            host_held: &|key| backoff.held(&Object::Host(key.clone()), started.at),
        };
        let ground = Ground { ipvs: self.ipvs, host: self.company.host };
        let hands = Hands { ground, record: &mut self.record, store: self.company.store };
        let (desired, overrides, farewells) = (&self.desired, &self.overrides, &self.farewells);
        let terms = Terms { desired, overrides, farewells, unix: started.unix, restore_host: false };
        let checker = &mut *self.company.checker;
        let mut sight = Sight::Checks { checker, standing: &mut self.standing, now: started.at };
        let result = pass(hands, terms, &mut sight, &options);
        let now = clock();
        let took = now.at - started.at;
        // However long a pass takes, half of the time is free.
        self.schedule.rest_from_health(now.at + took);
        let told = self.circumstances(why, took);
        // A pass that came to nothing has seen something all the same.
        let seen = self.standing.take_notices();
        narrate::pass(told, &result, &seen, &self.desired, &mut self.said);
        self.tell(&seen, &result);
        let waits = self.waiting.as_ref().map(|(_, refused)| refused);
        let told = status::Told { why, outdated: self.outdated, waits, now };
        self.company.board.post(status::of(told, &result, &self.desired, &self.record, &self.overrides));
        match result {
            // A refusal does not go away by itself: the next resync looks again.
            Ok(report) if report.refused.is_some() => {
                self.trouble = 0;
                self.schedule.set_retry(None);
                self.look_again(&report, now, took);
            }
            Ok(report) => {
                self.trouble = 0;
                self.remember(&report, now.at);
                // What was due at the start had its turn, be it that the pass was refused. And failures that fall
                // due one by one make no more than a pass a second.
                let next = self.backoff.next_after(started.at).map(|at| at.max(now.at + Backoff::FIRST));
                self.schedule.set_retry(next);
                self.look_again(&report, now, took);
            }
            Err(PassError::Observe(_) | PassError::Apply { .. }) => {
                self.trouble = self.trouble.saturating_add(1);
                let delay = self.backoff.delay(self.trouble);
                self.schedule.set_retry(Some(now.at + delay));
            }
        }
    }

    /// Deadlines of drains are kept by the clock of the day, for the next process. If that clock was set they go with it:
    /// nobody is cut off, and nobody stays, because the time of the day is another.
    fn follow_the_clock(&mut self, now: Now) {
        const SLACK: u64 = 5;
        let ticked = now.at.saturating_duration_since(self.clock.at).as_secs();
        let without = self.clock.unix.saturating_add(ticked);
        self.clock = now;
        if now.unix.abs_diff(without) > SLACK && !self.record.drains.is_empty() {
            self.record.shift_drains(i64::try_from(i128::from(now.unix) - i128::from(without)).unwrap_or(0));
            // What cannot be written now is written with the next pass.
            _ = self.company.store.save(&self.record);
        }
    }
}
