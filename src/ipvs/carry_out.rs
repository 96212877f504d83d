//! Carrying operations out, and taking what is already so for done.
//!
//! What the table looks like may have changed since the operations were planned. A delete of what is gone, and
//! an add of what exists (read, and edited if it differs) have got what they wanted: that is convergence.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Ipvs, Refusal};
use crate::model::{LiveService, ServiceKey};
use crate::plan::Operation;

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel carried it out.
    Done,
    /// It was so already: what was to be deleted was gone, or what was to be added existed, and was edited
    /// where it differed.
    Converged,
    /// The kernel refused it.
    Failed(Refusal),
    /// It could not work, since the operation at index `because`, on its service, failed.
    Skipped { because: usize },
}

/// Carries the operations out, in order, and says for each of them, in the same order, what became of it. One that
/// fails stops no other.
///
/// # Errors
///
/// As [`Ipvs::execute`]: it is not known then what was carried out. Read again.
pub fn carry_out(ipvs: &mut dyn Ipvs, operations: &[&Operation]) -> Result<Vec<Outcome>, Error> {
    let results = ipvs.execute(operations)?;
    if results.len() != operations.len() {
        return Err(Error::Protocol(format!("{} results for {} operations", results.len(), operations.len())));
    }
    let mut outcomes = Vec::with_capacity(operations.len());
    // The services that are known to be missing, and the operation that says so.
    let mut missing: BTreeMap<&ServiceKey, usize> = BTreeMap::new();
    let mut existing = Vec::new();
    for (index, (operation, result)) in operations.iter().zip(results).enumerate() {
        let service = operation.service();
        let outcome = match result {
            Ok(()) => {
                missing.remove(service);
                Outcome::Done
            }
            Err(refusal) if refusal.is_converged(operation) => Outcome::Converged,
            Err(refusal) if operation.destination().is_some() && refusal.errno == super::Errno::SRCH => {
                match missing.get(service) {
                    Some(because) => Outcome::Skipped { because: *because },
                    None => Outcome::Failed(refusal),
                }
            }
            Err(refusal) => {
                if refusal.already_exists(operation) {
                    existing.push(index);
                } else if operation.destination().is_none() {
                    missing.insert(service, index);
                }
                Outcome::Failed(refusal)
            }
        };
        outcomes.push(outcome);
    }
    converge(ipvs, operations, &existing, &mut outcomes)?;
    Ok(outcomes)
}

/// Reads what was to be added and exists already, and edits it where it differs.
fn converge(
    ipvs: &mut dyn Ipvs,
    operations: &[&Operation],
    existing: &[usize],
    outcomes: &mut [Outcome],
) -> Result<(), Error> {
    if existing.is_empty() {
        return Ok(());
    }
    let asked = || existing.iter().filter_map(|index| Some((*index, *operations.get(*index)?)));
    let keys: BTreeSet<ServiceKey> = asked().map(|(_, operation)| *operation.service()).collect();
    let live = ipvs.read_services(&keys.into_iter().collect::<Vec<_>>())?;
    let mut edits = Vec::new();
    for (index, operation) in asked() {
        match difference(operation, &live) {
            Difference::None => outcomes[index] = Outcome::Converged,
            Difference::Edit(edit) => edits.push((index, edit)),
            // It is gone again: the refusal stands, and the next pass sees the truth.
            Difference::Gone => {}
        }
    }
    let results = ipvs.execute(&edits.iter().map(|(_, edit)| edit).collect::<Vec<_>>())?;
    for ((index, _), result) in edits.iter().zip(results) {
        outcomes[*index] = match result {
            Ok(()) => Outcome::Converged,
            Err(refusal) => Outcome::Failed(refusal),
        };
    }
    Ok(())
}

enum Difference {
    None,
    Edit(Operation),
    Gone,
}

/// How what exists differs from what `add` wanted.
fn difference(add: &Operation, live: &BTreeMap<ServiceKey, LiveService>) -> Difference {
    let Some(found) = live.get(add.service()) else {
        return Difference::Gone;
    };
    match add {
        Operation::AddService { settings, .. } if *settings == found.settings => Difference::None,
        Operation::AddService { service, settings } => Difference::Edit(Operation::EditService {
            service: *service,
            from: found.settings.clone(),
            to: settings.clone(),
        }),
        Operation::AddDestination { service, destination, settings } => match found.destinations.get(destination) {
            None => Difference::Gone,
            Some(found) if *settings == found.settings => Difference::None,
            Some(found) => Difference::Edit(Operation::EditDestination {
                service: *service,
                destination: *destination,
                from: found.settings,
                to: *settings,
            }),
        },
        Operation::EditService { .. }
        | Operation::EditDestination { .. }
        | Operation::DeleteService { .. }
        | Operation::DeleteDestination { .. } => Difference::None,
    }
}
