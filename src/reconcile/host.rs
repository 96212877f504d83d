//! The host around the table, as the loop sees it: looked at, set, and remembered.
//!
//! Timeouts and synchronisation daemons are the kernel's IPVS; all else is behind the trait [`Host`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use std::fmt;

use crate::ipvs::{Errno, Error, Ipvs, KernelSettings, Refusal, Setting};
use crate::model::{Desired, HostKey, HostValue, LiveService, OwnedHost, Record, ServiceKey, SyncRole, SyncSettings};
use crate::plan::render::host_value;
use crate::plan::{self, HostInputs, HostOperation, HostPlan, HostStep, Operation, Plan, Verb, addresses_of};

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
}

/// Plans the host for a pass over a table that is `live` and has `table` planned for it.
pub(super) fn plan(
    ground: &mut Ground<'_>,
    (desired, record): (&Desired, &Record),
    (live, table): (&BTreeMap<ServiceKey, LiveService>, &Plan),
    restore: bool,
) -> Result<(HostPlan, HostSeen), Error> {
    let deletes = table.steps.iter().filter(|step| matches!(step.operation, Operation::DeleteService { .. }));
    let gone: BTreeSet<&ServiceKey> = deletes.map(|step| step.operation.service()).collect();
    let stays = live.keys().filter(|key| !gone.contains(key));
    let in_use = addresses_of(stays.chain(desired.table.services.keys()));
    let wanted = plan::host_wanted(desired, &record.host, &in_use);
    let mut seen = HostSeen { wanted, live: Values::new(), in_use };
    if seen.wanted.is_empty() && record.host.is_empty() {
        return Ok((HostPlan::default(), seen));
    }
    let keys = seen.wanted.keys().chain(record.host.keys()).cloned().collect();
    let plan = match look(ground, &keys)? {
        Ok(live) => {
            seen.live = live;
            let HostSeen { wanted, live, in_use } = &seen;
            plan::host_diff(&HostInputs { wanted, live, record: &record.host, in_use, restore })
        }
        Err(reason) => HostPlan::unknown(reason),
    };
    Ok((plan, seen))
}

/// What is there of `keys`; of synchronisation daemons all, if any is asked for.
fn look(ground: &mut Ground<'_>, keys: &BTreeSet<HostKey>) -> Result<Result<Values, String>, Error> {
    let Ground { ipvs, host } = ground;
    let mut live = Values::new();
    if keys.iter().any(is_of_kernel) {
        let KernelSettings { timeouts, sync } = ipvs.settings()?;
        let timeouts = timeouts.into_iter().map(|(name, value)| (HostKey::Timeout(name), HostValue::Seconds(value)));
        live.extend(timeouts.filter(|(key, _)| keys.contains(key)));
        if keys.iter().any(|key| matches!(key, HostKey::Sync(_))) {
            live.extend(sync.into_iter().map(|(role, settings)| (HostKey::Sync(role), HostValue::Sync(settings))));
        }
    }
    let of_host: BTreeSet<HostKey> = keys.iter().filter(|key| !is_of_kernel(key)).cloned().collect();
    if of_host.is_empty() {
        return Ok(Ok(live));
    }
    Ok(host.look(&of_host).map(|found| {
        live.extend(found);
        live
    }))
}

/// Whether it is the kernel's IPVS itself.
fn is_of_kernel(key: &HostKey) -> bool {
    matches!(key, HostKey::Timeout(_) | HostKey::Sync(_))
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
            record.host.entry(key.clone()).or_insert(OwnedHost { before, left: None });
        }
    }
}

/// Adds and edits: what comes before the table. One result for each step, in the plan's order; that of a delete means
/// nothing yet.
pub(super) fn before(ground: &mut Ground<'_>, plan: &HostPlan, seen: &HostSeen) -> Result<Vec<HostResult>, Error> {
    let mut results = vec![HostResult::Done; plan.steps.len()];
    let chosen: Vec<usize> = indices(plan, |operation| operation.kind() != Verb::Delete).collect();
    set(ground, plan, &chosen, &mut results)?;
    let mut outcomes = plan.steps.iter().zip(&results);
    if outcomes.any(|(step, result)| result.is_ok() && step.operation.key.resets_others()) {
        set_again(ground.host, &seen.wanted, plan);
    }
    Ok(results)
}

/// Sets what was as it should be, and was reset by something that was set. What comes of it the next pass sees.
fn set_again(host: &mut dyn Host, wanted: &Values, plan: &HostPlan) {
    let planned: BTreeSet<&HostKey> = plan.steps.iter().map(|step| &step.operation.key).collect();
    let sysctls = wanted.iter().filter(|(key, _)| matches!(key, HostKey::Sysctl(_)) && !planned.contains(key));
    let Ok(live) = host.look(&sysctls.clone().map(|(key, _)| key.clone()).collect()) else { return };
    let reset = sysctls.filter(|(key, value)| live.get(*key).is_some_and(|live| !key.is_met(value, live)));
    host.set(&reset.map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
}

/// Takes the deletes of what services have that are there after all out of the plan, and says so in its notes.
pub(super) fn keep_in_use(
    plan: &mut HostPlan,
    results: &mut Vec<HostResult>,
    seen: &HostSeen,
    after: &BTreeMap<ServiceKey, LiveService>,
) {
    let stays: BTreeSet<IpAddr> = addresses_of(after.keys()).difference(&seen.in_use).copied().collect();
    plan.keep(|address| stays.contains(address));
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
                results[*index] = match set_in_kernel(ground.ipvs, &plan.steps[*index].operation)? {
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
    is_of_kernel(&plan.steps[index].operation.key)
}

/// Sets a timeout, or starts and stops a daemon.
fn set_in_kernel(ipvs: &mut dyn Ipvs, operation: &HostOperation) -> Result<Result<(), String>, Error> {
    let HostOperation { key, from, to } = operation;
    let result = match (key, to) {
        (HostKey::Timeout(timeout), Some(HostValue::Seconds(seconds))) => {
            ipvs.set(Setting::Timeout(*timeout, *seconds))?
        }
        (HostKey::Sync(role), Some(HostValue::Sync(settings))) => start_sync(ipvs, *role, from.as_ref(), settings)?,
        (HostKey::Sync(role), None) => stop_sync(ipvs, *role)?,
        _ => return Ok(Err(format!("{key} cannot be set so"))),
    };
    Ok(result.map_err(|refusal| refusal.to_string()))
}

/// Starts a daemon. One that runs cannot be edited: it ends and another begins, which loses some messages and no
/// connection.
fn start_sync(
    ipvs: &mut dyn Ipvs,
    role: SyncRole,
    from: Option<&HostValue>,
    settings: &SyncSettings,
) -> Result<Result<(), Refusal>, Error> {
    let start = Setting::StartSync(role, settings);
    // Most of what the kernel has against the new one it says before it says that there is an old one, which then stays.
    let refusal = match ipvs.set(start)? {
        Err(refusal) if refusal.errno == Errno::EXIST => refusal,
        result => return Ok(result),
    };
    let Some(HostValue::Sync(old)) = from else { return Ok(Err(refusal)) };
    if let Err(refusal) = stop_sync(ipvs, role)? {
        return Ok(Err(refusal));
    }
    let result = ipvs.set(start)?;
    if result.is_err() {
        // Better than none; if it cannot be had again either, what the new one got is the reason to tell.
        drop(ipvs.set(Setting::StartSync(role, old))?);
    }
    Ok(result)
}

/// One that is gone already was stopped.
fn stop_sync(ipvs: &mut dyn Ipvs, role: SyncRole) -> Result<Result<(), Refusal>, Error> {
    match ipvs.set(Setting::StopSync(role))? {
        Err(refusal) if refusal.errno != Errno::SRCH => Ok(Err(refusal)),
        _ => Ok(Ok(())),
    }
}

/// Looks at what was touched again, corrects `results` by what is found, and gives back what is remembered now.
pub(super) fn left_behind(
    ground: &mut Ground<'_>,
    plan: &HostPlan,
    seen: HostSeen,
    (record, restore): (&Record, bool),
    results: &mut [HostResult],
) -> Result<BTreeMap<HostKey, OwnedHost>, Error> {
    let HostSeen { wanted, mut live, in_use: _ } = seen;
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
    for (HostStep { operation, .. }, result) in plan.steps.iter().zip(results) {
        if result.is_ok()
            && let Err(found) = verify(operation, live.get(&operation.key))
        {
            *result = HostResult::Unverified(found);
        }
    }
    let is_dummy = |name: &String| {
        matches!(live.get(&HostKey::Interface(name.clone())), Some(HostValue::Link { dummy: true, .. }))
    };
    let mut owned = BTreeMap::new();
    for (key, value) in &live {
        let known = record.host.get(key);
        let before = known.and_then(|known| known.before.clone());
        let put_back = key.is_setting() && before.as_ref() == Some(value) && (restore || !wanted.contains_key(key));
        let is_ours = match key {
            HostKey::Module(_) => false,
            // Adopted with the interface that is for them; elsewhere they may have been somebody's before.
            HostKey::Address { interface, .. } => known.is_some() || (wanted.contains_key(key) && is_dummy(interface)),
            HostKey::Interface(_) => known.is_some(),
            HostKey::Sysctl(_) | HostKey::Timeout(_) | HostKey::Sync(_) => known.is_some() || wanted.contains_key(key),
        };
        if is_ours && !put_back {
            // What is as it should be when it is first seen, was so before.
            let first = Some(value.clone()).filter(|_| key.is_setting());
            owned.insert(key.clone(), OwnedHost { before: before.or(first), left: Some(value.clone()) });
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
