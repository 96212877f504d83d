//! The record before and after a pass: what is about to be owned, what is owned, what drains.

use std::collections::BTreeMap;

use super::leaving;
use super::observe::Inputs;
use super::status::DrainStatus;
use crate::model::{
    Desired, DestinationKey, Drain, Helped, Live, LiveService, OwnedService, Record, ServiceKey, Table,
};
use crate::plan::{self, Of, Operation, Plan};

/// The record with all that the plan is going to add, and all drains that it begins.
pub(super) fn with_intents(record: &Record, plan: &Plan, inputs: &Inputs<'_, '_>, live: &Live) -> Record {
    let mut record = record.clone();
    for step in &plan.steps {
        match &step.operation {
            Operation::AddService { service, .. } => {
                record.services.entry(*service).or_default();
            }
            Operation::AddDestination { service, destination, .. } => {
                record.services.entry(*service).or_default().destinations.entry(*destination).or_insert(None);
            }
            Operation::DeleteService { service, .. } if step.leave.wait.is_some() => {
                let destinations = live.services.get(service).map(|found| found.destinations.keys());
                for destination in destinations.into_iter().flatten() {
                    let drains = record.drains.entry(*service).or_default();
                    drains.entry(*destination).or_insert_with(|| leaving::begin(inputs, &(*service, *destination)));
                }
            }
            Operation::DeleteDestination { service, destination, .. } if step.leave.wait.is_some() => {
                let drains = record.drains.entry(*service).or_default();
                drains.entry(*destination).or_insert_with(|| leaving::begin(inputs, &(*service, *destination)));
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
pub(super) fn left_behind(
    live: &BTreeMap<ServiceKey, LiveService>,
    wanted: &Table,
    before: &Record,
    desired: &Desired,
    helpers: &BTreeMap<u32, Helped>,
) -> Record {
    let mut record = Record::default();
    for (key, service) in live {
        let (wanted, owned) = (wanted.services.get(key), before.services.get(key));
        if wanted.is_none() && owned.is_none() {
            continue;
        }
        let destinations = service
            .destinations
            .iter()
            .filter(|(destination, _)| {
                wanted.is_some_and(|service| service.destinations.contains_key(destination))
                    || owned.is_some_and(|owned| owned.destinations.contains_key(destination))
            })
            .map(|(destination, found)| (*destination, Some(found.settings)))
            .collect();
        let drain = match desired.policies.get(key) {
            Some(policy) if policy.drain == desired.drain => None,
            Some(policy) => Some(policy.drain.as_secs()),
            None => owned.and_then(|owned| owned.drain),
        };
        record.services.insert(*key, OwnedService { left: Some(service.settings.clone()), destinations, drain });
        if let Some(drains) = before.drains.get(key) {
            let goes_on = |destination: &&DestinationKey| {
                service.destinations.contains_key(destination)
                    && !wanted.is_some_and(|wanted| wanted.destinations.contains_key(destination))
            };
            let left: BTreeMap<DestinationKey, Drain> = drains
                .iter()
                .filter(|(destination, _)| goes_on(destination))
                .map(|(destination, drain)| (*destination, drain.clone()))
                .collect();
            if !left.is_empty() {
                record.drains.insert(*key, left);
            }
        }
    }
    // Remembered until its service is gone: nobody else would delete it.
    record.helpers = before
        .helpers
        .iter()
        .filter(|(mark, helped)| {
            let key = ServiceKey::Mark { family: helped.service.family(), mark: **mark };
            live.contains_key(&key) || helpers.contains_key(mark)
        })
        .map(|(mark, helped)| (*mark, *helped))
        .collect();
    record
}

/// The drains that are under way, and what they wait for.
pub(super) fn drains(
    inputs: &Inputs<'_, '_>,
    record: &Record,
    live: &BTreeMap<ServiceKey, LiveService>,
) -> Vec<(Of, DrainStatus)> {
    let mut all = Vec::new();
    for (service, drains) in &record.drains {
        for (destination, drain) in drains {
            let found = live.get(service).and_then(|found| found.destinations.get(destination));
            let connections = found.map_or(0, plan::connections);
            let until = leaving::deadline(inputs, service, drain);
            all.push(((*service, *destination), DrainStatus { connections, until }));
        }
    }
    all
}
