//! Destinations (IPVS real servers): what identifies one, and what can be set on it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::Family;

/// What the kernel identifies a destination of a service by. Never editable.
///
/// Text form: `10.0.0.11:8080`, `[2001:db8::11]:80`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    pub address: IpAddr,
    /// 0 keeps the port of the packet (services of a firewall mark or of port 0).
    pub port: u16,
}

impl DestinationKey {
    /// The first in their order.
    pub const FIRST: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };

    /// The address family, which may differ from the service's behind a tunnel.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}

/// Encapsulation towards a tunnel destination (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelType {
    #[default]
    Ipip,
    Gue,
    Gre,
    /// A type that ipvsd does not know; never configured, only shown.
    Other(u8),
}

/// Checksums of the encapsulation (`IP_VS_TUNNEL_ENCAP_FLAG_*`), for gue and gre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    #[default]
    Off,
    On,
    /// Remote checksum offload, gue only.
    Remote,
    /// A combination that ipvsd does not know; never configured, only shown.
    Other(u16),
}

/// How a tunnel destination is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tunnel {
    #[serde(rename = "type", default)]
    pub kind: TunnelType,
    /// UDP port of gue, 1..=65535; 0 for ipip and gre.
    #[serde(default)]
    pub port: u16,
    #[serde(default)]
    pub checksum: Checksum,
}

/// The forwarding method of a destination (`IP_VS_CONN_F_FWD_MASK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forward {
    /// Masquerading: addresses are rewritten, replies come back through the director.
    Nat,
    /// Direct routing: only the MAC address changes.
    Dr,
    /// Encapsulated, replies go directly.
    Tunnel(Tunnel),
    /// Delivered on the director itself; never configured, only shown.
    Local,
    /// The cache bypass; never configured, only shown.
    Bypass,
    /// A method that ipvsd does not know (5..=7); never configured, only shown.
    Other(u8),
}

impl Forward {
    /// `nat`, `dr`, `tunnel`, `local`, `bypass` or `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Forward::Nat => "nat",
            Forward::Dr => "dr",
            Forward::Tunnel(_) => "tunnel",
            Forward::Local => "local",
            Forward::Bypass => "bypass",
            Forward::Other(_) => "unknown",
        }
    }
}

/// Everything about a destination that can be edited in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DestinationSettings {
    pub forward: Forward,
    /// 0..=65535 in a configuration, up to 2^31-1 in the kernel. 0: no new connections, the old ones go on.
    pub weight: u32,
    /// The kernel's upper threshold, in connections; 0 is none.
    #[serde(default)]
    pub max_connections: u32,
    /// The kernel's lower threshold, in connections; 0 is three quarters of the upper one.
    #[serde(default)]
    pub min_connections: u32,
}
