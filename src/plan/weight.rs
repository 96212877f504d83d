//! The kernel's weight of one destination: f(configured weight, health, ramp, drain, override), and why it is that.

use std::fmt;

use crate::model::{Health, OnDown, Quiesced};

/// All that is laid over the configured weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Factors {
    /// The weight that an operator set instead of the configured one.
    pub overridden: Option<u32>,
    /// Drained by an operator.
    pub drained: bool,
    /// What it comes from wants it to get no new connections.
    pub quiesced: Option<Quiesced>,
    /// What it counts as: as its checks say, or an operator. `None` has neither.
    pub health: Option<Health>,
    /// Its health is not believed: too many went down at once.
    pub suspect: bool,
    pub on_down: OnDown,
    pub ramp: Option<Ramp>,
}

/// How far a slow start has come: `done` of `of` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    pub done: u64,
    pub of: u64,
}

/// Why a weight is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    Configured,
    Overridden,
    Drained,
    /// What it comes from says so.
    Quiesced(Quiesced),
    /// Its checks have not spoken yet.
    Unchecked,
    Down,
    /// Down, and nobody minds: `on_down = "ignore"`.
    Ignored,
    /// Down, and not believed.
    Suspect,
    /// On the way to the weight that is told.
    Ramp(u32),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Configured => f.write_str("as configured"),
            Because::Overridden => f.write_str("weight by override"),
            Because::Drained => f.write_str("drained by override"),
            Because::Quiesced(why) => why.fmt(f),
            Because::Unchecked => f.write_str("waits for its first check"),
            Because::Down => f.write_str("down"),
            Because::Ignored => f.write_str("down, which on_down ignores"),
            Because::Suspect => f.write_str("down, but so many are that the checker is suspected: weight kept"),
            Because::Ramp(full) => write!(f, "slow start to {full}"),
        }
    }
}

/// The weight that the kernel should have, `None` for a destination that should not be in the table, and why.
///
/// A weight above 0 never becomes 0 by a ramp. An override stands for the configured weight: health and drains rule over it.
pub fn weight(configured: u32, factors: &Factors) -> (Option<u32>, Because) {
    let Factors { overridden, drained, quiesced, health, suspect, on_down, ramp } = *factors;
    let full = overridden.unwrap_or(configured);
    let otherwise = if overridden.is_some() { Because::Overridden } else { Because::Configured };
    if drained {
        return (Some(0), Because::Drained);
    }
    if let Some(why) = quiesced {
        return (Some(0), Because::Quiesced(why));
    }
    let because = match (health, on_down) {
        (None | Some(Health::Up), _) => otherwise,
        (Some(Health::Unknown), OnDown::Ignore) => otherwise,
        (Some(Health::Down), OnDown::Ignore) => return (Some(full), Because::Ignored),
        (Some(Health::Down), _) if suspect => return (Some(full), Because::Suspect),
        (Some(Health::Down), OnDown::Quiesce) => return (Some(0), Because::Down),
        (Some(Health::Down), OnDown::Delete) => return (None, Because::Down),
        (Some(Health::Unknown), OnDown::Quiesce) => return (Some(0), Because::Unchecked),
        (Some(Health::Unknown), OnDown::Delete) => return (None, Because::Unchecked),
    };
    match ramp {
        Some(Ramp { done, of }) if done < of && full > 1 => {
            // The product of 32 and 64 bits fits; the quotient is below `full`.
            let share = u128::from(full) * u128::from(done) / u128::from(of);
            let part = u32::try_from(share).unwrap_or(full).max(1);
            if part == full { (Some(full), because) } else { (Some(part), Because::Ramp(full)) }
        }
        _ => (Some(full), because),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Factors = Factors {
        overridden: None,
        drained: false,
        quiesced: None,
        health: None,
        suspect: false,
        on_down: OnDown::Quiesce,
        ramp: None,
    };

    fn of(health: Health) -> Factors {
        Factors { health: Some(health), ..PLAIN }
    }

    fn ramp(done: u64, length: u64) -> Factors {
        Factors { ramp: Some(Ramp { done, of: length }), ..of(Health::Up) }
    }

    /// The whole function as a table.
    #[test]
    fn cases() {
        use Health::{Down, Unknown, Up};
        use OnDown::{Delete, Ignore};
        let overridden = |weight, factors| Factors { overridden: Some(weight), ..factors };
        let drained = |factors| Factors { drained: true, ..factors };
        let on = |on_down, factors| Factors { on_down, ..factors };
        let suspect = |factors| Factors { suspect: true, ..factors };
        let paused = |factors| Factors { quiesced: Some(Quiesced::Paused), ..factors };
        #[rustfmt::skip]
        let cases: &[(u32, Factors, Option<u32>, Because)] = &[
            // Without checks.
            (100, PLAIN,                                 Some(100), Because::Configured),
            (0,   PLAIN,                                 Some(0),   Because::Configured),
            (100, overridden(7, PLAIN),                     Some(7),   Because::Overridden),
            (100, overridden(0, PLAIN),                     Some(0),   Because::Overridden),
            (100, drained(PLAIN),                        Some(0),   Because::Drained),
            (100, drained(overridden(7, PLAIN)),            Some(0),   Because::Drained),
            // Health.
            (100, of(Up),                                Some(100), Because::Configured),
            (100, of(Unknown),                           Some(0),   Because::Unchecked),
            (100, of(Down),                              Some(0),   Because::Down),
            (100, on(Delete, of(Up)),                    Some(100), Because::Configured),
            (100, on(Delete, of(Unknown)),               None,      Because::Unchecked),
            (100, on(Delete, of(Down)),                  None,      Because::Down),
            (100, on(Ignore, of(Unknown)),               Some(100), Because::Configured),
            (100, on(Ignore, of(Down)),                  Some(100), Because::Ignored),
            (1,   of(Up),                                Some(1),   Because::Configured),
            // Overrides do not revive what is down, and drains rule over all.
            (100, overridden(7, of(Up)),                    Some(7),   Because::Overridden),
            (100, overridden(7, of(Down)),                  Some(0),   Because::Down),
            (100, drained(of(Down)),                     Some(0),   Because::Drained),
            (100, drained(on(Delete, of(Down))),         Some(0),   Because::Drained),
            // What it comes from rules over operators' weights and health, and not over drains.
            (100, paused(PLAIN),                         Some(0),   Because::Quiesced(Quiesced::Paused)),
            (100, paused(overridden(7, of(Up))),            Some(0),   Because::Quiesced(Quiesced::Paused)),
            (100, paused(on(Delete, of(Down))),          Some(0),   Because::Quiesced(Quiesced::Paused)),
            (100, drained(paused(PLAIN)),                Some(0),   Because::Drained),
            // A suspect keeps its weight.
            (100, suspect(of(Down)),                     Some(100), Because::Suspect),
            (100, suspect(on(Delete, of(Down))),         Some(100), Because::Suspect),
            (100, drained(suspect(of(Down))),            Some(0),   Because::Drained),
            // Ramps: never 0, never beyond, and nothing to do for a weight of 1.
            (100, ramp(0, 30_000),                       Some(1),   Because::Ramp(100)),
            (100, ramp(12_000, 30_000),                  Some(40),  Because::Ramp(100)),
            (100, ramp(29_999, 30_000),                  Some(99),  Because::Ramp(100)),
            (100, ramp(30_000, 30_000),                  Some(100), Because::Configured),
            (100, ramp(99_000, 30_000),                  Some(100), Because::Configured),
            (1,   ramp(0, 30_000),                       Some(1),   Because::Configured),
            (2,   ramp(29_000, 30_000),                  Some(1),   Because::Ramp(2)),
            (0,   ramp(0, 30_000),                       Some(0),   Because::Configured),
            (65_535, ramp(u64::MAX - 1, u64::MAX),       Some(65_534), Because::Ramp(65_535)),
            (100, overridden(10, ramp(15_000, 30_000)),     Some(5),   Because::Ramp(10)),
            (100, ramp(0, 0),                            Some(100), Because::Configured),
        ];
        for (configured, factors, want, because) in cases {
            assert_eq!(weight(*configured, factors), (*want, *because), "{configured}: {factors:?}");
        }
    }

    proptest! {
        /// gorb #47: what is healthy and has weight never rounds down to 0, and a ramp only grows.
        #[test]
        fn a_ramp_never_rounds_to_0_and_only_grows(full in 1u32..=65_535, of in 1u64..100_000, a in 0u64..100_000, b in 0u64..100_000) {
            let at = |done| weight(full, &ramp(done, of)).0.unwrap();
            let (early, late) = (at(a.min(b)), at(a.max(b)));
            prop_assert!((1..=full).contains(&early) && early <= late && late <= full);
            prop_assert_eq!(at(of), full);
        }
    }
}
