//! The host around IPVS: addresses and interfaces, sysctls, modules.

mod edge;
mod modules;
pub mod rtnl;
mod sysctl;

pub use edge::Edge;
