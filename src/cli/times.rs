//! Times and durations for people. Clock times are UTC, as in the log.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use crate::plan::render::words;

const DAY: u64 = 86_400;
/// The longest time that an override can be limited to.
const LONGEST: Duration = Duration::from_secs(365 * DAY);

/// A time in seconds since 1970 as `13:40 UTC`, or as `2026-01-05 13:40 UTC` if it is not on the day of `now`.
pub(super) fn clock(at: u64, now: u64) -> String {
    let mut text = String::new();
    // 2026-01-05T13:40:00Z; it writes no year past 9999, which is nobody's time.
    let written = match UNIX_EPOCH.checked_add(Duration::from_secs(at)) {
        Some(time) => write!(text, "{}", humantime::format_rfc3339_seconds(time)),
        None => Err(std::fmt::Error),
    };
    match (written, text.get(..10), text.get(11..16)) {
        (Ok(()), Some(_), Some(time)) if at / DAY == now / DAY => format!("{time} UTC"),
        (Ok(()), Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => "a time that cannot be".to_owned(),
    }
}

/// Seconds in the two largest units that they have: `4m30s`, `1d2h`.
pub(super) fn rough(seconds: u64) -> String {
    let keep = [DAY, 3_600, 60].into_iter().find(|unit| seconds >= *unit);
    let finest = match keep {
        Some(DAY) => 3_600,
        Some(3_600) => 60,
        _ => 1,
    };
    words::duration(seconds / finest * finest)
}

/// `30s`, `10m`, `1h30m`, on the command line.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 30s, 10m or 1h30m".to_owned())
}

/// How long an override holds: whole seconds, at least one.
pub(super) fn parse_period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    if period.subsec_nanos() != 0 || period.is_zero() || period > LONGEST {
        return Err("expected whole seconds, from 1s to 365d".to_owned());
    }
    Ok(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_today_is_short() {
        // 2026-01-05T00:00:00Z
        let midnight = 1_767_571_200;
        assert_eq!(clock(midnight + 49_200, midnight), "13:40 UTC");
        assert_eq!(clock(midnight - 1, midnight), "2026-01-04 23:59 UTC");
        assert_eq!(clock(midnight + DAY, midnight), "2026-01-06 00:00 UTC");
        for impossible in [u64::MAX, i64::MAX as u64, 253_402_300_800] {
            assert_eq!(clock(impossible, midnight), "a time that cannot be");
        }
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, want) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (270, "4m30s"),
            (3_661, "1h1m"),
            (86_399, "23h59m"),
            (93_784, "1d2h"),
            (40 * DAY + 1, "40d"),
        ] {
            assert_eq!(rough(seconds), want);
        }
    }
}
