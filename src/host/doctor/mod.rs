//! The doctor: what is wrong with a configuration, a kernel and a host, looked at together.
//!
//! [`look`] fills [`Facts`], and changes nothing: it loads no module, and makes no table of a packet filter. [`examine`] is a pure
//! function of them and the configuration. The table itself is read by whoever calls, for this room knows no IPVS.
//!
//! Each finding was provoked and mended on a real kernel (`tests/kernel/doctor`); packaging/doc/doctor.md lists them.

mod facts;
mod finding;
mod findings;
mod look;
mod release;
mod scene;
#[cfg(test)]
mod testing;

pub use facts::{Facts, Filters, Module, NatRules, Process, Role, SourceNat, Table};
pub use finding::{Finding, KINDS, Kind, Mend, Severity};
pub use look::look;
pub use scene::Stage;

use crate::model::Desired;

/// Everything that is wrong, the worst first.
pub fn examine(facts: &Facts, desired: &Desired, stage: Stage) -> Vec<Finding> {
    findings::all(scene::Scene { facts, desired, stage })
}
