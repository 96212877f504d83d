//! The loop that keeps the kernel's table as it should be.
//!
//! Level-triggered: an [`Event`] only wakes it, and a pass reads all of its inputs again. One thread, which
//! owns the kernel's socket and everything that changes; deterministic given its inputs, the time, and the
//! [`Ipvs`](crate::ipvs::Ipvs) behind it.
//!
//! A pass ([`pass`]) is: observe, diff, confirm what a torn dump could have got wrong, guard, write down what is
//! about to be owned, apply in stages, read back, write down what is owned now. `ipvsd apply` makes one,
//! [`Loop`] makes them for ever.
//!
//! What a pass of the loop concerns (`concern`) is everything, or the services that something has happened to: then it is
//! the same pass, in a world that holds nothing else (`part`), and costs what that part is.

mod atomic;
mod backoff;
mod belief;
mod carry;
mod checker;
mod concern;
mod fault;
mod host;
mod journal;
mod leaving;
mod ledger;
mod narrate;
mod notice;
mod observe;
mod overrides;
mod part;
mod pass;
mod run;
mod schedule;
mod sight;
mod standing;
mod status;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod verify;

pub use atomic::{StoreError, create as create_private, hand_over};
pub use backoff::Failures;
pub use checker::{Assignment, Assignments, CheckVerdict, Checker, Verdict, Verdicts};
pub use fault::{Fault, Sort};
pub use host::{Ground, Host, HostResult, HostSeen};
pub use notice::{DrainEnd, Listener, Notice, Passed};
pub use observe::{Inputs, Observed, observe, read_whole};
pub use overrides::{OverrideSource, OverrideStore, OverridesError, StoredOverrides, parse_period};
pub use pass::{Hands, Options, PassError, Picture, Refused, Report, StepResult, Terms, pass};
pub use run::{Company, Config, ConfigSource, Loop, Part, give_back};
pub use schedule::{Event, Now, Why, unix_now};
pub use sight::Sight;
pub use standing::Standing;
pub use status::{
    Agreement, Board, DestinationStatus, DockerFinding, DockerStatus, DrainStatus, Failing, HostTrouble, MOST_FAILING,
    NameStatus, ServiceStatus, Status, unix_of,
};
pub use store::{FileStore, Found, Place, RecordStore};
pub use tally::{Drift, Durations, Kind, Loads, Outcome, PassEnd, Tally, Trigger};
