//! Where the ownership record lives between two starts.
//!
//! One JSON file, `owned.json` in the state directory, replaced atomically (temporary file, fsync, rename,
//! fsync of the directory), and beside it a journal of what has changed since (see `journal`). Losing it loses no traffic: what is not on record is left alone. Where network namespaces
//! take turns in one directory, each finds its own: that of another one is put aside as `owned-INODE.json`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{self, Form, StoreError, failed};
use super::journal::{self, Journal};
use crate::model::{Record, ServiceKey};

/// The version of the file's format.
const VERSION: u32 = 1;
/// A journal is begun anew when it is as long as its record, but not before it has so many bytes.
const JOURNAL_LEAST: u64 = 256 << 10;

/// What a record is true of: one network namespace in one boot of the machine. The kernel's table does not
/// outlive either, so a record of another one says nothing about what is live here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    boot_id: String,
    /// Inode of the namespace in nsfs.
    netns: u64,
}

impl Place {
    /// Where the calling thread is.
    pub fn here() -> io::Result<Self> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let netns = fs::metadata("/proc/thread-self/ns/net")?.ino();
        Ok(Self { boot_id, netns })
    }
}

/// How a record was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Read,
    /// There was none.
    Absent,
    /// It was of another boot or network namespace, and is void.
    Elsewhere,
    /// It could not be understood, and was moved to the path given.
    Damaged {
        moved_to: PathBuf,
        why: String,
    },
}

/// Keeps the record.
pub trait RecordStore {
    /// The record, and how it was found. Only what a person must look at is an error.
    fn load(&mut self) -> Result<(Record, Found), StoreError>;
    /// Replaces the record. When it returns, the new one outlives a power cut.
    fn save(&mut self, record: &Record) -> Result<(), StoreError>;
    /// The same, for a record that is as it was saved last but for these services: it costs what they are.
    fn save_part(&mut self, record: &Record, services: &BTreeSet<ServiceKey>) -> Result<(), StoreError>;
    /// Whether the last [`save`](Self::save) failed, so that what is kept is not what is owned.
    fn is_behind(&self) -> bool;
    /// Leaves nothing but the record itself: nobody saves any more.
    fn close(&mut self, _: &Record) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What there is beside the record.
#[derive(Deserialize)]
struct Head {
    place: Place,
    #[serde(default)]
    number: u64,
}

#[derive(Serialize)]
struct Document<R> {
    version: u32,
    place: Place,
    /// What its journal knows it by.
    number: u64,
    #[serde(flatten)]
    record: R,
}

/// The record in a file of a state directory.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    place: Place,
    behind: bool,
    /// The number of the record that this process wrote last, and how long it is in bytes.
    written: Option<(u64, u64)>,
    journal: Option<Journal>,
}

impl FileStore {
    /// The store in `state_dir`, for `place`. Nothing is touched yet.
    pub fn new(state_dir: &Path, place: Place) -> Self {
        Self { path: state_dir.join("owned.json"), place, behind: false, written: None, journal: None }
    }

    /// The record as [`load`](RecordStore::load) would give it, for looking only: no file is touched. With it, in
    /// words, what is wrong with a damaged one, which counts as empty.
    pub fn peek(&self) -> Result<(Record, Option<String>), StoreError> {
        match self.read(&self.path)? {
            Some(Ok(document)) if document.place == self.place => Ok((document.record, None)),
            Some(Ok(_)) | None => Ok((self.put_aside()?.unwrap_or_default(), None)),
            Some(Err(why)) => {
                let words = format!(
                    "the ownership record {} is damaged ({why}): what is not in the configuration is left alone",
                    self.path.display()
                );
                Ok((Record::default(), Some(words)))
            }
        }
    }

    /// Where the record of a namespace lies while another one uses the directory.
    fn aside(&self, netns: u64) -> PathBuf {
        self.path.with_file_name(format!("owned-{netns}.json"))
    }

    /// Our own record, if it was put aside.
    fn put_aside(&self) -> Result<Option<Record>, StoreError> {
        let read = self.read(&self.aside(self.place.netns))?.and_then(Result::ok);
        Ok(read.filter(|document| document.place == self.place).map(|document| document.record))
    }

    /// A record, or why it cannot be understood, or nothing where there is no file.
    fn read(&self, path: &Path) -> Result<Option<Result<Document<Record>, String>>, StoreError> {
        // Before the record: one that is written whole meanwhile has all that the journal said.
        let journal = journal::read(path).map_err(self.io("read the journal of"))?;
        match fs::read(path) {
            // In two goes: what serde flattens it cannot read if it has numbers for keys, as the marks of helpers are.
            Ok(bytes) => atomic::parse::<Head>(path, &bytes, VERSION, "ownership").map(|head| {
                Some(head.and_then(|Head { place, number }| {
                    let mut record = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                    journal::replay(&journal, number, &mut record)?;
                    Ok(Document { version: VERSION, place, number, record })
                }))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io("read")(error)),
        }
    }

    /// Appends to the journal, which is begun with the first that there is to say.
    fn append(&mut self, number: u64, record: &Record, services: &BTreeSet<ServiceKey>) -> io::Result<()> {
        let mut journal = match self.journal.take() {
            Some(journal) => journal,
            None => Journal::begin(&self.path, number)?,
        };
        journal.append(services, record)?;
        self.journal = Some(journal);
        Ok(())
    }

    fn io(&self, doing: &'static str) -> impl Fn(io::Error) -> StoreError {
        failed(&self.path, doing)
    }
}

impl RecordStore for FileStore {
    fn load(&mut self) -> Result<(Record, Found), StoreError> {
        let otherwise = match self.read(&self.path)? {
            Some(Ok(document)) if document.place == self.place => return Ok((document.record, Found::Read)),
            Some(Ok(document)) => {
                // Another namespace of this machine may need it again: to overwrite it would leave there what nobody
                // owns.
                if document.place.boot_id == self.place.boot_id {
                    // With all that its journal says, and in whole: there is no moment without it.
                    atomic::replace(&self.aside(document.place.netns), Form::Compact, &document)?;
                    fs::remove_file(&self.path).map_err(self.io("move away"))?;
                    _ = fs::remove_file(journal::path(&self.path));
                }
                Found::Elsewhere
            }
            Some(Err(why)) => {
                let moved_to = self.path.with_extension("json.damaged");
                // Nobody reads the one without the other.
                _ = fs::rename(journal::path(&self.path), journal::path(&moved_to));
                fs::rename(&self.path, &moved_to).map_err(self.io("move away"))?;
                return Ok((Record::default(), Found::Damaged { moved_to, why }));
            }
            None => Found::Absent,
        };
        Ok(self.put_aside()?.map_or((Record::default(), otherwise), |record| (record, Found::Read)))
    }

    fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        let number = fastrand::u64(1..);
        let document = Document { version: VERSION, place: self.place.clone(), number, record };
        let saved = atomic::replace(&self.path, Form::Compact, &document);
        self.behind = saved.is_err();
        (self.journal, self.written) = (None, None);
        if saved.is_ok() {
            // What cannot be told for its length is written whole again soon.
            let length = fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
            self.written = Some((number, length));
            // It is void already.
            _ = fs::remove_file(journal::path(&self.path));
        }
        saved
    }

    fn save_part(&mut self, record: &Record, services: &BTreeSet<ServiceKey>) -> Result<(), StoreError> {
        let long = self.journal.as_ref().map_or(0, Journal::length);
        match self.written {
            Some((number, length)) if long < length.max(JOURNAL_LEAST) && !self.behind => {
                let appended = self.append(number, record, services);
                self.behind = appended.is_err();
                appended.map_err(self.io("write the journal of"))
            }
            Some(_) | None => self.save(record),
        }
    }

    fn is_behind(&self) -> bool {
        self.behind
    }

    fn close(&mut self, record: &Record) -> Result<(), StoreError> {
        if self.journal.is_some() || self.behind { self.save(record) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
