//! One look-up.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long the resolver is waited for, once it is asked.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Who knows what names stand for. It may take its time.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name, the best first.
    ///
    /// # Errors
    ///
    /// In words.
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String>;
}

/// The system's resolver: /etc/hosts, DNS, and whatever else nsswitch.conf names.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Resolver for System {
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let words = |error: io::Error| {
            let text = error.to_string();
            text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
        };
        Ok((host, 0).to_socket_addrs().map_err(words)?.map(|address| SocketAddr::ip(&address)).collect())
    }
}

/// That the resolver takes too long.
pub(super) fn late() -> String {
    format!("the resolver does not answer within {} s", PATIENCE.as_secs())
}

/// Look-ups, so many at a time. A clone is the same.
#[derive(Clone)]
pub struct Lookups {
    resolver: Arc<dyn Resolver>,
    room: Arc<Semaphore>,
}

impl Lookups {
    /// `most` of them at a time, each on a thread of its own for as long as the resolver takes.
    pub fn new(resolver: impl Resolver, most: usize) -> Self {
        Self { resolver: Arc::new(resolver), room: Arc::new(Semaphore::new(most)) }
    }

    /// The addresses of a name, each once.
    ///
    /// # Errors
    ///
    /// In words; also where there are none, and where nobody answers in time.
    pub async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        // It stays taken for as long as the resolver takes, whoever waits for it.
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| "there is no room".to_owned())?;
        let look = async {
            let (resolver, host) = (Arc::clone(&self.resolver), host.to_owned());
            let looking = spawn_blocking(move || {
                let found = resolver.resolve(&host);
                drop(permit);
                found
            });
            looking.await.map_err(|_| "the resolver has come to a bad end".to_owned())?
        };
        let found = timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(late()))?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
    }
}
