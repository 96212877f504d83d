//! Hooks: programs that are told what happens.
//!
//! # What a hook gets
//!
//! One run of `[hooks] on_change` for each event, without a shell, in `/`. On standard input there is one line, a JSON
//! object, with these members:
//!
//! - `version`: 1. Members may be added to this version, none is renamed, or taken away.
//! - `time`: when it happened, in whole seconds since 1970 (UTC); `timestamp`: the same as RFC 3339, with milliseconds.
//! - `host`: the name of this machine.
//! - `event`: one of these, each with members of its own:
//!
//! | event | members | it says |
//! |---|---|---|
//! | `destination_up` | `service`, `name`, `destination` | its checks say that it is up |
//! | `destination_down` | `service`, `name`, `destination`, `reason` | … that it is down, and why |
//! | `service_failed` | `service`, `name`, `up`, `of` | fewer destinations than `min_healthy` are up: `up` of `of` |
//! | `service_restored` | `service`, `name`, `up`, `of` | there are enough again |
//! | `panic_begun` | `service`, `name`, `down`, `of` | so many at once that the checks are suspected |
//! | `panic_ended` | `service`, `name` | they are trusted again |
//! | `drain_done` | `service`, `name`, `destination`, `connections`, `why` | it is deleted; `why`: `idle`, `deadline`, `down` |
//! | `configuration_refused` | `problems` | there are mistakes in it: the one before stays in force |
//! | `drift_repaired` | `service`, `name`, `repair` | somebody else had changed the table |
//! | `host_drift_repaired` | `object`, `repair` | somebody else had changed an address, a sysctl, a timeout or the synchronisation |
//!
//! `service` and `destination` are addresses, as `ipvsd show` writes them (`tcp://192.0.2.1:80`, `fwmark:7`,
//! `10.0.0.1:8080`); `name` is the service's in the configuration, null if it is not in there any more. In the
//! environment there are `PATH`, `IPVSD_EVENT`, and where the event has such a member, `IPVSD_SERVICE`, `IPVSD_NAME` and
//! `IPVSD_DESTINATION`.
//!
//! # What is promised
//!
//! Runs start in the order of the events, but those of one service never overlap: each waits for the end of the one
//! before, and lets other services pass. At most `at_once` run at the same time. A run that takes longer than `timeout`
//! is killed with all that it has started, and so is whatever a run leaves behind in its process group; a program that
//! is to stay has to leave it (setsid).
//!
//! Nobody waits for a hook: what happens meanwhile is queued, 1,000 events at most; what comes then is dropped, and the
//! log says how many. How a hook ends matters to nobody either, but any end but exit status 0 is logged. Nothing is run
//! twice, and nothing is kept over a restart. What is still queued at the end of ipvsd gets a short time.

mod document;
mod queue;

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, info, warn};

use super::Spawner;
use crate::model::{Desired, Hooks};
use crate::process::{self, How, Program};
use crate::reconcile::{Listener, Notice};
use document::Document;
use queue::{Queue, Ration, Waiting};

/// Warnings of failed hooks in [`PERIOD`].
const FAILURES: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);

/// Whoever gets the notices, and runs the hooks for them. Its clones are the same one.
#[derive(Debug, Clone)]
pub struct HookRunner {
    host: Arc<str>,
    shared: Arc<Shared>,
    /// The task that starts the runs, and what is cut off when it and all runs are gone; absent once it was ended.
    task: Arc<Mutex<Option<Task>>>,
}

type Task = (JoinHandle<()>, mpsc::Receiver<()>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something in the state has changed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    hooks: Option<Arc<Hooks>>,
    queue: Queue,
    /// Nothing more is queued.
    ending: bool,
}

impl HookRunner {
    /// Runs nothing until it is [configured](Listener::configure).
    pub fn start(spawner: &Spawner) -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Notify::new() });
        let (at_end, ended) = mpsc::channel();
        let task = spawner.spawn(work(Arc::clone(&shared), at_end));
        Self { host: host.trim_end().into(), shared, task: Arc::new(Mutex::new(Some((task, ended)))) }
    }

    /// Waits for what is queued and what runs, `within` this time; kills and drops the rest. Nothing is queued any more.
    ///
    /// Not for tasks: the calling thread waits.
    pub fn end(&self, within: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((task, ended)) = task else { return };
        self.shared.state().ending = true;
        self.shared.changed.notify_one();
        if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(within) {
            let state = self.shared.state();
            let (waiting, running) = (state.queue.len(), state.queue.running());
            drop(state);
            warn!(
                "{running} hooks did not end in time and are killed, {waiting} events that waited for one are dropped"
            );
            task.abort();
            // The thread drops it as soon as it gets to it; if it never does, it is not for hooks to wait for that.
            let _ = ended.recv_timeout(Duration::from_millis(100));
        }
    }
}

impl Listener for HookRunner {
    fn notice(&mut self, notice: &Notice) {
        let mut state = self.shared.state();
        if state.hooks.is_none() || state.ending {
            return;
        }
        // Nothing is written for what is dropped.
        state.queue.push(|| Document::new(notice, &self.host, SystemTime::now()));
        drop(state);
        self.shared.changed.notify_one();
    }

    fn configure(&mut self, desired: &Desired) {
        self.set(desired.hooks.as_ref());
    }
}

impl HookRunner {
    /// From now on this program is run, for what is queued as well; what runs goes on. Without one the queue is emptied.
    fn set(&self, hooks: Option<&Hooks>) {
        let mut state = self.shared.state();
        if state.hooks.as_deref() == hooks {
            return;
        }
        state.hooks = hooks.cloned().map(Arc::new);
        let forgotten = if hooks.is_none() { state.queue.clear() } else { 0 };
        drop(state);
        self.shared.changed.notify_one();
        if forgotten > 0 {
            info!("there is no hook any more: {forgotten} events that waited for it are dropped");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics in there; if one did, the state is still one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the runs, until there is nothing left at the end. Dropped, it takes them with it.
async fn work(shared: Arc<Shared>, at_end: mpsc::Sender<()>) {
    let mut runs = JoinSet::new();
    let failures = Arc::new(Mutex::new(Ration::new(FAILURES, PERIOD)));
    let mut dropped = Ration::new(1, PERIOD);
    loop {
        let mut say_at = None;
        let mut next = Vec::new();
        let over = {
            let mut state = shared.state();
            if let Some(hooks) = state.hooks.clone() {
                while let Some(waiting) = state.queue.start(hooks.at_once) {
                    let run = Run { waiting, shared: Arc::clone(&shared), _at_end: at_end.clone() };
                    next.push(one(run, Arc::clone(&hooks), Arc::clone(&failures)));
                }
            }
            if state.queue.dropped() > 0 {
                let now = Instant::now();
                match dropped.take(now) {
                    Ok(_) => {
                        let count = state.queue.take_dropped();
                        warn!("hooks do not keep up: {count} events were dropped, {} wait", state.queue.len());
                    }
                    Err(next) => say_at = Some(next),
                }
            }
            state.ending && state.queue.len() == 0 && state.queue.running() == 0
        };
        if over {
            return;
        }
        // In this order they start. Not under the lock: a run that is dropped takes it.
        next.into_iter().for_each(|run| drop(runs.spawn(run)));
        tokio::select! {
            () = shared.changed.notified() => {}
            Some(_) = runs.join_next() => {}
            () = until(say_at) => {}
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// A run that has its place, until it is dropped.
struct Run {
    waiting: Waiting,
    shared: Arc<Shared>,
    _at_end: mpsc::Sender<()>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.shared.state().queue.ended(&self.waiting);
        self.shared.changed.notify_one();
    }
}

async fn one(mut run: Run, hooks: Arc<Hooks>, failures: Arc<Mutex<Ration>>) {
    let Document { event, about, text, .. } = &mut run.waiting.document;
    let event = *event;
    let mut env = vec![("IPVSD_EVENT", event.to_owned())];
    env.append(about);
    let input = Some(std::mem::take(text));
    let ended = process::run(Program { argv: &hooks.on_change, env: &env, input, timeout: hooks.timeout }).await;
    let program = hooks.on_change.first().map(String::as_str).unwrap_or_default();
    if ended.how == How::Exited(0) {
        debug!(event, program, "a hook has run");
        return;
    }
    let ration = failures.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
    let said = if ended.output.is_empty() { String::new() } else { format!("; it said: {}", ended.output) };
    match ration {
        Ok(0) => warn!(event, program, "a hook failed: {}{said}", ended.how),
        Ok(kept) => warn!(event, program, "a hook failed, and so did {kept} others before it: {}{said}", ended.how),
        Err(_) => debug!(event, program, "a hook failed: {}{said}", ended.how),
    }
}

#[cfg(test)]
mod tests;
