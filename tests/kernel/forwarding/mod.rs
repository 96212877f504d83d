//! Every way to forward, with every protocol, from services to destinations of either family: proven with packets, a test for
//! each cell. Services with an IPv6 address are in [`crate::forwarding6`].
//!
//! | service → destinations | nat | dr | dr to macvlan | tunnel ipip | tunnel gue | tunnel gre |
//! |---|---|---|---|---|---|---|
//! | IPv4 → IPv4 | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp |
//! | IPv6 → IPv6 | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp | tcp udp sctp |
//! | IPv4 → IPv6 | EINVAL | EINVAL | EINVAL | tcp udp sctp | tcp udp sctp | tcp udp sctp |
//! | IPv6 → IPv4 | EINVAL | EINVAL | EINVAL | tcp udp sctp | tcp udp sctp | tcp udp sctp |
//!
//! Seen on 6.1. What works is in [`cell`], what does not is in [`other_family`]. A cell is a client, a director and two
//! servers ([`rig`]), made ready with an operator's commands ([`modes`]), and a configuration that ipvsd applies ([`stage`]).
//! Then requests and answers of some hundred kilobytes go to and fro over TCP or SCTP, and DNS queries over UDP, and it holds:
//!
//! - `ipvsadm -Sn` shows the table that was meant, and `ipvsadm -Ln` the same number of connections for both servers;
//! - requests and answers arrive whole, in packets of the wire's size, from and at half of the times each server;
//! - servers see the client's own address as their peer, and the service's as their own, but for NAT;
//! - answers pass the director with NAT, and only then;
//! - packets come out of the end of a tunnel, and the client knows what fits into one;
//! - with dr the director sends to a MAC address of each server's own.

mod cell;
mod client;
mod counters;
mod modes;
mod other_family;
mod rig;
mod servers;
mod stage;

/// A test per protocol for each way of forwarding.
macro_rules! cells {
    ($($name:ident: $forward:ident, $family:ident, $underlay:ident;)*) => {
        $(
            mod $name {
                use crate::forwarding::{Family, Forward, Protocol, works};

                #[test]
                fn tcp() {
                    works(Forward::$forward, Family::$family, Family::$underlay, Protocol::Tcp);
                }

                #[test]
                fn udp() {
                    works(Forward::$forward, Family::$family, Family::$underlay, Protocol::Udp);
                }

                #[test]
                fn sctp() {
                    works(Forward::$forward, Family::$family, Family::$underlay, Protocol::Sctp);
                }
            }
        )*
    };
}
pub(crate) use cells;

pub(crate) use cell::works;
pub(crate) use counters::{counted, counter};
pub(crate) use modes::{Forward, Mode};
pub(crate) use rig::{Family, Rig, Wiring, shell, vip};
pub(crate) use stage::{Protocol, Stage};

cells! {
    nat: Nat, V4, V4;
    dr: Dr, V4, V4;
    macvlan: Macvlan, V4, V4;
    ipip: Ipip, V4, V4;
    gue: Gue, V4, V4;
    gre: Gre, V4, V4;
    ipip_over_v6: Ipip, V4, V6;
    gue_over_v6: Gue, V4, V6;
    gre_over_v6: Gre, V4, V6;
}
