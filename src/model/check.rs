//! What it takes to know whether a destination is well. Pure data: the checkers are in `health`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One way to check a destination. Two that are equal are the same check, whatever their names are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Check {
    pub probe: Probe,
    pub timing: Timing,
    /// Checked instead of the destination's address.
    pub address: Option<IpAddr>,
    /// Checked instead of the destination's port; 1..=65535.
    pub port: Option<u16>,
    pub via: Via,
    /// When a destination that keeps changing is held down.
    pub flap: Option<Flap>,
}

/// When a check runs, and how many results make a verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// From the start of one run to the start of the next.
    pub interval: Duration,
    /// A run that takes longer has failed. Not longer than the shortest interval.
    pub timeout: Duration,
    /// So many good results in a row make a destination up; at least 1.
    pub rise: u32,
    /// So many bad results in a row make a destination down; at least 1.
    pub fall: u32,
    /// Each interval is longer or shorter by up to this, in percent of it: 0..=50.
    pub jitter: u8,
    /// The interval while results and verdict differ.
    pub fast_interval: Option<Duration>,
    /// The interval of what has been down for `down_after`.
    pub down_interval: Option<Duration>,
    pub down_after: Duration,
}

/// More than `changes` changes of the verdict `within` a time hold a destination down for `hold`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flap {
    pub changes: u32,
    pub within: Duration,
    pub hold: Duration,
}

/// Where a check connects to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The destination's own address.
    #[default]
    Destination,
    /// The service's address on that destination, through IPVS, as a client would. For dr and tunnel.
    Vip,
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// Always up.
    None,
    /// Connects; sends, if there is something to send; reads, if something is expected.
    Tcp {
        send: Option<Vec<u8>>,
        expect: Option<Match>,
    },
    Http(Http),
    Grpc(Grpc),
    Dns(Dns),
    Udp {
        send: Vec<u8>,
        expect: Option<Match>,
        /// No answer, and no ICMP unreachable, within the timeout counts as up.
        silence_is_up: bool,
    },
    /// A program, without a shell; exit status 0 is up.
    Exec {
        /// At least one; the first is an absolute path.
        argv: Vec<String>,
    },
}

impl Probe {
    /// The key of the configuration: `tcp`, `http`, `https`, `grpc`, `dns`, `udp`, `exec` or `none`.
    pub fn kind(&self) -> &'static str {
        match self {
            Probe::None => "none",
            Probe::Tcp { .. } => "tcp",
            Probe::Http(Http { tls: None, .. }) => "http",
            Probe::Http(Http { tls: Some(_), .. }) => "https",
            Probe::Grpc(_) => "grpc",
            Probe::Dns(_) => "dns",
            Probe::Udp { .. } => "udp",
            Probe::Exec { .. } => "exec",
        }
    }
}

/// A request of HTTP/1.1, one for each connection. Redirects are answers like others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Http {
    pub tls: Option<Tls>,
    /// A token of RFC 9110, section 5.6.2.
    pub method: String,
    /// Path and query; starts with `/`, or is `*`.
    pub path: String,
    /// The Host header; the checked address if there is none.
    pub host: Option<String>,
    /// Further headers, in order.
    pub headers: Vec<(String, String)>,
    pub status: StatusSet,
    /// What the body has to hold, within its first 64 KiB.
    pub body: Option<Match>,
    /// What the header Location has to hold.
    pub location: Option<Match>,
}

/// TLS of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tls {
    /// Take any certificate.
    pub insecure: bool,
    /// PEM file of the authorities that are trusted instead of the system's; an absolute path.
    pub ca: Option<PathBuf>,
    /// The server's name, sent (SNI) and verified; the Host without its port if there is none, else the address.
    pub server_name: Option<String>,
}

/// grpc.health.v1.Health/Check; SERVING is up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grpc {
    pub tls: Option<Tls>,
    /// The service asked for; empty is the server as a whole.
    pub service: String,
}

/// A DNS query (RFC 1035).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dns {
    pub transport: DnsTransport,
    /// The name asked for; `.` is the root.
    pub name: String,
    pub record: DnsRecord,
    /// The response code that is up, 0..=15; 0 is NOERROR, 3 NXDOMAIN.
    pub rcode: u8,
    /// An answer of the asked type that has to be there, in the form of a zone file: `192.0.2.1`, `10 mx.example.`.
    pub answer: Option<String>,
}

/// How a DNS query travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsTransport {
    #[default]
    Udp,
    Tcp,
}

/// The type of a DNS record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecord {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    #[default]
    Soa,
    Srv,
    Txt,
}

/// What an answer has to hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// These bytes, anywhere.
    Contains(Vec<u8>),
    /// A regular expression of the crate `regex`, on bytes, that compiles.
    Regex(String),
}

/// HTTP status codes: ranges with both ends, sorted, apart; at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StatusSet(pub Vec<(u16, u16)>);

impl StatusSet {
    /// Whether a code is in it.
    pub fn contains(&self, code: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&code))
    }
}

impl std::fmt::Display for StatusSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (from, to)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if from == to { write!(f, "{comma}{from}")? } else { write!(f, "{comma}{from}-{to}")? }
        }
        Ok(())
    }
}

/// The checks of one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Checks {
    pub pass: Pass,
    /// In the order of the configuration; each name once, and none of them [`Probe::None`]: that is an empty list.
    pub list: Vec<NamedCheck>,
}

impl Checks {
    /// Whether there is anything to check.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// A check and what the configuration calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamedCheck {
    pub name: String,
    pub check: Check,
}

/// How the results of several checks become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// All of them have to be up.
    #[default]
    All,
    /// One that is up is enough.
    Any,
}

/// Checks that many destinations have in common.
pub type SharedChecks = Arc<Checks>;
