//! Two directors, of which one dies: what it had told the other of its connections goes on there.
//!
//! ```text
//!  client 10.1.0.2, .3 ─┐        ┌─ server 10.1.0.21
//!                       ├─ bridge ┤
//!  director A 10.1.0.11 ─┤        └─ server 10.1.0.22
//!  director B 10.1.0.12 ─┘
//! ```
//!
//! The bridge is the namespace of the test. Each director has an interface `vip0`, with the address of the services and the
//! one that is the servers' way back if they are NAT, and with a MAC address that both directors share, as VRRP's are. It
//! is up at one of them only. So nothing changes for the client, nor for the servers, when another takes over.

mod connections;
mod messages;
mod rig;
mod sticky;
