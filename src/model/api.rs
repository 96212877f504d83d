//! How ipvsd may be asked and told over HTTP. Pure data: the server is in `api`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The HTTP side, which is off unless it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub listen: ApiListen,
    pub tls: Option<ApiTls>,
    /// The file of bearer tokens and their roles; without one nobody has to show any.
    pub tokens: Option<PathBuf>,
    /// So many writes a second are taken from one client, and as many at once; at least 1.
    pub writes_per_second: u32,
    /// The address of services that are put over the API without one, as GORB takes that of its interface.
    pub default_host: Option<IpAddr>,
    /// Services beyond so many have no metrics of their own, nor have their destinations.
    pub metrics_services: usize,
    /// Destinations beyond so many have no metrics of their own, nor have checks beyond so many.
    pub metrics_destinations: usize,
}

impl Default for Api {
    /// On loopback, for everybody there.
    fn default() -> Self {
        Self {
            listen: ApiListen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 4672))),
            tls: None,
            tokens: None,
            writes_per_second: 100,
            default_host: None,
            metrics_services: 10_000,
            metrics_destinations: 10_000,
        }
    }
}

/// Where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiListen {
    Tcp(SocketAddr),
    Unix {
        path: PathBuf,
        /// Permission bits of the socket's file.
        mode: u32,
        /// Its group, by name; else that of the process.
        group: Option<String>,
    },
}

/// Files in PEM, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities of clients' certificates; with them, every client must have one.
    pub client_ca: Option<PathBuf>,
}
