//! What the daemon does for the HTTP side.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::desired::{Edit, Known, NotDone};
use super::{Broadcast, Problem};
use crate::model::{Action, DestinationKey, HealthOverride, Live, ServiceKey, WeightOverride};
use crate::reconcile::{Event, ServiceStatus, Status, Verdicts};

/// What takes a while. It is dropped when whoever asked has gone, which must leave nothing half done.
pub type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What somebody orders by hand, of a destination in their own words: as on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub service: String,
    pub destination: String,
    pub action: Action,
}

/// What is ordered now, as `ipvsd drain --output json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ordered {
    /// One for each address of the service.
    pub overrides: Vec<OrderedOverride>,
    /// What a person should know, in sentences.
    pub warnings: Vec<String>,
}

/// What is ordered of one destination. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OrderedOverride {
    #[cfg_attr(test, schemars(with = "String"))]
    pub service: ServiceKey,
    pub name: Option<String>,
    #[cfg_attr(test, schemars(with = "String"))]
    pub destination: DestinationKey,
    /// Since when it is drained; null if it is not.
    pub drained_since: Option<u64>,
    pub weight: Option<WeightOverride>,
    pub health: Option<HealthOverride>,
    /// Whether it was otherwise before.
    pub changed: bool,
    /// What is so now, in words.
    pub text: String,
}

/// Why something is not done, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing.
    Unknown(String),
    /// As things are, it cannot be.
    Conflict(String),
    /// It is our trouble.
    Failed(String),
    /// Others are at it, and it can be tried again.
    Busy(String),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, detail) = match refusal {
            Refusal::Unknown(detail) => (StatusCode::NOT_FOUND, detail),
            Refusal::Conflict(detail) => (StatusCode::CONFLICT, detail),
            Refusal::Failed(detail) => (StatusCode::INTERNAL_SERVER_ERROR, detail),
            Refusal::Busy(detail) => (StatusCode::SERVICE_UNAVAILABLE, detail),
        };
        Problem::new(status, detail)
    }
}

/// What the HTTP side has of everything else. Nothing here waits but what returns [`Answering`].
pub trait Backstage: Send + Sync + 'static {
    fn about(&self) -> &About;
    /// What the loop posted last, with what the checks say now.
    fn status(&self) -> Arc<Status>;
    /// What the loop posted last. Costs nothing.
    fn posted(&self) -> Arc<Status> {
        self.status()
    }
    /// What the checks say now, each for itself.
    fn verdicts(&self) -> Arc<Verdicts>;
    /// The counters. Whoever asks keeps them fresh: they are read every few seconds while there is somebody to read them for.
    fn sample(&self) -> Arc<Sample>;
    /// Wakes the loop.
    fn wake(&self, event: Event);
    /// Seconds since 1970.
    fn unix(&self) -> u64;
    /// What happens.
    fn broadcast(&self) -> &Broadcast;

    // What is changed. A stage on which nothing can be changed need not say so.

    /// Writes an order down, and wakes the loop.
    fn order(&self, _: Order) -> Answering<Result<Ordered, Refusal>> {
        Box::pin(async { Err(Refusal::Failed(NOBODY.to_owned())) })
    }
    /// What a pass over the files as they are now would do: as `ipvsd plan --output json` says it.
    fn plan(&self) -> Answering<Result<Value, Refusal>> {
        Box::pin(async { Err(Refusal::Failed(NOBODY.to_owned())) })
    }

    // What is desired, service by service. Each of these costs what is asked for, whatever else there is.

    /// The IDs of all services that are desired: of those that came over the API, and the names of the files'.
    fn known_ids(&self) -> Vec<String> {
        Vec::new()
    }
    /// The service of that ID.
    fn known(&self, _id: &str) -> Option<Known> {
        None
    }
    /// The services that came over the API and have a destination of that name; not more than two of them.
    fn having(&self, _destination: &str) -> Vec<String> {
        Vec::new()
    }
    /// A service as the last pass left it, with what the checks say now.
    fn service_status(&self, _: &ServiceKey) -> Option<ServiceStatus> {
        None
    }
    /// Changes a service that came over the API, or makes one. It is done when the loop has made a pass over it, and goes on
    /// when nobody waits any more.
    fn change(&self, _id: String, _: Edit) -> Answering<Result<(), NotDone>> {
        Box::pin(async { Err(NotDone::new(StatusCode::INTERNAL_SERVER_ERROR, NOBODY)) })
    }
    /// The address of services that are put without one.
    fn default_host(&self) -> Option<IpAddr> {
        None
    }
    /// Looks a host's name up; IPv4 before IPv6.
    fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>> {
        Box::pin(async move { Err(format!("lookup {host}: {NOBODY}")) })
    }
}

const NOBODY: &str = "there is nobody here who does that";
