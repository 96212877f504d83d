//! [`crate::forwarding_needs`] for tunnels.

mod packet_size;
mod server;
