//! The host around IPVS: what must be so on it for packets to arrive, and to come back.
//!
//! [`rtnl`] is the edge to interfaces, addresses and routes.

pub mod rtnl;
