//! What the loop tells others when it happens, for hooks. Nobody has to listen.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::pass::{PassError, Report};
use super::schedule::Why;
use crate::model::{Desired, DestinationKey, ServiceKey};

/// Something that happened. Its JSON is what a hook gets on standard input, with `version`, `time` and `host` beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    DestinationUp {
        service: ServiceKey,
        /// What the configuration calls the service.
        name: String,
        destination: DestinationKey,
    },
    DestinationDown {
        service: ServiceKey,
        name: String,
        destination: DestinationKey,
        reason: String,
    },
    /// Fewer destinations than `min_healthy` are up.
    ServiceFailed {
        service: ServiceKey,
        name: String,
        up: usize,
        of: usize,
    },
    ServiceRestored {
        service: ServiceKey,
        name: String,
        up: usize,
        of: usize,
    },
    /// Too many destinations went down at once: the checker is suspected, and their weights are kept.
    PanicBegun {
        service: ServiceKey,
        name: String,
        down: usize,
        of: usize,
    },
    PanicEnded {
        service: ServiceKey,
        name: String,
    },
    /// A destination that was drained is deleted.
    DrainDone {
        service: ServiceKey,
        /// Absent if the configuration does not know the service any more.
        name: Option<String>,
        destination: DestinationKey,
        /// Connections that were still there.
        connections: u64,
        why: DrainEnd,
    },
    ConfigurationRefused {
        /// What is wrong with it, as `ipvsd check` says it.
        problems: String,
    },
    /// Somebody else had changed something of the host around the table.
    HostDriftRepaired {
        /// `sysctl net.ipv4.ip_forward`; `interface ipvs0` for it and all of its addresses.
        object: String,
        /// What was done, in words: a line for each operation.
        repair: String,
    },
    DriftRepaired {
        service: ServiceKey,
        name: Option<String>,
        /// What was done, in words.
        repair: String,
    },
}

/// Why a drain is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainEnd {
    /// There were no connections.
    Idle,
    /// Its time ran out.
    Deadline,
    /// Its own check says that it is down.
    Down,
}

/// A pass that has come to its end. The status after it has been posted.
#[derive(Clone, Copy)]
pub struct Passed<'a> {
    pub why: Why,
    pub took: Duration,
    /// How many services it was about; nothing if it was about everything.
    pub services: Option<usize>,
    pub result: &'a Result<Report, PassError>,
    /// For the names of services.
    pub desired: &'a Desired,
}

/// Whoever wants to know. Called by the loop's thread: it must not wait.
pub trait Listener {
    fn notice(&mut self, notice: &Notice);

    /// The loop takes up what there is a reason for. What the files say is read after this.
    fn begins(&mut self, _: Why) {}

    /// Comes after the notices of the pass.
    fn passed(&mut self, _: Passed<'_>) {}

    /// All that was due is done, and the loop waits. Says how soon it wants to hear that again, should nothing else happen.
    fn rests(&mut self, _: Instant) -> Option<Duration> {
        None
    }

    /// The configuration that is in force from now on. It may be the same again: somebody asked to have it read anew.
    fn configure(&mut self, _: &Desired) {}
}

/// Nobody.
impl Listener for () {
    fn notice(&mut self, _: &Notice) {}
}
