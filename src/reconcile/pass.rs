//! One pass: from a look at the kernel to a table that is as it should be, or to what is in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::atomic::StoreError;
use super::observe::{Observed, observe};
use super::store::RecordStore;
use crate::ipvs::{self, Error, Ipvs, Outcome, Refusal};
use crate::model::{Desired, LiveService, OwnedService, Record, ServiceKey, Table};
use crate::plan::render::{self, Attribute};
use crate::plan::{self, Held, NotAllowed, Operation, Plan, Stage, Step, TooManyDeletes, Verb};

/// What a pass may do.
pub struct Options<'a> {
    /// Go past `max_delete`.
    pub force: bool,
    /// Refuse a plan that holds any other kind of operation.
    pub only: Option<&'a [Verb]>,
    /// Whether an operation has to wait, because its object failed not long ago.
    pub held: &'a dyn Fn(&Operation) -> Option<Held>,
}

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
        matches!(self, Self::Done | Self::Converged)
    }
}

impl fmt::Display for StepResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Converged => f.write_str("done already"),
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
    pub refused: Option<Refused>,
    /// Live entries that could not be understood, in words.
    pub unknown: Vec<String>,
    /// The ownership record could not be written. What was applied stands; what was added is not owned by
    /// the next process.
    pub store_error: Option<StoreError>,
}

impl Report {
    /// The number of steps that left their object as it should be.
    pub fn changed(&self) -> usize {
        self.results.iter().filter(|result| result.is_ok()).count()
    }

    /// The number of steps that did not.
    pub fn failed(&self) -> usize {
        self.results.len() - self.changed()
    }

    /// Steps with their results.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Step, &StepResult)> {
        self.plan.steps.iter().zip(&self.results)
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

/// Makes one pass. `record` is what is owned, before and after; `store` keeps it.
pub fn pass(
    ipvs: &mut dyn Ipvs,
    desired: &Desired,
    record: &mut Record,
    store: &mut dyn RecordStore,
    options: &Options<'_>,
) -> Result<Report, PassError> {
    let Observed { live, plan, unknown } = observe(ipvs, desired, record).map_err(PassError::Observe)?;
    let mut report = Report { plan, results: Vec::new(), refused: None, unknown, store_error: None };
    if let Err(refused) = permitted(&report.plan, desired, options) {
        report.refused = Some(refused);
        return Ok(report);
    }
    report.plan = plan::hold(report.plan, &live, options.held);

    // Owned before it exists: a crash in between must not leave an entry that nobody deletes.
    let intended = with_intents(record, &report.plan);
    if intended != *record || store.is_behind() {
        *record = intended;
        report.store_error = store.save(record).err();
    }

    let planned = report.plan.steps.len();
    let results = apply(ipvs, &live, &report.plan.steps).map_err(|source| PassError::Apply { planned, source })?;
    report.results = results;

    let touched: BTreeSet<ServiceKey> = report.plan.steps.iter().map(|step| *step.operation.service()).collect();
    let found = if touched.is_empty() {
        BTreeMap::new()
    } else {
        let keys: Vec<ServiceKey> = touched.iter().copied().collect();
        ipvs.read_services(&keys).map_err(|source| PassError::Apply { planned, source })?
    };
    for (step, result) in report.plan.steps.iter().zip(&mut report.results) {
        if result.is_ok()
            && let Err(found) = verify(&step.operation, found.get(step.operation.service()))
        {
            *result = StepResult::Unverified(found);
        }
    }

    let mut after = live;
    for key in touched {
        match found.get(&key) {
            Some(service) => after.services.insert(key, service.to_service()),
            None => after.services.remove(&key),
        };
    }
    let left = left_behind(&after, &desired.table, record);
    if left != *record || store.is_behind() {
        *record = left;
        report.store_error = store.save(record).err();
    }
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

/// Applies the steps in two goes: what gives a service weight first, and only then, knowing what became of
/// that, what takes weight away.
fn apply(ipvs: &mut dyn Ipvs, live: &Table, steps: &[Step]) -> Result<Vec<StepResult>, Error> {
    let mut results = vec![StepResult::Done; steps.len()];
    let (first, second): (Vec<usize>, Vec<usize>) =
        (0..steps.len()).partition(|step| steps[*step].operation.stage() == Stage::Raise);
    send(ipvs, steps, &first, &mut results)?;

    let failed: BTreeSet<usize> = first.iter().copied().filter(|step| !results[*step].is_ok()).collect();
    for skip in plan::held_back(live, steps, &failed) {
        // Depending on a failed step is what the first go has seen for itself.
        if results[skip.step].is_ok() {
            results[skip.step] = StepResult::Skipped { because: skip.because, reason: skip.reason.as_str().to_owned() };
        }
    }
    let second: Vec<usize> = second.into_iter().filter(|step| results[*step].is_ok()).collect();
    send(ipvs, steps, &second, &mut results)?;
    Ok(results)
}

fn send(ipvs: &mut dyn Ipvs, steps: &[Step], chosen: &[usize], results: &mut [StepResult]) -> Result<(), Error> {
    if chosen.is_empty() {
        return Ok(());
    }
    let operations: Vec<&Operation> = chosen.iter().map(|step| &steps[*step].operation).collect();
    for (step, outcome) in chosen.iter().zip(ipvs::carry_out(ipvs, &operations)?) {
        results[*step] = match outcome {
            Outcome::Done => StepResult::Done,
            Outcome::Converged => StepResult::Converged,
            Outcome::Failed(refusal) => StepResult::Failed(refusal),
            Outcome::Skipped { because } => {
                let because = chosen[because];
                let reason = format!("its service could not be added ({})", results[because]);
                StepResult::Skipped { because, reason }
            }
        };
    }
    Ok(())
}

/// Whether what was read back is what the operation asked for, or in words what it is instead.
fn verify(operation: &Operation, found: Option<&LiveService>) -> Result<(), String> {
    let destination = operation.destination().map(|key| found.and_then(|service| service.destinations.get(key)));
    match operation {
        Operation::AddService { settings, .. } | Operation::EditService { to: settings, .. } => match found {
            None => Err("the service is not there".to_owned()),
            Some(service) if service.settings == *settings => Ok(()),
            Some(service) => Err(shows(&render::service_changes(settings, &service.settings))),
        },
        Operation::DeleteService { .. } => match found {
            None => Ok(()),
            Some(_) => Err("the service is still there".to_owned()),
        },
        Operation::AddDestination { settings, .. } | Operation::EditDestination { to: settings, .. } => {
            match destination.flatten() {
                None => Err("the destination is not there".to_owned()),
                Some(found) if found.settings == *settings => Ok(()),
                Some(found) => Err(shows(&render::destination_changes(settings, &found.settings))),
            }
        }
        Operation::DeleteDestination { .. } => match destination.flatten() {
            None => Ok(()),
            Some(_) => Err("the destination is still there".to_owned()),
        },
    }
}

/// The attributes that are otherwise than they were asked for.
fn shows(differences: &[Attribute]) -> String {
    let words: Vec<String> =
        differences.iter().map(|Attribute { name, from, to }| format!("{name} is {to}, not {from}")).collect();
    words.join(", ")
}

/// The record with all that the plan is going to add.
fn with_intents(record: &Record, plan: &Plan) -> Record {
    let mut record = record.clone();
    for step in &plan.steps {
        match &step.operation {
            Operation::AddService { service, .. } => {
                record.services.entry(*service).or_default();
            }
            Operation::AddDestination { service, destination, .. } => {
                record.services.entry(*service).or_default().destinations.entry(*destination).or_insert(None);
            }
            Operation::EditService { .. }
            | Operation::DeleteService { .. }
            | Operation::EditDestination { .. }
            | Operation::DeleteDestination { .. } => {}
        }
    }
    record
}

/// What is owned after a pass that left `live`: what is wanted and there, adopted or added, and what was owned
/// before and is still there.
fn left_behind(live: &Table, wanted: &Table, before: &Record) -> Record {
    let mut record = Record::default();
    for (key, service) in &live.services {
        let (wanted, before) = (wanted.services.get(key), before.services.get(key));
        if wanted.is_none() && before.is_none() {
            continue;
        }
        let destinations = service
            .destinations
            .iter()
            .filter(|(destination, _)| {
                wanted.is_some_and(|service| service.destinations.contains_key(destination))
                    || before.is_some_and(|owned| owned.destinations.contains_key(destination))
            })
            .map(|(destination, settings)| (*destination, Some(*settings)))
            .collect();
        record.services.insert(*key, OwnedService { left: Some(service.settings.clone()), destinations });
    }
    record
}
