//! What is known of an engine, for whoever asks, from any thread.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::facts::Snapshot;
use super::machine::Condition;

#[derive(Debug, Default)]
struct Seen {
    snapshot: Arc<Snapshot>,
    condition: Condition,
    version: String,
    /// A list has come since the start.
    listed: bool,
}

/// The window on an engine. A clone is the same.
#[derive(Clone, Default)]
pub struct Window(Arc<Mutex<Seen>>);

/// What is to be shown of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// What the engine calls its version; empty before it was reached.
    pub version: String,
    /// Why it cannot be followed, and since when.
    pub trouble: Option<(String, Instant)>,
    /// When it was listed last.
    pub listed_at: Option<Instant>,
    pub containers: usize,
}

impl Window {
    /// One that shows what was known before.
    pub fn new(known: Snapshot) -> Self {
        Self(Arc::new(Mutex::new(Seen { snapshot: Arc::new(known), ..Seen::default() })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        // Whoever held it did nothing but copy, or replace what is whole at any time.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was seen last.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.with(|seen| Arc::clone(&seen.snapshot))
    }

    /// Whether the engine has been listed since the start.
    pub fn is_listed(&self) -> bool {
        self.with(|seen| seen.listed)
    }

    pub fn view(&self) -> View {
        self.with(|seen| View {
            version: seen.version.clone(),
            trouble: seen.condition.trouble.clone(),
            listed_at: seen.condition.listed_at,
            containers: seen.snapshot.containers.len(),
        })
    }

    /// The engine answers, and calls its version so.
    pub(super) fn answers(&self, version: &str) {
        self.with(|seen| version.clone_into(&mut seen.version));
    }

    /// Shows this. Gives what is to be kept over a restart, if anything; nothing if it is no news.
    pub(super) fn show(&self, snapshot: Snapshot, condition: Condition) -> Option<Option<Arc<Snapshot>>> {
        self.with(|seen| {
            let is_first = condition.listed_at.is_some() && seen.condition.listed_at.is_none();
            let is_told = seen.condition.trouble.is_some() != condition.trouble.is_some();
            let has_changed = *seen.snapshot != snapshot;
            // Together with what was listed: whoever sees the one goes by the other.
            seen.listed |= condition.listed_at.is_some();
            seen.condition = condition;
            if has_changed {
                seen.snapshot = Arc::new(snapshot);
            }
            // That there are none is worth keeping, too.
            let kept = (is_first || has_changed).then(|| Arc::clone(&seen.snapshot));
            (is_first || is_told || has_changed).then_some(kept)
        })
    }

    /// As after a first list.
    #[cfg(test)]
    pub(crate) fn shows(&self, snapshot: Snapshot) {
        let condition = Condition { listed_at: Some(Instant::now()), ..Condition::default() };
        self.show(snapshot, condition);
    }

    /// Nobody follows an engine any more: what is known of it grows old. Says whether something was.
    pub(super) fn forget(&self) -> bool {
        self.with(|seen| {
            let forgotten = std::mem::take(seen);
            *forgotten.snapshot != Snapshot::default()
        })
    }
}
