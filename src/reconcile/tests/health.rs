//! What health, drains and overrides make of the table, pass by pass, with a checker that says what it is told to.

use super::*;
use crate::model::{
    Check, Checks, Flap, Health, Initial, NamedCheck, OnDown, Override, Pass, Policy, Probe, Share, Timing, Via,
    WeightOverride,
};
use crate::reconcile::checker::{Assignments, CheckVerdict, Checker, Verdict, Verdicts};
use crate::reconcile::notice::{DrainEnd, Listener, Notice};
use crate::reconcile::overrides::OverrideSource;
use crate::reconcile::status::{Board, Status};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

const C: &str = "10.0.0.3:80";
const D: &str = "10.0.0.4:80";
const SORRY: &str = "10.0.0.99:80";

/// Says of everybody what it was told, and until then what it was seeded with.
#[derive(Default, Clone)]
struct Oracle(Rc<RefCell<Told>>);

#[derive(Default)]
struct Told {
    verdicts: BTreeMap<Of, Health>,
    /// Nothing bad was found of these.
    well: BTreeSet<Of>,
    assigned: Assignments,
    assignments: usize,
    /// The verdicts of which the loop knows.
    noted: BTreeMap<Of, Health>,
}

impl Checker for Oracle {
    fn assign(&mut self, assignments: &Assignments) {
        let everywhere = self.0.borrow().assigned.keys().map(|(service, _)| *service).collect();
        self.assign_part(&everywhere, assignments);
    }

    fn assign_part(&mut self, services: &BTreeSet<ServiceKey>, assignments: &Assignments) {
        let mut told = self.0.borrow_mut();
        told.assigned.retain(|(service, _), _| !services.contains(service));
        for (of, assignment) in assignments {
            told.assigned.insert(*of, assignment.clone());
            let seed = *told.verdicts.entry(*of).or_insert(assignment.seed);
            told.noted.entry(*of).or_insert(seed);
        }
        let Told { verdicts, assigned, noted, .. } = &mut *told;
        verdicts.retain(|of, _| assigned.contains_key(of));
        noted.retain(|of, _| assigned.contains_key(of));
        told.assignments += 1;
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        let everywhere = self.0.borrow().verdicts.keys().map(|(service, _)| *service).collect();
        self.verdicts_of(&everywhere)
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        let mut told = self.0.borrow_mut();
        let news = told.verdicts.iter().filter(|(of, health)| told.noted.get(of) != Some(health));
        let news = news.map(|((service, _), _)| *service).collect();
        told.noted = told.verdicts.clone();
        news
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        let since = Instant::now();
        let told = self.0.borrow();
        let verdict = |(of, health): (&Of, &Health)| {
            let reason = if *health == Health::Down { "tcp: connection refused".to_owned() } else { String::new() };
            let (name, kind, flapping, took) = ("web".to_owned(), "tcp", false, None);
            let found = if told.well.contains(of) { String::new() } else { reason.clone() };
            let check = CheckVerdict { name, kind, health: *health, reason: found, flapping, took };
            (*of, Verdict { health: *health, reason, since, checks: vec![check] })
        };
        let of = told.verdicts.iter().filter(|((service, _), _)| services.contains(service));
        let destinations = of.map(verdict).collect();
        Arc::new(Verdicts { destinations, trouble: Vec::new() })
    }
}

/// What was told, kept.
#[derive(Default, Clone)]
struct Heard(Rc<RefCell<(Vec<Notice>, Status, Overrides)>>);

impl Listener for Heard {
    fn notice(&mut self, notice: &Notice) {
        self.0.borrow_mut().0.push(notice.clone());
    }
}

impl Board for Heard {
    fn post(&mut self, status: Status) {
        self.0.borrow_mut().1 = status;
    }

    fn amend(&mut self, services: &BTreeSet<ServiceKey>, part: Status) {
        self.0.borrow_mut().1.put_part(services, part);
    }
}

struct Given(Heard, Overrides);

impl OverrideSource for Given {
    fn current(&mut self, unix: u64) -> &Overrides {
        self.1 = self.0.0.borrow().2.clone();
        self.1.expire(unix);
        &self.1
    }
}

/// A record that outlives the process; whether the disk is full, and whether it was at the last write.
#[derive(Default, Clone)]
struct Kept(Rc<RefCell<Record>>, Rc<Cell<bool>>, Rc<Cell<bool>>);

impl RecordStore for Kept {
    fn load(&mut self) -> Result<(Record, Found), StoreError> {
        Ok((self.0.borrow().clone(), Found::Read))
    }

    fn save(&mut self, record: &Record) -> Result<(), StoreError> {
        self.2.set(self.1.get());
        if self.1.get() {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::Io { doing: "write", path: PathBuf::from("/state"), source });
        }
        *self.0.borrow_mut() = record.clone();
        Ok(())
    }

    fn save_part(&mut self, record: &Record, _: &BTreeSet<ServiceKey>) -> Result<(), StoreError> {
        self.save(record)
    }

    fn is_behind(&self) -> bool {
        self.2.get()
    }
}

/// What comes, what was in force before the process, and how often something came into force.
#[derive(Default, Clone)]
struct News(Rc<RefCell<VecDeque<Config>>>, Rc<RefCell<Option<Desired>>>, Rc<Cell<usize>>);

impl ConfigSource for News {
    fn load(&mut self, _: bool) -> Config {
        self.0.borrow_mut().pop_front().unwrap_or(Config::Unchanged)
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn poll(&self) -> Option<Duration> {
        None
    }

    fn in_force(&mut self) {
        self.2.set(self.2.get() + 1);
    }

    fn recall(&mut self, _: &Record) -> Option<Box<Desired>> {
        self.1.borrow().clone().map(Box::new)
    }
}

/// What outlives a process, and the time, which the test moves.
#[derive(Clone)]
struct World {
    kernel: Shared,
    oracle: Oracle,
    heard: Heard,
    kept: Kept,
    host: Surroundings,
    news: News,
    start: Instant,
}

/// A process.
struct Process {
    world: World,
    looping: Loop<'static>,
    /// Milliseconds since the start of the world.
    now: u64,
    /// Seconds that the clock of the day was set forward.
    set: i64,
    /// How often something was due.
    passes: usize,
}

impl World {
    fn new() -> Self {
        // Not too near to the beginning of the clock.
        let start = Instant::now() + Duration::from_secs(10_000);
        let (kernel, oracle, heard) = (Shared::default(), Oracle::default(), Heard::default());
        Self {
            kernel,
            oracle,
            heard,
            kept: Kept::default(),
            host: Surroundings::default(),
            news: News::default(),
            start,
        }
    }

    fn moment(&self, ms: u64) -> Now {
        Now { at: self.start + Duration::from_millis(ms), unix: UNIX + ms / 1000 }
    }

    /// Starts a process, which makes its first pass.
    fn begin(&self, desired: &Desired, now: u64) -> Process {
        self.oracle.0.borrow_mut().verdicts.clear();
        let company = Company {
            source: Box::leak(Box::new(self.news.clone())),
            store: Box::leak(Box::new(self.kept.clone())),
            overrides: Box::leak(Box::new(Given(self.heard.clone(), Overrides::default()))),
            checker: Box::leak(Box::new(self.oracle.clone())),
            listener: Box::leak(Box::new(self.heard.clone())),
            host: Box::leak(Box::new(self.host.clone())),
            board: Box::leak(Box::new(self.heard.clone())),
        };
        let record = self.kept.0.borrow().clone();
        let ipvs = Box::leak(Box::new(self.kernel.clone()));
        let looping = Loop::new(ipvs, company, (desired.clone(), record), self.moment(now));
        let mut process = Process { world: self.clone(), looping, now, set: 0, passes: 0 };
        process.pass(Why { start: true, ..Why::default() });
        process
    }

    fn weights(&self, service: &str) -> Vec<(String, u32)> {
        let mut fake = self.kernel.0.borrow_mut();
        let found = fake.table().get(&key(service)).map(|live| live.to_service().destinations).unwrap_or_default();
        found.into_iter().map(|(key, settings)| (key.to_string(), settings.weight)).collect()
    }

    fn weight_of(&self, at: &str) -> Option<u32> {
        self.weights(WEB).into_iter().find(|(key, _)| key == at).map(|(_, weight)| weight)
    }

    /// So many connections are at the destination from now on.
    fn connections(&self, service: &str, at: &str, count: u32) {
        let mut fake = self.kernel.0.borrow_mut();
        let live = fake.table().get_mut(&key(service)).unwrap().destinations.get_mut(&destination(at)).unwrap();
        live.active_connections = count;
    }

    /// The checks find this of a destination, and nobody was told yet.
    fn find(&self, service: &str, at: &str, health: Health) {
        self.oracle.0.borrow_mut().verdicts.insert((key(service), destination(at)), health);
    }

    fn give(&self, at: &str, given: Override) {
        self.heard.0.borrow_mut().2.set(key(WEB), destination(at), given);
    }

    fn sent(&self) -> Vec<String> {
        let log = self.kernel.0.borrow_mut().take_log();
        log.into_iter().map(|done| crate::plan::render::operation_line(&done.operation)).collect()
    }

    fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.heard.0.borrow_mut().0)
    }

    fn status(&self) -> Status {
        self.heard.0.borrow().1.clone()
    }
}

impl Process {
    fn moment(&self) -> Now {
        let Now { at, unix } = self.world.moment(self.now);
        Now { at, unix: unix.checked_add_signed(self.set).unwrap() }
    }

    fn pass(&mut self, why: Why) {
        let now = self.moment();
        self.looping.tick(why, &|| now);
    }

    /// Lets time go by; everything that is due is done at its time.
    fn wait(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let now = self.moment();
            let idle = u64::try_from(self.looping.idle(now.at).as_nanos().div_ceil(1_000_000)).unwrap();
            if self.now + idle > end {
                break;
            }
            self.now += idle;
            let now = self.moment();
            self.passes += 1;
            assert!(self.passes < 100_000, "it spins");
            self.looping.turn(&|| now);
        }
        self.now = end;
    }

    fn configure(&mut self, desired: &Desired) {
        self.world.news.0.borrow_mut().push_back(Config::New(Box::new(desired.clone())));
        self.pass(Why { files: true, ..Why::default() });
    }

    /// The checks find a change.
    fn found(&mut self, changes: &[(&str, Health)]) {
        for (at, health) in changes {
            self.world.find(WEB, at, *health);
        }
        self.pass(Why { health: true, ..Why::default() });
    }
}

fn check() -> Check {
    Check {
        probe: Probe::Tcp { send: None, expect: None },
        timing: Timing {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            jitter: 0,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        },
        address: None,
        port: None,
        via: Via::Destination,
        flap: None::<Flap>,
    }
}

fn shared(check: Check) -> SharedChecks {
    Arc::new(Checks { pass: Pass::All, list: vec![NamedCheck { name: "web".into(), check }] })
}

/// A service whose destinations all have a check.
fn checked(of: &[(&str, u32)], policy: Policy) -> Desired {
    let mut desired = desired(&[(WEB, of)]);
    let checks = of.iter().map(|(at, _)| (destination(at), shared(check()))).collect();
    desired.policies.insert(key(WEB), Policy { checks, ..policy });
    desired
}

fn plain() -> Policy {
    Policy::new(Duration::from_secs(300))
}

fn pairs(of: &[(&str, u32)]) -> Vec<(String, u32)> {
    of.iter().map(|(key, weight)| ((*key).to_owned(), *weight)).collect()
}

/// A process with `of`, all of which are up.
fn up(world: &World, desired: &Desired, of: &[&str]) -> Process {
    let mut process = world.begin(desired, 0);
    process.found(&of.iter().map(|at| (*at, Health::Up)).collect::<Vec<_>>());
    process.wait(60_000);
    world.sent();
    world.notices();
    process
}

mod containers;
mod cuts;
mod deadlines;
mod drains;
mod forced;
mod parts;
mod ramps;
mod refusals;
mod surroundings;
mod verdicts;
