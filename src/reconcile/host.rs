//! The host around the table, as the loop sees it: looked at, set, and remembered.
//!
//! Timeouts and synchronisation daemons are the kernel's IPVS; all else is behind the trait [`Host`].

mod kernel;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::ipvs::{Error, Ipvs, KernelSettings};
use crate::model::{self, Desired, Footing, HostKey, HostValue, LiveService, OwnedHost, Record, ServiceKey};
use crate::plan::render::host_value;
use crate::plan::{self, HostInputs, HostNote, HostOperation, HostPlan, HostStep, Operation, Plan, Verb, addresses_of};

use kernel::Footings;

/// Addresses, interfaces, sysctls and modules of the network namespace at hand.
pub trait Host {
    /// Those of `keys` that are there, with their values; an interface that is not there is left out. Of an interface,
    /// the addresses that are not among `keys` are foreign. What one key makes impossible leaves only that one out.
    ///
    /// # Errors
    ///
    /// In words, if nothing can be seen at all.
    fn look(&mut self, keys: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, String>;

    /// Makes each so, in order, and gone what has no value; one result for each, a failure in words. What is so already
    /// is no failure, and one that fails stops no other.
    fn set(&mut self, changes: &[(&HostKey, Option<&HostValue>)]) -> Vec<Result<(), String>>;

    /// Where a synchronisation daemon would stand that was started now: nowhere, if there is no such interface.
    ///
    /// # Errors
    ///
    /// In words, if that cannot be seen.
    fn footing(&mut self, interface: &str) -> Result<Option<Footing>, String>;
}

/// What a pass looks at and acts on.
pub struct Ground<'a> {
    pub ipvs: &'a mut dyn Ipvs,
    pub host: &'a mut dyn Host,
}

/// What became of a step on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostResult {
    Done,
    /// Why not, in words.
    Failed(String),
    /// Why it was not tried.
    Skipped(String),
    /// It was done, and is otherwise when looked at again.
    Unverified(String),
}

impl HostResult {
    /// Whether the object is now as it should be.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Done)
    }
}

impl fmt::Display for HostResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed(reason) => f.write_str(reason),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Unverified(found) => write!(f, "the kernel took it, but {found}"),
        }
    }
}

/// What is there, by key.
type Values = BTreeMap<HostKey, HostValue>;

/// What a plan of the host was made from.
#[derive(Debug, Default)]
pub struct HostSeen {
    wanted: Values,
    live: Values,
    /// The addresses of the services that are there after the pass, if all goes well.
    in_use: BTreeSet<IpAddr>,
    footings: Footings,
}

/// Plans the host for a pass over a table that is `live` and has `table` planned for it.
pub(super) fn plan(
    ground: &mut Ground<'_>,
    (desired, record): (&Desired, &Record),
    (live, table): (&BTreeMap<ServiceKey, LiveService>, &Plan),
    restore: bool,
) -> Result<(HostPlan, HostSeen), Error> {
    if desired.host == model::Host::default() && record.host.is_empty() {
        return Ok((HostPlan::default(), HostSeen::default()));
    }
    let deletes = table.steps.iter().filter(|step| matches!(step.operation, Operation::DeleteService { .. }));
    let gone: BTreeSet<&ServiceKey> = deletes.map(|step| step.operation.service()).collect();
    let stays = live.keys().filter(|key| !gone.contains(key));
    let in_use = addresses_of(stays.chain(desired.table.services.keys()));
    let wanted = plan::host_wanted(desired, &record.host, &in_use);
    let mut seen = HostSeen { wanted, in_use, ..HostSeen::default() };
    if seen.wanted.is_empty() && record.host.is_empty() {
        return Ok((HostPlan::default(), seen));
    }
    let keys = seen.wanted.keys().chain(record.host.keys()).cloned().collect();
    let plan = match look(ground, &keys)? {
        Ok(live) => {
            seen.live = live;
            await_interface(&mut seen, desired);
            seen.footings = kernel::footings(ground.host, &seen.wanted);
            let HostSeen { wanted, live, in_use, footings } = &seen;
            let record = &record.host;
            let adrift = &kernel::adrift(footings, record);
            plan::host_diff(&HostInputs { wanted, live, record, in_use, adrift, restore })
        }
        Err(reason) => HostPlan::unknown(reason),
    };
    Ok((plan, seen))
}

/// Without services there are no addresses, and so the interface for them need not be there: then its sysctls are not
/// wanted either.
fn await_interface(seen: &mut HostSeen, desired: &Desired) {
    let HostSeen { wanted, live, .. } = seen;
    let Some(name) = &desired.host.addresses else { return };
    if !wanted.contains_key(&HostKey::Interface(name.clone())) {
        wanted.retain(|key, _| key.sysctl_interface().as_ref() != Some(name) || live.contains_key(key));
    }
}

/// What is there of `keys`; of synchronisation daemons all, if any is asked for.
fn look(ground: &mut Ground<'_>, keys: &BTreeSet<HostKey>) -> Result<Result<Values, String>, Error> {
    let Ground { ipvs, host } = ground;
    let mut live = Values::new();
    if keys.iter().any(kernel::has) {
        let KernelSettings { timeouts, sync } = ipvs.settings()?;
        let timeouts = timeouts.into_iter().map(|(name, value)| (HostKey::Timeout(name), HostValue::Seconds(value)));
        live.extend(timeouts.filter(|(key, _)| keys.contains(key)));
        if keys.iter().any(|key| matches!(key, HostKey::Sync(_))) {
            live.extend(sync.into_iter().map(|(role, settings)| (HostKey::Sync(role), HostValue::Sync(settings))));
        }
    }
    let of_host: BTreeSet<HostKey> = keys.iter().filter(|key| !kernel::has(key)).cloned().collect();
    if of_host.is_empty() {
        return Ok(Ok(live));
    }
    Ok(host.look(&of_host).map(|found| {
        live.extend(found);
        live
    }))
}

/// The record with all that the plan is going to add and set.
pub(super) fn with_intents(record: &mut Record, plan: &HostPlan) {
    for HostStep { operation: HostOperation { key, from, to }, .. } in &plan.steps {
        // An interface that was there is somebody else's; a module is everybody's.
        let is_ours = match key {
            HostKey::Module(_) => false,
            HostKey::Interface(_) => from.is_none(),
            HostKey::Sysctl(_) | HostKey::Timeout(_) | HostKey::Address { .. } | HostKey::Sync(_) => true,
        };
        if is_ours && to.is_some() {
            let before = from.clone().filter(|_| key.is_setting());
            record.host.entry(key.clone()).or_insert(OwnedHost { before, ..OwnedHost::default() });
        }
    }
}

/// Adds and edits: what comes before the table. One result for each step, in the plan's order; that of a delete means
/// nothing yet.
pub(super) fn before(
    ground: &mut Ground<'_>,
    plan: &HostPlan,
    seen: &HostSeen,
    restore: bool,
) -> Result<Vec<HostResult>, Error> {
    let mut results = vec![HostResult::Done; plan.steps.len()];
    let chosen = indices(plan, |operation| operation.kind() != Verb::Delete);
    let (first, rest): (Vec<usize>, Vec<usize>) =
        chosen.partition(|index| is_ground(&plan.steps[*index].operation.key));
    set(ground, plan, &first, &mut results)?;
    let outcomes = first.iter().map(|index| (&plan.steps[*index].operation, &results[*index]));
    let missing = outcomes.filter(|(operation, result)| operation.kind() == Verb::Add && !result.is_ok());
    let missing: BTreeSet<&str> = missing.filter_map(|(operation, _)| operation.key.interface()).collect();
    let (skipped, rest): (Vec<usize>, Vec<usize>) = rest.into_iter().partition(|index| {
        let key = &plan.steps[*index].operation.key;
        key.address().is_some() && key.interface().is_some_and(|name| missing.contains(name))
    });
    for index in skipped {
        results[index] = HostResult::Skipped("its interface is not there".to_owned());
    }
    set(ground, plan, &rest, &mut results)?;
    let mut outcomes = plan.steps.iter().zip(&results);
    if outcomes.any(|(step, result)| result.is_ok() && step.operation.key.resets_others()) {
        set_again(ground.host, plan, seen, restore);
    }
    Ok(results)
}

/// Sets what was as it should be, and was reset by something that was set. What comes of it the next pass sees.
fn set_again(host: &mut dyn Host, plan: &HostPlan, seen: &HostSeen, restore: bool) {
    let HostSeen { wanted, live, .. } = seen;
    let planned: BTreeSet<&HostKey> = plan.steps.iter().map(|step| &step.operation.key).collect();
    let was_good = |key: &HostKey, value| restore || wanted.get(key).is_some_and(|wanted| key.is_met(wanted, value));
    let sysctls = live.iter().filter(|(key, _)| matches!(key, HostKey::Sysctl(_)) && !planned.contains(key));
    let sysctls = sysctls.filter(|(key, value)| was_good(key, value));
    let Ok(now) = host.look(&sysctls.clone().map(|(key, _)| key.clone()).collect()) else { return };
    let reset = sysctls.filter(|(key, value)| now.get(*key).is_some_and(|now| !key.is_met(value, now)));
    host.set(&reset.map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
}

/// Whether it is set before addresses are, which stand on it.
fn is_ground(key: &HostKey) -> bool {
    matches!(key, HostKey::Module(_) | HostKey::Interface(_) | HostKey::Sysctl(_) | HostKey::Timeout(_))
}

/// Takes the deletes of what services have that are there after all out of the plan, and of what is not where it is to be
/// instead; and says so in its notes.
pub(super) fn keep_in_use(
    plan: &mut HostPlan,
    results: &mut Vec<HostResult>,
    seen: &HostSeen,
    after: &BTreeMap<ServiceKey, LiveService>,
) {
    if plan.count(Verb::Delete) == 0 {
        return;
    }
    let stays: BTreeSet<IpAddr> = addresses_of(after.keys()).difference(&seen.in_use).copied().collect();
    plan.keep(|address| stays.contains(address), |key| HostNote::Draining { key });
    // What waits after a failure is not among the steps, so it is what is there that counts.
    let outcomes = plan.steps.iter().zip(&*results);
    let done = outcomes.filter(|(step, result)| step.operation.kind() != Verb::Delete && result.is_ok());
    let done: BTreeSet<&HostKey> = done.map(|(step, _)| &step.operation.key).collect();
    let is_there = |key: &&HostKey| seen.live.contains_key(*key) || done.contains(*key);
    let wanted = || seen.wanted.keys().filter(|key| key.address().is_some());
    let there: BTreeSet<&IpAddr> = wanted().filter(is_there).filter_map(HostKey::address).collect();
    let missing: BTreeSet<IpAddr> =
        wanted().filter_map(HostKey::address).filter(|address| !there.contains(address)).copied().collect();
    plan.keep(|address| missing.contains(address), |key| HostNote::Unmoved { key });
    // Deletes stand last, and have no result yet.
    results.truncate(plan.steps.len());
}

/// Deletes: what comes after the table.
pub(super) fn after(ground: &mut Ground<'_>, plan: &HostPlan, results: &mut [HostResult]) -> Result<(), Error> {
    let (interfaces, others): (Vec<usize>, Vec<usize>) = indices(plan, |operation| operation.kind() == Verb::Delete)
        .partition(|index| matches!(plan.steps[*index].operation.key, HostKey::Interface(_)));
    set(ground, plan, &others, results)?;
    // With an interface go all of its addresses.
    let has_address = |index: &usize| {
        let HostKey::Interface(name) = &plan.steps[*index].operation.key else { return false };
        let mut outcomes = plan.steps.iter().zip(&*results);
        outcomes.any(|(step, result)| {
            !result.is_ok() && matches!(&step.operation.key, HostKey::Address { interface, .. } if interface == name)
        })
    };
    let (full, empty): (Vec<usize>, Vec<usize>) = interfaces.into_iter().partition(has_address);
    for index in full {
        results[index] = HostResult::Skipped("it has an address that could not be deleted".to_owned());
    }
    set(ground, plan, &empty, results)
}

fn indices(plan: &HostPlan, choose: impl Fn(&HostOperation) -> bool) -> impl Iterator<Item = usize> {
    let steps = plan.steps.iter().enumerate();
    steps.filter(move |(_, step)| choose(&step.operation)).map(|(index, _)| index)
}

/// Carries out the chosen steps, in order.
fn set(ground: &mut Ground<'_>, plan: &HostPlan, chosen: &[usize], results: &mut [HostResult]) -> Result<(), Error> {
    // In runs of those that one of the two carries out.
    for run in chosen.chunk_by(|a, b| of_kernel(plan, *a) == of_kernel(plan, *b)) {
        if run.first().is_some_and(|index| of_kernel(plan, *index)) {
            for index in run {
                results[*index] = match kernel::set(ground.ipvs, &plan.steps[*index].operation)? {
                    Ok(()) => HostResult::Done,
                    Err(reason) => HostResult::Failed(reason),
                };
            }
            continue;
        }
        let operations = run.iter().map(|index| &plan.steps[*index].operation);
        let changes: Vec<_> = operations.map(|HostOperation { key, from: _, to }| (key, to.as_ref())).collect();
        let mut outcomes = ground.host.set(&changes).into_iter();
        for index in run {
            results[*index] = match outcomes.next() {
                Some(Ok(())) => HostResult::Done,
                Some(Err(reason)) => HostResult::Failed(reason),
                None => HostResult::Failed("it is not known what became of it".to_owned()),
            };
        }
    }
    Ok(())
}

fn of_kernel(plan: &HostPlan, index: usize) -> bool {
    kernel::has(&plan.steps[index].operation.key)
}

/// Looks at what was touched again, corrects `results` by what is found, and gives back what is remembered now.
pub(super) fn left_behind(
    ground: &mut Ground<'_>,
    plan: &HostPlan,
    seen: HostSeen,
    (record, restore): (&Record, bool),
    results: &mut [HostResult],
) -> Result<BTreeMap<HostKey, OwnedHost>, Error> {
    let HostSeen { wanted, live: first, in_use: _, mut footings } = seen;
    let mut live = first.clone();
    if !plan.steps.is_empty() {
        let keys = wanted.keys().chain(record.host.keys()).cloned().collect();
        match look(ground, &keys)? {
            Ok(found) => live = found,
            Err(reason) => {
                for result in results.iter_mut().filter(|result| result.is_ok()) {
                    *result = HostResult::Unverified(format!("the host cannot be looked at: {reason}"));
                }
                return Ok(record.host.clone());
            }
        }
    } else if plan.is_unknown() {
        return Ok(record.host.clone());
    }
    for (HostStep { operation, .. }, result) in plan.steps.iter().zip(results.iter_mut()) {
        if result.is_ok()
            && let Err(found) = verify(operation, live.get(&operation.key))
        {
            *result = HostResult::Unverified(found);
        }
    }
    let started: BTreeSet<&HostKey> = plan
        .steps
        .iter()
        .zip(&*results)
        .filter(|(_, result)| result.is_ok())
        .map(|(step, _)| &step.operation.key)
        .collect();
    if started.iter().any(|key| matches!(key, HostKey::Sync(_))) {
        footings = kernel::footings(ground.host, &wanted);
    }
    let is_dummy = |name: &str| {
        matches!(live.get(&HostKey::Interface(name.to_owned())), Some(HostValue::Link { dummy: true, .. }))
    };
    let mut owned = BTreeMap::new();
    for (key, value) in &live {
        let known = record.host.get(key);
        let before = known.and_then(|known| known.before.clone());
        let footing = known.and_then(|known| known.footing).filter(|_| !started.contains(key));
        let put_back = key.is_setting() && before.as_ref() == Some(value) && (restore || !wanted.contains_key(key));
        let is_ours = match key {
            HostKey::Module(_) => false,
            // Adopted with the interface that is for them; elsewhere they may have been somebody's before.
            HostKey::Address { interface, .. } => known.is_some() || (wanted.contains_key(key) && is_dummy(interface)),
            HostKey::Interface(name) => known.is_some() && is_dummy(name),
            HostKey::Sysctl(_) | HostKey::Timeout(_) | HostKey::Sync(_) => known.is_some() || wanted.contains_key(key),
        };
        if is_ours && !put_back {
            // What is as it should be when it is first seen, was so before, whatever this pass has made of it.
            let first = first.get(key).unwrap_or(value);
            let before = before.or_else(|| key.is_setting().then(|| first.clone()));
            // One that ran before it was first seen stands where it would if it had been started now, for all that is known.
            let footing = footing.or_else(|| footings.remove(key).flatten());
            owned.insert(key.clone(), OwnedHost { before, left: Some(value.clone()), footing });
        }
    }
    Ok(owned)
}

/// Whether what is found is what the operation asked for, or in words what it is instead.
fn verify(operation: &HostOperation, found: Option<&HostValue>) -> Result<(), String> {
    match (&operation.to, found) {
        (Some(wanted), Some(found)) if operation.key.is_met(wanted, found) => Ok(()),
        (Some(_), Some(found)) => Err(format!("it is {}", host_value(found))),
        (Some(_), None) => Err("it is not there".to_owned()),
        (None, Some(_)) => Err("it is still there".to_owned()),
        (None, None) => Ok(()),
    }
}
