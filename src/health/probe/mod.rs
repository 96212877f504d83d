//! One run of one check.

mod exec;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{Check, DestinationKey, Probe, ServiceKey};

/// What is to be run. Two that are equal are the same run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::health) struct Job {
    /// What and how; its address, port and way are resolved into the fields below.
    pub check: Arc<Check>,
    pub address: SocketAddr,
    /// The firewall mark of the packets, for a check via the service's address.
    pub mark: Option<u32>,
    /// The destination's own address, where there is a mark; else where it connects to.
    pub destination: IpAddr,
    /// For programs only.
    pub exec: Option<ExecContext>,
}

/// What a program is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::health) struct ExecContext {
    pub service: ServiceKey,
    /// What the configuration calls the service.
    pub name: String,
    pub destination: DestinationKey,
}

/// Runs it: nothing, or what is wrong, in words. The caller bounds the time.
pub(in crate::health) async fn run(job: &Job) -> Result<(), String> {
    match &job.check.probe {
        Probe::None => Ok(()),
        Probe::Tcp { .. } => tcp::run(job).await,
        Probe::Exec { argv } => exec::run(job, argv).await,
        other => Err(format!("ipvsd does not know how to check {}", other.kind())),
    }
}
