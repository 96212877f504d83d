//! Passes and the loop on the fake kernel.

mod looping;
mod narrating;
mod passes;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::atomic::StoreError;
use super::pass::{Options, PassError, Report, StepResult, pass};
use super::run::{Config, ConfigSource, Loop};
use super::schedule::{Event, Why};
use super::store::{Found, RecordStore};
use crate::ipvs::{Errno, Error, Fake, Hidden, Info, Ipvs, Refusal};
use crate::model::{
    Desired, DestinationKey, DestinationSettings, Forward, Live, LiveDestination, LiveService, Manage, MaxDelete,
    Record, Scheduler, Service, ServiceFlags, ServiceKey, ServiceSettings, Stats, Table,
};
use crate::plan::{Cause, Note, Operation, Plan, Step, Verb};

#[derive(Default)]
struct Memory {
    saved: Vec<Record>,
    broken: bool,
    behind: bool,
}

impl RecordStore for Memory {
    fn load(&mut self) -> Result<(Record, Found), StoreError> {
        Ok((self.saved.last().cloned().unwrap_or_default(), Found::Read))
    }

    fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        self.behind = self.broken;
        if self.broken {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Io { doing: "write", path: PathBuf::from("/state"), source });
        }
        self.saved.push(record.clone());
        Ok(())
    }

    fn is_behind(&self) -> bool {
        self.behind
    }
}

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn destination(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

fn weight(weight: u32) -> DestinationSettings {
    DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 }
}

fn service(destinations: &[(&str, u32)]) -> Service {
    Service {
        settings: ServiceSettings {
            scheduler: Scheduler::new("wrr"),
            flags: ServiceFlags::default(),
            persistence: None,
        },
        destinations: destinations.iter().map(|(address, of)| (destination(address), weight(*of))).collect(),
    }
}

fn desired(services: &[(&str, &[(&str, u32)])]) -> Desired {
    Desired {
        table: Table { services: services.iter().map(|(at, of)| (key(at), service(of))).collect() },
        origins: Default::default(),
        manage: Manage::Owned,
        max_delete: MaxDelete::Percent(100),
        resync: Duration::from_secs(30),
        state_dir: PathBuf::from("/state"),
        ..Desired::default()
    }
}

fn live(of: &Service) -> LiveService {
    LiveService {
        settings: of.settings.clone(),
        stats: Stats::default(),
        destinations: of
            .destinations
            .iter()
            .map(|(key, settings)| {
                let live = LiveDestination {
                    settings: *settings,
                    active_connections: 0,
                    inactive_connections: 0,
                    persistent_connections: 0,
                    stats: Stats::default(),
                };
                (*key, live)
            })
            .collect(),
    }
}

/// A fake kernel with what goes with it.
#[derive(Default)]
struct Scene {
    kernel: Fake,
    record: Record,
    store: Memory,
}

impl Scene {
    fn pass(&mut self, desired: &Desired) -> Report {
        self.try_pass(desired, false, None).unwrap()
    }

    fn try_pass(&mut self, desired: &Desired, force: bool, only: Option<&[Verb]>) -> Result<Report, PassError> {
        let options = Options { force, only, held: &|_| None };
        pass(&mut self.kernel, desired, &mut self.record, &mut self.store, &options)
    }

    fn foreign(&mut self, at: &str, of: &[(&str, u32)]) {
        self.kernel.table().insert(key(at), live(&service(of)));
    }

    fn table(&mut self) -> Table {
        Table { services: self.kernel.table().iter().map(|(key, live)| (*key, live.to_service())).collect() }
    }

    fn executed(&mut self) -> usize {
        self.kernel.take_log().len()
    }
}

const WEB: &str = "tcp://192.0.2.10:80";
const DNS: &str = "udp://192.0.2.10:53";
const A: &str = "10.0.0.1:80";
const B: &str = "10.0.0.2:80";

/// A kernel that the test can reach while the loop has it.
#[derive(Default, Clone)]
struct Shared(Rc<RefCell<Fake>>);

impl Ipvs for Shared {
    fn info(&mut self) -> Result<Info, Error> {
        self.0.borrow_mut().info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.0.borrow_mut().read()
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.0.borrow_mut().read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.0.borrow_mut().execute(operations)
    }
}
