//! How the engine itself is doing: numbers that cost next to nothing to keep.

use std::time::Duration;

/// Each power of two is divided in so many steps: a percentile is exact to about 6 %.
const STEPS: u32 = 16;
/// 2^32 microseconds are more than an hour.
const POWERS: u32 = 32;

/// Counts since the engine was made.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Runs that have ended.
    pub runs: u64,
    /// Of those, how many ended with a bad result.
    pub bad: u64,
    /// Targets there are.
    pub targets: usize,
    /// Runs under way, and the most there ever were.
    pub in_flight: usize,
    pub max_in_flight: usize,
    /// The latest start after its planned time.
    pub latest: Duration,
    late: Vec<u64>,
}

impl Default for Meter {
    fn default() -> Self {
        let late = vec![0; (POWERS * STEPS) as usize];
        Self { runs: 0, bad: 0, targets: 0, in_flight: 0, max_in_flight: 0, latest: Duration::ZERO, late }
    }
}

impl Meter {
    /// Counts a run that started so late.
    pub(super) fn started_late(&mut self, late: Duration) {
        self.latest = self.latest.max(late);
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX).max(1);
        if let Some(count) = self.late.get_mut(bucket(micros)) {
            *count += 1;
        }
    }

    /// How late the runs started, of which `share` (0.0..=1.0) were not later; zero if there was none.
    pub fn lateness(&self, share: f64) -> Duration {
        let total: u64 = self.late.iter().sum();
        let wanted = (total as f64 * share.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.late.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return Duration::from_micros(upper(index)).min(self.latest);
            }
        }
        Duration::ZERO
    }

    /// The runs since `before`, which is an earlier state of the same meter. What is a maximum stays one.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let late = self.late.iter().zip(&before.late).map(|(now, before)| now.saturating_sub(*before)).collect();
        let (runs, bad) = (self.runs.saturating_sub(before.runs), self.bad.saturating_sub(before.bad));
        Self { runs, bad, late, ..self.clone() }
    }
}

/// Where a number of microseconds, at least 1, is counted.
fn bucket(micros: u64) -> usize {
    let power = micros.ilog2().min(POWERS - 1);
    // The first bits after the leading one.
    let step = if power == POWERS - 1 && micros >> POWERS > 0 {
        STEPS - 1
    } else {
        u32::try_from(((micros << 4) >> power) & 15).unwrap_or(0)
    };
    (power * STEPS + step) as usize
}

/// The least number of microseconds that is counted further on.
fn upper(index: usize) -> u64 {
    let (power, step) = (index as u64 / u64::from(STEPS), index as u64 % u64::from(STEPS));
    ((u64::from(STEPS) + step + 1) << power) >> 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_near_the_truth() {
        let mut meter = Meter::default();
        assert_eq!(meter.lateness(0.5), Duration::ZERO);
        for micros in 1..=100_000 {
            meter.started_late(Duration::from_micros(micros));
        }
        for (share, truth) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.1, 10_000.0)] {
            let got = meter.lateness(share).as_micros() as f64;
            assert!((truth..=truth * 1.07).contains(&got), "{share}: {got}");
        }
        assert_eq!(meter.lateness(1.0), Duration::from_micros(100_000));
    }

    #[test]
    fn any_lateness_is_counted() {
        let mut meter = Meter::default();
        for late in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(4294),
            Duration::from_secs(1 << 40),
            Duration::MAX,
        ] {
            let before = meter.clone();
            meter.started_late(late);
            assert_eq!(meter.since(&before).late.iter().sum::<u64>(), 1, "{late:?}");
        }
    }
}
