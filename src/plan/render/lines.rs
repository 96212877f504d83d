//! One operation in one line, for logs and for the output of `apply`.

use std::fmt::Write as _;

use crate::plan::Operation;

use super::attributes::{Attribute, destination_changes, service_changes};
use super::style::ARROW;
use super::words;

/// `add service tcp://192.0.2.10:80: scheduler wrr`,
/// `edit destination 10.0.0.11:80 of tcp://192.0.2.10:80: weight 100 → 50`,
/// `delete service tcp://192.0.2.10:80 and its 2 destinations`.
pub fn operation_line(operation: &Operation) -> String {
    let verb = operation.verb();
    match operation {
        Operation::AddService { service, settings } => {
            format!("{verb} service {service}: {}", words::service(settings))
        }
        Operation::EditService { service, from, to } => {
            format!("{verb} service {service}: {}", changes(&service_changes(from, to)))
        }
        Operation::DeleteService { service, from: _, destinations } => match destinations {
            0 => format!("{verb} service {service}"),
            more => format!("{verb} service {service} and its {}", words::count(*more, "destination")),
        },
        Operation::AddDestination { service, destination, settings } => {
            format!("{verb} destination {destination} of {service}: {}", words::destination(settings))
        }
        Operation::EditDestination { service, destination, from, to } => {
            format!("{verb} destination {destination} of {service}: {}", changes(&destination_changes(from, to)))
        }
        Operation::DeleteDestination { service, destination, from: _ } => {
            format!("{verb} destination {destination} of {service}")
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
