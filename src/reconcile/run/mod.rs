//! Passes for ever.

mod after;
mod configuration;
mod memory;
mod passes;

pub use memory::give_back;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::checker::Checker;
use super::concern::Concern;
use super::host::Host;
use super::narrate;
use super::notice::{Listener, Notice};
use super::overrides::OverrideSource;
use super::pass::{PassError, Refused, Report};
use super::schedule::{Event, Now, Schedule, Why};
use super::standing::Standing;
use super::status::Board;
use super::store::RecordStore;
use super::tally::Tally;
use crate::ipvs::Ipvs;
use crate::model::{Desired, Overrides, Record, ServiceKey, SharedChecks};
use crate::plan::Of;
use tracing::error;

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

/// What is asked for in some services now, whatever was asked for in them before.
#[derive(Debug)]
pub struct Part {
    pub services: BTreeSet<ServiceKey>,
    /// Of these services only; nothing else of it counts.
    pub desired: Desired,
    /// Others that somebody wants looked at, as they are.
    pub look: BTreeSet<ServiceKey>,
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
    /// What has come over the API, or from containers, since it was asked last. Its price is that of what has come.
    fn part(&mut self) -> Option<Part> {
        None
    }
    /// The services of which somebody has asked over the API for what is in force, or will be with the next [`part`](Self::part),
    /// and no pass has done it: `max_delete`, which is for files with a mistake in them, does not hold that up. Whatever is in the
    /// files as they were [`load`](Self::load)ed last is in it.
    fn asked(&self) -> BTreeSet<ServiceKey> {
        BTreeSet::new()
    }
    /// A pass has ended over the services that it `covers`, with all in force that was given before it. Nothing waits.
    fn passed(&mut self, _covers: &dyn Fn(&ServiceKey) -> bool, _result: &Result<Report, PassError>) {}
    /// `desired`, which [`load`](Self::load) gave last, is about to take the place of `before`, and may keep something of that: what is
    /// not known yet of what it asks for is as it was.
    fn replaces(&mut self, _before: &Desired, _desired: &mut Desired) {}
    /// What [`load`](Self::load) gave last, or what the loop began with, has come into force; it may have waited for that.
    fn in_force(&mut self) {}
    /// What was in force before this process, where that is another configuration than the one that it began with: that one would
    /// delete more than it may. It counts as not loaded from then on.
    fn recall(&mut self, _record: &Record) -> Option<Box<Desired>> {
        None
    }
    /// What tells the configuration that was accepted last from others: the SHA-256 of its files, in hexadecimal. All of them are
    /// gone through for that, so it is asked for once, when the pass is over that puts it into force.
    fn fingerprint(&self) -> Option<String> {
        None
    }
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

/// How far the first configuration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// No pass over it has ended, but for such as could not be made.
    Asked,
    /// It was refused.
    Refused,
    /// It has come into force, or another one.
    Over,
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
    beginning: Beginning,
    /// A configuration that would delete more than it may, and why it is not in force; what was before is, with all that
    /// health asks for.
    waiting: Option<(Box<Desired>, Refused)>,
    force: bool,
    /// What was in force before. A large one takes a while to free, which is nothing to wait for before a pass.
    retired: Option<Desired>,
    /// What the next pass concerns, whatever it is made for.
    owed: Concern,
    /// The services in which nobody takes new connections before a first check: any verdict may be what they wait for.
    awaited: BTreeSet<ServiceKey>,
    /// Entries that are owned.
    owned: usize,
    tally: Tally,
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
        company.listener.configure(&desired);
        let mut tally = Tally::default();
        tally.accepted(now.unix);
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
            beginning: Beginning::Asked,
            waiting: None,
            force: false,
            retired: None,
            owed: Concern::All,
            awaited: BTreeSet::new(),
            owned: 0,
            tally,
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
            let mut next = events.recv_timeout(self.rest(clock().at));
            for _ in 0..MOST_EVENTS {
                match next {
                    Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => {
                        if let Err(problem) = self.company.store.close(&self.record) {
                            error!("the ownership record was not written: {problem}");
                        }
                        return;
                    }
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

    /// How long to wait for an event, at most.
    pub(super) fn rest(&mut self, now: Instant) -> Duration {
        let wanted = self.company.listener.rests(now);
        wanted.into_iter().chain([self.idle(now)]).min().unwrap_or_default()
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
        self.company.listener.begins(why);
        let (mut changed, mut is_news) = (false, false);
        let source = &mut self.company.source;
        if why.files || why.reload {
            let read = source.load(why.reload);
            is_news = !matches!(read, Config::Unchanged);
            match read {
                Config::New(desired) => {
                    self.outdated = false;
                    self.wait_no_more();
                    changed = self.take(desired, why, clock);
                }
                Config::Refused(problems) => {
                    self.outdated = true;
                    self.wait_no_more();
                    self.company.listener.notice(&Notice::ConfigurationRefused { problems });
                    self.tally.refused();
                    self.company.board.tell(true, &self.tally);
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
        // What containers leave behind is looked at now and then.
        let part = if why.api || why.docker || why.names || why.resync { self.company.source.part() } else { None };
        let has_part = part.is_some();
        if let Some(part) = part {
            self.take_part(part);
        }
        self.schedule.set_poll(self.company.source.poll(), clock().at);
        if changed {
            for object in self.backoff.objects() {
                self.owed.join(object.concern());
            }
        }
        if changed || why.reload {
            // Something was mended, perhaps; whoever did it wants to see it now.
            self.backoff.clear();
        }
        let asked = why.start
            || why.reload
            || why.resync
            || why.retry
            || why.health
            || why.overrides
            || why.step
            || why.api
            || ((why.docker || why.names) && has_part);
        // One that waits changes nothing but what is told.
        if changed || asked || (is_news && self.waiting.is_some()) {
            self.reconcile(why, clock);
        }
        if self.retired.take().is_some() {
            give_back();
        }
    }
}
