//! What of the host is the kernel's IPVS itself: timeouts and synchronisation daemons.

use std::collections::{BTreeMap, BTreeSet};

use super::{Host, Values};
use crate::ipvs::{Errno, Error, Ipvs, Refusal, Setting};
use crate::model::{Footing, HostKey, HostValue, OwnedHost, SyncRole, SyncSettings};
use crate::plan::HostOperation;

/// Whether it is the kernel's IPVS itself.
pub(super) fn has(key: &HostKey) -> bool {
    matches!(key, HostKey::Timeout(_) | HostKey::Sync(_))
}

/// Sets a timeout, or starts and stops a daemon.
pub(super) fn set(ipvs: &mut dyn Ipvs, operation: &HostOperation) -> Result<Result<(), String>, Error> {
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

/// Where the daemons that are wanted would stand if they were started now, as far as that can be seen.
pub(super) type Footings = BTreeMap<HostKey, Option<Footing>>;

/// See [`Footings`].
pub(super) fn footings(host: &mut dyn Host, wanted: &Values) -> Footings {
    let daemons = wanted.iter().filter_map(|(key, value)| match (key, value) {
        (HostKey::Sync(role), HostValue::Sync(settings)) => Some((key, *role, settings)),
        _ => None,
    });
    let footing = |(key, role, settings): (&HostKey, SyncRole, &SyncSettings)| {
        let found = host.footing(&settings.interface).ok()?;
        Some((key.clone(), found.map(|footing| footing.of(role, settings))))
    };
    daemons.filter_map(footing).collect()
}

/// The daemons that were started on something else than there is now.
pub(super) fn adrift(footings: &Footings, record: &BTreeMap<HostKey, OwnedHost>) -> BTreeSet<HostKey> {
    let has_moved = |(key, now): &(&HostKey, &Option<Footing>)| {
        let started_on = record.get(*key).and_then(|owned| owned.footing);
        started_on.is_some() && started_on != **now
    };
    footings.iter().filter(has_moved).map(|(key, _)| key.clone()).collect()
}
