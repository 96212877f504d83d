//! The six operations, ipvsadm's -A -E -D and -a -e -d.

use std::fmt;
use std::str::FromStr;

use super::Counts;
use super::leave::Leave;
use crate::model::{DestinationKey, DestinationSettings, ServiceKey, ServiceSettings};

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Add,
    Edit,
    Delete,
}

impl Verb {
    /// `add`, `edit` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Add => "add",
            Verb::Edit => "edit",
            Verb::Delete => "delete",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a [`Verb`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an operation: expected add, edit or delete")]
pub struct ParseVerbError(String);

impl FromStr for Verb {
    type Err = ParseVerbError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "add" => Ok(Verb::Add),
            "edit" => Ok(Verb::Edit),
            "delete" => Ok(Verb::Delete),
            other => Err(ParseVerbError(other.to_owned())),
        }
    }
}

/// When in a pass an operation has its turn: traffic is given before it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Adds and edits of services; adds of destinations, and edits that do not lower their weight.
    Raise,
    /// Edits that lower the weight of a destination.
    Lower,
    /// Deletes.
    Delete,
}

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

    /// The kind of the operation.
    pub fn kind(&self) -> Verb {
        match self {
            Operation::AddService { .. } | Operation::AddDestination { .. } => Verb::Add,
            Operation::EditService { .. } | Operation::EditDestination { .. } => Verb::Edit,
            Operation::DeleteService { .. } | Operation::DeleteDestination { .. } => Verb::Delete,
        }
    }

    /// What it does to the table, in entries.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let (of_kind, destinations) = match self {
            Operation::DeleteService { destinations, .. } => (&mut counts.delete, *destinations),
            other => {
                let of_kind = match other.kind() {
                    Verb::Add => &mut counts.add,
                    Verb::Edit => &mut counts.edit,
                    Verb::Delete => &mut counts.delete,
                };
                (of_kind, usize::from(other.destination().is_some()))
            }
        };
        of_kind.destinations = destinations;
        of_kind.services = usize::from(self.destination().is_none());
        counts
    }

    /// `add`, `edit` or `delete`.
    pub fn verb(&self) -> &'static str {
        self.kind().as_str()
    }

    /// The stage of a pass that the operation belongs to.
    pub fn stage(&self) -> Stage {
        match self {
            Operation::AddService { .. } | Operation::EditService { .. } | Operation::AddDestination { .. } => {
                Stage::Raise
            }
            Operation::EditDestination { from, to, .. } if to.weight < from.weight => Stage::Lower,
            Operation::EditDestination { .. } => Stage::Raise,
            Operation::DeleteDestination { .. } | Operation::DeleteService { .. } => Stage::Delete,
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
    /// How what is deleted leaves; of no meaning for other operations.
    pub leave: Leave,
}

impl Step {
    /// A step that, if it is a delete, takes place at once.
    pub fn new(operation: Operation, cause: Cause) -> Self {
        Self { operation, cause, leave: Leave::default() }
    }
}
