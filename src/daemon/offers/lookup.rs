//! Names in place of addresses.

use std::net::IpAddr;

use tokio::time::timeout;

use super::Offers;
use crate::api::Answering;
use crate::source::names::PATIENCE;

impl Offers {
    /// Looks a name up, IPv4 before IPv6.
    pub fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>> {
        let lookups = self.lookups.clone();
        Box::pin(async move {
            let found = timeout(PATIENCE, lookups.look_up(&host)).await;
            let found = found.ok().and_then(Result::ok).unwrap_or_default();
            let best = found.iter().find(|address| address.is_ipv4()).or(found.first()).copied();
            best.ok_or_else(|| format!("lookup {host}: no such host"))
        })
    }
}
