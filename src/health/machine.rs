//! What the results of one check of one target add up to. Pure: the time is a parameter.
//!
//! From unknown the first result decides; from up it takes `fall` bad results in a row, from down `rise` good ones.
//! A machine that is seeded up or down behaves as one that got there by itself. Whoever changes more often than
//! [`Flap`](crate::model::Flap) allows is held down for a while, and needs `rise` good results after that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Check, Flap, Health};

/// More changes than this are not remembered: a [`Flap`] that allows more acts at this many.
const MOST_CHANGES: u32 = 255;

/// The state of one check of one target.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    check: Arc<Check>,
    /// What the results add up to, and since when.
    counted: Health,
    counted_since: Instant,
    /// In a row; one of the two is 0.
    good: u32,
    bad: u32,
    /// When the bad results in a row began.
    failing_since: Option<Instant>,
    /// Whether the last result was good, and how long it took.
    last: Option<(bool, Duration)>,
    /// Of the last bad result; empty once it is up and well.
    reason: String,
    /// When it went from up to down or back, as far as that matters to flapping.
    changes: VecDeque<Instant>,
    held: Option<Held>,
}

/// Held down because it kept changing.
#[derive(Debug, Clone, Copy)]
struct Held {
    until: Instant,
    changes: usize,
    within: Duration,
}

impl Machine {
    /// A machine without results that stands at `seed`.
    pub(super) fn new(check: Arc<Check>, seed: Health, now: Instant) -> Self {
        Self {
            check,
            counted: seed,
            counted_since: now,
            good: 0,
            bad: 0,
            failing_since: None,
            last: None,
            reason: String::new(),
            changes: VecDeque::new(),
            held: None,
        }
    }

    /// Takes the result of a run that ended at `now`: nothing, or what was wrong, in words. Returns whether
    /// [`health`](Self::health) has changed.
    pub(super) fn result(&mut self, result: Result<(), String>, took: Duration, now: Instant) -> bool {
        let before = self.health();
        if self.held.is_some_and(|held| held.until <= now) {
            // What was good during the hold is not enough: it has to be good now.
            self.held = None;
            self.good = 0;
        }
        self.last = Some((result.is_ok(), took));
        match result {
            Ok(()) => {
                self.good = self.good.saturating_add(1);
                self.bad = 0;
                self.failing_since = None;
            }
            Err(reason) => {
                self.bad = self.bad.saturating_add(1);
                self.good = 0;
                self.failing_since.get_or_insert(now);
                self.reason = reason;
            }
        }
        if self.held.is_none() {
            self.step(now);
        }
        if self.counted == Health::Up && self.good > 0 {
            self.reason = String::new();
        }
        self.health() != before
    }

    fn step(&mut self, now: Instant) {
        let timing = &self.check.timing;
        let next = match self.counted {
            Health::Unknown if self.good > 0 => Health::Up,
            Health::Unknown => Health::Down,
            Health::Up if self.bad >= timing.fall.max(1) => Health::Down,
            Health::Down if self.good >= timing.rise.max(1) => Health::Up,
            same => same,
        };
        if next == self.counted {
            return;
        }
        // The first result of all is no change of mind.
        let next = if self.counted != Health::Unknown && self.flaps(now) { Health::Down } else { next };
        if next != self.counted {
            self.counted = next;
            self.counted_since = now;
        }
    }

    /// Remembers a change, and holds the machine down if there were too many.
    fn flaps(&mut self, now: Instant) -> bool {
        let Some(Flap { changes, within, hold }) = self.check.flap else { return false };
        self.changes.push_back(now);
        self.changes.retain(|at| now.saturating_duration_since(*at) <= within);
        let count = self.changes.len();
        let too_many = count > usize::try_from(changes.min(MOST_CHANGES)).unwrap_or(usize::MAX);
        if too_many {
            // Further away than time goes, no hold can be: it is none then.
            let until = now.checked_add(hold).unwrap_or(now);
            self.held = Some(Held { until, changes: count, within });
            self.changes = VecDeque::new();
        }
        too_many
    }

    /// What is to be believed.
    pub(super) fn health(&self) -> Health {
        self.counted
    }

    /// Whether there was a result yet.
    pub(super) fn has_spoken(&self) -> bool {
        self.last.is_some()
    }

    /// Whether results to come will mean the same to both.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.counted == other.counted
            && self.held.is_none()
            && other.held.is_none()
            && self.has_spoken() == other.has_spoken()
    }

    /// Whether it is held down because it kept changing.
    pub(super) fn is_flapping(&self, now: Instant) -> bool {
        self.held.is_some_and(|held| held.until > now)
    }

    /// Since when the last results are bad, if they are and have made it down.
    pub(super) fn down_and_failing_since(&self) -> Option<Instant> {
        self.failing_since.filter(|_| self.counted == Health::Down)
    }

    /// How long the last run took.
    pub(super) fn took(&self) -> Option<Duration> {
        self.last.map(|(_, took)| took)
    }

    /// What the last run found wrong; empty if it was good or there was none.
    pub(super) fn found(&self) -> &str {
        if self.bad > 0 { &self.reason } else { "" }
    }

    /// Why it is down, in words; empty if it is not.
    pub(super) fn why(&self, now: Instant) -> String {
        if self.counted != Health::Down {
            return String::new();
        }
        if let Some(held) = self.held.filter(|held| held.until > now) {
            let left = held.until.saturating_duration_since(now);
            let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            let within = humantime::format_duration(held.within);
            return format!("flapping: {} changes in {within}, held down for {left}s more", held.changes);
        }
        // Good results of a hold that has just ended do not count.
        let good = if self.held.is_some() { 0 } else { self.good };
        let progress = format!("{good} of {} good results", self.check.timing.rise.max(1));
        match (self.reason.as_str(), self.last) {
            ("", None) => "not checked yet".to_owned(),
            ("", Some(_)) => progress,
            (reason, Some((true, _))) => format!("{reason}; {progress} since"),
            (reason, _) => reason.to_owned(),
        }
    }

    /// From the start of the last run to the start of the next: `fast_interval` while results and verdict differ,
    /// `down_interval` once it has been down for `down_after`, else `interval`.
    pub(super) fn interval(&self, now: Instant) -> Duration {
        let timing = &self.check.timing;
        let last_was_good = self.last.map(|(good, _)| good);
        let changing = match self.counted {
            Health::Unknown => false,
            Health::Up => last_was_good == Some(false),
            // During a hold no result can change anything.
            Health::Down => last_was_good == Some(true) && self.held.is_none(),
        };
        let long_down =
            self.counted == Health::Down && now.saturating_duration_since(self.counted_since) >= timing.down_after;
        match (timing.fast_interval, timing.down_interval) {
            (Some(fast), _) if changing => fast,
            (_, Some(down)) if long_down && !changing => down,
            _ => timing.interval,
        }
    }
}

#[cfg(test)]
#[path = "tests/machine.rs"]
mod tests;
