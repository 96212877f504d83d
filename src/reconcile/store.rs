//! Where the ownership record lives between two starts.
//!
//! One JSON file, `owned.json` in the state directory, replaced atomically (temporary file, fsync, rename,
//! fsync of the directory). Losing it loses no traffic: what is not on record is left alone. Where network namespaces
//! take turns in one directory, each finds its own: that of another one is put aside as `owned-INODE.json`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{self, Form, StoreError, failed};
use crate::model::{Record, ServiceKey};

/// The version of the file's format.
const VERSION: u32 = 1;

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
}

/// What there is beside the record.
#[derive(Deserialize)]
struct Head {
    place: Place,
}

#[derive(Serialize)]
struct Document<R> {
    version: u32,
    place: Place,
    #[serde(flatten)]
    record: R,
}

/// The record in a file of a state directory.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    place: Place,
    behind: bool,
}

impl FileStore {
    /// The store in `state_dir`, for `place`. Nothing is touched yet.
    pub fn new(state_dir: &Path, place: Place) -> Self {
        Self { path: state_dir.join("owned.json"), place, behind: false }
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
        match fs::read(path) {
            // In two goes: what serde flattens it cannot read if it has numbers for keys, as the marks of helpers are.
            Ok(bytes) => atomic::parse::<Head>(path, &bytes, VERSION, "ownership").map(|head| {
                Some(head.and_then(|Head { place }| {
                    let record = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                    Ok(Document { version: VERSION, place, record })
                }))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io("read")(error)),
        }
    }

    fn io(&self, doing: &'static str) -> impl Fn(io::Error) -> StoreError {
        failed(&self.path, doing)
    }
}

impl RecordStore for FileStore {
    fn load(&mut self) -> Result<(Record, Found), StoreError> {
        let otherwise = match self.read(&self.path)? {
            Some(Ok(document)) if document.place == self.place => return Ok((document.record, Found::Read)),
            Some(Ok(Document { place, .. })) => {
                // Another namespace of this machine may need it again: to overwrite it would leave there what nobody
                // owns.
                if place.boot_id == self.place.boot_id {
                    fs::rename(&self.path, self.aside(place.netns)).map_err(self.io("move away"))?;
                }
                Found::Elsewhere
            }
            Some(Err(why)) => {
                let moved_to = self.path.with_extension("json.damaged");
                fs::rename(&self.path, &moved_to).map_err(self.io("move away"))?;
                return Ok((Record::default(), Found::Damaged { moved_to, why }));
            }
            None => Found::Absent,
        };
        Ok(self.put_aside()?.map_or((Record::default(), otherwise), |record| (record, Found::Read)))
    }

    fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        let document = Document { version: VERSION, place: self.place.clone(), record };
        let saved = atomic::replace(&self.path, Form::Compact, &document);
        self.behind = saved.is_err();
        saved
    }

    fn save_part(&mut self, record: &Record, _: &BTreeSet<ServiceKey>) -> Result<(), StoreError> {
        self.save(record)
    }

    fn is_behind(&self) -> bool {
        self.behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Check, Checks, Dns, DnsRecord, DnsTransport, Drain, Flap, Grpc, Helped, Http, Match, NamedCheck, OwnedService,
        Pass, Probe, StatusSet, Timing, Tls, Via,
    };
    use std::time::Duration;

    fn record() -> Record {
        let mut record = Record::default();
        let mut owned = OwnedService::default();
        owned.destinations.insert("[2001:db8::1]:80".parse().unwrap(), None);
        let (service, destination) = ("tcp://192.0.2.1:80".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap());
        record.services.insert(service, owned);
        record.helpers.insert(1_768_947_712, Helped { service, destination });
        let drain = Drain { since: 1_000_000, until: 1_000_300, checks: every_check() };
        record.drains.entry(service).or_default().insert(destination, drain);
        record
    }

    /// One of each kind, with all that it may have.
    fn every_check() -> Checks {
        let tls = Some(Tls { insecure: false, ca: Some("/etc/ca.pem".into()), server_name: Some("web".into()) });
        let contains = || Some(Match::Contains(b"\0\xff\"ok".to_vec()));
        let http = Http {
            tls: tls.clone(),
            method: "GET".into(),
            path: "/".into(),
            host: Some("web".into()),
            headers: vec![("a".into(), "b".into())],
            status: StatusSet(vec![(200, 299), (301, 301)]),
            body: contains(),
            location: Some(Match::Regex("^/".into())),
        };
        let dns = Dns {
            transport: DnsTransport::Tcp,
            name: "example.com.".into(),
            record: DnsRecord::Aaaa,
            rcode: 3,
            answer: Some("::1".into()),
        };
        let probes = [
            Probe::Tcp { send: Some(vec![0, 255]), expect: contains() },
            Probe::Http(http),
            Probe::Grpc(Grpc { tls, service: "shop".into() }),
            Probe::Dns(dns),
            Probe::Udp { send: vec![1], expect: None, silence_is_up: true },
            Probe::Exec { argv: vec!["/bin/true".into()] },
            Probe::None,
        ];
        let second = Duration::from_millis(1_001);
        let check = |probe| Check {
            probe,
            timing: Timing {
                interval: second,
                timeout: second,
                rise: 2,
                fall: 3,
                jitter: 10,
                fast_interval: Some(second),
                down_interval: None,
                down_after: second,
            },
            address: Some("2001:db8::7".parse().unwrap()),
            port: Some(80),
            via: Via::Vip,
            flap: Some(Flap { changes: 5, within: second, hold: second }),
        };
        let list = probes.into_iter().map(|probe| NamedCheck { name: probe.kind().to_owned(), check: check(probe) });
        Checks { pass: Pass::Any, list: list.collect() }
    }

    #[test]
    fn a_record_survives() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("not/yet/there");
        let mut store = FileStore::new(&state, Place::here().unwrap());
        assert_eq!(store.load().unwrap(), (Record::default(), Found::Absent));
        store.save(&record()).unwrap();
        store.save(&record()).unwrap();
        assert_eq!(store.load().unwrap(), (record(), Found::Read));
        fs::write(state.join("owned.json.new"), "what a crash left").unwrap();
        store.save(&record()).unwrap();
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn a_record_of_another_boot_or_namespace_is_void() {
        let dir = tempfile::tempdir().unwrap();
        let here = Place::here().unwrap();
        FileStore::new(dir.path(), here.clone()).save(&record()).unwrap();
        for place in [Place { boot_id: "other".into(), ..here.clone() }, Place { netns: here.netns + 1, ..here }] {
            assert_eq!(FileStore::new(dir.path(), place).load().unwrap(), (Record::default(), Found::Elsewhere));
        }
    }

    #[test]
    fn namespaces_that_take_turns_keep_what_they_own() {
        let dir = tempfile::tempdir().unwrap();
        let here = Place::here().unwrap();
        let mut first = FileStore::new(dir.path(), here.clone());
        first.save(&record()).unwrap();
        let mut other = FileStore::new(dir.path(), Place { netns: here.netns + 1, ..here.clone() });
        for _ in 0..2 {
            other.load().unwrap();
            assert_eq!(first.peek().unwrap(), (record(), None), "between loading and saving, too");
            other.save(&Record::default()).unwrap();
            assert_eq!(first.peek().unwrap(), (record(), None));
            assert_eq!(first.load().unwrap(), (record(), Found::Read));
            assert_eq!(other.load().unwrap(), (Record::default(), Found::Read));
            assert_eq!(first.load().unwrap(), (record(), Found::Read));
        }
        let rebooted = Place { boot_id: "other".into(), ..here };
        assert_eq!(FileStore::new(dir.path(), rebooted).load().unwrap().0, Record::default());
    }

    #[test]
    fn a_damaged_record_is_moved_away_and_a_newer_one_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = FileStore::new(dir.path(), Place::here().unwrap());
        for text in ["", "{\"version\":1,\"pl", "[]", "{\"version\":1}", "\0\0\0"] {
            fs::write(dir.path().join("owned.json"), text).unwrap();
            let (empty, damage) = store.peek().unwrap();
            assert!(empty == Record::default() && damage.is_some() && dir.path().join("owned.json").exists());
            let (found_record, found) = store.load().unwrap();
            assert_eq!(found_record, Record::default());
            assert!(matches!(found, Found::Damaged { .. }), "{text:?}: {found:?}");
            assert!(dir.path().join("owned.json.damaged").exists());
        }
        fs::write(dir.path().join("owned.json"), "{\"version\":2,\"new\":true}").unwrap();
        assert!(matches!(store.load(), Err(StoreError::Newer { found: 2, .. })));
        assert!(dir.path().join("owned.json").exists());
    }
}
