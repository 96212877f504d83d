//! Durations on the command line.

use std::time::Duration;

pub(super) use crate::reconcile::parse_period;

/// `30s`, `10m`, `1h30m`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 30s, 10m or 1h30m".to_owned())
}
