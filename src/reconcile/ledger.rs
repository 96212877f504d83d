//! The record before and after a pass: what is about to be owned, what is owned, what drains.

use std::collections::BTreeMap;

use super::host;
use super::leaving;
use super::observe::Inputs;
use super::status::DrainStatus;
use crate::model::{
    Desired, DestinationKey, DestinationSettings, Drain, Helped, Live, LiveService, OwnedService, Record, Service,
    ServiceKey, Table,
};
use crate::plan::{self, Of, Operation, Plan, Step, Verb};

/// The record with all that the plan is going to add, and all drains that it begins; nothing, if that is none.
pub(super) fn with_intents(
    before: &Record,
    plan: &Plan,
    inputs: &Inputs<'_, '_>,
    (live, helpers): (&Live, &BTreeMap<u32, Helped>),
) -> Option<Record> {
    let begins = |step: &Step| match step.operation.kind() {
        Verb::Add => true,
        Verb::Edit => false,
        Verb::Delete => step.leave.wait.is_some(),
    };
    let is_new = |(mark, helped): (&u32, &Helped)| before.helpers.get(mark) != Some(helped);
    if !plan.steps.iter().any(begins) && plan.host.steps.is_empty() && !helpers.iter().any(is_new) {
        return None;
    }
    let begin = |record: &mut Record, of: Of| {
        let found = live.services.get(&of.0).and_then(|found| found.destinations.get(&of.1));
        let has_weight = found.is_some_and(|found| found.settings.weight > 0);
        let drains = record.drains.entry(of.0).or_default();
        let before = drains.remove(&of.1);
        let drain = match before {
            Some(drain) if drain.quiesced || !has_weight => drain,
            // It is new, or has weight, and always had: it begins now.
            before => {
                let mut begun = leaving::begin(inputs, &of);
                if let Some(before) = before.filter(|_| begun.checks.list.is_empty()) {
                    begun.checks = before.checks;
                }
                begun
            }
        };
        drains.insert(of.1, drain);
    };
    let mut record = before.clone();
    record.helpers.extend(helpers);
    host::with_intents(&mut record, &plan.host);
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
                    begin(&mut record, (*service, *destination));
                }
            }
            Operation::DeleteDestination { service, destination, .. } if step.leave.wait.is_some() => {
                begin(&mut record, (*service, *destination));
            }
            Operation::EditService { .. }
            | Operation::DeleteService { .. }
            | Operation::EditDestination { .. }
            | Operation::DeleteDestination { .. } => {}
        }
    }
    (record != *before).then_some(record)
}

/// What is owned after a pass that left `live`: what is wanted and there, adopted or added, and what was owned
/// before and is still there. Nothing, if that is what was owned before.
pub(super) fn left_behind(
    live: &BTreeMap<ServiceKey, LiveService>,
    wanted: &Table,
    before: &Record,
    desired: &Desired,
    helpers: &BTreeMap<u32, Helped>,
) -> Option<Record> {
    let mut changed: Option<Record> = None;
    for (key, service) in live {
        let one = One { key, live: service, wanted: wanted.services.get(key), before, desired };
        // Most passes leave most services as they were.
        if one.is_as_before() {
            continue;
        }
        let record = changed.get_or_insert_with(|| before.clone());
        record.drains.remove(key);
        match one.owned_now() {
            Some(owned) => record.services.insert(*key, owned),
            None => record.services.remove(key),
        };
        let drains = one.drains_now();
        if !drains.is_empty() {
            record.drains.insert(*key, drains);
        }
    }
    for key in before.services.keys().chain(before.drains.keys()).filter(|key| !live.contains_key(key)) {
        let record = changed.get_or_insert_with(|| before.clone());
        record.services.remove(key);
        record.drains.remove(key);
    }
    // Remembered until its service is gone: nobody else would delete it.
    let stays = |(mark, helped): (&u32, &Helped)| {
        let key = ServiceKey::Mark { family: helped.service.family(), mark: *mark };
        live.contains_key(&key) || helpers.contains_key(mark)
    };
    if !before.helpers.iter().all(stays) {
        let record = changed.get_or_insert_with(|| before.clone());
        record.helpers.retain(|mark, helped| stays((mark, helped)));
    }
    changed
}

/// A live service, and what of it is owned.
struct One<'a> {
    key: &'a ServiceKey,
    live: &'a LiveService,
    wanted: Option<&'a Service>,
    before: &'a Record,
    desired: &'a Desired,
}

impl One<'_> {
    fn owned_before(&self) -> Option<&OwnedService> {
        self.before.services.get(self.key)
    }

    /// What was there before us is adopted when it is as it should be: not by a change that the kernel has refused, which whoever
    /// asked for it takes back.
    fn is_owned(&self, destination: &DestinationKey, found: &DestinationSettings) -> bool {
        self.wanted.is_some_and(|wanted| wanted.destinations.get(destination) == Some(found))
            || self.owned_before().is_some_and(|owned| owned.destinations.contains_key(destination))
    }

    /// Its destinations that are owned, as they are.
    fn destinations(&self) -> impl Iterator<Item = (&DestinationKey, &DestinationSettings)> {
        let all = self.live.destinations.iter().map(|(destination, found)| (destination, &found.settings));
        all.filter(|(destination, found)| self.is_owned(destination, found))
    }

    /// The time for its drains, where it is not everybody's.
    fn drain(&self) -> Option<u64> {
        match self.desired.policies.get(self.key) {
            Some(policy) if policy.drain == self.desired.drain => None,
            Some(policy) => Some(policy.drain.as_secs()),
            None => self.owned_before().and_then(|owned| owned.drain),
        }
    }

    fn goes_on(&self, destination: &DestinationKey) -> bool {
        self.live.destinations.contains_key(destination)
            && !self.wanted.is_some_and(|wanted| wanted.destinations.contains_key(destination))
    }

    /// Its drain from now on. What has weight, and always had, was not quiesced: its drain has not begun.
    fn drain_now(&self, destination: &DestinationKey, drain: &Drain) -> Option<Drain> {
        let found = self.live.destinations.get(destination).filter(|_| self.goes_on(destination))?;
        let has_begun = drain.quiesced || found.settings.weight == 0;
        has_begun.then(|| Drain { quiesced: true, ..drain.clone() })
    }

    /// The same as a comparison with what would be on record, without making that.
    fn is_as_before(&self) -> bool {
        let mut drains = self.before.drains.get(self.key).into_iter().flatten();
        let Some(owned) = self.owned_before() else {
            let may_go = self.desired.manage.covers(self.key);
            return (self.wanted.is_none() || self.owned_now().is_none())
                && drains.all(|(destination, drain)| may_go && drain.quiesced && self.goes_on(destination));
        };
        let left = owned.destinations.iter().map(|(destination, left)| (destination, left.as_ref()));
        owned.left.as_ref() == Some(&self.live.settings)
            && owned.drain == self.drain()
            && left.eq(self.destinations().map(|(destination, settings)| (destination, Some(settings))))
            && drains.all(|(destination, drain)| drain.quiesced && self.goes_on(destination))
    }

    fn owned_now(&self) -> Option<OwnedService> {
        let is_adopted = self.wanted.is_some_and(|wanted| wanted.settings == self.live.settings);
        let destinations = self.destinations().map(|(destination, settings)| (*destination, Some(*settings)));
        let destinations: BTreeMap<_, _> = destinations.collect();
        // An intent to add a destination makes no service ours.
        let was_ours = self.owned_before().is_some_and(|owned| owned.left.is_some());
        if !was_ours && !is_adopted && destinations.is_empty() {
            return None;
        }
        Some(OwnedService { left: Some(self.live.settings.clone()), destinations, drain: self.drain() })
    }

    fn drains_now(&self) -> BTreeMap<DestinationKey, Drain> {
        if self.owned_now().is_none() && !self.desired.manage.covers(self.key) {
            return BTreeMap::new();
        }
        let before = self.before.drains.get(self.key).into_iter().flatten();
        before.filter_map(|(destination, drain)| Some((*destination, self.drain_now(destination, drain)?))).collect()
    }
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
