//! What was seen last, over restarts: after one, nothing is taken away because an engine or a resolver is not there yet.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::daemon::private;
use crate::reconcile::Place;

/// A file that is larger is none of ours.
const LIMIT: u64 = 256 << 20;

/// What is kept of a source.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    file: &'static str,
    /// Whether it is void after a boot, and in another network namespace.
    is_of_here: bool,
}

/// Containers do not outlive a boot.
pub(super) const DOCKER: Kept = Kept { file: "docker.json", is_of_here: true };
/// What a name stood for is better than nothing after a boot, too.
pub(super) const NAMES: Kept = Kept { file: "names.json", is_of_here: false };

/// What services have for names that are not known.
pub(super) const HELD: Kept = Kept { file: "names.held.json", is_of_here: false };

#[derive(Serialize)]
struct Written<'s, T> {
    version: u32,
    place: &'s Place,
    seen: &'s T,
}

#[derive(Deserialize)]
struct Read<T> {
    version: u32,
    place: Place,
    seen: T,
}

const VERSION: u32 = 1;

impl Kept {
    /// Keeps it, for the owner's eyes only: labels may say anything.
    /// There must be one writer at a time.
    pub(super) fn write(self, state_dir: &Path, place: &Place, seen: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(&Written { version: VERSION, place, seen }).map_err(io::Error::other)?;
        private::put(&state_dir.join(self.file), &text)
    }

    /// Nothing is known any more.
    pub(super) fn remove(self, state_dir: &Path) -> io::Result<()> {
        private::remove(&state_dir.join(self.file))
    }

    /// What was kept. One that cannot be read is as good as none: what is owned tells the rest.
    pub(super) fn read<T: DeserializeOwned>(self, state_dir: &Path) -> Option<T> {
        let path = state_dir.join(self.file);
        if fs::metadata(&path).ok()?.len() > LIMIT {
            return None;
        }
        let read: Read<T> = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let is_valid = !self.is_of_here || read.place == Place::here().ok()?;
        (read.version == VERSION && is_valid).then_some(read.seen)
    }
}
