//! When to list, what an event says before a list can, and how long an engine has been away. Pure: time is a parameter.
//!
//! An event is a hint to list again. Besides that it is heeded at once where waiting for a list would hurt: of a container that
//! was told to stop, or has died, no list says so in time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::facts::{Container, Listed, Snapshot};
use super::marks::{Marks, SETTLED};
use super::wire::{Event, KILL, TASK_LABEL, TERM, signal};
use crate::model::Docker;

/// A list waits until events have been still for so long …
const QUIET: Duration = Duration::from_millis(50);
/// … and no longer than this after the first of them.
const PATIENCE: Duration = Duration::from_millis(500);
/// What is known of a swarm's tasks comes without events.
const SWARM: Duration = Duration::from_secs(5);
/// The first wait after a failure, and the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);
/// After so many lists in a row that failed, the connection is given up.
const MOST_FAILURES: u32 = 3;
/// How often it is said again that an engine is away.
const REMINDER: Duration = Duration::from_secs(600);

/// How an engine is followed.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Which one it is.
    pub engine: String,
    pub resync: Duration,
    pub stop_timeout: Duration,
}

impl From<&Docker> for Terms {
    fn from(docker: &Docker) -> Self {
        Self { engine: docker.endpoint.to_string(), resync: docker.resync, stop_timeout: docker.stop_timeout }
    }
}

/// What an event asks for at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heed {
    Nothing,
    /// What is known has changed.
    Changed,
    /// A container got a signal; whether that tells it to stop, only the container says.
    Inspect {
        id: String,
        /// What it is known by here: itself, or its task.
        of: String,
        signal: u32,
    },
}

/// Something to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// The engine is away, why, and for how long already.
    Away {
        why: String,
        since: Duration,
    },
    Back {
        after: Duration,
    },
    /// A container that was told to stop runs still.
    DoesNotStop {
        id: String,
    },
}

/// What is to be shown of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// Why it cannot be followed, and since when.
    pub trouble: Option<(String, Instant)>,
    pub listed_at: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Machine {
    terms: Terms,
    containers: Vec<Container>,
    /// Which engine has listed them.
    origin: String,
    marks: Marks,
    /// The first event since the last list began, and the last.
    pending: Option<(Instant, Instant)>,
    next_list: Option<Instant>,
    /// No event asks for a list before.
    rest: Option<Instant>,
    /// When the list began that is under way.
    listing: Option<Instant>,
    /// No event is the reason for that list.
    quiet_list: bool,
    swarm: bool,
    /// Nothing was listed since the stream of events was opened.
    fresh: bool,
    failures: u32,
    tries: u32,
    retry: Option<Instant>,
    condition: Condition,
    said: Option<Instant>,
    words: Vec<Word>,
    /// When the last event was, by the engine's clock, in nanoseconds since 1970.
    last_event: Option<i64>,
    /// When the stream was asked for, by the same clock: what is older was there before.
    opened: Option<i64>,
}

impl Machine {
    /// With what was known before.
    pub(super) fn new(terms: Terms, known: &Snapshot, now: Instant) -> Self {
        Self {
            terms,
            containers: known.containers.clone(),
            origin: known.origin.clone(),
            marks: Marks::of(&known.stopping, now),
            pending: None,
            next_list: None,
            rest: None,
            listing: None,
            quiet_list: false,
            swarm: false,
            fresh: true,
            failures: 0,
            tries: 0,
            retry: None,
            condition: Condition::default(),
            said: None,
            words: Vec::new(),
            last_event: None,
            opened: None,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let marked = |is_so: &dyn Fn(&str) -> bool| {
            self.containers.iter().map(|container| &container.id).filter(|id| is_so(id)).cloned().collect()
        };
        let stopping = marked(&|id| self.marks.is_marked(id));
        let dead = marked(&|id| self.marks.is_dead(id));
        Snapshot { dead, origin: self.origin.clone(), ..Snapshot::new(self.containers.clone(), stopping) }
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    pub(super) fn take_words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// From when on events are wanted, in nanoseconds since 1970 by the engine's clock: after the last one that was seen, or, at
    /// the start, for as long back as a container may be stopping. `clock` is the engine's, in seconds.
    pub(super) fn events_since(&mut self, clock: Option<u64>) -> Option<i64> {
        let nanos = |seconds: u64| i64::try_from(seconds).ok()?.checked_mul(1_000_000_000);
        // It tells no fractions of a second.
        self.opened = clock.and_then(|clock| nanos(clock.saturating_add(1)));
        let start = || nanos(clock?.saturating_sub(self.terms.stop_timeout.as_secs()));
        self.last_event.map(|last| last.saturating_add(1)).or_else(start)
    }

    /// The stream of events is there: everything may have changed meanwhile.
    pub(super) fn connected(&mut self, swarm: bool, now: Instant) {
        self.swarm = swarm;
        self.fresh = true;
        self.marks.ask_no_more();
        self.listing = None;
        self.failures = 0;
        self.retry = None;
        self.pending = None;
        self.next_list = Some(now);
    }

    /// The engine cannot be talked to, or the stream has ended.
    pub(super) fn lost(&mut self, why: String, now: Instant) {
        self.listing = None;
        self.next_list = None;
        self.pending = None;
        let wait = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        self.retry = Some(now + wait);
        self.marks.believe_starts();
        self.trouble(why, now);
    }

    /// How often in a row it came to nothing.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// Whether tasks of a swarm are among what is known.
    pub(super) fn has_tasks(&self) -> bool {
        self.containers.iter().any(|container| container.swarm.is_some())
    }

    fn trouble(&mut self, why: String, now: Instant) {
        let (known, since) = match self.condition.trouble.take() {
            Some((known, since)) => (Some(known), since),
            None => (None, now),
        };
        let is_due = self.said.is_none_or(|said| now.saturating_duration_since(said) >= REMINDER);
        if known.is_none() || is_due {
            let since = now.saturating_duration_since(since);
            self.words.push(Word::Away { why: why.clone(), since });
            self.said = Some(now);
        }
        self.condition.trouble = Some((why, since));
    }

    /// When to try to connect again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry
    }

    /// When something is to be done: a list, or a look at what does not stop. Nothing while a list is under way.
    pub(super) fn due(&self) -> Option<Instant> {
        let after_events = self.pending.map(|(first, last)| (last + QUIET).min(first + PATIENCE));
        let after_events = after_events.map(|at| self.rest.map_or(at, |rest| at.max(rest)));
        let list = after_events.into_iter().chain(self.next_list).min();
        // After a failure events do not hurry it.
        let list = match self.next_list {
            Some(next) if self.failures > 0 => Some(next),
            _ => list,
        };
        list.filter(|_| self.listing.is_none())
    }

    /// Whether a list is to begin now; it has begun then.
    pub(super) fn begin_list(&mut self, now: Instant) -> bool {
        if self.due().is_none_or(|due| due > now) {
            return false;
        }
        self.listing = Some(now);
        self.quiet_list = self.pending.is_none();
        self.pending = None;
        self.next_list = None;
        true
    }

    /// A list has come. Says whether the stream of events is to be opened anew: it has kept quiet about something.
    pub(super) fn listed(&mut self, listed: impl Into<Listed>, now: Instant) -> bool {
        let Some(begun) = self.listing.take() else { return false };
        let Listed { mut containers, orphans } = listed.into();
        // They serve those whom they have, until their grace is over.
        let left = self.containers.iter().filter(|container| orphans.contains(&container.id));
        containers.extend(left.map(|container| Container { ending: true, ..container.clone() }));
        let heard = self.pending.is_some();
        // Nor is it the fault of a stream what was so before it.
        let first = std::mem::take(&mut self.fresh) || self.condition.trouble.is_some();
        let before = std::mem::replace(&mut self.containers, Snapshot::new(containers, BTreeSet::new()).containers);
        let silent = !first && !heard && self.quiet_list && before != self.containers && !self.swarm;
        self.origin = if self.swarm { format!("{}, a swarm", self.terms.engine) } else { self.terms.engine.clone() };
        self.failures = 0;
        self.tries = 0;
        if let Some((_, since)) = self.condition.trouble.take() {
            self.words.push(Word::Back { after: now.saturating_duration_since(since) });
            self.said = None;
        }
        self.condition.listed_at = Some(now);
        // However long a list takes, half of the time is free.
        self.rest = Some(now + now.saturating_duration_since(begun).min(LONGEST));
        self.next_list = Some(now + if self.swarm { self.terms.resync.min(SWARM) } else { self.terms.resync });
        let Self { containers, marks, words, terms, .. } = self;
        let listed: BTreeSet<&str> = containers.iter().map(|container| container.id.as_str()).collect();
        let running = marks.forget(&listed, (begun, now), terms.stop_timeout);
        words.extend(running.into_iter().map(|id| Word::DoesNotStop { id }));
        // What has died and is listed is looked at again soon: were its start missed, nobody else would say that it runs.
        if self.containers.iter().any(|container| self.marks.is_dead(&container.id)) {
            self.next_list = self.next_list.map(|next| next.min(now + SETTLED));
        }
        silent
    }

    /// A list has failed. Says whether the connection is to be given up.
    pub(super) fn list_failed(&mut self, why: String, now: Instant) -> bool {
        self.listing = None;
        self.failures = self.failures.saturating_add(1);
        let wait = (FIRST * 4).saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.next_list = Some(now + wait);
        self.marks.believe_starts();
        self.trouble(why, now);
        self.failures >= MOST_FAILURES
    }

    /// A line of the stream that cannot be understood is a hint like others.
    pub(super) fn hint(&mut self, now: Instant) {
        let (first, _) = self.pending.unwrap_or((now, now));
        self.pending = Some((first, now));
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event, now: Instant) -> Heed {
        let nanos = if event.nanos > 0 { event.nanos } else { event.time.saturating_mul(1_000_000_000) };
        if nanos > 0 {
            self.last_event = Some(self.last_event.unwrap_or(nanos).max(nanos));
        }
        let action = event.action.split(':').next().unwrap_or_default().trim();
        if !matters(&event.kind, action) {
            return Heed::Nothing;
        }
        self.hint(now);
        if event.kind != "container" {
            return Heed::Nothing;
        }
        // Where a swarm speaks for it, it goes by its task.
        let task = event.actor.attributes.get(TASK_LABEL).filter(|task| self.swarm && !task.is_empty());
        let id = task.unwrap_or(&event.actor.id).clone();
        let is_past = nanos > 0 && self.opened.is_some_and(|opened| nanos < opened);
        let is_news = match action {
            "kill" => match event.actor.attributes.get("signal").and_then(|word| signal(word)) {
                Some(KILL | TERM) => self.marks.told(id, now),
                Some(signal) => {
                    self.marks.ask(&id);
                    return Heed::Inspect { id: event.actor.id.clone(), of: id, signal };
                }
                // Podman does not say which: it may have been any, and only a list tells what became of that.
                None => false,
            },
            "die" | "died" => self.marks.died(id, now),
            "start" => {
                self.marks.started(&id, is_past, now);
                false
            }
            _ => false,
        };
        // What was before the stream is told with the first list, when all of it is known: it may have started since.
        if is_news && !is_past { Heed::Changed } else { Heed::Nothing }
    }

    /// What the container says of the signal that it got; `of` as it was asked for.
    pub(super) fn inspected(&mut self, of: String, signal: u32, stop_signal: u32, now: Instant) -> Heed {
        let stops = signal == stop_signal && self.marks.is_asked(&of);
        if stops && self.marks.told(of, now) { Heed::Changed } else { Heed::Nothing }
    }
}

/// Whether an event can have to do with a destination. Health checks and commands in containers make many that have not.
fn matters(kind: &str, action: &str) -> bool {
    match kind {
        "container" => !matches!(
            action,
            "exec_create"
                | "exec_start"
                | "exec_die"
                | "exec_detach"
                | "exec"
                | "exec_died"
                | "top"
                | "attach"
                | "detach"
                | "resize"
                | "copy"
                | "archive-path"
                | "extract-to-dir"
                | "export"
                | "commit"
                | "create"
                | "prune"
        ),
        "network" => matches!(action, "connect" | "disconnect"),
        "service" | "node" => true,
        _ => false,
    }
}
