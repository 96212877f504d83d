//! The six operations, ipvsadm's -A -E -D and -a -e -d.

use crate::model::{DestinationKey, DestinationSettings, ServiceKey, ServiceSettings};

/// One change to the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    AddService {
        service: ServiceKey,
        settings: ServiceSettings,
    },
    /// `from` is for people and for verification; the kernel gets all of `to`.
    EditService {
        service: ServiceKey,
        from: ServiceSettings,
        to: ServiceSettings,
    },
    /// Takes all destinations of the service with it; `destinations` says how many were seen.
    DeleteService {
        service: ServiceKey,
        from: ServiceSettings,
        destinations: usize,
    },
    AddDestination {
        service: ServiceKey,
        destination: DestinationKey,
        settings: DestinationSettings,
    },
    EditDestination {
        service: ServiceKey,
        destination: DestinationKey,
        from: DestinationSettings,
        to: DestinationSettings,
    },
    DeleteDestination {
        service: ServiceKey,
        destination: DestinationKey,
        from: DestinationSettings,
    },
}

impl Operation {
    /// The service that the operation is about.
    pub fn service(&self) -> &ServiceKey {
        match self {
            Operation::AddService { service, .. }
            | Operation::EditService { service, .. }
            | Operation::DeleteService { service, .. }
            | Operation::AddDestination { service, .. }
            | Operation::EditDestination { service, .. }
            | Operation::DeleteDestination { service, .. } => service,
        }
    }

    /// The destination that the operation is about, or `None` for one on the service itself.
    pub fn destination(&self) -> Option<&DestinationKey> {
        match self {
            Operation::AddService { .. } | Operation::EditService { .. } | Operation::DeleteService { .. } => None,
            Operation::AddDestination { destination, .. }
            | Operation::EditDestination { destination, .. }
            | Operation::DeleteDestination { destination, .. } => Some(destination),
        }
    }

    /// `add`, `edit` or `delete`.
    pub fn verb(&self) -> &'static str {
        match self {
            Operation::AddService { .. } | Operation::AddDestination { .. } => "add",
            Operation::EditService { .. } | Operation::EditDestination { .. } => "edit",
            Operation::DeleteService { .. } | Operation::DeleteDestination { .. } => "delete",
        }
    }
}

/// Why an operation is in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Desired changed.
    Change,
    /// Desired is what the last pass left; somebody else changed the live table.
    Drift,
}

/// An operation and its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub operation: Operation,
    pub cause: Cause,
}
