//! The host around IPVS: what must be so on it for packets to arrive, and to come back.
//!
//! - [`rtnl`] is the edge to interfaces, addresses and routes.
//! - [`Edge`] is all of it as the loop sees it: interfaces and addresses, sysctls, modules.
//! - [`doctor`] looks at host, kernel and configuration together, and says what is wrong.

pub mod doctor;
mod edge;
mod modules;
pub mod rtnl;
mod sysctl;

pub use edge::Edge;
