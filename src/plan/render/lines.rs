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
        f.write_str(self.0.verb())?;
        match self.0.destination() {
            None => write!(f, " service {}", self.0.service())?,
            Some(destination) => write!(f, " destination {destination} of {}", self.0.service())?,
        }
        match self.0 {
            Operation::AddService { service: _, settings } => {
                f.write_str(": ")?;
                words::write_service(f, settings)
            }
            Operation::EditService { service: _, from, to } => write!(f, ": {}", changes(&service_changes(from, to))),
            Operation::DeleteService { service: _, from: _, destinations } => match destinations {
                0 => Ok(()),
                more => write!(f, " and its {}", words::count(*more, "destination")),
            },
            Operation::AddDestination { service: _, destination: _, settings } => {
                f.write_str(": ")?;
                words::write_destination(f, settings)
            }
            Operation::EditDestination { service: _, destination: _, from, to } => {
                write!(f, ": {}", changes(&destination_changes(from, to)))
            }
            Operation::DeleteDestination { service: _, destination: _, from: _ } => Ok(()),
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
