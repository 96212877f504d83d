//! The host around IPVS: addresses and interfaces, sysctls, modules.

mod edge;
mod modules;
mod sysctl;

pub use edge::Edge;
