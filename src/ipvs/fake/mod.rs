//! The kernel's IPVS in memory: its rules, its errnos and its quirks, for tests that need no kernel.
//!
//! One conformance suite (`tests/kernel/conformance`) runs on this and on the real one, so that it
//! cannot lie. On top it can be told to fail in ways that a real kernel only does on a bad day.

mod rules;
mod settings;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use ipnet::IpNet;

use super::{Errno, Error, Info, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{
    DestinationKey, Live, LiveDestination, LiveService, Scheduler, ServiceKey, Stats, SyncRole, SyncSettings,
};
use crate::plan::Operation;
pub use settings::FakeInterface;
use settings::Settings;
pub use shared::SharedFake;

/// Something that another process does to the table.
type Hook = Box<dyn FnOnce(&mut BTreeMap<ServiceKey, LiveService>) + Send>;

/// An operation that reached the fake, and the errno that it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    pub operation: Operation,
    pub result: Result<(), Errno>,
}

/// What a torn dump leaves out ([`Fake::tear_next_read`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    Service(ServiceKey),
    Destination(ServiceKey, DestinationKey),
}

/// An IPVS in memory. See the methods for what it can be told.
pub struct Fake {
    services: BTreeMap<ServiceKey, LiveService>,
    unknown: Vec<String>,
    schedulers: BTreeSet<String>,
    engines: BTreeSet<String>,
    not_unicast: Vec<IpNet>,
    settings: Settings,
    thresholds_are_checked: bool,
    ticks_per_second: u32,
    refusals: BTreeMap<(ServiceKey, Option<DestinationKey>), Errno>,
    torn: VecDeque<Vec<Hidden>>,
    broken: VecDeque<(usize, Error)>,
    before_execute: VecDeque<Hook>,
    before_read: VecDeque<Hook>,
    log: Vec<Executed>,
    reads: usize,
}

impl Default for Fake {
    /// An empty table in Linux 6.12 with every scheduler.
    fn default() -> Self {
        Self {
            services: BTreeMap::new(),
            unknown: Vec::new(),
            schedulers: Scheduler::KNOWN.iter().map(|name| (*name).to_owned()).collect(),
            engines: BTreeSet::from(["sip".to_owned()]),
            not_unicast: Vec::new(),
            settings: Settings::default(),
            thresholds_are_checked: true,
            ticks_per_second: 250,
            refusals: BTreeMap::new(),
            torn: VecDeque::new(),
            broken: VecDeque::new(),
            before_execute: VecDeque::new(),
            before_read: VecDeque::new(),
            log: Vec::new(),
            reads: 0,
        }
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").field("services", &self.services).field("log", &self.log).finish_non_exhaustive()
    }
}

impl Fake {
    /// An empty table in Linux 6.12 with every scheduler.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a scheduler or a persistence engine away, as a kernel without its module.
    pub fn without_module(&mut self, name: &str) {
        self.schedulers.remove(name);
        self.engines.remove(name);
    }

    /// Gives a scheduler, as a module that was installed.
    pub fn with_scheduler(&mut self, name: &str) {
        self.schedulers.insert(name.to_owned());
    }

    /// New destinations within `prefix` answer EINVAL from now on, as the broadcast address of an interface does,
    /// and every address where no interface is up. (The kernel does not look for a route.)
    pub fn not_unicast(&mut self, prefix: IpNet) {
        self.not_unicast.push(prefix);
    }

    /// Gives an interface, on which a synchronisation daemon can be started; `lo` is there.
    pub fn with_interface(&mut self, name: &str, interface: FakeInterface) {
        self.settings.interfaces.insert(name.to_owned(), interface);
    }

    /// Takes an interface away. Daemons on it go on to run, for all that the kernel says.
    pub fn without_interface(&mut self, name: &str) {
        self.settings.interfaces.remove(name);
    }

    /// The synchronisation daemons, to change them behind everybody's back.
    pub fn daemons(&mut self) -> &mut BTreeMap<SyncRole, SyncSettings> {
        &mut self.settings.kept.sync
    }

    /// Upper thresholds over `i32::MAX` are taken without a word, as Linux 6.1 does.
    pub fn as_linux_6_1(&mut self) {
        self.thresholds_are_checked = false;
    }

    /// The service, or the destination of it, is refused with `errno` whatever the operation, until
    /// [`Fake::relent`].
    pub fn refuse(&mut self, service: ServiceKey, destination: Option<DestinationKey>, errno: Errno) {
        self.refusals.insert((service, destination), errno);
    }

    /// Ends all that [`Fake::refuse`] began.
    pub fn relent(&mut self) {
        self.refusals.clear();
    }

    /// The next call of any method fails as a whole. Calls queue up.
    pub fn fail_next(&mut self, error: Error) {
        self.fail_next_after(0, error);
    }

    /// As [`Fake::fail_next`]; if it is [`Ipvs::execute`] that fails, `operations` of them are carried out before.
    pub fn fail_next_after(&mut self, operations: usize, error: Error) {
        self.broken.push_back((operations, error));
    }

    /// The next [`Ipvs::read`] does not see these entries, though they are there. Single reads are
    /// exact all the same. Calls queue up.
    pub fn tear_next_read(&mut self, hidden: Vec<Hidden>) {
        self.torn.push_back(hidden);
    }

    /// The table, to change it behind everybody's back as another process would, or to set its counters.
    /// Nothing of it is checked or logged.
    pub fn table(&mut self) -> &mut BTreeMap<ServiceKey, LiveService> {
        &mut self.services
    }

    /// The entries that nobody understands, as [`Live::unknown`] shows them.
    pub fn unknown(&mut self) -> &mut Vec<String> {
        &mut self.unknown
    }

    /// Runs `hook` on the table right before the next [`Ipvs::execute`]. Calls queue up.
    pub fn before_next_execute(&mut self, hook: impl FnOnce(&mut BTreeMap<ServiceKey, LiveService>) + Send + 'static) {
        self.before_execute.push_back(Box::new(hook));
    }

    /// Runs `hook` on the table right before the next [`Ipvs::read`] or [`Ipvs::read_services`]. Calls queue up.
    pub fn before_next_read(&mut self, hook: impl FnOnce(&mut BTreeMap<ServiceKey, LiveService>) + Send + 'static) {
        self.before_read.push_back(Box::new(hook));
    }

    /// Every operation that reached the table, in order.
    pub fn log(&self) -> &[Executed] {
        &self.log
    }

    /// Takes the log, and leaves an empty one.
    pub fn take_log(&mut self) -> Vec<Executed> {
        std::mem::take(&mut self.log)
    }

    /// How many dumps of the whole table there were.
    pub fn reads(&self) -> usize {
        self.reads
    }

    /// The error that this call is to fail with.
    fn broken(&mut self) -> Result<(), Error> {
        self.broken.pop_front().map_or(Ok(()), |(_, error)| Err(error))
    }

    fn run_read_hook(&mut self) {
        if let Some(hook) = self.before_read.pop_front() {
            hook(&mut self.services);
        }
    }

    fn carry(&mut self, operation: &Operation) -> Result<(), Errno> {
        let operation = &rules::heard(operation);
        let key = (*operation.service(), operation.destination().copied());
        if let Some(errno) = self.refusals.get(&key) {
            return Err(*errno);
        }
        rules::check(self, operation)?;
        match operation {
            Operation::AddService { service, settings } => {
                let settings = rules::kept(service.family(), settings, self.ticks_per_second);
                let live = LiveService { settings, stats: Stats::default(), destinations: BTreeMap::new() };
                self.services.insert(*service, live);
            }
            Operation::EditService { service, to, .. } => {
                let live = self.services.get_mut(service).ok_or(Errno::SRCH)?;
                live.settings = rules::kept(service.family(), to, self.ticks_per_second);
            }
            Operation::DeleteService { service, .. } => {
                self.services.remove(service).ok_or(Errno::SRCH)?;
            }
            Operation::AddDestination { service, destination, settings } => {
                let live = self.services.get_mut(service).ok_or(Errno::SRCH)?;
                let new = LiveDestination {
                    settings: *settings,
                    active_connections: 0,
                    inactive_connections: 0,
                    persistent_connections: 0,
                    stats: Stats::default(),
                };
                live.destinations.insert(*destination, new);
            }
            Operation::EditDestination { service, destination, to, .. } => {
                let live = self.services.get_mut(service).ok_or(Errno::SRCH)?;
                live.destinations.get_mut(destination).ok_or(Errno::NOENT)?.settings = *to;
            }
            Operation::DeleteDestination { service, destination, .. } => {
                let live = self.services.get_mut(service).ok_or(Errno::SRCH)?;
                live.destinations.remove(destination).ok_or(Errno::NOENT)?;
            }
        }
        Ok(())
    }
}

impl Ipvs for Fake {
    fn info(&mut self) -> Result<Info, Error> {
        self.broken()?;
        Ok(Info { version: (1, 2, 1), table_size: 4096 })
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.run_read_hook();
        self.reads += 1;
        self.broken()?;
        let mut services = self.services.clone();
        for hidden in self.torn.pop_front().unwrap_or_default() {
            match hidden {
                Hidden::Service(service) => drop(services.remove(&service)),
                Hidden::Destination(service, destination) => {
                    services.get_mut(&service).and_then(|service| service.destinations.remove(&destination));
                }
            }
        }
        Ok(Live { services, unknown: self.unknown.clone() })
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.run_read_hook();
        self.broken()?;
        Ok(keys.iter().filter_map(|key| Some((*key, self.services.get(key)?.clone()))).collect())
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(hook) = self.before_execute.pop_front() {
            hook(&mut self.services);
        }
        let broken = self.broken.pop_front();
        let until = broken.as_ref().map_or(operations.len(), |(until, _)| *until);
        let mut results = Vec::with_capacity(operations.len());
        for operation in operations.iter().take(until) {
            let result = self.carry(operation);
            self.log.push(Executed { operation: (*operation).clone(), result });
            results.push(result.map_err(|errno| Refusal::new(operation, errno, None)));
        }
        match broken {
            Some((_, error)) => Err(error),
            None => Ok(results),
        }
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.broken()?;
        Ok(self.settings.kept.clone())
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.broken()?;
        let mixed = |(service, live): (&ServiceKey, &LiveService)| {
            live.destinations.keys().any(|destination| destination.family() != service.family())
        };
        let has_mixed_families = self.services.iter().any(mixed);
        Ok(self.settings.set(setting, self.ticks_per_second, has_mixed_families))
    }
}
