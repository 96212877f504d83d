//! The host around the table: what IPVS needs there, and what of it is ipvsd's to set.
//!
//! One vocabulary for all of it, so that it is compared, planned, owned and repaired in one way: an object has a
//! key ([`HostKey`]), which can never be edited, and a value ([`HostValue`]), which can.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Footing, SyncRole, SyncSettings};

/// One of the kernel's own timeouts for connections (`IPVS_CMD_SET_CONFIG`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeout {
    /// Established tcp connections.
    Tcp,
    /// Those that got a FIN.
    TcpFin,
    /// udp flows.
    Udp,
}

impl Timeout {
    /// In the kernel's order.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::TcpFin, Self::Udp];

    /// What it is before anybody sets it, in seconds (`ip_vs_proto_tcp.c`, `ip_vs_proto_udp.c`).
    pub fn at_boot(self) -> u32 {
        match self {
            Self::Tcp => 900,
            Self::TcpFin => 120,
            Self::Udp => 300,
        }
    }

    /// `tcp`, `tcp_fin` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::TcpFin => "tcp_fin",
            Self::Udp => "udp",
        }
    }
}

/// What the configuration asks for of the host. All of it is off unless written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The interface that is to have the addresses of all services.
    pub addresses: Option<String>,
    /// Values by canonical name (`net.ipv4.ip_forward`; `/` in it stands for a dot within an interface's name).
    pub sysctls: BTreeMap<String, String>,
    /// Whether modules are loaded before they are needed.
    pub modules: bool,
    /// In whole seconds, 1 and up.
    pub timeouts: BTreeMap<Timeout, u32>,
    pub sync: BTreeMap<SyncRole, SyncSettings>,
}

/// What an object of the host is identified by. Its text (`sysctl net.ipv4.ip_forward`, `address 192.0.2.10 on ipvs0`)
/// is for people and for the record. They are set in this order, for sysctls of an interface need the interface, and
/// deleted against it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum HostKey {
    /// A kernel module, by its name with underscores.
    Module(String),
    Interface(String),
    /// By its canonical name.
    Sysctl(String),
    Timeout(Timeout),
    Address {
        interface: String,
        address: IpAddr,
    },
    Sync(SyncRole),
}

impl HostKey {
    /// Whether what is live will do for what is wanted. An interface that is not a dummy is somebody else's, and taken as it
    /// is.
    pub fn is_met(&self, wanted: &HostValue, live: &HostValue) -> bool {
        match (self, wanted, live) {
            (_, HostValue::Link { .. }, HostValue::Link { dummy, up, foreign: _ }) => *up || !dummy,
            (_, HostValue::Sync(wanted), HostValue::Sync(live)) => wanted.is_met_by(live),
            // Short of memory the kernel turns these defences from 1, on when needed, to 2, on (`update_defense_level`).
            (Self::Sysctl(name), HostValue::Text(wanted), HostValue::Text(live)) if wanted == "1" && live == "2" => {
                ["net.ipv4.vs.drop_entry", "net.ipv4.vs.drop_packet", "net.ipv4.vs.secure_tcp"].contains(&&**name)
            }
            (_, wanted, live) => wanted == live,
        }
    }

    /// When it is set: what others need comes before them.
    pub fn stage(&self) -> u8 {
        match self {
            Self::Module(_) => 0,
            Self::Interface(_) => 1,
            Self::Sysctl(_) => 2,
            Self::Timeout(_) => 3,
            Self::Address { .. } => 4,
            Self::Sync(_) => 5,
        }
    }

    /// When it is set among those of its stage: `accept_ra` before forwarding, which drops the routes that were learnt from
    /// routers where that is not 2 (`addrconf_fixup_forwarding`), and what resets others before those.
    pub fn turn(&self) -> u8 {
        match self {
            Self::Sysctl(name) if name.ends_with(".accept_ra") => 0,
            key if key.resets_others() => 1,
            _ => 2,
        }
    }

    /// Whether setting it resets others: forwarding as a whole is also that of every interface (`inet_forward_change`,
    /// `addrconf_fixup_forwarding`).
    pub fn resets_others(&self) -> bool {
        let whole = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net.ipv6.conf.all.forwarding"];
        matches!(self, Self::Sysctl(name) if whole.contains(&&**name))
    }

    /// Whether it is always there, so that it can be set, and set back, but never added or deleted.
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::Sysctl(_) | Self::Timeout(_))
    }

    /// The address that it is about.
    pub fn address(&self) -> Option<&IpAddr> {
        match self {
            Self::Address { interface: _, address } => Some(address),
            _ => None,
        }
    }

    /// The interface that it is about.
    pub fn interface(&self) -> Option<&str> {
        match self {
            Self::Address { interface, address: _ } | Self::Interface(interface) => Some(interface),
            Self::Module(_) | Self::Sysctl(_) | Self::Timeout(_) | Self::Sync(_) => None,
        }
    }

    /// The interface whose sysctl it is: `eth0.1` of `net.ipv4.conf.eth0/1.rp_filter`.
    pub fn sysctl_interface(&self) -> Option<String> {
        let Self::Sysctl(name) = self else { return None };
        let mut parts = name.split('.').skip(2);
        let (folder, interface) = (parts.next()?, parts.next()?);
        (matches!(folder, "conf" | "neigh") && parts.next().is_some()).then(|| interface.replace('/', "."))
    }

    /// `module`, `interface`, `sysctl`, `timeout`, `address` or `sync`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Module(_) => "module",
            Self::Interface(_) => "interface",
            Self::Sysctl(_) => "sysctl",
            Self::Timeout(_) => "timeout",
            Self::Address { .. } => "address",
            Self::Sync(_) => "sync",
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::Module(name) | Self::Sysctl(name) | Self::Interface(name) => write!(f, "{kind} {name}"),
            Self::Timeout(timeout) => write!(f, "{kind} {}", timeout.as_str()),
            Self::Sync(role) => write!(f, "{kind} {}", role.as_str()),
            Self::Address { interface, address } => write!(f, "{kind} {address} on {interface}"),
        }
    }
}

/// Not the text of a [`HostKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no object of the host")]
pub struct ParseHostKeyError(String);

impl FromStr for HostKey {
    type Err = ParseHostKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = text.split_once(' ').and_then(|(kind, name)| match kind {
            "module" => Some(Self::Module(name.to_owned())),
            "sysctl" => Some(Self::Sysctl(name.to_owned())),
            "interface" => Some(Self::Interface(name.to_owned())),
            "timeout" => Timeout::ALL.into_iter().find(|timeout| timeout.as_str() == name).map(Self::Timeout),
            "sync" => SyncRole::ALL.into_iter().find(|role| role.as_str() == name).map(Self::Sync),
            "address" => name.split_once(" on ").and_then(|(address, interface)| {
                Some(Self::Address { interface: interface.to_owned(), address: address.parse().ok()? })
            }),
            _ => None,
        });
        key.ok_or_else(|| ParseHostKeyError(text.to_owned()))
    }
}

impl From<HostKey> for String {
    fn from(key: HostKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for HostKey {
    type Error = ParseHostKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// How an object of the host is, or should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostValue {
    /// A module or an address that is there.
    There,
    /// An interface.
    Link {
        /// Made by the dummy driver: what ipvsd would have made.
        dummy: bool,
        up: bool,
        /// How many addresses it has that are nobody's of ours: of any family, but no link-local ones.
        foreign: usize,
    },
    /// The value of a sysctl, fields separated by single spaces.
    Text(String),
    Seconds(u32),
    Sync(SyncSettings),
}

impl HostValue {
    /// An interface as ipvsd makes it.
    pub const LINK: Self = Self::Link { dummy: true, up: true, foreign: 0 };
}

/// What is remembered of an object of the host that ipvsd added or set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedHost {
    /// How it was before ipvsd set it; nothing for what ipvsd added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<HostValue>,
    /// How the last pass left it; nothing while it is about to be added or set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<HostValue>,
    /// Of a synchronisation daemon, where it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footing: Option<Footing>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_from_their_texts() {
        let address = "2001:db8::1".parse().unwrap();
        for (key, text) in [
            (HostKey::Module("ip_vs_rr".to_owned()), "module ip_vs_rr"),
            (HostKey::Sysctl("net.ipv4.conf.eth0/1.rp_filter".to_owned()), "sysctl net.ipv4.conf.eth0/1.rp_filter"),
            (HostKey::Timeout(Timeout::TcpFin), "timeout tcp_fin"),
            (HostKey::Interface("ipvs0".to_owned()), "interface ipvs0"),
            (HostKey::Address { interface: "on on".to_owned(), address }, "address 2001:db8::1 on on on"),
            (HostKey::Sync(SyncRole::Backup), "sync backup"),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(text.parse(), Ok(key));
        }
        for text in ["", "sysctl", "timeout sctp", "address ipvs0", "address x on ipvs0", "route 0.0.0.0/0"] {
            assert!(text.parse::<HostKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_interface_of_another_kind_is_taken_as_it_is() {
        let key = HostKey::Interface("ipvs0".to_owned());
        let is_met = |dummy, up| key.is_met(&HostValue::LINK, &HostValue::Link { dummy, up, foreign: 3 });
        assert!(is_met(true, true));
        assert!(!is_met(true, false));
        assert!(is_met(false, false));
    }

    #[test]
    fn a_defence_that_the_kernel_has_turned_on_is_as_wanted() {
        let is_met = |name: &str, wanted: &str, live: &str| {
            let value = |text: &str| HostValue::Text(text.to_owned());
            HostKey::Sysctl(name.to_owned()).is_met(&value(wanted), &value(live))
        };
        assert!(is_met("net.ipv4.vs.drop_entry", "1", "2"));
        assert!(!is_met("net.ipv4.vs.drop_entry", "3", "2"));
        assert!(!is_met("net.ipv4.vs.drop_entry", "1", "3"));
        assert!(!is_met("net.ipv4.vs.conntrack", "1", "2"));
    }
}
