//! The last good configuration, over restarts: a mistake in a file is no reason for a daemon that is started anew, after an upgrade or
//! a boot, to leave everything alone.
//!
//! The text of the files is kept as it was read; what parameters stand for is looked up again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::private;
use crate::config::{self, Input, Source};

/// A file that is larger is none of ours.
const LIMIT: u64 = 1 << 30;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    /// What was named on the command line: of another one's files nothing is known.
    named: Vec<PathBuf>,
    /// Paths and texts.
    files: Vec<(PathBuf, String)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct LastGood {
    /// What was accepted, and is not in force yet.
    next: Option<Arc<Vec<Source>>>,
    /// What is in force, and not in the file yet.
    due: Option<Arc<Vec<Source>>>,
    /// What is in the file.
    kept: Option<Arc<Vec<Source>>>,
    /// It was said that the file cannot be written.
    is_said: bool,
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("last-good.json")
}

/// What was in force last, of the same files, and when it came into force.
pub(super) fn recall(state_dir: &Path, named: &[PathBuf]) -> Option<(Input, SystemTime)> {
    let file = file(state_dir);
    let about = fs::metadata(&file).ok().filter(|about| about.len() <= LIMIT)?;
    let document: Document = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
    if document.version != VERSION || document.named != named {
        return None;
    }
    let sources = document.files.into_iter().map(|(path, text)| Source { path, text });
    Some((config::again(sources.collect()), about.modified().ok()?))
}

/// Takes it away, for whoever puts another one into force and keeps nothing of that: an older one is none to go back to.
///
/// # Errors
///
/// It is there still.
pub fn forget(state_dir: &Path) -> io::Result<()> {
    private::remove(&file(state_dir))
}

impl LastGood {
    pub(super) fn accepted(&mut self, sources: &Arc<Vec<Source>>) {
        self.next = Some(Arc::clone(sources));
    }

    /// It has not come into force, and is going to be read again.
    pub(super) fn refused(&mut self) {
        self.next = None;
    }

    /// It has come into force: nothing was wrong with it but what can be seen in a table.
    pub(super) fn in_force(&mut self) {
        self.due = self.next.take().or(self.due.take());
    }

    /// Writes down what is in force. Not before the pass that makes it so: a large one takes a while.
    pub(super) fn keep(&mut self, state_dir: &Path, named: &[PathBuf]) {
        let Some(due) = self.due.take().filter(|due| self.kept.as_ref() != Some(due)) else { return };
        match write(state_dir, named, &due) {
            Ok(()) => (self.kept, self.is_said) = (Some(due), false),
            Err(error) => {
                // An older one would be taken for it.
                _ = forget(state_dir);
                if !std::mem::replace(&mut self.is_said, true) {
                    warn!("the last good configuration is not kept over a restart: {error}");
                }
                (self.kept, self.due) = (None, Some(due));
            }
        }
    }
}

/// For the owner's eyes only: passwords may be written in it.
fn write(state_dir: &Path, named: &[PathBuf], sources: &[Source]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Written<'s> {
        version: u32,
        named: &'s [PathBuf],
        files: Vec<(&'s Path, &'s str)>,
    }
    let files = sources.iter().map(|source| (source.path.as_path(), source.text.as_str())).collect();
    let written = Written { version: VERSION, named, files };
    private::put_by(&file(state_dir), |file| serde_json::to_writer(file, &written).map_err(io::Error::from))
}
