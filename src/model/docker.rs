//! Containers as destinations: what a configuration asks of a Docker engine. Pure data: who follows the engine is in `source`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Forward, Policy, ServiceSettings, SharedChecks, Tunnel};

/// The label by which a container asks to be a destination of a service, unless the service goes by another.
pub const SERVICE_LABEL: &str = "ipvsd.service";

/// An engine, and how it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    pub endpoint: Endpoint,
    /// Of an engine over tcp.
    pub tls: Option<DockerTls>,
    /// Its containers are listed at least this often, whatever its events say.
    pub resync: Duration,
    /// A container that was told to stop and runs still after so long has not listened, and counts as running.
    pub stop_timeout: Duration,
    /// The addresses of its host, one of a family: where ports are that are published on all of its addresses.
    pub hosts: Vec<IpAddr>,
    /// The network whose addresses count where a service names none.
    pub network: Option<String>,
    /// Services for all containers that publish ports.
    pub auto: Option<Auto>,
    /// Go by the services of a swarm as well, where the engine manages one.
    pub swarm: bool,
    /// Every check that a label may name.
    pub checks: BTreeMap<String, SharedChecks>,
}

impl Docker {
    /// Where the engine of this host listens.
    pub const SOCKET: &str = "/var/run/docker.sock";
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Unix(PathBuf::from(Self::SOCKET)),
            tls: None,
            resync: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(600),
            hosts: Vec::new(),
            network: None,
            auto: None,
            swarm: true,
            checks: BTreeMap::new(),
        }
    }
}

/// Where an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Unix(PathBuf),
    /// A name or an address (IPv6 without brackets), and a port.
    Tcp {
        host: String,
        port: u16,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

/// Files in PEM, read again at every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerTls {
    /// Whom to trust; without it, the authorities of the system.
    pub ca: Option<PathBuf>,
    /// What to show to the engine: a certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Which of its addresses a container is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Its own, on one of its networks.
    Container,
    /// The host's, at the port that is published there.
    Published,
}

/// Which containers are destinations of a service, and what is so of them where their labels do not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// They have this label …
    pub label: String,
    /// … and it says this, alone or in a list with commas; or whatever.
    pub value: Option<String>,
    /// The port in the container; without it the service's.
    pub port: Option<u16>,
    pub network: Option<String>,
    pub reach: Reach,
    /// The state of its HEALTHCHECK counts: what is not healthy gets no new connections.
    pub healthcheck: bool,
    pub weight: u32,
    pub forward: Forward,
    /// Of those whose label says `tunnel`.
    pub tunnel: Tunnel,
    pub checks: Option<SharedChecks>,
}

/// Services that come about by themselves: one for an image, a port and a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auto {
    /// Where they are, at the containers' ports. Not empty.
    pub addresses: Vec<IpAddr>,
    pub settings: ServiceSettings,
    pub policy: Policy,
    /// For tcp and sctp. Its label and port mean nothing.
    pub selector: Selector,
}

/// Why something gives a destination no new connections, whatever its checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiesced {
    Stopping,
    Paused,
    /// Its HEALTHCHECK says so.
    Unhealthy,
    /// Its HEALTHCHECK has said nothing yet.
    Starting,
}

impl fmt::Display for Quiesced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopping => "its container is stopping",
            Self::Paused => "its container is paused",
            Self::Unhealthy => "its container is unhealthy",
            Self::Starting => "its container is not healthy yet",
        })
    }
}
