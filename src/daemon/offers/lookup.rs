//! Names in place of addresses.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Offers;
use crate::api::Answering;

/// How long the resolver is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Offers {
    /// Looks a name up, IPv4 before IPv6.
    pub fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>> {
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let unknown = format!("lookup {host}: no such host");
            let look = async {
                // It stays taken for as long as the resolver takes, whoever waits for it.
                let permit = lookups.acquire_owned().await.ok()?;
                let looking = spawn_blocking(move || {
                    let found = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                    drop(permit);
                    found
                });
                let found: Vec<IpAddr> = looking.await.ok()?.ok()?.iter().map(std::net::SocketAddr::ip).collect();
                found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
            };
            timeout(PATIENCE, look).await.ok().flatten().ok_or(unknown)
        })
    }
}
