//! How a running daemon is asked, and told to look: a unix socket in the state directory, for its owner only.
//!
//! A connection carries one request, a line of JSON, and one answer, a line of JSON:
//!
//! | request | answer |
//! |---|---|
//! | `{"ask":"status"}` | an [`Answer`] |
//! | `{"ask":"events"}` | `{"events":[…]}`: what happened last, the oldest first, as `/v1/history` tells it |
//! | `{"ask":"overrides"}` | `{}`, and the loop reads the overrides again |
//! | anything else | `{"error":"…"}` |
//!
//! The daemon answers from what the loop posted last ([`StatusCell`]), so that whoever asks never waits for a pass, and
//! never holds one up.

mod ask;
mod overlay;
mod serve;

pub use ask::{AskError, ask_events, ask_status, tell_overrides};
pub use overlay::{overlay_verdicts, service_status};
pub use serve::{ControlError, ControlSocket, Shared, bind, serve};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ServiceKey;
use crate::reconcile::{Board, Place, Status, Tally};

/// The longest path that fits into a socket's address, unix(7).
const PATH_MAX: usize = 107;

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control.sock")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Status,
    Events,
    Overrides,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    ask: Ask,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub pid: u32,
    pub version: String,
    /// In seconds since 1970.
    pub started: u64,
    /// The network namespace that it works in.
    pub place: Place,
    /// All at its defaults, with a `pass_at` of 0, before the first pass has ended.
    pub status: Status,
}

/// Something that happened: `data` is what `/v1/events` says of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Happened {
    /// Grows, over restarts too.
    pub id: u64,
    /// `pass`, `destination_down`, …
    pub event: String,
    pub data: Value,
}

/// The last status, shared by the loop, which replaces it, and those who show it. A clone is the same cell.
#[derive(Debug, Clone, Default)]
pub struct StatusCell(Arc<Mutex<Arc<Status>>>);

impl StatusCell {
    /// What was posted last.
    pub fn get(&self) -> Arc<Status> {
        // Whoever held it did nothing but copy or replace a pointer.
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Board for StatusCell {
    fn post(&mut self, status: Status) {
        let status = Arc::new(status);
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), status);
        // A large one takes a while to free, which is nobody's wait.
        drop(before);
    }

    /// Whoever reads the last one meanwhile keeps it as it is.
    fn amend(&mut self, services: &BTreeSet<ServiceKey>, part: Status) {
        Arc::make_mut(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).put_part(services, part);
    }

    fn tell(&mut self, outdated: bool, tally: &Tally) {
        Arc::make_mut(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).tell(outdated, tally);
    }
}
