//! One pass: from a look at the kernel to a table that is as it should be, or to what is in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::atomic::StoreError;
use super::carry;
use super::checker::Verdicts;
use super::host::{self, Ground, HostResult};
use super::ledger;
use super::notice::{DrainEnd, Notice};
use super::observe::{Inputs, Observed, observe};
use super::sight::Sight;
use super::status::DrainStatus;
use super::store::RecordStore;
use super::verify::verify;
use crate::ipvs::{Error, Refusal};
use crate::model::{Desired, DestinationKey, HostKey, LiveService, Overrides, Record, ServiceKey, SharedChecks};
use crate::plan::render;
use crate::plan::{self, Held, HostStep, NotAllowed, Note, Of, Operation, Overlaid, Plan, Step, TooManyDeletes, Verb};

/// What a pass may do.
pub struct Options<'a> {
    /// Go past `max_delete`.
    pub force: bool,
    /// Refuse a plan that holds any other kind of operation.
    pub only: Option<&'a [Verb]>,
    /// Whether an operation has to wait, because its object failed not long ago.
    pub held: &'a dyn Fn(&Operation) -> Option<Held>,
    /// The same for objects of the host.
    pub host_held: &'a dyn Fn(&HostKey) -> Option<Held>,
}

type Drains = BTreeMap<ServiceKey, BTreeMap<DestinationKey, DrainStatus>>;

/// Why a whole plan was refused. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    TooManyDeletes(#[from] TooManyDeletes),
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    Done,
    /// Somebody else had done it already.
    Converged,
    /// The kernel refused it.
    Failed(Refusal),
    /// It is quiesced, and will be deleted when its connections have ended, or so many seconds are over.
    Draining {
        connections: u64,
        seconds: u64,
    },
    /// It was not sent, or could not succeed, because of another step that failed (its index).
    Skipped {
        because: usize,
        reason: String,
    },
    /// The kernel took it, and shows something else when read back.
    Unverified(String),
}

impl StepResult {
    /// Whether the object is now as it should be.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Done | Self::Converged | Self::Draining { .. })
    }
}

impl fmt::Display for StepResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Converged => f.write_str("done already"),
            Self::Draining { connections, seconds } => {
                write!(f, "drains: {}", render::words::draining(*connections, *seconds))
            }
            Self::Failed(refusal) => write!(f, "{refusal}"),
            Self::Skipped { reason, .. } => write!(f, "skipped: {reason}"),
            Self::Unverified(found) => write!(f, "the kernel took it, but {found}"),
        }
    }
}

/// What a pass did.
#[derive(Debug)]
pub struct Report {
    /// Without the steps that wait; those are among its notes.
    pub plan: Plan,
    /// One for each step of the plan; empty if the plan was refused.
    pub results: Vec<StepResult>,
    /// One for each step of the plan's host; empty if the plan was refused.
    pub host_results: Vec<HostResult>,
    pub refused: Option<Refused>,
    /// Live entries that could not be understood, in words.
    pub unknown: Vec<String>,
    /// The ownership record could not be written. What was applied stands; what was added is not owned by
    /// the next process.
    pub store_error: Option<StoreError>,
    /// What happened to destinations and services.
    pub notices: Vec<Notice>,
    pub picture: Picture,
}

/// What a pass saw and left, for the status.
#[derive(Debug, Default)]
pub struct Picture {
    /// Of the services for which health or overrides matter.
    pub services: BTreeMap<ServiceKey, Overlaid>,
    pub verdicts: Arc<Verdicts>,
    pub drains: Vec<(Of, DrainStatus)>,
    /// The services of which checks can begin with the next pass: marks were made or mended that carry them.
    pub ready: BTreeSet<ServiceKey>,
    /// Nobody may take new connections of these before a first check, and what is to go does so until then.
    pub awaited: BTreeSet<ServiceKey>,
}

impl Report {
    /// The number of steps that left their object as it should be.
    pub fn changed(&self) -> usize {
        let host = self.host_results.iter().filter(|result| result.is_ok()).count();
        self.results.iter().filter(|result| result.is_ok()).count() + host
    }

    /// The number of steps that did not, and one more for a host that could not be looked at.
    pub fn failed(&self) -> usize {
        self.results.len() + self.host_results.len() - self.changed() + usize::from(self.plan.host.is_unknown())
    }

    /// Tells of the drains that have come to their end.
    fn drain_ends(&mut self, drains: &Drains, after: &BTreeMap<ServiceKey, LiveService>, desired: &Desired, unix: u64) {
        for (step, result) in self.plan.steps.iter().zip(&self.results) {
            let is_done = matches!(result, StepResult::Done | StepResult::Converged);
            if !is_done || step.operation.kind() != Verb::Delete {
                continue;
            }
            let service = *step.operation.service();
            let only = step.operation.destination();
            let gone = |destination: &&DestinationKey| {
                only.is_none_or(|only| only == *destination)
                    && !after.get(&service).is_some_and(|found| found.destinations.contains_key(*destination))
            };
            for (destination, drain) in drains.get(&service).into_iter().flatten().filter(|(key, _)| gone(key)) {
                let why = match drain.connections {
                    0 => DrainEnd::Idle,
                    _ if drain.until <= unix => DrainEnd::Deadline,
                    _ if step.leave.wait.is_none() => DrainEnd::Down,
                    _ => DrainEnd::Idle,
                };
                let connections = if why == DrainEnd::Idle { 0 } else { drain.connections };
                let name = desired.origins.get(&service).map(|origin| origin.name.clone());
                self.notices.push(Notice::DrainDone { service, name, destination: *destination, connections, why });
            }
        }
    }

    /// The services of which something failed, or is still to come: it waits, or is held back.
    pub fn unfinished(&self) -> BTreeSet<ServiceKey> {
        let failed = self.outcomes().filter(|(_, result)| !result.is_ok()).map(|(step, _)| *step.operation.service());
        let waits = |note: &&Note| matches!(note, Note::Waiting { .. } | Note::HeldBack { .. });
        failed.chain(self.plan.notes.iter().filter(waits).map(|note| *note.service())).collect()
    }

    /// Steps with their results.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Step, &StepResult)> {
        self.plan.steps.iter().zip(&self.results)
    }

    /// Steps on the host with their results.
    pub fn host_outcomes(&self) -> impl Iterator<Item = (&HostStep, &HostResult)> {
        self.plan.host.steps.iter().zip(&self.host_results)
    }
}

/// A pass that could not be made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    #[error("cannot read the live table: {0}")]
    Observe(#[source] Error),
    /// It is not known which operations were carried out; the next pass finds out.
    #[error("the kernel could not be talked to while {planned} operations were being applied: {source}")]
    Apply { planned: usize, source: Error },
}

/// What a pass works on, and with.
pub struct Hands<'a> {
    pub ground: Ground<'a>,
    /// What is owned, before and after.
    pub record: &'a mut Record,
    /// Keeps the record.
    pub store: &'a mut dyn RecordStore,
}

/// What a pass goes by, besides the kernel and the record.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub desired: &'a Desired,
    /// What operators set by hand; what has run out is not in it.
    pub overrides: &'a Overrides,
    /// The last checks of what is not desired any more.
    pub farewells: &'a BTreeMap<Of, SharedChecks>,
    /// Seconds since 1970.
    pub unix: u64,
    /// Put the settings of the host back to what they were before ipvsd set them.
    pub restore_host: bool,
    /// Entries that are owned and that this pass does not concern: `max_delete` is a share of all.
    pub elsewhere: usize,
    /// What goes of these services was asked for by name: it does not count for `max_delete`.
    pub asked: &'a BTreeSet<ServiceKey>,
}

impl<'a> Terms<'a> {
    /// Nothing but the configuration.
    pub fn plain(desired: &'a Desired, unix: u64) -> Self {
        static NO_OVERRIDES: Overrides = Overrides { services: BTreeMap::new() };
        static NO_FAREWELLS: BTreeMap<Of, SharedChecks> = BTreeMap::new();
        Self {
            desired,
            overrides: &NO_OVERRIDES,
            farewells: &NO_FAREWELLS,
            unix,
            restore_host: false,
            elsewhere: 0,
            asked: const { &BTreeSet::new() },
        }
    }
}

/// What is owned, while a pass changes it. A large one is not copied before there is something to change.
struct Book<'a> {
    before: &'a Record,
    changed: Option<Record>,
    store: &'a mut dyn RecordStore,
}

impl Book<'_> {
    fn now(&self) -> &Record {
        self.changed.as_ref().unwrap_or(self.before)
    }

    /// Keeps what is owned now, if it is something else or what was kept before was not written.
    fn keep(&mut self, changed: Option<Record>) -> Option<StoreError> {
        let is_news = changed.is_some();
        self.changed = changed.or(self.changed.take());
        if !is_news && !self.store.is_behind() {
            return None;
        }
        self.store.save(self.changed.as_ref().unwrap_or(self.before)).err()
    }
}

/// Makes one pass.
pub fn pass(
    hands: Hands<'_>,
    terms: Terms<'_>,
    sight: &mut Sight<'_>,
    options: &Options<'_>,
) -> Result<Report, PassError> {
    let Hands { ground, record, store } = hands;
    let before = std::mem::take(record);
    let mut book = Book { before: &before, changed: None, store };
    let result = pass_by(&mut book, ground, terms, sight, options);
    *record = book.changed.unwrap_or(before);
    result
}

fn pass_by(
    book: &mut Book<'_>,
    mut ground: Ground<'_>,
    terms: Terms<'_>,
    sight: &mut Sight<'_>,
    options: &Options<'_>,
) -> Result<Report, PassError> {
    let Terms { desired, overrides, farewells, unix, restore_host, elsewhere, asked } = terms;
    let inputs = Inputs { desired, record: book.before, overrides, farewells, unix, restore_host };
    let observed = observe(&mut ground, &inputs, sight).map_err(PassError::Observe)?;
    let Observed { live, effective, plan, host: seen, helpers, verdicts } = observed;
    let wanted = &effective.table;
    let mut report = Report {
        plan: Plan { owned: plan.owned + elsewhere, ..plan },
        results: Vec::new(),
        host_results: Vec::new(),
        refused: None,
        unknown: live.unknown.clone(),
        store_error: None,
        notices: Vec::new(),
        picture: Picture { services: effective.services.clone(), verdicts, ..Picture::default() },
    };
    report.plan.exempt(asked);
    let awaited = effective.services.iter().filter(|(_, overlaid)| overlaid.awaited);
    report.picture.awaited = awaited.map(|(key, _)| *key).collect();
    if let Err(refused) = permitted(&report.plan, desired, options) {
        report.refused = Some(refused);
        report.picture.drains = ledger::drains(&inputs, book.now(), &live.services);
        report.notices = sight.take_notices();
        return Ok(report);
    }
    report.plan = plan::hold(report.plan, &live, options.held);
    report.plan = plan::await_first_checks(report.plan, &effective.services);
    report.plan.host = report.plan.host.hold(options.host_held);

    // Owned before it exists: a crash in between must not leave an entry that nobody deletes. And a drain that begins has
    // its deadline before it is quiesced.
    let intended = ledger::with_intents(book.now(), &report.plan, &inputs, (&live, &helpers));
    report.store_error = book.keep(intended);

    let mut drains = Drains::new();
    for ((service, destination), drain) in ledger::drains(&inputs, book.now(), &live.services) {
        drains.entry(service).or_default().insert(destination, drain);
    }
    let planned = report.plan.steps.len() + report.plan.host.steps.len();
    let broken = |source| PassError::Apply { planned, source };
    report.host_results = host::before(&mut ground, &report.plan.host, &seen, restore_host).map_err(broken)?;
    report.results = carry::apply(ground.ipvs, &live, &report.plan.steps).map_err(broken)?;

    let touched: BTreeSet<ServiceKey> = report.plan.steps.iter().map(|step| *step.operation.service()).collect();
    let mut found = if touched.is_empty() {
        BTreeMap::new()
    } else {
        let keys: Vec<ServiceKey> = touched.iter().copied().collect();
        ground.ipvs.read_services(&keys).map_err(broken)?
    };
    for (step, result) in report.plan.steps.iter().zip(&mut report.results) {
        if matches!(result, StepResult::Done | StepResult::Converged)
            && let Err(found) = verify(&step.operation, found.get(step.operation.service()))
        {
            *result = StepResult::Unverified(found);
        }
    }

    // A mark whose helper was made or mended can carry checks from the next pass on.
    let helped_by = |service: &ServiceKey| match service {
        ServiceKey::Mark { family, mark } => {
            helpers.get(mark).map(|helped| helped.service).filter(|helped| helped.family() == *family)
        }
        ServiceKey::Address { .. } => None,
    };
    let ready = report.outcomes().filter(|(_, result)| result.is_ok());
    report.picture.ready = ready.filter_map(|(step, _)| helped_by(step.operation.service())).collect();

    let mut after = live.services;
    for key in touched {
        match found.remove(&key) {
            Some(service) => after.insert(key, service),
            None => after.remove(&key),
        };
    }
    report.notices = sight.take_notices();
    report.drain_ends(&drains, &after, desired, unix);
    host::keep_in_use(&mut report.plan.host, &mut report.host_results, &seen, &after);
    host::after(&mut ground, &report.plan.host, &mut report.host_results).map_err(broken)?;
    let owned = book.now();
    let mut left = ledger::left_behind(&after, wanted, owned, desired, &helpers);
    let of_host =
        host::left_behind(&mut ground, &report.plan.host, seen, (owned, restore_host), &mut report.host_results)
            .map_err(broken)?;
    if of_host != owned.host {
        left.get_or_insert_with(|| owned.clone()).host = of_host;
    }
    report.picture.drains = ledger::drains(&inputs, left.as_ref().unwrap_or(owned), &after);
    report.store_error = book.keep(left).or(report.store_error);
    Ok(report)
}

fn permitted(plan: &Plan, desired: &Desired, options: &Options<'_>) -> Result<(), Refused> {
    if let Some(only) = options.only {
        plan::only(plan, only)?;
    }
    if !options.force {
        plan::guard(plan, desired.max_delete)?;
    }
    Ok(())
}
