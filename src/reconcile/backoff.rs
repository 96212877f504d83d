//! When to try again what failed: per object, growing, jittered, forgotten on success.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::concern::Concern;
use super::fault::{Fault, Sort};
use super::schedule::Now;
use super::status::{Failing, unix_of};
use crate::model::{DestinationKey, HostKey, ServiceKey};
use crate::plan::{Held, HostNote, Note, Operation};

/// What a failure is remembered for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A service, or one of its destinations.
    Entry(ServiceKey, Option<DestinationKey>),
    Host(HostKey),
}

impl Object {
    /// What a pass concerns that tries it again.
    pub(super) fn concern(&self) -> Concern {
        match self {
            Self::Entry(service, _) => Concern::Services([*service].into()),
            Self::Host(_) => Concern::All,
        }
    }

    /// Whether such a pass has it in view.
    pub(super) fn is_in(&self, concern: &Concern) -> bool {
        match self {
            Self::Entry(service, _) => concern.covers(service),
            Self::Host(_) => *concern == Concern::All,
        }
    }

    /// The object that an operation is about.
    pub fn of(operation: &Operation) -> Self {
        Self::Entry(*operation.service(), operation.destination().copied())
    }

    /// The object that a note says is waiting.
    pub fn waiting(note: &Note) -> Option<Self> {
        match note {
            Note::Waiting { verb: _, service, destination, held: _ } => Some(Self::Entry(*service, *destination)),
            _ => None,
        }
    }

    /// The object of the host that a note says is waiting.
    pub fn host_waiting(note: &HostNote) -> Option<Self> {
        match note {
            HostNote::Waiting { verb: _, key, held: _ } => Some(Self::Host(key.clone())),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
struct Failure {
    count: u32,
    /// When it failed first.
    since: Instant,
    next: Instant,
    reason: String,
    fault: Fault,
}

/// So many fail now, by what they are and why.
pub type Failures = BTreeMap<Sort, BTreeMap<Fault, usize>>;

/// The failures of all objects.
#[derive(Debug)]
pub struct Backoff {
    failures: BTreeMap<Object, Failure>,
    /// 0.0..1.0, the source of jitter.
    random: fastrand::Rng,
}

impl Backoff {
    /// The wait after the first failure.
    pub const FIRST: Duration = Duration::from_secs(1);
    /// The longest wait, before jitter.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// What is due so soon is tried with what is due now: many objects that fail at their own times must not
    /// make a pass each.
    pub const SLACK: Duration = Duration::from_millis(500);

    /// No failures. The seed makes the jitter repeatable.
    pub fn new(seed: u64) -> Self {
        Self { failures: BTreeMap::new(), random: fastrand::Rng::with_seed(seed) }
    }

    /// The wait after `count` failures in a row, 1 and up: doubling from [`Self::FIRST`] to [`Self::LONGEST`],
    /// give or take a fifth.
    pub fn delay(&mut self, count: u32) -> Duration {
        let base = Self::FIRST.saturating_mul(1 << count.saturating_sub(1).min(16)).min(Self::LONGEST);
        base.mul_f64(0.8 + 0.4 * self.random.f64())
    }

    /// Remembers a failure at `now`, and its reason in one word and in many.
    pub fn failed(&mut self, object: Object, (fault, reason): (Fault, String), now: Instant) {
        let before = self.failures.get(&object);
        let count = before.map_or(0, |failure| failure.count).saturating_add(1);
        let since = before.map_or(now, |failure| failure.since);
        let next = now + self.delay(count);
        self.failures.insert(object, Failure { count, since, next, reason, fault });
    }

    /// The services and destinations that have failed, and are tried again.
    pub fn entries(&self, now: Now) -> impl Iterator<Item = Failing> {
        let entry = move |(object, failure): (&Object, &Failure)| match object {
            Object::Entry(service, destination) => Some(Failing {
                service: *service,
                destination: *destination,
                reason: failure.reason.clone(),
                tries: failure.count,
                since: unix_of(failure.since, now),
                retry_at: now.unix + failure.next.saturating_duration_since(now.at).as_secs(),
            }),
            Object::Host(_) => None,
        };
        self.failures.iter().filter_map(entry)
    }

    /// All of them, in numbers.
    pub fn failures(&self) -> Failures {
        let mut all = Failures::new();
        for (object, failure) in &self.failures {
            *all.entry(Sort::of(object)).or_default().entry(failure.fault).or_default() += 1;
        }
        all
    }

    /// How long the object has to wait still and why, or `None` if it may be tried at `now`.
    pub fn held(&self, object: &Object, now: Instant) -> Option<Held> {
        let failure = self.failures.get(object)?;
        let wait = failure.next.saturating_duration_since(now);
        if wait <= Self::SLACK {
            return None;
        }
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(Held { seconds, reason: failure.reason.clone() })
    }

    /// Forgets all failures but those of `still`.
    pub fn keep_only(&mut self, still: impl Fn(&Object) -> bool) {
        self.failures.retain(|object, _| still(object));
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.failures.keys()
    }

    /// Forgets everything: somebody mended something, and wants to see it now.
    pub fn clear(&mut self) {
        self.failures.clear();
    }

    /// What may be tried at `now`.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = &Object> {
        let is_due = move |failure: &Failure| failure.next.saturating_duration_since(now) <= Self::SLACK;
        self.failures.iter().filter(move |(_, failure)| is_due(failure)).map(|(object, _)| object)
    }

    /// The earliest time at which something may be tried again; of what had its turn at `now`, only what was not due then.
    pub fn next_after(&self, now: Instant, had_its_turn: impl Fn(&Object) -> bool) -> Option<Instant> {
        let waits = self.failures.iter().filter(|(object, failure)| failure.next > now || !had_its_turn(object));
        waits.map(|(_, failure)| failure.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(port: u16) -> Object {
        Object::Entry(format!("tcp://192.0.2.1:{port}").parse().unwrap(), None)
    }

    #[test]
    fn waits_double_up_to_a_minute_with_jitter() {
        let mut backoff = Backoff::new(7);
        for (count, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (4_000_000_000, 60.0)] {
            let delays: Vec<f64> = (0..100).map(|_| backoff.delay(count).as_secs_f64()).collect();
            assert!(delays.iter().all(|delay| (seconds * 0.8..=seconds * 1.2).contains(delay)), "{count}: {delays:?}");
            assert!(delays.iter().any(|delay| *delay != delays[0]));
        }
    }

    #[test]
    fn an_object_waits_and_is_then_due() {
        let mut backoff = Backoff::new(7);
        let start = Instant::now();
        backoff.failed(object(1), (Fault::Invalid, "why".into()), start);
        assert_eq!(backoff.failures(), [(Sort::Service, [(Fault::Invalid, 1)].into())].into());
        let told: Vec<Failing> = backoff.entries(Now { at: start + Duration::from_secs(9), unix: 1_009 }).collect();
        assert_eq!((told[0].since, told[0].tries, told[0].reason.as_str()), (1_000, 1, "why"));
        assert_eq!(backoff.held(&object(1), start).unwrap().reason, "why");
        assert_eq!(backoff.held(&object(2), start), None);
        let due = backoff.next_after(start, |_| true).unwrap();
        assert_eq!(backoff.held(&object(1), due), None);
        assert_eq!(backoff.next_after(due, |_| true), None, "what was due has had its turn");
        assert_eq!(backoff.next_after(due, |_| false), Some(due), "and what was not looked at has not");
        assert_eq!((backoff.due(start).count(), backoff.due(due).count()), (0, 1));
        backoff.failed(object(1), (Fault::Invalid, "why".into()), due);
        assert!(backoff.next_after(due, |_| true).unwrap() - due > Backoff::FIRST, "the second wait is longer");
        backoff.keep_only(|object| matches!(object, Object::Entry(_, Some(_))));
        assert_eq!(backoff.next_after(start, |_| true), None);
    }
}
