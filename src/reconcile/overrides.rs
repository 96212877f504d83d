//! Where operators' overrides live: `overrides.json` in the state directory.
//!
//! Commands write it one after another, under a lock of its own ([`OverrideStore::change`]); a daemon reads it, and writes
//! only to take out what has run out ([`StoredOverrides`]). It is JSON for people as well, and never deleted: one that
//! cannot be understood stays where it is until somebody looks at it. Namespaces that take turns in one state directory
//! share their overrides.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::atomic::{self, Form, StoreError, failed};
use crate::model::Overrides;

/// The version of the file's format.
const VERSION: u32 = 1;
/// The longest time that an override can be limited to.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// How long to wait between two tries to get the lock.
const NAP: Duration = Duration::from_millis(20);

/// Why overrides could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum OverridesError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the overrides in {} are damaged ({why}): mend the file, or move it away, which lifts all overrides", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("another command is changing {}: try again", path.display())]
    Busy { path: PathBuf },
}

/// How long an override holds, as somebody writes it: whole seconds, at least one.
///
/// # Errors
///
/// In words.
pub fn parse_period(text: &str) -> Result<Duration, String> {
    let period =
        humantime::parse_duration(text).map_err(|_| "expected a duration such as 30s, 10m or 1h30m".to_owned())?;
    if period.subsec_nanos() != 0 || period.is_zero() || period > LONGEST {
        return Err("expected whole seconds, from 1s to 365d".to_owned());
    }
    Ok(period)
}

/// Where the loop gets its overrides from. Times are seconds since 1970.
pub trait OverrideSource {
    /// Looks again, and gives what holds at `now`, without what has run out by then. Cheap if nothing has changed.
    fn current(&mut self, now: u64) -> &Overrides;
}

/// Overrides that do not change, for a single pass.
impl OverrideSource for Overrides {
    fn current(&mut self, now: u64) -> &Overrides {
        self.expire(now);
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Document<O> {
    version: u32,
    services: O,
}

/// The file of overrides.
#[derive(Debug, Clone)]
pub struct OverrideStore {
    path: PathBuf,
}

/// What tells one content of the file from another without reading it: each has a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl OverrideStore {
    /// The overrides in `state_dir`. Nothing is touched yet.
    pub fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("overrides.json") }
    }

    /// All that is in the file, also what has run out; no overrides if there is no file.
    pub fn read(&self) -> Result<Overrides, OverridesError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Overrides::default()),
            Err(error) => return Err(failed(&self.path, "read")(error).into()),
        };
        match atomic::parse::<Document<Overrides>>(&self.path, &bytes, VERSION, "the overrides in it")? {
            Ok(document) => Ok(document.services),
            Err(why) => Err(OverridesError::Damaged { path: self.path.clone(), why }),
        }
    }

    /// Reads, changes and writes, with no other command in between; waits for one up to `patience`. What has run out by
    /// `now` (seconds since 1970) is out. The file is only written if that or `change` changed something; when this
    /// returns, the change outlives a power cut.
    pub fn change<R>(
        &self,
        patience: Duration,
        now: u64,
        change: impl FnOnce(&mut Overrides) -> R,
    ) -> Result<R, OverridesError> {
        let _lock = self.lock(patience)?;
        let before = self.read()?;
        let mut after = before.clone();
        after.expire(now);
        let result = change(&mut after);
        if after != before {
            self.write(&after)?;
        }
        Ok(result)
    }

    fn write(&self, overrides: &Overrides) -> Result<(), StoreError> {
        atomic::replace(&self.path, Form::Pretty, &Document { version: VERSION, services: overrides })
    }

    /// The lock, which goes with the file that is returned, also if its holder is killed.
    fn lock(&self, patience: Duration) -> Result<File, OverridesError> {
        let path = self.path.with_extension("lock");
        let io = failed(&path, "lock");
        // `path` always has a parent: it was joined to one.
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(&io)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(&io)?;
        atomic::hand_over(&file, &path).map_err(&io)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(io(error).into()),
                Err(TryLockError::WouldBlock) if waited >= patience => {
                    return Err(OverridesError::Busy { path: self.path.clone() });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(NAP),
            }
            waited += NAP;
        }
    }

    fn stamp(&self) -> io::Result<Option<Stamp>> {
        match fs::metadata(&self.path) {
            Ok(file) => {
                Ok(Some(Stamp { inode: file.ino(), length: file.len(), modified: (file.mtime(), file.mtime_nsec()) }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The overrides as a daemon keeps them: those of the file, or the last good ones while it cannot be understood.
#[derive(Debug)]
pub struct StoredOverrides {
    store: OverrideStore,
    overrides: Overrides,
    /// Of the file that was read last, good or bad; `None` before the first time.
    seen: Option<Option<Stamp>>,
    /// What is wrong with the file, as it was said.
    trouble: Option<String>,
    /// It was read once.
    good: bool,
}

impl StoredOverrides {
    /// The overrides in `state_dir`. Nothing is read yet.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            store: OverrideStore::new(state_dir),
            overrides: Overrides::default(),
            seen: None,
            trouble: None,
            good: false,
        }
    }

    /// Reads the file if it is another one than last time, and says whether the overrides changed by that. What is wrong
    /// with it is logged once.
    pub fn load_if_changed(&mut self) -> bool {
        // First the stamp, then the content: what is written in between is seen next time.
        let read = match self.store.stamp() {
            Ok(stamp) if self.seen == Some(stamp) => return false,
            Ok(stamp) => {
                self.seen = Some(stamp);
                self.store.read()
            }
            Err(error) => Err(failed(&self.store.path, "read")(error).into()),
        };
        let (trouble, changed) = match read {
            Ok(overrides) => {
                let changed = overrides != self.overrides;
                self.overrides = overrides;
                self.good = true;
                (None, changed)
            }
            Err(error) => {
                // One that can be read again may be the same file.
                self.seen = self.seen.filter(|_| !matches!(error, OverridesError::Store(StoreError::Io { .. })));
                (Some(error.to_string()), false)
            }
        };
        if trouble != self.trouble {
            match &trouble {
                Some(text) if self.good => warn!("{text}; the last good overrides stay in force"),
                Some(text) => warn!("{text}; until then none are in force"),
                None => info!("the overrides can be read again"),
            }
            self.trouble = trouble;
        }
        changed
    }

    /// What is wrong with the file, if something is.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

impl OverrideSource for StoredOverrides {
    fn current(&mut self, now: u64) -> &Overrides {
        self.load_if_changed();
        if self.overrides.expire(now) && self.trouble.is_none() {
            // They have run out whether the file says so or not: what cannot be written now is left to the next command.
            if let Ok(overrides) = self.store.change(Duration::ZERO, now, |overrides| overrides.clone()) {
                self.overrides = overrides;
            }
        }
        &self.overrides
    }
}

#[cfg(test)]
mod tests;
