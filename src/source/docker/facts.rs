//! What is known of containers: the few things that matter here, whatever engine they were learnt from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::model::{Family, Protocol};

/// A container that runs, or a task of a swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// The engine's, for ever the same.
    pub id: String,
    /// Without a slash before it.
    pub name: String,
    pub image: String,
    /// When it was made, in seconds since 1970: who was there first has an address first.
    pub created: u64,
    pub labels: BTreeMap<String, String>,
    pub paused: bool,
    pub health: Health,
    /// By their names.
    pub networks: BTreeMap<String, Addresses>,
    pub ports: Vec<Port>,
    /// It has the network of the host.
    pub on_host: bool,
    /// It has the network of the container of this ID.
    pub shares: Option<String>,
    /// The service of a swarm that it is a task of.
    pub swarm: Option<String>,
    /// A swarm wants it to end.
    pub ending: bool,
}

/// What its HEALTHCHECK says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It has none.
    #[default]
    None,
    Starting,
    Healthy,
    Unhealthy,
}

/// The addresses of a container on one network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Addresses {
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
}

impl Addresses {
    /// That of a family.
    pub fn of(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }
}

/// A port in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// IANA's number.
    pub protocol: u16,
    pub private: u16,
    /// Where the host has it, if it does: the port, and the address, unless that is all of them.
    pub public: Option<(Option<IpAddr>, u16)>,
    /// Of that family only, where it is all addresses; with neither, of both.
    pub family: Option<bool>,
}

impl Port {
    /// The protocol that this is a port of.
    pub fn protocol(&self) -> Protocol {
        Protocol::from_number(self.protocol)
    }

    /// Whether a service of that family can go there.
    pub fn serves(&self, family: Family) -> bool {
        match (self.public, self.family) {
            (Some((Some(ip), _)), _) => Family::of(ip) == family,
            (_, Some(is_v4)) => is_v4 == (family == Family::V4),
            _ => true,
        }
    }
}

/// What an engine lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub containers: Vec<Container>,
    /// The IDs of tasks that run still, and whose service was removed.
    pub orphans: BTreeSet<String>,
}

impl From<Vec<Container>> for Listed {
    fn from(containers: Vec<Container>) -> Self {
        Self { containers, orphans: BTreeSet::new() }
    }
}

/// What was seen last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// In the order in which they were made.
    pub containers: Vec<Container>,
    /// The IDs of those that were told to stop, or have died, and are listed still.
    pub stopping: BTreeSet<String>,
    /// Those of them that have died.
    pub dead: BTreeSet<String>,
    /// Which engine has said so, and whether it spoke for a swarm. What another one does not know need not have ended.
    pub origin: String,
}

impl Snapshot {
    /// Of these containers, in order.
    pub fn new(mut containers: Vec<Container>, stopping: BTreeSet<String>) -> Self {
        containers
            .sort_by(|one, other| (one.created, &one.name, &one.id).cmp(&(other.created, &other.name, &other.id)));
        Self { containers, stopping, ..Self::default() }
    }
}
