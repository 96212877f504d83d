//! When which target runs next. Pure: the time is a parameter, and chance comes from a seed.
//!
//! Targets are spread evenly over their interval, whenever they are added, and stay where they are: the next run is
//! planned from when the last one was planned, not from when it ran. Only what nobody knows anything of yet gets a
//! first run ahead of its turn. No target runs twice at once.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// A target: its place, and which of those that have had that place one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Steps of this part of a circle cover it evenly, however many there are: the golden ratio.
const STEP: f64 = 0.618_033_988_749_894_9;

/// An interval of zero would never let go of the processor.
const SHORTEST: Duration = Duration::from_millis(1);
/// Nothing that is planned further ahead than this would ever be seen.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A first run that somebody waits for comes within a tenth of the interval, at most a second …
const EAGER: (u32, Duration) = (10, Duration::from_secs(1));
/// … but so far apart from that of others who are added with it: many are spread over more time, up to an interval.
const APART: Duration = Duration::from_micros(100);

/// The planned runs of all targets.
#[derive(Debug)]
pub(super) struct Agenda {
    due: BTreeSet<(Instant, Id)>,
    entries: HashMap<Id, Entry>,
    random: fastrand::Rng,
    /// Where in its interval the last new target was put, 0.0..1.0.
    phase: f64,
}

#[derive(Debug)]
struct Entry {
    /// What the next run is planned from: this one's time, without its jitter.
    base: Instant,
    /// Where the run after a first one ahead of its turn belongs.
    turn: Option<Instant>,
    /// When it runs; `None` while it does.
    at: Option<Instant>,
}

impl Agenda {
    /// An empty agenda. The seed makes its choices repeatable.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let phase = random.f64();
        Self { due: BTreeSet::new(), entries: HashMap::new(), random, phase }
    }

    /// How soon each of so many targets of an interval gets a first run, if somebody waits for it.
    pub(super) fn soon(count: usize, interval: Duration) -> Duration {
        let all = APART.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        (interval / EAGER.0).min(EAGER.1).max(all).min(interval)
    }

    /// Adds a target that is not there yet. If there is a time `within` which it is to get a first run, it goes on
    /// from its even place after that.
    pub(super) fn add(&mut self, id: Id, interval: Duration, within: Option<Duration>, now: Instant) {
        let interval = interval.clamp(SHORTEST, LONGEST);
        self.phase = (self.phase + STEP).fract();
        let place = now + interval.mul_f64(self.phase);
        let (base, turn) = match within {
            None => (place, None),
            Some(within) => {
                let first = now + within.min(interval).mul_f64(self.phase);
                // Not twice in short order.
                let turn = if place < first + interval / 2 { place + interval } else { place };
                (first, Some(turn))
            }
        };
        self.due.insert((base, id));
        self.entries.insert(id, Entry { base, turn, at: Some(base) });
    }

    /// Forgets a target. Returns whether it is running.
    pub(super) fn remove(&mut self, id: Id) -> bool {
        match self.entries.remove(&id) {
            Some(Entry { at: Some(at), .. }) => {
                self.due.remove(&(at, id));
                false
            }
            Some(Entry { at: None, .. }) => true,
            None => false,
        }
    }

    /// When the next run is planned that does not run already.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The target whose planned time has passed longest, and that time. It counts as running from then on.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Id, Instant)> {
        let (at, id) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.at = None;
        }
        Some((id, at))
    }

    /// A run has ended: plans the next one an interval after this one was planned, later by up to `jitter` percent
    /// of it. Of the times that have passed meanwhile all but the last are left out.
    pub(super) fn done(&mut self, id: Id, interval: Duration, jitter: u8, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.at.is_none()) else { return };
        let interval = interval.clamp(SHORTEST, LONGEST);
        let next = entry.turn.take().unwrap_or(entry.base + interval);
        let missed = now.saturating_duration_since(next).as_nanos() / interval.as_nanos();
        entry.base = next + interval.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
        // Always later, never earlier, which makes intervals longer and shorter alike, and keeps places as they are.
        let at = entry.base + interval.mul_f64(self.random.f64() * f64::from(jitter.min(100)) / 100.0);
        entry.at = Some(at);
        self.due.insert((at, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(slot: u32) -> Id {
        Id { slot, generation: 0 }
    }

    /// The runs up to `until`, each of which ends at once.
    fn runs(agenda: &mut Agenda, interval: Duration, jitter: u8, until: Instant) -> Vec<(Id, Instant)> {
        let mut runs = Vec::new();
        while let Some(next) = agenda.next().filter(|next| *next <= until) {
            let (id, at) = agenda.take(next).unwrap();
            assert_eq!(at, next);
            runs.push((id, at));
            agenda.done(id, interval, jitter, at);
        }
        runs
    }

    /// How many of the runs lie in each millisecond of a second after `start`.
    fn by_millisecond(runs: &[(Id, Instant)], start: Instant) -> Vec<usize> {
        let mut count = vec![0; 1000];
        for (_, at) in runs {
            if let Some(place) = count.get_mut((*at - start).as_millis() as usize) {
                *place += 1;
            }
        }
        count
    }

    #[test]
    fn ten_thousand_targets_are_spread_evenly() {
        let start = Instant::now();
        for seed in 0..5 {
            let mut agenda = Agenda::new(seed);
            (0..10_000).for_each(|slot| agenda.add(id(slot), SECOND, None, start));
            let first = runs(&mut agenda, SECOND, 0, start + SECOND - Duration::from_nanos(1));
            assert_eq!(first.len(), 10_000);
            let count = by_millisecond(&first, start);
            assert!(count.iter().all(|count| (5..=15).contains(count)), "{count:?}");
        }
    }

    #[test]
    fn what_is_added_later_fills_the_gaps() {
        let start = Instant::now();
        let mut agenda = Agenda::new(1);
        (0..100).for_each(|slot| agenda.add(id(slot), SECOND, None, start));
        // A whole number of intervals later the places are the same.
        runs(&mut agenda, SECOND, 0, start + 5 * SECOND);
        (100..1000).for_each(|slot| agenda.add(id(slot), SECOND, None, start + 5 * SECOND));
        let later = runs(&mut agenda, SECOND, 0, start + 6 * SECOND);
        let count = by_millisecond(&later, start + 5 * SECOND);
        let tenths: Vec<usize> = count.chunks(100).map(|tenth| tenth.iter().sum()).collect();
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }

    #[test]
    fn who_is_waited_for_runs_at_once_and_then_in_its_turn() {
        let start = Instant::now();
        let mut agenda = Agenda::new(3);
        (0..1000).for_each(|slot| agenda.add(id(slot), SECOND, Some(SECOND / 10), start));
        let early = runs(&mut agenda, SECOND, 0, start + SECOND / 10);
        assert_eq!(early.len(), 1000);
        let second = runs(&mut agenda, SECOND, 0, start + SECOND * 16 / 10);
        for (id, first) in &early {
            let next = second.iter().find(|(other, _)| other == id).unwrap().1;
            assert!(next - *first >= SECOND / 2 && next - *first <= SECOND * 3 / 2, "{:?}", next - *first);
        }
        let settled = runs(&mut agenda, SECOND, 0, start + 3 * SECOND);
        let count = by_millisecond(&settled[settled.len() - 1000..], start + 2 * SECOND);
        assert!(count.iter().all(|count| *count <= 3), "{count:?}");
    }

    #[test]
    fn soon_is_sooner_for_few() {
        for (count, interval, want) in [
            (1, SECOND, SECOND / 10),
            (1000, SECOND, SECOND / 10),
            (5000, SECOND, SECOND / 2),
            (1_000_000, SECOND, SECOND),
            (1, 3600 * SECOND, SECOND),
            (20_000, 3600 * SECOND, 2 * SECOND),
        ] {
            assert_eq!(Agenda::soon(count, interval), want, "{count} of {interval:?}");
        }
    }

    #[test]
    fn the_schedule_does_not_drift_and_leaves_out_what_it_missed() {
        let start = Instant::now();
        let mut agenda = Agenda::new(7);
        agenda.add(id(1), SECOND, None, start);
        let (_, first) = agenda.take(start + SECOND).unwrap();
        assert_eq!(agenda.take(start + 100 * SECOND), None, "it runs already");
        // It started late and took its time: the next run is where it was.
        agenda.done(id(1), SECOND, 0, first + SECOND * 9 / 10);
        assert_eq!(agenda.next(), Some(first + SECOND));
        // A run that takes longer than the interval delays the next one, and nothing else.
        agenda.take(first + SECOND).unwrap();
        agenda.done(id(1), SECOND, 0, first + SECOND * 21 / 10);
        assert_eq!(agenda.next(), Some(first + 2 * SECOND));
        // What was missed by whole intervals is not made up for.
        agenda.take(first + 2 * SECOND).unwrap();
        agenda.done(id(1), SECOND, 0, first + SECOND * 77 / 10);
        assert_eq!(agenda.next(), Some(first + 7 * SECOND));
    }

    #[test]
    fn the_longest_overdue_comes_first() {
        let start = Instant::now();
        let mut agenda = Agenda::new(7);
        (0..50).for_each(|slot| agenda.add(id(slot), SECOND, None, start));
        let late = start + 9 * SECOND;
        let order: Vec<Instant> = std::iter::from_fn(|| agenda.take(late).map(|(_, at)| at)).collect();
        assert_eq!(order.len(), 50);
        assert!(order.is_sorted());
    }

    #[test]
    fn what_is_removed_leaves_nothing() {
        let start = Instant::now();
        let mut agenda = Agenda::new(7);
        for generation in 0..1000 {
            let ids = |slot| Id { slot, generation };
            (0..10).for_each(|slot| agenda.add(ids(slot), 3600 * SECOND, (slot % 2 == 0).then_some(SECOND), start));
            let running = agenda.take(start + SECOND).unwrap().0;
            assert_eq!((0..10).filter(|slot| agenda.remove(ids(*slot))).count(), 1, "one was running");
            agenda.done(running, SECOND, 0, start + SECOND);
            assert_eq!((agenda.due.len(), agenda.entries.len(), agenda.next()), (0, 0, None));
        }
    }

    proptest! {
        /// Runs of a target are apart by the interval, give or take the jitter, and keep to its pace for ever.
        #[test]
        fn jitter_moves_runs_but_not_the_pace(seed: u64, jitter in 0u8..=50, millis in 1u64..5000, eager: bool) {
            let start = Instant::now();
            let interval = Duration::from_millis(millis);
            let mut agenda = Agenda::new(seed);
            agenda.add(id(1), interval, eager.then_some(interval / 10), start);
            let until = start + interval * 200;
            let times: Vec<Instant> = runs(&mut agenda, interval, jitter, until).into_iter().map(|(_, at)| at).collect();
            prop_assert!((197..=201).contains(&times.len()), "{}", times.len());
            let spare = interval.mul_f64(f64::from(jitter) / 100.0) + Duration::from_nanos(2);
            for pair in times[1..].windows(2) {
                let apart = pair[1] - pair[0];
                prop_assert!(apart + spare >= interval && apart <= interval + spare, "{apart:?}");
            }
            if jitter == 0 {
                prop_assert_eq!(times[times.len() - 1] - times[1], interval * (times.len() as u32 - 2));
            }
        }

        /// The same seed makes the same agenda.
        #[test]
        fn chance_is_repeatable(seed: u64) {
            let start = Instant::now();
            let play = || {
                let mut agenda = Agenda::new(seed);
                (0..20).for_each(|slot| agenda.add(id(slot), SECOND, (slot % 3 == 0).then_some(SECOND / 10), start));
                runs(&mut agenda, SECOND, 20, start + 5 * SECOND)
            };
            prop_assert_eq!(play(), play());
        }
    }
}
