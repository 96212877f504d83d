//! What is live, and what would have to be done: the part of a pass that `plan` shares with `apply` and `run`.

use crate::ipvs::{Error, Ipvs};
use crate::model::{Desired, Live, Record, ServiceKey, Table};
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
/// added or deleted is read once more, exactly, before the plan is believed.
pub fn observe(ipvs: &mut dyn Ipvs, desired: &Desired, record: &Record) -> Result<Observed, Error> {
    let Live { services, unknown } = ipvs.read()?;
    let mut live = Live { services, unknown: Vec::new() }.to_table();
    let diff = |live: &Table| plan::diff(live, &desired.table, &desired.manage, record);
    let mut plan = diff(&live);
    let doubtful = doubtful(&plan);
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

/// The services whose plan says that something is missing, or is to go.
fn doubtful(plan: &Plan) -> Vec<ServiceKey> {
    let mut keys: Vec<ServiceKey> = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.operation, Operation::EditService { .. } | Operation::EditDestination { .. }))
        .map(|step| *step.operation.service())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
