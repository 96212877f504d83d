//! Durations on the command line.

use std::time::Duration;

pub(super) use crate::reconcile::parse_period;

/// `30s`, `10m`, `1h30m`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 30s, 10m or 1h30m".to_owned())
}

/// How often something is shown: `2`, `0.5`, or a duration such as `1m`; not more often than ten times a second.
pub(super) fn parse_every(text: &str) -> Result<Duration, String> {
    let wrong = || "expected seconds, from 0.1 to 86400, or a duration such as 500ms or 1m".to_owned();
    let every = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    let most = Duration::from_secs(86_400);
    (Duration::from_millis(100)..=most).contains(&every).then_some(every).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_is_seconds_or_a_duration() {
        for (text, want) in [("2", 2000), ("0.5", 500), ("500ms", 500), ("1m", 60_000)] {
            assert_eq!(parse_every(text), Ok(Duration::from_millis(want)), "{text}");
        }
        for wrong in ["", "0", "-1", "nan", "inf", "1e300", "0.01", "2d", "soon"] {
            assert!(parse_every(wrong).is_err(), "{wrong}");
        }
    }
}
