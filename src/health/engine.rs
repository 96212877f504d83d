//! Runs the checks: the clock and the sockets around the pure `state`.
//!
//! Two threads meet here. The loop's thread has the [`Engine`], says what is to be checked and asks what is known; the
//! [`Runner`] is a future on a runtime elsewhere. What they share is behind a lock that nobody holds while waiting for
//! anything.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{sleep_until, timeout};

use super::agenda::Id;
use super::meter::Meter;
use super::probe::{self, Job};
use super::state::{Finish, Next, Start, State};
use crate::model::ServiceKey;
use crate::reconcile::{Assignments, Checker, Event, Verdicts};

/// A probe keeps its own time, and says better than we do in which phase it ran out of it. Its clock may start later than
/// ours, by as long as this thread was not let run in between; and a program that is killed is reaped, which takes a moment.
const GRACE: Duration = Duration::from_millis(250);
/// What is said when there is nobody to run checks.
const STOPPED: &str = "the checks have stopped, and health stays as it was: restart ipvsd";

/// Says what to check, and knows what the checks say. Once it is dropped, its [`Runner`] ends.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Runs the checks of an [`Engine`].
pub struct Runner {
    shared: Arc<Shared>,
    wake: Box<dyn Fn(Event) + Send>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something was assigned or set, or the engine is gone.
    news: Notify,
    closed: AtomicBool,
    /// The runner is gone, and nothing is checked any more.
    stopped: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // What is behind the lock is whole after each of its calls, whatever became of another thread.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        let verdicts = self.state().verdicts(Instant::now());
        self.unless_stopped(verdicts)
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        let verdicts = self.state().verdicts_of(services, Instant::now());
        self.unless_stopped(Arc::new(verdicts))
    }

    fn unless_stopped(&self, mut verdicts: Arc<Verdicts>) -> Arc<Verdicts> {
        if self.stopped.load(Ordering::Acquire) {
            Arc::make_mut(&mut verdicts).trouble.push(STOPPED.to_owned());
        }
        verdicts
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
    }
}

impl Engine {
    /// An engine that runs at most `at_once` checks at a time, at least one, and calls `wake` on the runner's thread
    /// when a destination's health has changed; not again before [`take_changed`](Checker::take_changed) was called.
    ///
    /// The runner wants a tokio runtime with IO and time; one of a single thread does:
    ///
    /// ```no_run
    /// # use ipvsd::health::Engine;
    /// let (events, _inbox) = std::sync::mpsc::channel();
    /// let (engine, runner) = Engine::new(move |event| _ = events.send(event), 1000);
    /// std::thread::spawn(move || {
    ///     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    ///     runtime.block_on(runner.run()); // or runtime.spawn(runner.run()), beside others
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// // … the loop has the engine; the thread ends once it is dropped.
    /// # drop(engine);
    /// ```
    pub fn new(wake: impl Fn(Event) + Send + 'static, at_once: usize) -> (Self, Runner) {
        let state = Mutex::new(State::new(at_once, fastrand::u64(..)));
        let shared = Arc::new(Shared {
            state,
            news: Notify::new(),
            closed: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        (Self { shared: shared.clone() }, Runner { shared, wake: Box::new(wake) })
    }

    /// What is known, for others than the loop.
    pub fn reader(&self) -> impl Fn() -> Arc<Verdicts> + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.verdicts()
    }

    /// The same of some services, at the price of those.
    pub fn reader_of(&self) -> impl Fn(&BTreeSet<ServiceKey>) -> Arc<Verdicts> + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |services| shared.verdicts_of(services)
    }

    /// How the engine is doing.
    pub fn meter(&self) -> Meter {
        self.shared.state().meter()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.news.notify_one();
    }
}

impl Checker for Engine {
    fn assign(&mut self, assignments: &Assignments) {
        self.shared.state().assign(None, assignments, Instant::now());
        self.shared.news.notify_one();
    }

    fn assign_part(&mut self, services: &BTreeSet<ServiceKey>, assignments: &Assignments) {
        self.shared.state().assign(Some(services), assignments, Instant::now());
        self.shared.news.notify_one();
    }

    /// What runs already goes on.
    fn set_at_once(&mut self, at_once: usize) {
        self.shared.state().set_at_once(at_once);
        self.shared.news.notify_one();
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        self.shared.verdicts()
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        self.shared.verdicts_of(services)
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        self.shared.state().take_changed()
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Runner {
    /// Runs the checks until the [`Engine`] is dropped. Dropping the future ends all that runs.
    pub async fn run(self) {
        self.run_with(|job: Arc<Job>| async move { probe::run(&job).await }).await;
    }

    async fn run_with<P, F>(self, probe: P)
    where
        P: Fn(Arc<Job>) -> F,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let Self { shared, wake } = &self;
        let mut runs = Runs::default();
        let mut starts = Vec::new();
        while !shared.closed.load(Ordering::Acquire) {
            let (wait, orphans, tell) = {
                let mut state = shared.state();
                let now = Instant::now();
                let wait = loop {
                    match state.next(now) {
                        Next::Run(start) => starts.push(start),
                        Next::Wait(until) => break Some(until),
                        Next::Rest => break None,
                    }
                };
                (wait, state.take_orphans(), state.has_to_tell())
            };
            if tell {
                wake(Event::Health);
            }
            for id in orphans {
                runs.abort(id);
            }
            for start in starts.drain(..) {
                let run = probe(start.job.clone());
                runs.spawn(start, run);
            }
            let until = wait.unwrap_or_else(Instant::now);
            tokio::select! {
                () = shared.news.notified() => {}
                () = sleep_until(until.into()), if wait.is_some() => {}
                Some(ended) = runs.tasks.join_next() => runs.note(ended),
            }
            runs.note_all();
            if !runs.ended.is_empty() {
                let mut state = shared.state();
                for ended in runs.ended.drain(..) {
                    match ended {
                        Some(finish) => state.finish(finish),
                        None => state.give_up(),
                    }
                }
            }
        }
        runs.tasks.shutdown().await;
    }
}

/// The runs under way.
#[derive(Default)]
struct Runs {
    tasks: JoinSet<Finish>,
    /// Each of them, until it has ended.
    begun: HashMap<Id, Begun>,
    /// What has ended and has not been told; `None` is a run that was given up.
    ended: Vec<Option<Finish>>,
}

struct Begun {
    handle: AbortHandle,
    planned: Instant,
    started: Instant,
}

impl Runs {
    fn spawn<F>(&mut self, start: Start, probe: F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let Start { id, job, planned } = start;
        let handle = self.tasks.spawn(async move {
            let started = Instant::now();
            let limit = job.check.timing.timeout;
            let result = timeout(limit.saturating_add(GRACE), probe).await;
            let result =
                result.unwrap_or_else(|_| Err(format!("no answer within {}", humantime::format_duration(limit))));
            Finish { id, planned, started, ended: Instant::now(), result }
        });
        self.begun.insert(id, Begun { handle, planned, started: Instant::now() });
    }

    fn abort(&self, id: Id) {
        if let Some(begun) = self.begun.get(&id) {
            begun.handle.abort();
        }
    }

    /// Takes note of what else has ended.
    fn note_all(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: Result<Finish, JoinError>) {
        match ended {
            Ok(finish) => {
                self.begun.remove(&finish.id);
                self.ended.push(Some(finish));
            }
            // A mistake of ours, or its target is gone. Either is rare enough to go through them all.
            Err(error) => {
                let id = self.begun.iter().find(|(_, begun)| begun.handle.id() == error.id()).map(|(id, _)| *id);
                let begun = id.and_then(|id| Some((id, self.begun.remove(&id)?)));
                let finish = begun.zip(error.try_into_panic().ok()).map(|((id, begun), panic)| Finish {
                    id,
                    planned: begun.planned,
                    started: begun.started,
                    ended: Instant::now(),
                    result: Err(format!("ipvsd itself failed at it: {}", message(&*panic))),
                });
                self.ended.push(finish);
            }
        }
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for a reason that it does not say")
}

#[cfg(test)]
#[path = "tests/engine.rs"]
mod tests;
