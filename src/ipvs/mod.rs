//! The edge to the kernel.
//!
//! [`Ipvs`] is all that the rest of ipvsd knows of it: read, read exactly, execute. [`Fake`] stands in for
//! the kernel in the fast tests, and one conformance suite (`tests/kernel`) holds it to the real one.

mod carry_out;
pub mod codec;
mod error;
mod fake;
mod socket;
mod uapi;

pub use carry_out::{Outcome, carry_out};
pub use error::{Errno, Error, Refusal, Retry};
pub use fake::{Executed, Fake, FakeInterface, Hidden, SharedFake};
pub use socket::Kernel;

use std::collections::BTreeMap;

use crate::model::{Live, LiveService, ServiceKey, SyncRole, SyncSettings, Timeout};
use crate::plan::Operation;

/// What the kernel says of its IPVS (`IPVS_CMD_GET_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Major, minor, patch: 1.2.1 in every kernel of the last ten years.
    pub version: (u8, u8, u8),
    /// Buckets of the connection table: a power of two. From Linux 7.1 on that of this network namespace, which grows with
    /// its connections; 0 before its first service.
    pub table_size: u32,
}

/// What the kernel's IPVS is set to beside its table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelSettings {
    /// In seconds.
    pub timeouts: BTreeMap<Timeout, u32>,
    /// The synchronisation daemons that run.
    pub sync: BTreeMap<SyncRole, SyncSettings>,
}

/// A change of the kernel's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting<'a> {
    /// Sets a timeout, in seconds; 0 keeps what is there. EINVAL if it is longer than `i32::MAX` ticks.
    Timeout(Timeout, u32),
    /// Starts a synchronisation daemon: ENODEV without its interface, EEXIST if there is one of that role, EINVAL while
    /// there are destinations of another family than their service's (and the other way round: none can be added while a
    /// daemon runs). A master also wants an interface that is up, and of the group's family: ENETUNREACH. Neither asks for
    /// an address: without an IPv4 one a master sends from that of another interface, or from 0.0.0.0.
    StartSync(SyncRole, &'a SyncSettings),
    /// Stops one: ESRCH if there is none.
    StopSync(SyncRole),
}

/// The IPVS of one network namespace.
///
/// Methods fail as a whole only when there is no talking to the kernel ([`Error`]); what the kernel refuses
/// is a [`Refusal`] of one operation.
pub trait Ipvs {
    /// Version and table size.
    fn info(&mut self) -> Result<Info, Error>;

    /// The whole table from dumps, de-duplicated. Dumps are not consistent views (they tear while somebody
    /// else writes): an entry in it was there as it is shown, but an absent one may exist all the same.
    fn read(&mut self) -> Result<Live, Error>;

    /// Those of `keys` that exist, each service by an exact single read, with their destinations.
    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error>;

    /// Sends the operations in order, batched, and gives one result for each, in the same order. A refused
    /// operation does not stop the ones after it. Adds and edits carry every attribute. Nothing is
    /// interpreted here: EEXIST, ENOENT and ESRCH come back as they are.
    ///
    /// An `Err` as a whole means that it is not known which of them were carried out.
    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error>;

    /// The kernel's own settings.
    fn settings(&mut self) -> Result<KernelSettings, Error>;

    /// Changes one of them.
    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error>;
}
