//! Containers of a Docker engine as destinations.
//!
//! ```text
//!  events ──hints──▶ machine ──when──▶ lists ──▶ Snapshot ──gather (with the configuration)──▶ destinations, services, findings
//!     └─ kill, die ─────────────────────────────────▲
//! ```
//!
//! [`follow`] is the thin edge, `machine` decides when it lists and what an event says before a list can, [`gather()`] is a pure
//! function. What is known stays while the engine is away; an error is never taken for "no containers".

mod auto;
mod client;
mod facts;
mod follow;
mod gather;
mod labels;
mod machine;
mod marks;
mod questions;
mod swarm;
#[cfg(test)]
mod tests;
mod tls;
mod window;
mod wire;

pub use facts::{Addresses, Container, Health, Port, Snapshot};
pub use follow::follow;
pub use gather::{Base, Contributed, Destinations, Finding, Gathered, Ground, gather};
pub use window::{View, Window};
