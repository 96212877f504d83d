//! What is live, and what would have to be done: the part of a pass that `plan` shares with `apply` and `run`.

use std::collections::BTreeSet;

use crate::ipvs::{Error, Ipvs};
use crate::model::{Desired, DestinationKey, Live, Record, ServiceKey, Table};
use crate::plan::{self, Operation, Plan};

/// A look at the kernel.
#[derive(Debug)]
pub struct Observed {
    pub live: Table,
    pub plan: Plan,
    /// Live entries that could not be understood, in words.
    pub unknown: Vec<String>,
}

/// Reads the live table and plans. Dumps tear (kernel.md 5.5), so every service in which an entry would be
/// added or deleted, or of which something that is owned seems to be gone, is read once more, exactly, before the
/// plan is believed.
pub fn observe(ipvs: &mut dyn Ipvs, desired: &Desired, record: &Record) -> Result<Observed, Error> {
    let Live { services, unknown } = ipvs.read()?;
    let mut live = Live { services, unknown: Vec::new() }.to_table();
    let diff = |live: &Table| plan::diff(live, &desired.table, &desired.manage, record);
    let mut plan = diff(&live);
    let doubtful = doubtful(&plan, &live, record);
    // Adds to an empty table need no second look: an add of what exists is refused, and harms nothing.
    if !doubtful.is_empty() && !live.services.is_empty() {
        let exact = ipvs.read_services(&doubtful)?;
        for key in doubtful {
            match exact.get(&key) {
                Some(service) => live.services.insert(key, service.to_service()),
                None => live.services.remove(&key),
            };
        }
        plan = diff(&live);
    }
    Ok(Observed { live, plan, unknown })
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
/// seen, for what is not wanted any more would be disowned, and stay for ever.
fn doubtful(plan: &Plan, live: &Table, record: &Record) -> Vec<ServiceKey> {
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
    planned.chain(unseen).collect::<BTreeSet<_>>().into_iter().collect()
}
