//! One operation in one line, for logs and for the output of `apply`.

use std::fmt::{self, Write as _};

use crate::plan::Operation;

use super::attributes::{Attribute, destination_changes, service_changes};
use super::style::ARROW;
use super::words;

/// `add service tcp://192.0.2.10:80: scheduler wrr`,
/// `edit destination 10.0.0.11:80 of tcp://192.0.2.10:80: weight 100 → 50`,
/// `delete service tcp://192.0.2.10:80 and its 2 destinations`.
pub fn operation_line(operation: &Operation) -> String {
    OperationLine(operation).to_string()
}

/// [`operation_line`] to be written somewhere, for whoever has many.
#[derive(Debug, Clone, Copy)]
pub struct OperationLine<'a>(pub &'a Operation);

impl fmt::Display for OperationLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.0.verb();
        match self.0 {
            Operation::AddService { service, settings } => {
                write!(f, "{verb} service {service}: ")?;
                words::write_service(f, settings)
            }
            Operation::EditService { service, from, to } => {
                write!(f, "{verb} service {service}: {}", changes(&service_changes(from, to)))
            }
            Operation::DeleteService { service, from: _, destinations } => match destinations {
                0 => write!(f, "{verb} service {service}"),
                more => write!(f, "{verb} service {service} and its {}", words::count(*more, "destination")),
            },
            Operation::AddDestination { service, destination, settings } => {
                write!(f, "{verb} destination {destination} of {service}: ")?;
                words::write_destination(f, settings)
            }
            Operation::EditDestination { service, destination, from, to } => {
                write!(f, "{verb} destination {destination} of {service}: ")?;
                f.write_str(&changes(&destination_changes(from, to)))
            }
            Operation::DeleteDestination { service, destination, from: _ } => {
                write!(f, "{verb} destination {destination} of {service}")
            }
        }
    }
}

/// `weight 100 → 50, forward nat → dr`.
pub(super) fn changes(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for (index, Attribute { name, from, to }) in attributes.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{separator}{name} {from} {ARROW} {to}");
    }
    text
}
