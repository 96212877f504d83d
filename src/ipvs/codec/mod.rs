//! Messages as bytes: what is sent to the kernel's IPVS and what it answers. Pure, and total: no input makes
//! the decoder panic, attributes that it does not know are skipped, and an entry that it does not understand is
//! put into words instead.
//!
//! After `net/netfilter/ipvs/ip_vs_ctl.c`: `ip_vs_genl_parse_service`, `ip_vs_genl_parse_dest` on the way in,
//! `ip_vs_genl_fill_service`, `ip_vs_genl_fill_dest` on the way out.

mod decode;
mod encode;
mod settings;
#[cfg(test)]
mod tests;

pub use decode::{decode_destination, decode_service};
pub(super) use decode::{decode_family_id, decode_info};
pub use encode::Request;
pub(super) use settings::{decode_daemon, decode_timeouts};
