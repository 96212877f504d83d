//! When a check runs, and when its results make a verdict.

use std::time::Duration;

use crate::config::decode::Field;
use crate::config::fault::{Fault, Faults};
use crate::config::raw;
use crate::config::values::{self, Bounds, DAY, MINUTE, SECOND};
use crate::model::{Flap, Timing};

const INTERVAL: Bounds = Bounds { least: (Duration::from_millis(100), "100ms"), most: (DAY, "1d") };
const TIMEOUT: Bounds = Bounds { least: (Duration::from_millis(1), "1ms"), most: (DAY, "1d") };
const DOWN_AFTER: Bounds = Bounds { least: (Duration::ZERO, "0s"), most: (DAY.saturating_mul(7), "7d") };
const FLAP: Bounds = Bounds { least: (SECOND, "1s"), most: (DAY, "1d") };

/// Of a check that does not say it.
pub(in crate::config) fn plain() -> Timing {
    Timing {
        interval: Duration::from_secs(2),
        timeout: SECOND,
        rise: 2,
        fall: 3,
        jitter: 10,
        fast_interval: None,
        down_interval: None,
        down_after: MINUTE,
    }
}

/// What a check says; `None` if a part of it cannot be understood.
pub(super) fn timing(raw: &raw::Check, faults: &mut Faults) -> Option<Timing> {
    let plain = plain();
    let before = faults.errors();
    let mut period = |field: &Field<raw::Period>, what: &str, bounds: &Bounds| {
        field.get().and_then(|at| values::period(at, what, bounds, faults))
    };
    let fast_interval = period(&raw.fast_interval, "a fast interval", &INTERVAL);
    let down_interval = period(&raw.down_interval, "the interval of what is down", &INTERVAL);
    let down_after = period(&raw.down_after, "down_after", &DOWN_AFTER).unwrap_or(plain.down_after);
    let timeout = period(&raw.timeout, "a timeout", &TIMEOUT);
    let interval = match raw.interval {
        Field::Absent => Some(plain.interval),
        _ => period(&raw.interval, "an interval", &INTERVAL),
    };
    if let (Some(place), true) = (raw.down_after.place(), raw.down_interval.is_absent()) {
        let fault = Fault::new(place, "`down_after` has no meaning without `down_interval`");
        faults.push(fault.help("add `down_interval`, the interval of what has been down so long, or remove it"));
    }
    let count = |field: &Field<i128>, what: &str, default: u32, faults: &mut Faults| {
        field.get().and_then(|at| values::integer(at, what, 1..=100, faults)).unwrap_or(default)
    };
    let rise = count(&raw.rise, "rise", plain.rise, faults);
    let fall = count(&raw.fall, "fall", plain.fall, faults);
    let jitter = raw.jitter.get().and_then(|at| values::percent(at.place, &at.value.0, "jitter", 50, faults));
    // With an interval that is not known there is nothing to compare with.
    let interval = interval?;
    let stands = |fault: Fault| match raw.interval.place() {
        Some(place) => fault.related(place, "the interval"),
        None => fault,
    };
    if let (Some(fast), Some(place)) = (fast_interval, raw.fast_interval.place())
        && fast > interval
    {
        let message = format!("a fast interval is not longer than the interval, {}", values::written(interval));
        faults.push(stands(Fault::new(place, message)).help("write less, or a longer `interval`"));
    }
    if let (Some(down), Some(place)) = (down_interval, raw.down_interval.place())
        && down < interval
    {
        let message = format!(
            "the interval of what is down is not shorter than that of what is up, {}",
            values::written(interval)
        );
        faults.push(stands(Fault::new(place, message)).help("write more, or a shorter `interval`"));
    }
    let shortest = fast_interval.unwrap_or(interval).min(interval);
    if let (Some(timeout), Some(place)) = (timeout, raw.timeout.place())
        && timeout > shortest
    {
        let (key, other) = if shortest < interval {
            ("fast_interval", raw.fast_interval.place())
        } else {
            ("interval", raw.interval.place())
        };
        let mut fault = Fault::new(
            place,
            format!("a timeout is not longer than `{key}`, {}: runs do not overlap", values::written(shortest)),
        );
        if let Some(other) = other {
            fault = fault.related(other, "this one");
        }
        let help =
            format!("write {} or less, or `{key}` = {} or more", values::written(shortest), values::written(timeout));
        faults.push(fault.help(help));
    }
    (faults.errors() == before).then_some(Timing {
        interval,
        timeout: timeout.unwrap_or(plain.timeout.min(shortest)),
        rise,
        fall,
        jitter: jitter.unwrap_or(plain.jitter),
        fast_interval,
        down_interval,
        down_after,
    })
}

/// The table `flap`; what it does not say is the default.
pub(super) fn flap(raw: &raw::Flap, faults: &mut Faults) -> Option<Flap> {
    let raw::Flap { changes, within, hold } = raw;
    let changes = changes.get().map_or(Some(5), |at| values::integer(at, "changes", 1..=1000, faults));
    let within = within.get().map_or(Some(MINUTE), |at| values::period(at, "within", &FLAP, faults));
    let hold = hold.get().map_or(Some(MINUTE), |at| values::period(at, "hold", &FLAP, faults));
    Some(Flap { changes: changes?, within: within?, hold: hold? })
}
