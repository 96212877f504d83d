//! What has changed of the ownership record since it was written whole.
//!
//! A pass over some services would else write all that is owned. So beside `owned.json` there is `owned.journal`: its first
//! line says to which record it belongs (each has a number of its own), and each further one holds services and what is owned
//! of them now. A line counts once its end is there. The next record that is written whole has another number, and what the
//! journal says is void.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::create;
use crate::model::{Record, ServiceKey};

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    of: u64,
}

/// Each further line.
#[derive(Serialize, Deserialize)]
struct Line {
    services: BTreeSet<ServiceKey>,
    left: Record,
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    length: u64,
}

/// Where the journal of a record lies.
pub(super) fn path(record: &Path) -> PathBuf {
    record.with_extension("journal")
}

impl Journal {
    /// Begins the journal of the record `of`, which lies at `record`. What was there goes.
    pub(super) fn begin(record: &Path, of: u64) -> io::Result<Self> {
        let path = path(record);
        let mut journal = Self { file: create(&path)?, length: 0 };
        journal.write(&Head { of })?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(journal)
    }

    /// Appends what is owned of these services. When it returns, that outlives a power cut. After an error, nothing may
    /// follow: the end of a line may be missing.
    pub(super) fn append(&mut self, services: &BTreeSet<ServiceKey>, record: &Record) -> io::Result<()> {
        self.write(&Line { services: services.clone(), left: record.part(services) })?;
        self.file.sync_data()
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// In bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// The lines of the journal beside `record`, or nothing if there is none.
pub(super) fn read(record: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path(record)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// Puts what `journal` says into the record `of`, if it is that one's. The last line may be half written.
///
/// # Errors
///
/// In words, if a line makes no sense; the record is as it was before that line then.
pub(super) fn replay(journal: &[u8], of: u64, record: &mut Record) -> Result<(), String> {
    let mut lines = journal.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let head: Option<Head> = lines.next().and_then(|line| serde_json::from_slice(line).ok());
    if head.is_none_or(|head| head.of != of) {
        return Ok(());
    }
    for (line, number) in lines.zip(2..) {
        let Line { services, left } =
            serde_json::from_slice(line).map_err(|error| format!("line {number} of its journal: {error}"))?;
        record.put_part(&services, left);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Helped, OwnedService};

    fn key(number: u8) -> ServiceKey {
        format!("tcp://192.0.2.{number}:80").parse().unwrap()
    }

    fn record(services: &[(u8, u64)]) -> Record {
        let owned = |drain| OwnedService { drain: Some(drain), ..OwnedService::default() };
        Record {
            services: services.iter().map(|(number, of)| (key(*number), owned(*of))).collect(),
            ..Record::default()
        }
    }

    #[test]
    fn what_was_appended_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owned.json");
        let mut journal = Journal::begin(&path, 7).unwrap();
        let mut last = record(&[(1, 1), (3, 3)]);
        let helped = Helped { service: key(1), destination: "10.0.0.1:80".parse().unwrap() };
        last.helpers.insert(9, helped);
        journal.append(&[key(1), key(2)].into(), &record(&[(1, 10), (2, 2)])).unwrap();
        journal.append(&[key(1), key(2)].into(), &last).unwrap();
        let bytes = read(&path).unwrap();
        assert_eq!(journal.length(), bytes.len() as u64);
        let before = record(&[(2, 20), (4, 4)]);
        let mut found = before.clone();
        replay(&bytes, 7, &mut found).unwrap();
        let want = Record { helpers: [(9, helped)].into(), ..record(&[(1, 1), (4, 4)]) };
        assert_eq!(found, want, "3 was none of its services");
        let mut other = before.clone();
        replay(&bytes, 8, &mut other).unwrap();
        assert_eq!(other, before, "it is another record's");
    }

    #[test]
    fn wherever_it_is_cut_off_whole_lines_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owned.json");
        let mut journal = Journal::begin(&path, 7).unwrap();
        let mut ends = vec![(journal.length(), Record::default())];
        for number in 1..4 {
            journal.append(&[key(number)].into(), &record(&[(number, 1)])).unwrap();
            let all: Vec<(u8, u64)> = (1..=number).map(|number| (number, 1)).collect();
            ends.push((journal.length(), record(&all)));
        }
        let bytes = read(&path).unwrap();
        for cut in 0..=bytes.len() {
            let mut found = Record::default();
            replay(&bytes[..cut], 7, &mut found).unwrap();
            let want = ends.iter().rev().find(|(end, _)| *end <= cut as u64).map(|(_, record)| record);
            assert_eq!(&found, want.unwrap_or(&Record::default()), "{cut}");
        }
        // Zeros, where a power cut came before the data.
        let mut found = Record::default();
        replay(&[&bytes[..], &[0; 100]].concat(), 7, &mut found).unwrap();
        assert_eq!(found, ends[3].1);
        let mut broken = bytes.clone();
        broken[ends[0].0 as usize + 3] = 0xff;
        assert!(replay(&broken, 7, &mut found).unwrap_err().starts_with("line 2 of its journal: "));
    }
}
