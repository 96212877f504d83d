//! What the daemon does for the HTTP side.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use super::desired::{Edit, Known, NotDone};
use crate::model::{Live, ServiceKey};
use crate::reconcile::{Event, ServiceStatus, Status};

/// What takes a while. It is dropped when whoever asked has gone, which must leave nothing half done.
pub type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    pub version: String,
    pub pid: u32,
    /// In seconds since 1970.
    pub started: u64,
}

/// What the kernel counted, as it was read last.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// When it was read, in milliseconds since 1970; 0: not yet.
    pub unix_ms: u64,
    pub live: Live,
}

/// What the HTTP side has of everything else. Nothing here waits but what returns [`Answering`].
pub trait Backstage: Send + Sync + 'static {
    fn about(&self) -> &About;
    /// What the loop posted last, with what the checks say now.
    fn status(&self) -> Arc<Status>;
    /// The counters. Whoever asks keeps them fresh: they are read every few seconds while there is somebody to read them for.
    fn sample(&self) -> Arc<Sample>;
    /// Wakes the loop.
    fn wake(&self, event: Event);
    /// Seconds since 1970.
    fn unix(&self) -> u64;

    // What is desired, service by service. Each of these costs what is asked for, whatever else there is.

    /// The IDs of all services that are desired: of those that came over the API, and the names of the files'.
    fn known_ids(&self) -> Vec<String>;
    /// The service of that ID.
    fn known(&self, id: &str) -> Option<Known>;
    /// The services that came over the API and have a destination of that name; not more than two of them.
    fn having(&self, destination: &str) -> Vec<String>;
    /// A service as the last pass left it, with what the checks say now.
    fn service_status(&self, service: &ServiceKey) -> Option<ServiceStatus>;
    /// Changes a service that came over the API, or makes one. It is done when the loop has made a pass over it, and goes on
    /// when nobody waits any more.
    fn change(&self, id: String, edit: Edit) -> Answering<Result<(), NotDone>>;
    /// The address of services that are put without one.
    fn default_host(&self) -> Option<IpAddr>;
    /// Looks a host's name up; IPv4 before IPv6.
    fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>>;
}
