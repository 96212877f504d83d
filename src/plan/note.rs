//! What a plan does not do, and why.

use crate::model::{DestinationKey, ServiceKey};

use super::hold::SkipReason;
use super::operation::Verb;

/// How long an object is left alone after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Seconds from now until it is tried again, rounded up.
    pub seconds: u64,
    /// What went wrong with it, in words.
    pub reason: String,
}

/// Something that is left alone, kept or waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A service that is neither wanted nor ours.
    ForeignService {
        service: ServiceKey,
        /// How many it has.
        destinations: usize,
    },
    /// A destination that is neither wanted nor ours, in a service that is wanted.
    ForeignDestination { service: ServiceKey, destination: DestinationKey },
    /// A service of ours that is no longer wanted, but holds destinations that are not ours.
    KeptService {
        service: ServiceKey,
        /// The destinations that are not ours.
        foreign: Vec<DestinationKey>,
    },
    /// A destination, or all of a service, that is quiesced and waits for its connections to end.
    Draining {
        service: ServiceKey,
        destination: Option<DestinationKey>,
        /// How many are left.
        connections: u64,
        /// So many seconds are waited at most.
        seconds: u64,
    },
    /// An operation on an object that failed not long ago.
    Waiting { verb: Verb, service: ServiceKey, destination: Option<DestinationKey>, held: Held },
    /// An operation that makes no sense, or would hurt, before one that waits was carried out.
    HeldBack { verb: Verb, service: ServiceKey, destination: Option<DestinationKey>, reason: SkipReason },
}

impl Note {
    /// The service that the note is about.
    pub fn service(&self) -> &ServiceKey {
        match self {
            Note::ForeignService { service, .. }
            | Note::ForeignDestination { service, .. }
            | Note::KeptService { service, .. }
            | Note::Draining { service, .. }
            | Note::Waiting { service, .. }
            | Note::HeldBack { service, .. } => service,
        }
    }
}
