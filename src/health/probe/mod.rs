//! One run of a check: it connects, asks, and says in words what was wrong.
//!
//! A run ends within the check's timeout and leaves nothing behind: no task, no socket (not even one in TIME_WAIT,
//! for each is closed with a reset), and no more than some 64 KiB was ever held of what the other side sent. What
//! costs time, compiled expressions and TLS configurations, is kept from run to run.

mod answer;
mod connect;
mod dns;
mod drive;
mod exec;
mod grpc;
mod http;
mod phase;
mod tcp;
mod tls;
mod udp;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Check, DestinationKey, Probe, ServiceKey};
use phase::Phase;

/// What is kept and sent of what is not ours: answers, names, reasons.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What one run of a check needs to know. Two that are equal are the same run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::health) struct Job {
    pub check: Arc<Check>,
    /// Where it connects to.
    pub address: SocketAddr,
    /// The firewall mark of its packets, for a check via the service's address.
    pub mark: Option<u32>,
    /// The destination's own address. A socket with a mark takes the source address that leads there: for the
    /// service's address, which is this host's as well, the kernel would choose that very address.
    pub destination: IpAddr,
    /// Whom an exec check is told about; only that kind needs it.
    pub exec: Option<ExecContext>,
}

/// What an exec check learns of what it checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::health) struct ExecContext {
    pub service: ServiceKey,
    /// What the configuration calls the service.
    pub name: String,
    pub destination: DestinationKey,
}

/// Runs a check once, on a tokio runtime with IO and time. It takes no longer than the check's timeout.
///
/// # Errors
///
/// What was wrong, in plain words, to follow "http: ": `status 500, expected 200-299`.
pub(in crate::health) async fn run(job: &Job) -> Result<(), String> {
    match &job.check.probe {
        Probe::None => return Ok(()),
        // It keeps its own time, since it has processes to end.
        Probe::Exec { argv } => return exec::run(job, argv).await,
        Probe::Tcp { .. } | Probe::Http(_) | Probe::Grpc(_) | Probe::Dns(_) | Probe::Udp { .. } => {}
    }
    let timeout = job.check.timing.timeout;
    let mut phase = Phase::Connecting;
    let result = tokio::time::timeout(timeout, connect_and_ask(job, &mut phase)).await;
    result.unwrap_or_else(|_| phase.after(timeout))
}

async fn connect_and_ask(job: &Job, phase: &mut Phase) -> Result<(), String> {
    // The large ones are boxed: tens of thousands of these futures may wait at the same time.
    match &job.check.probe {
        Probe::None | Probe::Exec { .. } => Ok(()),
        Probe::Tcp { send, expect } => tcp::run(job, send.as_deref(), expect.as_ref(), phase).await,
        Probe::Http(http) => Box::pin(http::run(job, http, phase)).await,
        Probe::Grpc(grpc) => Box::pin(grpc::run(job, grpc, phase)).await,
        Probe::Dns(dns) => Box::pin(dns::run(job, dns, phase)).await,
        Probe::Udp { send, expect, silence_is_up } => {
            Box::pin(udp::run(job, send, expect.as_ref(), *silence_is_up, phase)).await
        }
    }
}
