//! The edge to netlink, whatever family is spoken over it: bytes as messages and attributes, requests in batches, and a
//! socket that reads every answer to its end.
//!
//! After `include/uapi/linux/netlink.h` and `net/netlink/af_netlink.c`. What the messages of a family mean is for those
//! who speak it.

mod attributes;
mod batch;
mod datagram;
mod error;
mod link;
mod progress;
#[cfg(test)]
mod tests;

pub use attributes::{Attribute, Attributes, Writer};
pub use batch::Batch;
pub use datagram::{Body, Malformed, Message, messages};
pub use error::Error;
pub use link::{Answer, Exchange, Family, Link};
pub use neli::consts::nl::NlmF as Flags;
pub use progress::on_exchange;
pub use rustix::io::Errno;
