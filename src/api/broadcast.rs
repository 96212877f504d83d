//! What happens, for whoever watches: the notices that hooks get, and the passes that did something.
//!
//! The loop's thread says it ([`Listener`]); streams hear it. Nobody is waited for: a stream that does not keep up with the
//! queue loses its place in it, and is told so. The last [`KEPT`] are kept for those who come later.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::model::ServiceKey;
use crate::plan::render::{host_operation_line, operation_line, words};
use crate::plan::{Cause, HostNote, Note};
use crate::reconcile::{Listener, Notice, Passed, Report, StepResult, Why, unix_now};

/// So many are kept.
pub const KEPT: usize = 100;
/// A stream may be behind by so many.
const QUEUE: usize = 256;
/// So many streams at a time.
pub const MOST_STREAMS: usize = 100;
/// So many operations of a pass are told, the failed ones first.
const MOST_OPERATIONS: usize = 50;
/// The longest text, in bytes: a report on a configuration may be of any length.
const LONGEST: usize = 8 << 10;

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Grows, over restarts too.
    pub id: u64,
    /// `pass`, `destination_down`, …
    pub event: String,
    /// All of it as a JSON object, on one line.
    pub json: String,
}

/// What a pass did with one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Done {
    /// `done`, `draining`, `skipped` or `failed`.
    pub result: &'static str,
    /// The operation, in words.
    pub text: String,
    /// What else there is to say of the result, in words; empty if nothing is.
    pub reason: String,
    /// Somebody else had changed it.
    pub drift: bool,
    /// The service that it is about; null if it is something of the host.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub service: Option<ServiceKey>,
    /// What the configuration calls the service; null if it is not there any more.
    pub name: Option<String>,
}

/// A pass that did something, or could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PassEvent {
    /// When it ended, in seconds since 1970.
    pub time: u64,
    /// Always `pass`.
    pub event: &'static str,
    /// Why it was made: `health`, `files+retry`, …
    pub why: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// How many services it was about; null if it was about everything.
    pub services: Option<usize>,
    pub changed: usize,
    pub failed: usize,
    /// What waits until it is tried again.
    pub waiting: usize,
    pub draining: usize,
    /// Why it could not be made, or was refused.
    pub problem: Option<String>,
    /// What it did, the failed first; and how many more there were.
    pub operations: Vec<Done>,
    pub more: usize,
}

/// The reloads that were taken up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turns {
    pub begun: u64,
    /// Those of which the pass has ended.
    pub ended: u64,
}

/// Tells, and keeps what was told last. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Broadcast(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    recent: Mutex<Recent>,
    told: broadcast::Sender<Arc<Occurrence>>,
    turns: watch::Sender<Turns>,
    samples: watch::Sender<Option<axum::body::Bytes>>,
    /// Whether somebody sees to the samples.
    sampled: Mutex<bool>,
    places: Arc<Semaphore>,
    /// Streams that did not keep up.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Recent {
    next: u64,
    kept: VecDeque<Arc<Occurrence>>,
    /// The last pass that did nothing but fail: it is not told again and again.
    failed: Option<(Vec<Done>, Option<String>)>,
}

impl Default for Broadcast {
    fn default() -> Self {
        // Whoever comes back after a restart with the last number that it knows has missed all that was told since.
        let recent = Recent { next: unix_now().saturating_mul(1_000_000), kept: VecDeque::new(), failed: None };
        Self(Arc::new(Shared {
            recent: Mutex::new(recent),
            told: broadcast::Sender::new(QUEUE),
            turns: watch::Sender::default(),
            samples: watch::Sender::default(),
            sampled: Mutex::new(false),
            places: Arc::new(Semaphore::new(MOST_STREAMS)),
            dropped: AtomicU64::new(0),
        }))
    }
}

impl Broadcast {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        // It is whole after each of its uses.
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: String, json: String) {
        let mut recent = self.recent();
        let occurrence = Arc::new(Occurrence { id: recent.next, event, json });
        recent.next += 1;
        if recent.kept.len() >= KEPT {
            recent.kept.pop_front();
        }
        recent.kept.push_back(Arc::clone(&occurrence));
        // Under the lock: whoever subscribes has it from what is kept, or from here, and not from both. Nobody may listen.
        let _ = self.0.told.send(occurrence);
    }

    /// What was kept, the oldest first.
    pub fn kept(&self) -> Vec<Arc<Occurrence>> {
        self.recent().kept.iter().cloned().collect()
    }

    /// What was kept as JSON: `{"events":[{"id":…,"event":"…","data":{…}}]}`. Put together from what is JSON already: there may be
    /// much of it.
    pub fn history(&self) -> String {
        let kept = self.kept();
        let mut text = String::with_capacity(kept.iter().map(|occurrence| occurrence.json.len() + 100).sum());
        text.push_str("{\"events\":[");
        for (number, occurrence) in kept.iter().enumerate() {
            let Occurrence { id, event, json } = &**occurrence;
            let comma = if number == 0 { "" } else { "," };
            // The names of events are ours, and plain.
            text.push_str(&format!("{comma}{{\"id\":{id},\"event\":\"{event}\",\"data\":{json}}}"));
        }
        text.push_str("]}");
        text
    }

    /// What was told after `last` and is kept, and all that is told from now on.
    pub(super) fn subscribe(&self, last: u64) -> (Vec<Arc<Occurrence>>, broadcast::Receiver<Arc<Occurrence>>) {
        let recent = self.recent();
        let missed = recent.kept.iter().filter(|occurrence| occurrence.id > last).cloned().collect();
        (missed, self.0.told.subscribe())
    }

    /// The number of reloads as it grows.
    pub(super) fn turns(&self) -> watch::Receiver<Turns> {
        self.0.turns.subscribe()
    }

    /// The counters as they come, for streams.
    pub(super) fn samples(&self) -> watch::Receiver<Option<axum::body::Bytes>> {
        self.0.samples.subscribe()
    }

    pub(super) fn put_sample(&self, frame: axum::body::Bytes) {
        self.0.samples.send_replace(Some(frame));
    }

    /// Whether the caller is to see to the samples from now on, since nobody does.
    pub(super) fn begin_sampling(&self) -> bool {
        let mut sampled = self.0.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *sampled, true)
    }

    /// Whether nobody is there to see samples: then nobody sees to them any more.
    pub(super) fn end_sampling(&self) -> bool {
        let mut sampled = self.0.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        *sampled = self.0.samples.receiver_count() > 0;
        !*sampled
    }

    /// A place for each stream.
    pub(super) fn places(&self) -> &Arc<Semaphore> {
        &self.0.places
    }

    /// How many streams there are.
    pub(super) fn streams(&self) -> usize {
        MOST_STREAMS.saturating_sub(self.0.places.available_permits())
    }

    /// One was ended as it did not keep up.
    pub(super) fn drop_stream(&self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(super) fn dropped_streams(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Listener for Broadcast {
    fn notice(&mut self, notice: &Notice) {
        // All of it is text and numbers.
        let Ok(mut value) = serde_json::to_value(notice) else { return };
        let event = value["event"].as_str().unwrap_or_default().to_owned();
        for text in value.as_object_mut().into_iter().flat_map(|object| object.values_mut()) {
            if let Value::String(text) = text {
                words::shorten(text, LONGEST);
            }
        }
        value["time"] = json!(unix_now());
        self.tell(event, value.to_string());
    }

    fn begins(&mut self, why: Why) {
        if why.reload {
            self.0.turns.send_modify(|turns| turns.begun += 1);
        }
    }

    fn passed(&mut self, passed: Passed<'_>) {
        if passed.why.reload {
            self.0.turns.send_modify(|turns| turns.ended = turns.begun);
        }
        let event = event_of(passed);
        let is_quiet = event.operations.is_empty() && event.problem.is_none();
        let failed = (event.changed == 0 && !is_quiet).then(|| (event.operations.clone(), event.problem.clone()));
        let is_old = failed.is_some() && self.recent().failed == failed;
        if !is_quiet {
            self.recent().failed = failed;
        }
        if is_quiet || is_old {
            return;
        }
        if let Ok(json) = serde_json::to_string(&event) {
            self.tell(event.event.to_owned(), json);
        }
    }
}

fn event_of(passed: Passed<'_>) -> PassEvent {
    let Passed { why, took, services, result, desired } = passed;
    let mut event = PassEvent {
        time: unix_now(),
        event: "pass",
        why: why.to_string(),
        ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        services,
        changed: 0,
        failed: 0,
        waiting: 0,
        draining: 0,
        problem: None,
        operations: Vec::new(),
        more: 0,
    };
    match result {
        Ok(report) => {
            event.changed = report.changed();
            event.failed = report.failed();
            event.draining = report.picture.drains.len();
            let waits = |note: &&Note| matches!(note, Note::Waiting { .. });
            let host_waits = |note: &&HostNote| matches!(note, HostNote::Waiting { .. });
            event.waiting = report.plan.notes.iter().filter(waits).count()
                + report.plan.host.notes.iter().filter(host_waits).count();
            event.problem = report.refused.as_ref().map(|refused| format!("pass refused: {refused}"));
            let name = |key: &ServiceKey| desired.origins.get(key).map(|origin| origin.name.clone());
            event.operations = operations(report, name);
            event.more = (report.results.len() + report.host_results.len()).saturating_sub(event.operations.len());
        }
        Err(error) => event.problem = Some(error.to_string()),
    }
    event
}

/// The failed ones first: they are what somebody has to do something about.
fn operations(report: &Report, name: impl Fn(&ServiceKey) -> Option<String>) -> Vec<Done> {
    let some = |is_ok: bool, most: usize| {
        let of_table = report.outcomes().filter(move |(_, result)| result.is_ok() == is_ok).map(|(step, result)| {
            let (result, reason) = match result {
                StepResult::Done | StepResult::Converged => ("done", String::new()),
                StepResult::Draining { .. } => ("draining", result.to_string()),
                StepResult::Skipped { .. } => ("skipped", result.to_string()),
                StepResult::Failed(_) | StepResult::Unverified(_) => ("failed", result.to_string()),
            };
            let service = *step.operation.service();
            let (text, drift) = (operation_line(&step.operation), step.cause == Cause::Drift);
            Done { result, text, reason, drift, service: Some(service), name: name(&service) }
        });
        let of_host = report.host_outcomes().filter(move |(_, result)| result.is_ok() == is_ok);
        let of_host = of_host.map(|(step, result)| {
            let (result, reason) =
                if result.is_ok() { ("done", String::new()) } else { ("failed", result.to_string()) };
            let (text, drift) = (host_operation_line(&step.operation), step.cause == Cause::Drift);
            Done { result, text, reason, drift, service: None, name: None }
        });
        of_table.chain(of_host).take(most).collect::<Vec<_>>()
    };
    let mut all = some(false, MOST_OPERATIONS);
    all.extend(some(true, MOST_OPERATIONS - all.len()));
    all.iter_mut().for_each(|done| words::shorten(&mut done.reason, LONGEST));
    all
}
