//! What was seen of an engine last, over restarts: after one, nothing is taken away because the engine is not there yet.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::reconcile::Place;
use crate::source::docker::Snapshot;

/// A file that is larger is none of ours.
const LIMIT: u64 = 256 << 20;

#[derive(Serialize)]
struct Written<'s> {
    version: u32,
    place: &'s Place,
    seen: &'s Snapshot,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    place: Place,
    seen: Snapshot,
}

const VERSION: u32 = 1;

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("docker.json")
}

/// Keeps it, for the owner's eyes only: labels may say anything. It is void after a power cut, and so need not outlive one. There
/// must be one writer at a time.
pub(super) fn write(state_dir: &Path, place: &Place, seen: &Snapshot) -> io::Result<()> {
    let text = serde_json::to_vec(&Written { version: VERSION, place, seen }).map_err(io::Error::other)?;
    let draft = state_dir.join(".docker.json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&text)?;
    drop(file);
    fs::rename(&draft, path(state_dir))
}

/// Nothing is known any more.
pub(super) fn remove(state_dir: &Path) -> io::Result<()> {
    match fs::remove_file(path(state_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What was kept here since the last boot. One that cannot be read is as good as none: what is owned tells the rest.
pub(super) fn read(state_dir: &Path) -> Option<Snapshot> {
    let path = path(state_dir);
    if fs::metadata(&path).ok()?.len() > LIMIT {
        return None;
    }
    let read: Read = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    let here = Place::here().ok()?;
    (read.version == VERSION && read.place == here).then_some(read.seen)
}
