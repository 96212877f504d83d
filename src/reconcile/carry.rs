//! Carrying a plan out: what gives weight first, then what takes it, then what is to go.

use std::collections::{BTreeMap, BTreeSet};

use super::pass::StepResult;
use crate::ipvs::{self, Error, Ipvs, Outcome, Refusal};
use crate::model::{DestinationKey, DestinationSettings, Live, LiveDestination, LiveService, ServiceKey};
use crate::plan::{self, Operation, Stage, Step};

/// Applies the steps in three goes: what gives a service weight first; then, knowing what became of that, what takes weight
/// away, which quiesces what is deleted and has to wait; and at last, of that, what has no connections.
pub(super) fn apply(ipvs: &mut dyn Ipvs, live: &Live, steps: &[Step]) -> Result<Vec<StepResult>, Error> {
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
    let (lowerings, deletes): (Vec<usize>, Vec<usize>) =
        second.into_iter().partition(|step| steps[*step].operation.stage() == Stage::Lower);
    send(ipvs, steps, &lowerings, &mut results)?;

    let waiting: Vec<usize> = deletes.iter().copied().filter(|step| steps[*step].leave.wait.is_some()).collect();
    if !waiting.is_empty() {
        let refusals = quiesce(ipvs, &live.services, steps, &waiting)?;
        let keys: BTreeSet<ServiceKey> = waiting.iter().map(|step| *steps[*step].operation.service()).collect();
        let found = ipvs.read_services(&keys.into_iter().collect::<Vec<_>>())?;
        for index in waiting {
            if let Some(result) = still_there(&steps[index], &found, &refusals) {
                results[index] = result;
            }
        }
    }
    let deletes: Vec<usize> = deletes.into_iter().filter(|step| results[*step] == StepResult::Done).collect();
    send(ipvs, steps, &deletes, &mut results)?;
    Ok(results)
}

/// What could not be quiesced, and why.
type Refusals = BTreeMap<(ServiceKey, DestinationKey), Refusal>;

/// The destinations that a delete takes away.
fn going<'a>(
    step: &'a Step,
    services: &'a BTreeMap<ServiceKey, LiveService>,
) -> impl Iterator<Item = (&'a DestinationKey, &'a LiveDestination)> {
    let found = services.get(step.operation.service()).map(|service| service.destinations.iter());
    let only = step.operation.destination();
    found.into_iter().flatten().filter(move |(key, _)| only.is_none_or(|only| only == *key))
}

fn quiesce(
    ipvs: &mut dyn Ipvs,
    live: &BTreeMap<ServiceKey, LiveService>,
    steps: &[Step],
    waiting: &[usize],
) -> Result<Refusals, Error> {
    let mut edits = Vec::new();
    for step in waiting.iter().map(|index| &steps[*index]) {
        for (destination, found) in going(step, live).filter(|(_, found)| found.settings.weight > 0) {
            let from = found.settings;
            let to = DestinationSettings { weight: 0, ..from };
            let (service, destination) = (*step.operation.service(), *destination);
            edits.push(Operation::EditDestination { service, destination, from, to });
        }
    }
    let outcomes = ipvs::carry_out(ipvs, &edits.iter().collect::<Vec<_>>())?;
    let refused = edits.iter().zip(outcomes).filter_map(|(edit, outcome)| match (outcome, edit.destination()) {
        (Outcome::Failed(refusal), Some(destination)) => Some(((*edit.service(), *destination), refusal)),
        _ => None,
    });
    Ok(refused.collect())
}

/// Why a delete that waits cannot take place yet, by what was read after quiescing; nothing if it can.
fn still_there(step: &Step, found: &BTreeMap<ServiceKey, LiveService>, refusals: &Refusals) -> Option<StepResult> {
    let mut connections = 0;
    for (destination, live) in going(step, found) {
        if live.settings.weight > 0 {
            let refusal = refusals.get(&(*step.operation.service(), *destination));
            return Some(match refusal {
                Some(refusal) => StepResult::Failed(refusal.clone()),
                None => {
                    StepResult::Unverified(format!("{destination} is not quiesced: weight {}", live.settings.weight))
                }
            });
        }
        connections += plan::connections(live);
    }
    let seconds = step.leave.wait.unwrap_or(0);
    (connections > 0).then_some(StepResult::Draining { connections, seconds })
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
