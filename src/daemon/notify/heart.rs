//! When to answer the watchdog. Pure: time is a parameter.
//!
//! A loop that is stuck is to be restarted, one that is busy is not. So it is the loop's own thread that answers, and only
//! where it gets on: when it waits with everything done, and at each answer of the kernel within a pass. A thread that hangs in
//! a read, a lock or a computation without end does neither. One that asks the kernel the same for ever would; so a pass may
//! answer for [`LONGEST`], and no longer.

use std::time::{Duration, Instant};

/// The longest that a pass can take and still be busy. Ten thousand services that change their schedulers on a large machine,
/// with a grace period of the kernel for each, take minutes.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// See the module.
#[derive(Debug)]
pub(super) struct Heart {
    /// At least one answer in this time: half of what is allowed.
    every: Duration,
    /// When it was answered last.
    last: Instant,
    /// When the loop waited last.
    rested: Instant,
}

impl Heart {
    /// For a loop that may be silent for `limit`.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { every: limit / 2, last: now, rested: now }
    }

    /// The loop waits. Says whether to answer.
    pub(super) fn rests(&mut self, now: Instant) -> bool {
        self.rested = now;
        self.answers(now)
    }

    /// The kernel has answered in the midst of a pass. Says whether to answer as well.
    pub(super) fn works(&mut self, now: Instant) -> bool {
        now.saturating_duration_since(self.rested) < LONGEST && self.answers(now)
    }

    /// How long the loop may wait now.
    pub(super) fn due(&self, now: Instant) -> Duration {
        (self.last + self.every).saturating_duration_since(now)
    }

    /// Half of the time is enough to do it along with whatever else woke the loop: so it is seldom woken for this alone.
    fn answers(&mut self, now: Instant) -> bool {
        let answers = now.saturating_duration_since(self.last) >= self.every / 2;
        if answers {
            self.last = now;
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Runs `events` (seconds, and whether it rests or works), and gives the times at which the watchdog was answered.
    fn answered(events: impl IntoIterator<Item = (u64, bool)>) -> Vec<u64> {
        let start = Instant::now();
        let mut heart = Heart::new(LIMIT, start);
        let mut told = Vec::new();
        for (second, rests) in events {
            let now = start + Duration::from_secs(second);
            let answers = if rests { heart.rests(now) } else { heart.works(now) };
            if answers {
                told.push(second);
            }
        }
        told
    }

    #[test]
    fn an_idle_loop_is_woken_every_half_of_the_time() {
        let start = Instant::now();
        let mut heart = Heart::new(LIMIT, start);
        let mut now = start;
        let mut times = Vec::new();
        for _ in 0..4 {
            now += heart.due(now);
            assert!(heart.rests(now));
            times.push((now - start).as_secs());
        }
        assert_eq!(times, [30, 60, 90, 120]);
    }

    #[test]
    fn other_wakes_serve_as_well_and_do_not_make_more_of_them() {
        assert_eq!(answered([(14, true), (16, true), (17, true), (30, true), (31, true)]), [16, 31]);
        assert_eq!(answered((0..100).map(|second| (second, true))), [15, 30, 45, 60, 75, 90]);
    }

    #[test]
    fn a_long_pass_answers_with_the_kernel_and_one_without_end_does_not() {
        // An answer of the kernel every second, for an hour.
        let told = answered((0..3600).map(|second| (second, false)));
        assert!(told.windows(2).all(|pair| pair[1] - pair[0] <= LIMIT.as_secs() / 2), "{told:?}");
        assert_eq!(told.last(), Some(&(LONGEST.as_secs() - 15)), "busy for so long, and then it is stuck");
    }

    #[test]
    fn a_stuck_loop_is_silent() {
        // It rests at 10, and nothing is heard of it for five minutes.
        let told = answered([(10, true), (16, false), (316, false)]);
        assert_eq!(told, [16, 316]);
        let start = Instant::now();
        let heart = Heart::new(LIMIT, start);
        assert_eq!(heart.due(start + Duration::from_secs(300)), Duration::ZERO);
    }
}
