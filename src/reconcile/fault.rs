//! Why objects fail, in one word: for metrics and alerts, which go by what can be done about it.

use serde::{Deserialize, Serialize};

use super::backoff::Object;
use super::host::HostResult;
use super::pass::StepResult;
use super::tally::words;
use crate::ipvs::Errno;
use crate::plan::Operation;

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    Service,
    Destination,
    Host,
}

/// Why something fails, in one word; the reason itself is in the status and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This kernel has no such scheduler, persistence engine, address family or command.
    Unavailable,
    /// The kernel does not take these values.
    Invalid,
    /// It is there already, or gone: somebody else is at it.
    Conflict,
    /// The kernel was short of something.
    Short,
    NotPermitted,
    /// It was taken, and reads otherwise.
    Unverified,
    /// What is done about the host has no classes.
    Other,
}

words!(Sort: Service "service", Destination "destination", Host "host");
words!(Fault: Unavailable "unavailable", Invalid "invalid", Conflict "conflict", Short "short", NotPermitted "not_permitted",
    Unverified "unverified", Other "other");

impl Sort {
    pub(super) fn of(object: &Object) -> Self {
        match object {
            Object::Entry(_, None) => Self::Service,
            Object::Entry(_, Some(_)) => Self::Destination,
            Object::Host(_) => Self::Host,
        }
    }
}

impl Fault {
    /// Of an operation that failed.
    pub(super) fn of(operation: &Operation, result: &StepResult) -> Self {
        match result {
            StepResult::Failed(refusal) => Self::of_errno(refusal.errno, operation),
            StepResult::Unverified(_) => Self::Unverified,
            StepResult::Done | StepResult::Converged | StepResult::Draining { .. } | StepResult::Skipped { .. } => {
                Self::Other
            }
        }
    }

    fn of_errno(errno: Errno, operation: &Operation) -> Self {
        let is_of_service = operation.destination().is_none();
        match errno {
            // Of a service, what is missing is a module; of a destination, its service.
            Errno::NOENT if is_of_service => Self::Unavailable,
            Errno::OPNOTSUPP | Errno::AFNOSUPPORT => Self::Unavailable,
            Errno::INVAL | Errno::RANGE => Self::Invalid,
            Errno::EXIST | Errno::NOENT | Errno::SRCH => Self::Conflict,
            Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN | Errno::BUSY | Errno::INTR | Errno::NOPROTOOPT => Self::Short,
            Errno::PERM | Errno::ACCESS => Self::NotPermitted,
            _ => Self::Other,
        }
    }

    pub(super) fn of_host(result: &HostResult) -> Self {
        match result {
            HostResult::Unverified(_) => Self::Unverified,
            HostResult::Done | HostResult::Failed(_) | HostResult::Skipped(_) => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::Refusal;
    use crate::model::{DestinationSettings, Forward, Scheduler, ServiceFlags, ServiceSettings};

    #[test]
    fn words_are_what_json_says() {
        for sort in Sort::ALL {
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.as_str());
        }
        for fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.as_str());
        }
    }

    #[test]
    fn faults_are_told_apart_by_what_can_be_done_about_them() {
        let service = "tcp://192.0.2.1:80".parse().unwrap();
        let settings =
            ServiceSettings { scheduler: Scheduler::new("mh"), flags: ServiceFlags::default(), persistence: None };
        let of_service = Operation::AddService { service, settings };
        let destination = "10.0.0.1:80".parse().unwrap();
        let settings = DestinationSettings { forward: Forward::Nat, weight: 1, max_connections: 0, min_connections: 0 };
        let of_destination = Operation::AddDestination { service, destination, settings };
        let class = |operation: &Operation, errno| {
            Fault::of(operation, &StepResult::Failed(Refusal::new(operation, errno, None))).as_str()
        };
        assert_eq!(class(&of_service, Errno::NOENT), "unavailable");
        assert_eq!(class(&of_destination, Errno::NOENT), "conflict");
        assert_eq!(class(&of_service, Errno::INVAL), "invalid");
        assert_eq!(class(&of_service, Errno::NOMEM), "short");
        assert_eq!(class(&of_service, Errno::PERM), "not_permitted");
        assert_eq!(class(&of_service, Errno::NETDOWN), "other");
        assert_eq!(Fault::of(&of_service, &StepResult::Unverified(String::new())).as_str(), "unverified");
    }
}
