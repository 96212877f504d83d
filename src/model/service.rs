//! Virtual services: what identifies one, and what can be set on it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::Scheduler;

/// An address family, `AF_INET` or `AF_INET6`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// `IPv4` or `IPv6`.
    pub fn word(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    /// The longest prefix: 32 or 128 bits.
    pub fn bits(self) -> u32 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

/// The transport protocol of a service, an IANA protocol number in the kernel.
///
/// The kernel takes any number without a word (`ip_vs_genl_parse_service`); a configuration may only name
/// the three that IPVS can balance. `Other` exists so that foreign entries can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    Other(u16),
}

impl Protocol {
    /// The IANA protocol number.
    pub fn number(self) -> u16 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
            Protocol::Other(number) => number,
        }
    }

    /// The protocol of an IANA number.
    pub fn from_number(number: u16) -> Self {
        match number {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            132 => Protocol::Sctp,
            other => Protocol::Other(other),
        }
    }
}

/// What the kernel identifies a service by (`__ip_vs_service_find`, `__ip_vs_svc_fwm_find`). Never editable.
///
/// Text form: `tcp://192.0.2.10:80`, `udp://[2001:db8::1]:53`, `sctp://…`, `fwmark:7` (IPv4) and `fwmark6:7`;
/// a foreign protocol is `proto-47://192.0.2.1:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// Protocol, address and port. Port 0 stands for every port, and wants persistence.
    Address { protocol: Protocol, address: IpAddr, port: u16 },
    /// A firewall mark, 1..=u32::MAX, within one address family.
    Mark { family: Family, mark: u32 },
}

impl ServiceKey {
    /// The address family that the service belongs to.
    pub fn family(&self) -> Family {
        match self {
            ServiceKey::Address { address, .. } => Family::of(*address),
            ServiceKey::Mark { family, .. } => *family,
        }
    }

    /// The port, or `None` for a firewall mark.
    pub fn port(&self) -> Option<u16> {
        match self {
            ServiceKey::Address { port, .. } => Some(*port),
            ServiceKey::Mark { .. } => None,
        }
    }
}

/// Which clients persistence treats as one.
///
/// On the wire an IPv4 mask is four bytes and an IPv6 one a prefix length; a contiguous mask of either kind
/// is a `Prefix` here. The kernel takes any IPv4 mask; `Odd` exists to show what others set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Netmask {
    Prefix(u32),
    Odd(Ipv4Addr),
}

impl Netmask {
    /// One client each: /32 or /128.
    pub fn host(family: Family) -> Self {
        Netmask::Prefix(family.bits())
    }

    /// An IPv4 mask as the kernel stores it, in its canonical form.
    pub fn from_v4(mask: Ipv4Addr) -> Self {
        let bits = u32::from(mask);
        if bits.leading_ones() + bits.trailing_zeros() >= 32 {
            Netmask::Prefix(bits.leading_ones())
        } else {
            Netmask::Odd(mask)
        }
    }

    /// The IPv4 mask; a prefix over 32 is taken as 32.
    pub fn to_v4(self) -> Ipv4Addr {
        match self {
            Netmask::Prefix(0) => Ipv4Addr::UNSPECIFIED,
            Netmask::Prefix(length) => Ipv4Addr::from(u32::MAX << (32 - length.min(32))),
            Netmask::Odd(mask) => mask,
        }
    }
}

/// The same client stays with the same destination for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Persistence {
    /// Seconds, 1..=4_294_967 in a configuration (the kernel stores seconds × HZ in 32 bits).
    pub timeout: u32,
    pub netmask: Netmask,
    /// A persistence engine, `sip` being the only one in the kernel; at most 16 bytes (`IP_VS_PENAME_MAXLEN`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// The `IP_VS_SVC_F_*` bits that a service can be given, without PERSISTENT (that is
/// [`ServiceSettings::persistence`]) and HASHED (the kernel's own).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceFlags(pub u32);

impl ServiceFlags {
    /// Each packet is scheduled on its own (udp only).
    pub const ONE_PACKET: Self = Self(0x4);
    /// The scheduler's first flag: `sh-fallback`, `mh-fallback`, `flag-1`.
    pub const SCHED1: Self = Self(0x8);
    /// The scheduler's second flag: `sh-port`, `mh-port`, `flag-2`.
    pub const SCHED2: Self = Self(0x10);
    /// The scheduler's third flag: `flag-3`.
    pub const SCHED3: Self = Self(0x20);

    /// Whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` as well.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the bits that are set, as the configuration spells them for this scheduler; a bit
    /// without a name is written as hexadecimal. `one_packet` comes first.
    pub fn names(self, scheduler: &Scheduler) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = self.0;
        let mut take = |bit: Self, name: &str| {
            if rest & bit.0 != 0 {
                names.push(name.to_owned());
                rest &= !bit.0;
            }
        };
        take(Self::ONE_PACKET, "one_packet");
        for (bit, name) in scheduler.flags() {
            take(*bit, name);
        }
        if rest != 0 {
            names.push(format!("{rest:#x}"));
        }
        names
    }
}

/// Everything about a service that can be edited in place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceSettings {
    pub scheduler: Scheduler,
    #[serde(default)]
    pub flags: ServiceFlags,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
}
