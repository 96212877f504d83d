//! What the daemon does for the HTTP side.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::model::Live;
use crate::reconcile::{Event, Status, Verdicts};

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
    /// What the checks say now, each for itself.
    fn verdicts(&self) -> Arc<Verdicts>;
    /// The counters. Whoever asks keeps them fresh: they are read every few seconds while there is somebody to read them for.
    fn sample(&self) -> Arc<Sample>;
    /// Wakes the loop.
    fn wake(&self, event: Event);
    /// Seconds since 1970.
    fn unix(&self) -> u64;
}
