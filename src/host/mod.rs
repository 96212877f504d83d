//! The host around IPVS: what must be so on it for packets to arrive, and to come back.
//!
//! [`rtnl`] is the edge to interfaces, addresses and routes; [`Edge`] is the host as the loop sees it.

pub mod doctor;
mod edge;
mod modules;
pub mod rtnl;
mod sysctl;

pub use edge::Edge;
