//! What must wait because something else failed or waits: the order's promise, kept when not all of it happens.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{DestinationKey, ServiceKey, ServiceView, TableView};

use super::Plan;
use super::note::{Held, Note};
use super::operation::{Operation, Stage, Step};
use super::overlay::Overlaid;

/// Why a step is skipped because of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Its service was not added.
    NoService,
    /// Without the other one it would take the last weight of the service.
    LastWeight,
    /// Without the other one it would take the last destination of the service.
    LastDestination,
    /// It serves until one of those that replace it has had its first check.
    FirstCheck,
}

impl SkipReason {
    /// In words, to follow "is held back: ".
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::NoService => "its service is not there yet",
            SkipReason::LastWeight => "it would leave the service without weight while what replaces it is missing",
            SkipReason::LastDestination => {
                "it would leave the service without destinations while what replaces it is missing"
            }
            SkipReason::FirstCheck => "what replaces it waits for its first check",
        }
    }
}

/// A step that is not to be carried out because of one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Index of the step.
    pub step: usize,
    /// Index of the step that failed.
    pub because: usize,
    pub reason: SkipReason,
}

/// What must not be carried out, given that the steps `failed` (indices into `steps`) were not.
///
/// - Operations on the destinations of a service that was not added, whether or not they are in `failed`
///   (sent in the same batch as their service, they fail after it).
/// - For a service that had weight in `live` and is to have some after all `steps`, but would have none
///   after those that did not fail: the one step that keeps most weight. Deletes are held back rather than
///   lowerings (a weight that is lowered to zero has a reason; a delete cuts connections), and of equal ones
///   the first in the plan.
/// - The same for a service that had and is to have destinations, but would have none.
///
/// One step for each such service is enough, and no more is held back. To be asked with the outcome of all
/// of [`Stage::Raise`], before anything of the later stages is sent: until then weights only grow. Failures
/// in the later stages only leave more. The result is sorted by step.
pub fn held_back(live: &impl TableView, steps: &[Step], failed: &BTreeSet<usize>) -> Vec<Skip> {
    let mut of_service: BTreeMap<ServiceKey, Vec<usize>> = BTreeMap::new();
    for step in failed.iter().filter_map(|&index| steps.get(index)) {
        of_service.entry(*step.operation.service()).or_default();
    }
    if of_service.is_empty() {
        return Vec::new();
    }
    for (index, step) in steps.iter().enumerate() {
        if let Some(indices) = of_service.get_mut(step.operation.service()) {
            indices.push(index);
        }
    }
    let mut skips = Vec::new();
    for (service, indices) in &of_service {
        let failed_add =
            |index: &&usize| failed.contains(index) && matches!(steps[**index].operation, Operation::AddService { .. });
        if let Some(&because) = indices.iter().find(failed_add) {
            let rest = indices.iter().filter(|&&index| index != because);
            skips.extend(rest.map(|&step| Skip { step, because, reason: SkipReason::NoService }));
        } else if let Some(before) = live.services().get(service) {
            skips.extend(keep_alive(before, steps, indices, failed));
        }
    }
    skips.sort_unstable_by_key(|skip| skip.step);
    skips
}

/// The step to hold back, if any, so that a service that exists keeps weight and destinations.
/// `indices` are those of the service.
fn keep_alive(before: &impl ServiceView, steps: &[Step], indices: &[usize], failed: &BTreeSet<usize>) -> Option<Skip> {
    let weights = |skip: &BTreeSet<usize>| {
        let done = indices.iter().filter(|index| !skip.contains(index)).map(|&index| &steps[index].operation);
        weights_after(before, done)
    };
    let has_weight = |weights: &BTreeMap<DestinationKey, u32>| weights.values().any(|&weight| weight > 0);
    let wanted = weights(&BTreeSet::new());
    let left = weights(failed);
    let reason = if before.total_weight() > 0 && has_weight(&wanted) && !has_weight(&left) {
        SkipReason::LastWeight
    } else if !before.destinations().is_empty() && !wanted.is_empty() && left.is_empty() {
        SkipReason::LastDestination
    } else {
        return None;
    };
    let needs_weight = reason == SkipReason::LastWeight;
    let because = indices.iter().copied().filter(|index| failed.contains(index)).find(|&index| {
        matches!(&steps[index].operation,
            Operation::AddDestination { settings: to, .. } | Operation::EditDestination { to, .. }
            if !needs_weight || to.weight > 0)
    })?;
    let step = indices
        .iter()
        .copied()
        .filter(|index| !failed.contains(index))
        .filter_map(|index| match &steps[index].operation {
            operation @ (Operation::EditDestination { from, .. } | Operation::DeleteDestination { from, .. }) => {
                match operation.stage() {
                    Stage::Raise => None,
                    stage => Some((stage, from.weight, index)),
                }
            }
            _ => None,
        })
        .filter(|&(stage, weight, _)| if needs_weight { weight > 0 } else { stage == Stage::Delete })
        .max_by_key(|&(stage, weight, index)| (stage, weight, std::cmp::Reverse(index)))
        .map(|(_, _, index)| index)?;
    Some(Skip { step, because, reason })
}

/// The weights of a service's destinations after operations on it.
fn weights_after<'a>(
    before: &impl ServiceView,
    operations: impl Iterator<Item = &'a Operation>,
) -> BTreeMap<DestinationKey, u32> {
    let mut weights: BTreeMap<DestinationKey, u32> =
        before.destinations().iter().map(|(key, found)| (*key, found.as_ref().weight)).collect();
    for operation in operations {
        match operation {
            Operation::AddService { .. } | Operation::EditService { .. } => {}
            Operation::DeleteService { .. } => weights.clear(),
            Operation::AddDestination { destination, settings: to, .. }
            | Operation::EditDestination { destination, to, .. } => {
                weights.insert(*destination, to.weight);
            }
            Operation::DeleteDestination { destination, .. } => {
                weights.remove(destination);
            }
        }
    }
    weights
}

/// Takes out of a plan the operations that `held` names (objects that failed not long ago), and what
/// [`held_back`] says must wait with them. Each of them becomes a [`Note`]. `live` is the table that the
/// plan was made for.
#[must_use]
pub fn hold(plan: Plan, live: &impl TableView, mut held: impl FnMut(&Operation) -> Option<Held>) -> Plan {
    let waits = plan.steps.iter().enumerate().filter_map(|(index, step)| Some((index, held(&step.operation)?)));
    let mut waiting: BTreeMap<usize, Held> = waits.collect();
    if waiting.is_empty() {
        return plan;
    }
    let Plan { steps, mut notes, unchanged, owned, host } = plan;
    let skips = held_back(live, &steps, &waiting.keys().copied().collect());
    let mut skips: BTreeMap<usize, SkipReason> = skips.into_iter().map(|skip| (skip.step, skip.reason)).collect();
    let mut kept = Vec::with_capacity(steps.len().saturating_sub(waiting.len() + skips.len()));
    for (index, step) in steps.into_iter().enumerate() {
        let operation = &step.operation;
        let (verb, service, destination) = (operation.kind(), *operation.service(), operation.destination().copied());
        match (waiting.remove(&index), skips.remove(&index)) {
            (Some(held), _) => notes.push(Note::Waiting { verb, service, destination, held }),
            (None, Some(reason)) => notes.push(Note::HeldBack { verb, service, destination, reason }),
            (None, None) => kept.push(step),
        }
    }
    Plan { steps: kept, notes, unchanged, owned, host }
}

/// Takes out of a plan the deletes of destinations that serve, in services where nobody else may before a first check.
/// Each of them becomes a [`Note`].
#[must_use]
pub fn await_first_checks(plan: Plan, services: &BTreeMap<ServiceKey, Overlaid>) -> Plan {
    if !services.values().any(|overlaid| overlaid.awaited) {
        return plan;
    }
    let Plan { steps, mut notes, unchanged, owned, host } = plan;
    let (kept, stay): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| match &step.operation {
        Operation::DeleteDestination { service, destination, from } => {
            from.weight == 0
                || !services
                    .get(service)
                    .is_some_and(|overlaid| overlaid.awaited && !overlaid.destinations.contains_key(destination))
        }
        _ => true,
    });
    notes.extend(stay.iter().map(|Step { operation, .. }| Note::HeldBack {
        verb: operation.kind(),
        service: *operation.service(),
        destination: operation.destination().copied(),
        reason: SkipReason::FirstCheck,
    }));
    Plan { steps: kept, notes, unchanged, owned, host }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Manage, Record, Table};
    use crate::plan::testing::{lines, table};
    use crate::plan::{diff, render};

    const WEB: &str = "tcp://192.0.2.10:80";

    fn web(destinations: &[(&str, u32)]) -> Table {
        table(&[(WEB, destinations)])
    }

    fn plan(live: &Table, effective: &Table) -> Plan {
        diff(live, effective, &Manage::All, &Record::default())
    }

    fn skips(live: &Table, plan: &Plan, failed: &[usize]) -> Vec<(usize, usize, SkipReason)> {
        let skips = held_back(live, &plan.steps, &failed.iter().copied().collect());
        skips.into_iter().map(|Skip { step, because, reason }| (step, because, reason)).collect()
    }

    #[test]
    fn a_replaced_set_keeps_its_heaviest_when_nothing_of_the_new_one_came() {
        let live = web(&[("10.0.0.1:80", 10), ("10.0.0.2:80", 20), ("10.0.0.3:80", 20)]);
        let plan = plan(&live, &web(&[("10.0.0.4:80", 0), ("10.0.0.5:80", 10)]));
        assert_eq!(plan.stage(Stage::Delete), 2..5);
        assert_eq!(skips(&live, &plan, &[0]), []);
        assert_eq!(skips(&live, &plan, &[1]), [(3, 1, SkipReason::LastWeight)]);
        assert_eq!(skips(&live, &plan, &[0, 1]), [(3, 1, SkipReason::LastWeight)]);
        // A delete that failed keeps the weight already.
        assert_eq!(skips(&live, &plan, &[0, 1, 2]), []);
    }

    #[test]
    fn weights_that_change_places() {
        let live = web(&[("10.0.0.1:80", 100), ("10.0.0.2:80", 0)]);
        let plan = plan(&live, &web(&[("10.0.0.1:80", 0), ("10.0.0.2:80", 100)]));
        assert_eq!(
            lines(&plan),
            [
                "edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 0 → 100",
                "edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 100 → 0",
            ]
        );
        assert_eq!(skips(&live, &plan, &[0]), [(1, 0, SkipReason::LastWeight)]);
        assert_eq!(skips(&live, &plan, &[1]), []);
    }

    #[test]
    fn a_delete_is_held_back_rather_than_a_lowering() {
        let live = web(&[("10.0.0.1:80", 100), ("10.0.0.2:80", 1)]);
        let plan = plan(&live, &web(&[("10.0.0.1:80", 0), ("10.0.0.3:80", 1)]));
        assert_eq!(skips(&live, &plan, &[0]), [(2, 0, SkipReason::LastWeight)]);
        assert_eq!(plan.steps[2].operation.verb(), "delete");
    }

    #[test]
    fn a_service_without_weight_is_still_not_emptied() {
        let live = web(&[("10.0.0.1:80", 0)]);
        let replaced = plan(&live, &web(&[("10.0.0.2:80", 5)]));
        assert_eq!(skips(&live, &replaced, &[0]), [(1, 0, SkipReason::LastDestination)]);
        let live = web(&[("10.0.0.1:80", 7)]);
        let quiesced = plan(&live, &web(&[("10.0.0.2:80", 0)]));
        assert_eq!(skips(&live, &quiesced, &[0]), [(1, 0, SkipReason::LastDestination)]);
    }

    #[test]
    fn what_is_to_be_empty_or_without_weight_becomes_so() {
        let live = web(&[("10.0.0.1:80", 7), ("10.0.0.2:80", 7)]);
        assert_eq!(skips(&live, &plan(&live, &web(&[])), &[0]), []);
        let plan = plan(&live, &web(&[("10.0.0.1:80", 0), ("10.0.0.3:80", 0)]));
        assert_eq!(skips(&live, &plan, &[0]), []);
    }

    #[test]
    fn destinations_of_a_service_that_was_not_added_are_skipped() {
        let live = web(&[("10.0.0.1:80", 7)]);
        let effective = table(&[("tcp://192.0.2.9:80", &[("10.0.0.1:80", 7), ("10.0.0.2:80", 7)]), (WEB, &[])]);
        let plan = plan(&live, &effective);
        let reason = SkipReason::NoService;
        assert_eq!(skips(&live, &plan, &[0, 1]), [(1, 0, reason), (2, 0, reason)]);
        assert_eq!(skips(&live, &plan, &[1]), []);
    }

    #[test]
    fn indices_beyond_the_plan_mean_nothing() {
        assert_eq!(held_back(&Table::default(), &[], &BTreeSet::from([7])), []);
    }

    #[test]
    fn what_waits_is_noted() {
        let live = web(&[("10.0.0.1:80", 7)]);
        let plan = plan(&live, &web(&[("10.0.0.2:80", 7)]));
        let held = hold(plan.clone(), &live, |operation| {
            (operation.verb() == "add").then(|| Held { seconds: 90, reason: "the kernel is out of memory".to_owned() })
        });
        assert!(held.is_empty() && held.is_waiting());
        let notes: Vec<String> = held.notes.iter().map(render::note_line).collect();
        assert_eq!(
            notes,
            [
                "add of destination 10.0.0.2:80 of tcp://192.0.2.10:80 waits 1m30s more after a failure: \
                 the kernel is out of memory",
                "delete of destination 10.0.0.1:80 of tcp://192.0.2.10:80 is held back: it would leave the \
                 service without weight while what replaces it is missing",
            ]
        );
        assert_eq!(hold(plan.clone(), &live, |_| None), plan);
    }
}
