//! What is live, what should be, and what would have to be done: the part of a pass that `plan` shares with `apply` and
//! `run`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::checker::Verdicts;
use super::host::{self, Ground, HostSeen};
use super::leaving::{Leaving, marks_ready, next_helpers};
use super::sight::Sight;
use crate::ipvs::{Error, Ipvs};
use crate::model::{Desired, DestinationKey, Health, Helped, Live, Overrides, Record, ServiceKey, SharedChecks};
use crate::plan::{self, Effective, Layers, Of, Operation, Plan};

/// All that a pass looks at, besides the kernel.
pub struct Inputs<'d, 'a> {
    pub desired: &'d Desired,
    pub record: &'a Record,
    /// What has run out is not in it.
    pub overrides: &'a Overrides,
    /// The last checks of what is not desired any more.
    pub farewells: &'a BTreeMap<Of, SharedChecks>,
    /// Seconds since 1970.
    pub unix: u64,
    /// Put the settings of the host back to what they were before ipvsd set them.
    pub restore_host: bool,
}

/// A look at the kernel.
#[derive(Debug)]
pub struct Observed<'a> {
    pub live: Live,
    pub effective: Effective<'a>,
    pub plan: Plan,
    /// What the plan's host was made from.
    pub host: HostSeen,
    /// The marks that carry checks, once this pass is done.
    pub helpers: BTreeMap<u32, Helped>,
    /// What was known of health.
    pub verdicts: std::sync::Arc<Verdicts>,
}

/// Reads the live table and plans. Dumps tear (kernel.md 5.5), so every service in which an entry would be
/// added or deleted, or of which something that is owned seems to be gone, is read once more, exactly, before the
/// plan, or what health makes of the table, is believed.
pub fn observe<'d>(
    ground: &mut Ground<'_>,
    inputs: &Inputs<'d, '_>,
    sight: &mut Sight<'_>,
) -> Result<Observed<'d>, Error> {
    let Inputs { desired, record, overrides, restore_host, .. } = *inputs;
    let ipvs = &mut *ground.ipvs;
    let mut live = ipvs.read()?;
    let mut confirmed = BTreeSet::new();
    let first = plan::diff(&live, &desired.table, &desired.manage, record);
    let was_torn = confirm(ipvs, &first, record, &mut live, &mut confirmed)?;

    let leaving = Leaving::new(inputs, &live.services);
    let helpers = next_helpers(inputs, &live.services, sight.checks());
    let marks = marks_ready(&helpers, inputs, &live.services);
    let seen = sight.look(inputs, &live.services, &marks, &leaving.checks());
    let served = leaving.serving(&live.services);
    let hopeful = hopeful(&served, &seen.verdicts);
    let layers = Layers {
        health: seen.health,
        ramps: seen.ramps,
        suspects: seen.suspects,
        served,
        hopeful,
        overrides: overrides.clone(),
        helpers: helpers.clone(),
    };
    let effective = plan::overlay(desired, &layers);
    sight.judge(desired, &effective);

    let mut plan = match effective.table {
        // Nothing is laid over what is desired, and nothing was read again: it is the same plan.
        Cow::Borrowed(_) if !was_torn => first,
        Cow::Borrowed(_) | Cow::Owned(_) => plan::diff(&live, &effective.table, &desired.manage, record),
    };
    if confirm(ipvs, &plan, record, &mut live, &mut confirmed)? {
        plan = plan::diff(&live, &effective.table, &desired.manage, record);
    }
    let leave = |service: &ServiceKey, destination: &DestinationKey, found: &_| {
        // A checker that is suspected ends no drain.
        let verdicts = (!layers.suspects.contains_key(service)).then_some(&*seen.verdicts);
        leaving.leave(service, destination, found, verdicts)
    };
    let mut plan = plan::drain(plan, &live.services, leave);
    let (of_host, host) = host::plan(ground, (desired, record), (&live.services, &plan), restore_host)?;
    plan.host = of_host;
    Ok(Observed { live, effective, plan, host, helpers, verdicts: seen.verdicts })
}

/// Those that count as down and may be well: after a start, or when they were down, that takes more than one result.
fn hopeful(served: &BTreeSet<ServiceKey>, verdicts: &Verdicts) -> BTreeSet<Of> {
    let down = verdicts.destinations.iter().filter(|(_, verdict)| verdict.health == Health::Down);
    let hope = down.filter(|((service, _), verdict)| {
        served.contains(service)
            && !verdict.checks.is_empty()
            && verdict.checks.iter().all(|check| check.reason.is_empty())
    });
    hope.map(|(of, _)| *of).collect()
}

/// Reads what is doubtful once more, and puts it into `live`. Says whether anything was read.
fn confirm(
    ipvs: &mut dyn Ipvs,
    plan: &Plan,
    record: &Record,
    live: &mut Live,
    confirmed: &mut BTreeSet<ServiceKey>,
) -> Result<bool, Error> {
    // Adds to an empty table need no second look: an add of what exists is refused, and harms nothing.
    if live.services.is_empty() {
        return Ok(false);
    }
    let doubtful: Vec<ServiceKey> =
        doubtful(plan, live, record).into_iter().filter(|key| !confirmed.contains(key)).collect();
    if doubtful.is_empty() {
        return Ok(false);
    }
    let mut exact = ipvs.read_services(&doubtful)?;
    for key in doubtful {
        match exact.remove(&key) {
            Some(service) => drop(live.services.insert(key, service)),
            None => drop(live.services.remove(&key)),
        }
        confirmed.insert(key);
    }
    Ok(true)
}

/// How often a table is read that keeps changing.
const READS: usize = 10;

/// The whole table, for whoever wants all of it and has nothing to compare it with: read until two dumps agree on what is
/// there, since one that tore would leave something out.
pub fn read_whole(ipvs: &mut dyn Ipvs) -> Result<Live, Error> {
    let mut before = ipvs.read()?;
    for _ in 1..READS {
        let now = ipvs.read()?;
        if keys(&before).eq(keys(&now)) {
            return Ok(now);
        }
        before = now;
    }
    Err(Error::Protocol(format!("the table changed between each two of {READS} reads: try again when it is calmer")))
}

/// What is there, in order.
fn keys(live: &Live) -> impl Iterator<Item = (&ServiceKey, Option<&DestinationKey>)> {
    live.services.iter().flat_map(|(service, found)| {
        std::iter::once((service, None)).chain(found.destinations.keys().map(move |key| (service, Some(key))))
    })
}

/// The services whose plan says that something is missing, or is to go; and those of which something owned was not
/// seen, for what is not wanted any more would be disowned, and stay for ever. Helpers come and go without harm.
fn doubtful(plan: &Plan, live: &Live, record: &Record) -> BTreeSet<ServiceKey> {
    let planned = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.operation, Operation::EditService { .. } | Operation::EditDestination { .. }))
        .map(|step| *step.operation.service());
    let unseen = record.services.iter().filter_map(|(key, owned)| {
        let seen = live.services.get(key).is_some_and(|service| {
            owned.destinations.keys().all(|destination| service.destinations.contains_key(destination))
        });
        (!seen).then_some(*key)
    });
    let planned = planned.filter(|key| !record.is_helper(key) || !live.services.contains_key(key));
    planned.chain(unseen).collect()
}
