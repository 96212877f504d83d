//! A daemon's loop in a thread, with a kernel that is fake, checks that say what they are told to, and a clock that is real.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ipvsd::ipvs::{Error, Fake, Info, Ipvs, KernelSettings, Refusal, Setting};
use ipvsd::model::{
    Check, Checks, Desired, DestinationKey, DestinationSettings, Footing, Forward, Health, HostKey, HostValue, Live,
    LiveService, NamedCheck, Override, Overrides, Policy, Probe, Record, Scheduler, Service, ServiceFlags, ServiceKey,
    ServiceOrigin, ServiceSettings, SharedChecks, Timing, Via, WeightOverride,
};
use ipvsd::plan::Operation;
use ipvsd::reconcile::{
    Assignments, Board, Checker, Company, Config, ConfigSource, Event, FileStore, Host, Loop, Now, OverrideSource,
    Place, Status, Verdict, Verdicts,
};

/// What happens.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Verdict,
    Override,
    Edit,
}

impl Change {
    pub const ALL: [Self; 3] = [Self::Verdict, Self::Override, Self::Edit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Verdict => "one health flip",
            Self::Override => "one weight override",
            Self::Edit => "one edited weight, without reading the file",
        }
    }

    /// What it is to cost at most in the largest table, of what it costs in the smallest. Two configurations are compared
    /// whole, so an edit grows with them; it is measured against reading the file.
    pub fn reach(self) -> Option<f64> {
        match self {
            Self::Verdict | Self::Override => Some(2.0),
            Self::Edit => None,
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Verdict => Event::Health,
            Self::Override => Event::Overrides,
            Self::Edit => Event::Files,
        }
    }
}

/// What the loop's surroundings hold, for both sides.
struct Told {
    desired: Desired,
    health: BTreeMap<(ServiceKey, DestinationKey), Health>,
    changed: BTreeSet<ServiceKey>,
    overrides: Overrides,
    edited: bool,
    /// When the loop began to look at what the change is about.
    began: Option<Instant>,
    kernel: Fake,
}

/// See the module.
pub struct World {
    told: Arc<Mutex<Told>>,
    events: Sender<Event>,
    ended: Receiver<Instant>,
    at: (ServiceKey, DestinationKey),
    _state: tempfile::TempDir,
}

impl World {
    /// Starts a loop on a table of that size, and waits for its first pass.
    pub fn begin(services: u32, destinations: u8) -> anyhow::Result<Self> {
        let desired = desired(services, destinations)?;
        // In the middle of the table.
        let (service, found) = desired.table.services.iter().nth(services as usize / 2).context("no service")?;
        let at = (*service, *found.destinations.keys().next().context("no destination")?);
        let state = tempfile::tempdir()?;
        let mut store = FileStore::new(state.path(), Place::here()?);
        let told = Told {
            desired: desired.clone(),
            health: BTreeMap::new(),
            changed: BTreeSet::new(),
            overrides: Overrides::default(),
            edited: false,
            began: None,
            kernel: Fake::new(),
        };
        let told = Arc::new(Mutex::new(told));
        let (events, inbox) = channel();
        let (done, ended) = channel();
        let there = There(Arc::clone(&told));
        std::thread::spawn(move || {
            let mut board = Bell { done, there: there.clone() };
            let (mut source, mut checker, mut host) = (there.clone(), there.clone(), NoHost);
            let mut overrides = Given { there: there.clone(), held: Overrides::default() };
            let company = Company {
                source: &mut source,
                store: &mut store,
                overrides: &mut overrides,
                checker: &mut checker,
                listener: &mut (),
                host: &mut host,
                board: &mut board,
            };
            let mut ipvs = there.clone();
            let start = (desired, Record::default());
            Loop::new(&mut ipvs, company, start, Now::read()).run(&inbox, &Now::read);
        });
        let world = Self { told, events, ended, at, _state: state };
        world.wait()?;
        Ok(world)
    }

    fn wait(&self) -> anyhow::Result<Instant> {
        self.ended.recv_timeout(Duration::from_secs(60)).context("no pass within a minute")
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn weight(&self) -> Option<u32> {
        let (service, destination) = &self.at;
        let mut told = self.told();
        Some(told.kernel.table().get(service)?.destinations.get(destination)?.settings.weight)
    }

    /// Makes the change, and gives the time from the moment at which the loop looks to the moment at which all is said.
    pub fn make(&self, change: Change) -> anyhow::Result<Duration> {
        let (service, destination) = self.at;
        let before = self.weight();
        {
            let mut told = self.told();
            match change {
                Change::Verdict => {
                    let health = told.health.get_mut(&self.at).context("it is not checked")?;
                    *health = if *health == Health::Up { Health::Down } else { Health::Up };
                    told.changed.insert(service);
                }
                Change::Override => {
                    let weight = if told.overrides.services.is_empty() { 7 } else { 0 };
                    let weight = (weight > 0).then_some(WeightOverride { weight, since: 1, until: None });
                    told.overrides.set(service, destination, Override { weight, ..Override::default() });
                }
                Change::Edit => {
                    let services = &mut told.desired.table.services;
                    let edited = services.get_mut(&service).and_then(|of| of.destinations.get_mut(&destination));
                    let edited = edited.context("it is not configured")?;
                    edited.weight = if edited.weight == 5 { 10 } else { 5 };
                    told.edited = true;
                }
            }
            told.began = None;
        }
        self.events.send(change.event())?;
        let end = self.wait()?;
        ensure!(self.weight() != before, "the weight is what it was after {}", change.name());
        Ok(end - self.told().began.context("the loop has not looked")?)
    }
}

fn desired(services: u32, destinations: u8) -> anyhow::Result<Desired> {
    let mut desired = Desired::default();
    let second = Duration::from_secs(1);
    let timing = Timing {
        interval: second,
        timeout: second,
        rise: 2,
        fall: 3,
        jitter: 0,
        fast_interval: None,
        down_interval: None,
        down_after: second,
    };
    let probe = Probe::Tcp { send: None, expect: None };
    let check = Check { probe, timing, address: None, port: None, via: Via::Destination, flap: None };
    let list = vec![NamedCheck { name: "web".to_owned(), check }];
    let checks = SharedChecks::new(Checks { list, ..Checks::default() });
    for number in 0..services {
        let [.., high, low] = number.to_be_bytes();
        let key: ServiceKey = format!("tcp://10.255.{high}.{low}:80").parse()?;
        let settings =
            ServiceSettings { scheduler: Scheduler::new("wrr"), flags: ServiceFlags::default(), persistence: None };
        let mut service = Service { settings, destinations: BTreeMap::new() };
        let mut policy = Policy::new(Duration::ZERO);
        for last in 1..=destinations {
            let destination = format!("10.{high}.{low}.{last}:80").parse()?;
            let settings =
                DestinationSettings { forward: Forward::Nat, weight: 10, max_connections: 0, min_connections: 0 };
            service.destinations.insert(destination, settings);
            policy.checks.insert(destination, checks.clone());
        }
        desired.table.services.insert(key, service);
        desired.policies.insert(key, policy);
        let origin = ServiceOrigin {
            name: format!("service-{number}"),
            file: "ipvsd.toml".into(),
            line: 1,
            destinations: BTreeMap::new(),
        };
        desired.origins.insert(key, origin);
    }
    Ok(desired)
}

/// What the loop works with.
#[derive(Clone)]
struct There(Arc<Mutex<Told>>);

impl There {
    fn with<R>(&self, act: impl FnOnce(&mut Told) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begins(&self) {
        self.with(|told| _ = told.began.get_or_insert_with(Instant::now));
    }
}

impl ConfigSource for There {
    fn load(&mut self, _: bool) -> Config {
        let edited = self.with(|told| std::mem::take(&mut told.edited).then(|| Box::new(told.desired.clone())));
        self.begins();
        edited.map_or(Config::Unchanged, Config::New)
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn poll(&self) -> Option<Duration> {
        None
    }
}

struct Given {
    there: There,
    held: Overrides,
}

impl OverrideSource for Given {
    fn current(&mut self, _: u64) -> &Overrides {
        self.there.begins();
        self.held = self.there.with(|told| told.overrides.clone());
        &self.held
    }
}

impl Checker for There {
    fn assign(&mut self, assignments: &Assignments) {
        self.with(|told| told.health = assignments.keys().map(|of| (*of, Health::Up)).collect());
    }

    fn assign_part(&mut self, _: &BTreeSet<ServiceKey>, _: &Assignments) {}

    fn verdicts(&self) -> Arc<Verdicts> {
        let everywhere = self.with(|told| told.health.keys().map(|(service, _)| *service).collect());
        self.verdicts_of(&everywhere)
    }

    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts> {
        let since = Instant::now();
        self.with(|told| {
            let of = services.iter().flat_map(|service| {
                let from_here = told.health.range((*service, DestinationKey::FIRST)..);
                from_here.take_while(move |((of, _), _)| of == service)
            });
            let verdict = |health: &Health| {
                let reason = if *health == Health::Down { "tcp: connection refused".to_owned() } else { String::new() };
                Verdict { health: *health, reason, since, checks: Vec::new() }
            };
            let destinations = of.map(|(of, health)| (*of, verdict(health))).collect();
            Arc::new(Verdicts { destinations, trouble: Vec::new() })
        })
    }

    fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        self.with(|told| std::mem::take(&mut told.changed))
    }
}

impl Ipvs for There {
    fn info(&mut self) -> Result<Info, Error> {
        self.with(|told| told.kernel.info())
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.with(|told| told.kernel.read())
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.with(|told| told.kernel.read_services(keys))
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.with(|told| told.kernel.execute(operations))
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.with(|told| told.kernel.settings())
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.with(|told| told.kernel.set(setting))
    }
}

/// Tells that a pass has ended, and keeps the status as the daemon does.
struct Bell {
    done: Sender<Instant>,
    there: There,
}

impl Board for Bell {
    fn post(&mut self, _: Status) {
        self.ring();
    }

    fn amend(&mut self, _: &BTreeSet<ServiceKey>, _: Status) {
        self.ring();
    }
}

impl Bell {
    fn ring(&self) {
        self.there.with(|told| _ = told.kernel.take_log());
        // Nobody listens once the measuring is over.
        _ = self.done.send(Instant::now());
    }
}

struct NoHost;

impl Host for NoHost {
    fn look(&mut self, _: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, String> {
        Ok(BTreeMap::new())
    }

    fn set(&mut self, changes: &[(&HostKey, Option<&HostValue>)]) -> Vec<Result<(), String>> {
        changes.iter().map(|_| Ok(())).collect()
    }

    fn footing(&mut self, _: &str) -> Result<Option<Footing>, String> {
        Ok(None)
    }
}
