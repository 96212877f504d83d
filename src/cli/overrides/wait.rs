//! Waiting until a drained destination has no connections left.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::daemon::orders::Target;
use crate::ipvs::{Error, Ipvs};
use crate::model::ServiceKey;
use crate::plan::render::words;

/// How often the kernel is asked.
const EVERY: Duration = Duration::from_millis(500);

/// What some destinations have left, together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Left {
    pub(super) weight: u64,
    pub(super) active_connections: u64,
    pub(super) inactive_connections: u64,
    /// Persistence templates, which send a client to where it was before.
    pub(super) persistent_connections: u64,
}

impl Left {
    pub(super) fn connections(&self) -> u64 {
        self.active_connections + self.inactive_connections + self.persistent_connections
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// `12 connections left (3 active, 8 inactive, 1 persistent)`
    pub(super) fn words(&self) -> String {
        let Self { weight, active_connections, inactive_connections, persistent_connections } = self;
        let connections = match self.connections() {
            0 => "no connections left".to_owned(),
            number => format!(
                "{} left ({active_connections} active, {inactive_connections} inactive, {persistent_connections} persistent)",
                words::count(usize::try_from(number).unwrap_or(usize::MAX), "connection")
            ),
        };
        match weight {
            0 => connections,
            _ => format!("weight is still {weight}, {connections}"),
        }
    }

    /// What is left after `seconds`, and what can be done about it.
    pub(super) fn after(&self, seconds: u64) -> String {
        let text = format!("{} after {}", self.words(), words::duration(seconds));
        if self.weight == 0
            && self.persistent_connections > 0
            && self.active_connections + self.inactive_connections == 0
        {
            return format!(
                "{text}: persistence templates are what is left; each goes when its client has been away for the \
                 service's persistence timeout, and lets it come back until then \
                 (unless net.ipv4.vs.expire_quiescent_template is 1)"
            );
        }
        text
    }
}

/// What the pause between two looks ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    Over,
    /// Somebody does not want to wait any more.
    Interrupted,
}

/// How waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Drained,
    TimedOut(Left),
    Interrupted(Left),
}

/// Looks twice a second, until the targets have weight 0 and no connections, or are gone. `show` is told what is left
/// after each look.
pub(super) fn wait(
    ipvs: &mut dyn Ipvs,
    targets: &[Target],
    timeout: Option<Duration>,
    clock: &dyn Fn() -> Instant,
    pause: &mut dyn FnMut(Duration) -> Pause,
    show: &mut dyn FnMut(&Left, Instant),
) -> Result<End, Error> {
    let begin = clock();
    let services: Vec<ServiceKey> =
        targets.iter().map(|target| target.service).collect::<BTreeSet<_>>().into_iter().collect();
    loop {
        let left = look(ipvs, &services, targets)?;
        let now = clock();
        show(&left, now);
        if left.is_nothing() {
            return Ok(End::Drained);
        }
        let rest = timeout.map(|timeout| timeout.saturating_sub(now.saturating_duration_since(begin)));
        if rest.is_some_and(|rest| rest.is_zero()) {
            return Ok(End::TimedOut(left));
        }
        if pause(rest.map_or(EVERY, |rest| rest.min(EVERY))) == Pause::Interrupted {
            return Ok(End::Interrupted(left));
        }
    }
}

fn look(ipvs: &mut dyn Ipvs, services: &[ServiceKey], targets: &[Target]) -> Result<Left, Error> {
    let live = ipvs.read_services(services)?;
    let mut left = Left::default();
    for target in targets {
        let service = live.get(&target.service);
        if let Some(found) = service.and_then(|service| service.destinations.get(&target.destination)) {
            left.weight += u64::from(found.settings.weight);
            left.active_connections += u64::from(found.active_connections);
            left.inactive_connections += u64::from(found.inactive_connections);
            left.persistent_connections += u64::from(found.persistent_connections);
        }
    }
    Ok(left)
}

/// Progress on standard error: one line that is written again on a terminal, else a line for each change, at most one
/// a second.
#[derive(Debug)]
pub(super) struct Progress {
    /// The width of the terminal, if it is one.
    terminal: Option<usize>,
    last: Option<(String, Instant)>,
}

impl Progress {
    pub(super) fn new(terminal: Option<usize>) -> Self {
        Self { terminal, last: None }
    }

    /// What to write when `text` is the case at `now`.
    pub(super) fn line(&mut self, text: &str, now: Instant) -> Option<String> {
        let same = self.last.as_ref().is_some_and(|(last, _)| last == text);
        let soon =
            self.last.as_ref().is_some_and(|(_, at)| now.saturating_duration_since(*at) < Duration::from_secs(1));
        if same || (soon && self.terminal.is_none()) {
            return None;
        }
        self.last = Some((text.to_owned(), now));
        Some(match self.terminal {
            // The last column is left free, since some terminals go to the next line after it.
            Some(width) => {
                let cut: String = text.chars().take(width.saturating_sub(1)).collect();
                format!("\r{cut}\u{1b}[K")
            }
            None => format!("{text}\n"),
        })
    }

    /// What to write before anything else is.
    pub(super) fn end(&self) -> &'static str {
        if self.terminal.is_some() && self.last.is_some() { "\n" } else { "" }
    }
}

#[cfg(test)]
mod tests;
