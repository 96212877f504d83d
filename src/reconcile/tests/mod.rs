//! Passes and the loop on the fake kernel.

mod concern;
mod health;
mod host;
mod looping;
mod narrating;
mod passes;
mod resting;
mod surroundings;
mod tallying;
mod telling;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::atomic::StoreError;
use super::checker::{Assignments, Checker, Verdicts};
use super::host::Ground;
use super::pass::{Hands, Options, PassError, Picture, Report, StepResult, Terms, pass};
use super::run::{Company, Config, ConfigSource, Loop};
use super::schedule::{Event, Now, Why};
use super::sight::Sight;
use super::status::Board;
use super::store::{Found, RecordStore};
use crate::ipvs::{Errno, Error, Fake, FakeInterface, Hidden, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{
    Desired, DestinationKey, DestinationSettings, Forward, Live, LiveDestination, LiveService, Manage, MaxDelete,
    Overrides, Record, Scheduler, Service, ServiceFlags, ServiceKey, ServiceSettings, SharedChecks, Stats, Table,
};
use crate::plan::{Cause, Note, Of, Operation, Plan, Step, Verb};
use surroundings::Surroundings;

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

    fn save_part(&mut self, record: &Record, _: &BTreeSet<ServiceKey>) -> Result<(), StoreError> {
        self.save(record)
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

/// A pass that goes by nothing but the configuration.
fn terms(desired: &Desired) -> Terms<'_> {
    Terms::plain(desired, UNIX)
}

/// When the tests begin, in seconds since 1970.
const UNIX: u64 = 1_000_000;

/// A fake kernel with what goes with it.
#[derive(Default)]
struct Scene {
    kernel: Fake,
    record: Record,
    store: Memory,
    host: Surroundings,
}

impl Scene {
    fn pass(&mut self, desired: &Desired) -> Report {
        self.try_pass(desired, false, None).unwrap()
    }

    fn try_pass(&mut self, desired: &Desired, force: bool, only: Option<&[Verb]>) -> Result<Report, PassError> {
        let options = Options { force, only, held: &|_| None, host_held: &|_| None };
        let ground = Ground { ipvs: &mut self.kernel, host: &mut self.host };
        let hands = Hands { ground, record: &mut self.record, store: &mut self.store };
        pass(hands, terms(desired), &mut Sight::Once { status: None }, &options)
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

/// A kernel that the test can reach while the loop has it, and how the next execution fails, if it does.
#[derive(Default, Clone)]
struct Shared(Rc<RefCell<Fake>>, Rc<RefCell<Option<Error>>>);

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
        match self.1.borrow_mut().take() {
            Some(error) => Err(error),
            None => self.0.borrow_mut().execute(operations),
        }
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.0.borrow_mut().settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.0.borrow_mut().set(setting)
    }
}

/// Configurations that come one after another.
#[derive(Default)]
struct Script {
    next: VecDeque<Config>,
    /// What was asked for by name.
    asked: BTreeSet<ServiceKey>,
    /// How often one that is good was read.
    reads: u32,
}

impl ConfigSource for Script {
    fn load(&mut self, _: bool) -> Config {
        let next = self.next.pop_front().unwrap_or(Config::Unchanged);
        self.reads += u32::from(matches!(next, Config::New(_)));
        next
    }

    fn changed(&mut self) -> bool {
        !self.next.is_empty()
    }

    fn poll(&self) -> Option<Duration> {
        None
    }

    fn asked(&self) -> BTreeSet<ServiceKey> {
        self.asked.clone()
    }

    fn fingerprint(&self) -> Option<String> {
        Some(format!("of read {}", self.reads))
    }
}

/// Nobody checks.
#[derive(Default)]
struct NoChecker;

impl Checker for NoChecker {
    fn assign(&mut self, _: &Assignments) {}

    fn assign_part(&mut self, _: &BTreeSet<ServiceKey>, _: &Assignments) {}

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::default()
    }

    fn verdicts_of(&self, _: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        Arc::default()
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        BTreeSet::new()
    }
}

/// All that a loop works with.
#[derive(Default)]
struct Players {
    ipvs: Shared,
    script: Script,
    store: Memory,
    checker: NoChecker,
    overrides: Overrides,
    host: Surroundings,
    nobody: ((), ()),
}

impl Players {
    fn looping(&mut self, desired: Desired, start: Instant) -> Loop<'_> {
        self.looping_with(None, desired, start)
    }

    fn looping_for<'a>(&'a mut self, board: &'a mut dyn Board, desired: Desired, start: Instant) -> Loop<'a> {
        self.looping_with(Some(board), desired, start)
    }

    fn looping_with<'a>(&'a mut self, to: Option<&'a mut dyn Board>, desired: Desired, start: Instant) -> Loop<'a> {
        let (listener, board) = &mut self.nobody;
        let board = to.unwrap_or(board);
        let company = Company {
            source: &mut self.script,
            store: &mut self.store,
            overrides: &mut self.overrides,
            checker: &mut self.checker,
            listener,
            host: &mut self.host,
            board,
        };
        Loop::new(&mut self.ipvs, company, (desired, Record::default()), moment(start))
    }
}

/// A moment of which the other clock does not matter.
fn moment(at: Instant) -> Now {
    Now { at, unix: UNIX }
}
