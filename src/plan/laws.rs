//! What holds for every plan, as properties.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::model::{DestinationKey, Manage, Record, Service, ServiceKey, ServiceView, Table};

use super::testing::{misfortunes, policies, record_of, records, tables};
use super::{Cause, Held, Note, Operation, Plan, SkipReason, Stage, apply, diff, held_back, hold, simulate};

fn may_delete(manage: &Manage, record: &Record, service: &ServiceKey) -> bool {
    match manage {
        Manage::All => true,
        Manage::Owned => record.owns(service),
        Manage::Within(_) => manage.covers(service),
    }
}

fn may_delete_destination(
    manage: &Manage,
    record: &Record,
    service: &ServiceKey,
    destination: &DestinationKey,
) -> bool {
    match manage {
        Manage::All => true,
        Manage::Owned => record.owns_destination(service, destination),
        Manage::Within(_) => manage.covers(service),
    }
}

/// The effective table and, beside it, what is live, not wanted, and not ours to delete: foreign
/// destinations, and the services that are foreign or hold foreign destinations.
fn outcome(live: &Table, effective: &Table, manage: &Manage, record: &Record) -> Table {
    let mut after = effective.clone();
    for (key, service) in &live.services {
        let ours = may_delete(manage, record, key);
        let foreign = |destination: &DestinationKey| {
            let wanted =
                effective.services.get(key).is_some_and(|service| service.destinations.contains_key(destination));
            let deletable = ours && may_delete_destination(manage, record, key, destination);
            !wanted && !deletable
        };
        let mut leftover = service.destinations.clone();
        leftover.retain(|destination, _| foreign(destination));
        if let Some(wanted) = after.services.get_mut(key) {
            wanted.destinations.extend(leftover);
        } else if !ours || !leftover.is_empty() {
            after.services.insert(*key, Service { settings: service.settings.clone(), destinations: leftover });
        }
    }
    after
}

/// How many entries have to be touched to get from one table to another; a deleted service takes its
/// destinations with it.
fn differences(before: &Table, after: &Table) -> usize {
    let mut count = before.services.keys().filter(|key| !after.services.contains_key(key)).count();
    for (key, to) in &after.services {
        let Some(from) = before.services.get(key) else {
            count += 1 + to.destinations.len();
            continue;
        };
        count += usize::from(from.settings != to.settings);
        count += to.destinations.iter().filter(|(key, to)| from.destinations.get(key) != Some(to)).count();
        count += from.destinations.keys().filter(|key| !to.destinations.contains_key(key)).count();
    }
    count
}

/// That no service which has destinations, or weight, before and after is without them now.
fn assert_alive(before: &Table, now: &Table, after: &Table) -> Result<(), TestCaseError> {
    for (key, from) in &before.services {
        let Some(to) = after.services.get(key) else { continue };
        let now = now.services.get(key);
        prop_assert!(now.is_some(), "{key} is gone");
        let now = now.unwrap();
        if !from.destinations.is_empty() && !to.destinations.is_empty() {
            prop_assert!(!now.destinations.is_empty(), "{key} is empty");
        }
        if from.total_weight() > 0 && to.total_weight() > 0 {
            prop_assert!(now.total_weight() > 0, "{key} is without weight");
        }
    }
    Ok(())
}

/// Carries out a plan as an executor does, with the steps in `fails` failing, and checks the promise after each
/// step. Steps in `ignore` are carried out although they should be skipped. Gives the table at the end.
fn execute(
    live: &Table,
    after: &Table,
    plan: &Plan,
    fails: &BTreeSet<usize>,
    ignore: Option<usize>,
) -> Result<Table, TestCaseError> {
    let mut now = live.clone();
    let raise = plan.stage(Stage::Raise);
    let failed: BTreeSet<usize> = fails.iter().copied().filter(|index| raise.contains(index)).collect();
    let skips = held_back(live, &plan.steps, &failed);
    prop_assert!(skips.is_sorted_by(|a, b| a.step < b.step));
    let skipped: BTreeSet<usize> = skips.iter().map(|skip| skip.step).filter(|step| Some(*step) != ignore).collect();
    for skip in &skips {
        prop_assert!(failed.contains(&skip.because), "{skip:?}");
        prop_assert_ne!(plan.steps[skip.step].operation.destination(), None);
        prop_assert_eq!(plan.steps[skip.step].operation.service(), plan.steps[skip.because].operation.service());
    }
    for (index, step) in plan.steps.iter().enumerate() {
        if !fails.contains(&index) && !skipped.contains(&index) {
            prop_assert_eq!(apply(&mut now, &step.operation), Ok(()));
            if ignore.is_none() {
                assert_alive(live, &now, after)?;
            }
        }
    }
    Ok(now)
}

/// Where a step has its place; no two steps of a plan have the same.
fn place(operation: &Operation) -> impl Ord + std::fmt::Debug {
    let (service, destination) = (*operation.service(), operation.destination().copied());
    let by_service = |rank| (operation.stage(), 0, Some(service), rank, destination);
    match operation {
        Operation::AddService { .. } | Operation::EditService { .. } => by_service(0),
        Operation::AddDestination { .. } => by_service(1),
        Operation::EditDestination { .. } | Operation::DeleteDestination { .. } => by_service(2),
        Operation::DeleteService { .. } => (operation.stage(), 1, Some(service), 0, None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_plan_gives_the_effective_table_beside_what_is_foreign(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = simulate(&live, plan.steps.iter().map(|step| &step.operation)).unwrap();
        prop_assert_eq!(&after, &outcome(&live, &effective, &manage, &record));
        let again = diff(&after, &effective, &manage, &record);
        prop_assert_eq!(&again.steps, &[]);
        prop_assert_eq!(again.unchanged, effective.entry_count());
    }

    #[test]
    fn a_plan_has_an_operation_for_each_difference_and_no_more(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = outcome(&live, &effective, &manage, &record);
        prop_assert_eq!(plan.steps.len(), differences(&live, &after));
        let counts = plan.counts();
        prop_assert_eq!(live.entry_count() + counts.add.total(), after.entry_count() + counts.delete.total());
        prop_assert_eq!(plan.unchanged + counts.add.total() + counts.edit.total(), effective.entry_count());
    }

    #[test]
    fn every_live_entry_is_wanted_deleted_or_noted(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let noted: usize = plan.notes.iter().map(|note| match note {
            Note::ForeignService { destinations, .. } => 1 + destinations,
            Note::ForeignDestination { .. } => 1,
            Note::KeptService { foreign, .. } => 1 + foreign.len(),
            Note::Draining { .. } | Note::Waiting { .. } | Note::HeldBack { .. } => 0,
        }).sum();
        let counts = plan.counts();
        prop_assert_eq!(live.entry_count(), plan.unchanged + counts.edit.total() + plan.deletes() + noted);
        prop_assert!(plan.deletes() <= plan.owned && plan.owned <= live.entry_count());
    }

    #[test]
    fn nothing_foreign_is_touched_and_from_is_what_is_live(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        for step in diff(&live, &effective, &manage, &record).steps {
            let key = *step.operation.service();
            let (was, wanted) = (live.services.get(&key), effective.services.get(&key));
            match step.operation {
                Operation::AddService { settings, .. } => {
                    prop_assert_eq!((was, Some(&settings)), (None, wanted.map(|wanted| &wanted.settings)));
                }
                Operation::EditService { from, to, .. } => {
                    prop_assert_eq!(Some(&from), was.map(|was| &was.settings));
                    prop_assert_eq!(Some(&to), wanted.map(|wanted| &wanted.settings));
                }
                Operation::DeleteService { from, destinations, .. } => {
                    prop_assert_eq!(Some((&from, destinations)), was.map(|was| (&was.settings, was.destinations.len())));
                    prop_assert!(may_delete(&manage, &record, &key) && wanted.is_none());
                }
                Operation::AddDestination { destination, settings, .. } => {
                    prop_assert_eq!(was.and_then(|was| was.destinations.get(&destination)), None);
                    prop_assert_eq!(wanted.and_then(|wanted| wanted.destinations.get(&destination)), Some(&settings));
                }
                Operation::EditDestination { destination, from, to, .. } => {
                    prop_assert_eq!(was.and_then(|was| was.destinations.get(&destination)), Some(&from));
                    prop_assert_eq!(wanted.and_then(|wanted| wanted.destinations.get(&destination)), Some(&to));
                }
                Operation::DeleteDestination { destination, from, .. } => {
                    prop_assert_eq!(was.and_then(|was| was.destinations.get(&destination)), Some(&from));
                    prop_assert_eq!(wanted.and_then(|wanted| wanted.destinations.get(&destination)), None);
                    prop_assert!(may_delete_destination(&manage, &record, &key, &destination));
                }
            }
        }
    }

    /// The places are distinct, so the order is total: the same inputs give the same plan.
    #[test]
    fn steps_stand_in_the_order_that_is_promised(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        prop_assert!(plan.steps.is_sorted_by(|a, b| place(&a.operation) < place(&b.operation)));
        let (raise, lower, delete) = (plan.stage(Stage::Raise), plan.stage(Stage::Lower), plan.stage(Stage::Delete));
        prop_assert_eq!((raise.start, raise.end, lower.end), (0, lower.start, delete.start));
        prop_assert_eq!(delete.end, plan.steps.len());
        for (index, step) in plan.steps.iter().enumerate() {
            prop_assert!(plan.stage(step.operation.stage()).contains(&index));
        }
    }

    #[test]
    fn no_prefix_of_a_plan_takes_the_last_destination_or_weight(
        live in tables(), effective in tables(), manage in policies(), record in records(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = outcome(&live, &effective, &manage, &record);
        prop_assert_eq!(execute(&live, &after, &plan, &BTreeSet::new(), None)?, after);
    }

    #[test]
    fn failures_never_take_the_last_destination_or_weight(
        live in tables(), effective in tables(), manage in policies(), record in records(), fails in misfortunes(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = outcome(&live, &effective, &manage, &record);
        let fails = (0..plan.steps.len()).filter(|index| fails[*index]).collect();
        execute(&live, &after, &plan, &fails, None)?;
    }

    #[test]
    fn no_more_is_held_back_than_has_to_be(
        live in tables(), effective in tables(), manage in policies(), record in records(), fails in misfortunes(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = outcome(&live, &effective, &manage, &record);
        let failed: BTreeSet<usize> = plan.stage(Stage::Raise).filter(|index| fails[*index]).collect();
        for skip in held_back(&live, &plan.steps, &failed) {
            if skip.reason == SkipReason::NoService {
                continue;
            }
            let end = execute(&live, &after, &plan, &failed, Some(skip.step))?;
            prop_assert!(assert_alive(&live, &end, &after).is_err(), "{skip:?} was not needed");
        }
    }

    #[test]
    fn what_waits_takes_along_what_depends_on_it_and_failures_beside_it_do_no_harm(
        live in tables(), effective in tables(), manage in policies(), record in records(),
        waits in misfortunes(), fails in misfortunes(),
    ) {
        let plan = diff(&live, &effective, &manage, &record);
        let after = outcome(&live, &effective, &manage, &record);
        let waits: Vec<&Operation> =
            plan.steps.iter().zip(&waits).filter(|(_, waits)| **waits).map(|(step, _)| &step.operation).collect();
        let held = hold(plan.clone(), &live, |operation| {
            waits.contains(&operation).then(|| Held { seconds: 3, reason: "no".to_owned() })
        });
        prop_assert!(held.steps.iter().all(|step| !waits.contains(&&step.operation)));
        let notes = |plan: &Plan| plan.notes.len();
        prop_assert_eq!(held.steps.len() + notes(&held), plan.steps.len() + notes(&plan));
        prop_assert!(held.steps.is_sorted_by(|a, b| place(&a.operation) < place(&b.operation)));
        execute(&live, &after, &held, &BTreeSet::new(), None)?;
        let fails = (0..held.steps.len()).filter(|index| fails[*index]).collect();
        execute(&live, &after, &held, &fails, None)?;
    }

    #[test]
    fn what_the_last_pass_left_and_is_wanted_is_drift_and_without_a_record_nothing_is(
        live in tables(), effective in tables(), manage in policies(),
    ) {
        let all = |plan: Plan, cause| plan.steps.iter().all(|step| step.cause == cause);
        prop_assert!(all(diff(&live, &effective, &manage, &Record::default()), Cause::Change));
        if !effective.services.is_empty() {
            prop_assert!(all(diff(&live, &effective, &Manage::All, &record_of(&effective)), Cause::Drift));
        }
    }

    #[test]
    fn each_edit_has_an_attribute_to_show(live in tables(), effective in tables()) {
        for step in diff(&live, &effective, &Manage::All, &Record::default()).steps {
            let changes = match &step.operation {
                Operation::EditService { from, to, .. } => super::render::service_changes(from, to),
                Operation::EditDestination { from, to, .. } => super::render::destination_changes(from, to),
                _ => continue,
            };
            prop_assert!(!changes.is_empty());
            prop_assert!(changes.iter().all(|change| change.from != change.to), "{:?}", changes);
        }
    }
}
