//! What the service manager is told: that the daemon is ready, reloads, ends, how things are, and that its loop goes on.
//!
//! The protocol is sd_notify(3)'s, a datagram to the socket that `$NOTIFY_SOCKET` names. Without it all of this is absent.
//!
//! | when | what |
//! |---|---|
//! | the first pass has been made, whatever the kernel refused of it | `READY=1` |
//! | SIGHUP is taken up | `RELOADING=1`, `MONOTONIC_USEC=` |
//! | and its pass is over | `READY=1` |
//! | what there is to say has changed; once a second at most | `STATUS=` |
//! | the loop waits, or the kernel answers it, and half of `$WATCHDOG_USEC` is over soon | `WATCHDOG=1` |
//! | the loop has ended | `STOPPING=1` |
//!
//! A first pass that could not be made at all leaves the daemon starting: it tries again, and the manager's patience is the
//! limit. The watchdog is answered by nobody but the loop's own thread (see `heart`).

mod heart;
mod socket;
mod words;

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use super::control::StatusCell;
use crate::netlink;
use crate::reconcile::{Passed, Why};
use heart::Heart;
use socket::Manager;

/// The text is made at most so often: with a large table that takes milliseconds.
const BETWEEN: Duration = Duration::from_secs(1);

/// Where the daemon stands, as the manager sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No pass has been made.
    Starting,
    /// SIGHUP was taken up, or the first pass has been made, and the manager has not heard that it is over.
    Owes,
    Ready,
}

/// Tells the service manager what the loop goes through. It lives in the loop's thread.
pub struct Announcer {
    line: Arc<Line>,
    board: StatusCell,
    phase: Phase,
    /// Services and destinations of the configuration.
    counts: (usize, usize),
    /// Something has happened since the text was made.
    news: bool,
    said: String,
    /// The text is not made again before.
    not_before: Instant,
}

/// The way to the manager, and the watchdog's clock. Whoever hears of the kernel's answers has it, too.
struct Line {
    manager: Manager,
    heart: Option<Mutex<Heart>>,
}

impl Line {
    fn tell(&self, text: &str) {
        if let Err(error) = self.manager.tell(text)
            && self.manager.is_first_trouble()
        {
            warn!("the service manager is not told how ipvsd is: {error}");
        }
    }

    fn beat(&self, is_due: impl FnOnce(&mut Heart) -> bool) {
        if self.with_heart(is_due) == Some(true) {
            self.tell("WATCHDOG=1");
        }
    }

    /// One thread has it, though it need not be the one in which it was made.
    fn with_heart<T>(&self, look: impl FnOnce(&mut Heart) -> T) -> Option<T> {
        Some(look(&mut self.heart.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Announcer {
    /// By the environment that the manager gave this process; nothing without a manager. From now on the watchdog, if there is
    /// one, is answered by this thread.
    pub fn of_this_process(board: StatusCell) -> Option<Self> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let manager = match Manager::named(&variable("NOTIFY_SOCKET")?) {
            Ok(manager) => manager,
            Err(error) => {
                warn!("the service manager is not told how ipvsd is: {error}");
                return None;
            }
        };
        let every = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        let announcer = Self::new(manager, every, board, Instant::now());
        let line = Arc::clone(&announcer.line);
        if line.heart.is_some() {
            netlink::on_exchange(move || line.beat(|heart| heart.works(Instant::now())));
        }
        Some(announcer)
    }

    fn new(manager: Manager, watchdog: Option<Duration>, board: StatusCell, now: Instant) -> Self {
        let heart = watchdog.map(|limit| Mutex::new(Heart::new(limit, now)));
        Self {
            line: Arc::new(Line { manager, heart }),
            board,
            phase: Phase::Starting,
            counts: (0, 0),
            news: true,
            said: String::new(),
            not_before: now,
        }
    }

    /// The loop takes up what there is a reason for.
    pub(super) fn begins(&mut self, why: Why) {
        if why.reload && self.phase != Phase::Starting {
            self.phase = Phase::Owes;
            self.line.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()));
        }
    }

    pub(super) fn passed(&mut self, passed: &Passed<'_>) {
        let table = &passed.desired.table;
        self.counts = (table.services.len(), table.destination_count());
        self.news = true;
        if self.phase == Phase::Starting && passed.result.is_ok() {
            self.phase = Phase::Owes;
        }
    }

    /// Something has happened that the status tells of.
    pub(super) fn news(&mut self) {
        self.news = true;
    }

    /// The loop has done what was due. Says how soon it is to come round again.
    pub(super) fn rests(&mut self, now: Instant) -> Option<Duration> {
        let is_ready = self.phase == Phase::Owes;
        let mut text = String::new();
        if is_ready {
            self.phase = Phase::Ready;
            text.push_str("READY=1\n");
        }
        if self.news && (is_ready || now >= self.not_before) {
            self.news = false;
            self.not_before = now + BETWEEN;
            let said = words::sentence(&self.board.get(), self.counts);
            if said != self.said {
                text.push_str("STATUS=");
                text.push_str(&said);
                self.said = said;
            }
        }
        if !text.is_empty() {
            self.line.tell(text.trim_end());
        }
        self.line.beat(|heart| heart.rests(now));
        let pulse = self.line.with_heart(|heart| heart.due(now));
        let status = self.news.then(|| self.not_before.saturating_duration_since(now));
        pulse.into_iter().chain(status).min()
    }
}

/// The loop has ended.
impl Drop for Announcer {
    fn drop(&mut self) {
        self.line.tell("STOPPING=1\nSTATUS=Ending; the table stays as it is");
    }
}

/// How long the loop may be silent, where that is limited, for this process.
fn watchdog(usec: Option<OsString>, pid: Option<OsString>, me: u32) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if pid.is_some_and(|pid| number(pid) != Some(u64::from(me))) {
        return None;
    }
    usec.and_then(number).filter(|usec| *usec > 0).map(Duration::from_micros)
}

/// CLOCK_MONOTONIC in microseconds, by which the manager tells this reload from one before.
fn monotonic_usec() -> u128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "rustix panics under a kernel whose vDSO lacks any function that it looks for")]
    // SAFETY: it writes to that timespec only.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0)).as_micros()
}

#[cfg(test)]
mod tests;
