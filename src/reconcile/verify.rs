//! Whether what was read back is what was asked for.

use crate::model::LiveService;
use crate::plan::Operation;
use crate::plan::render::{self, Attribute};

/// Whether what was read back is what the operation asked for, or in words what it is instead.
pub(super) fn verify(operation: &Operation, found: Option<&LiveService>) -> Result<(), String> {
    let destination = operation.destination().map(|key| found.and_then(|service| service.destinations.get(key)));
    match operation {
        Operation::AddService { settings, .. } | Operation::EditService { to: settings, .. } => match found {
            None => Err("the service is not there".to_owned()),
            Some(service) if service.settings == *settings => Ok(()),
            Some(service) => Err(shows(&render::service_changes(settings, &service.settings))),
        },
        Operation::DeleteService { .. } => match found {
            None => Ok(()),
            Some(_) => Err("the service is still there".to_owned()),
        },
        Operation::AddDestination { settings, .. } | Operation::EditDestination { to: settings, .. } => {
            match destination.flatten() {
                None => Err("the destination is not there".to_owned()),
                Some(found) if found.settings == *settings => Ok(()),
                Some(found) => Err(shows(&render::destination_changes(settings, &found.settings))),
            }
        }
        Operation::DeleteDestination { .. } => match destination.flatten() {
            None => Ok(()),
            Some(_) => Err("the destination is still there".to_owned()),
        },
    }
}

/// The attributes that are otherwise than they were asked for.
fn shows(differences: &[Attribute]) -> String {
    let words: Vec<String> =
        differences.iter().map(|Attribute { name, from, to }| format!("{name} is {to}, not {from}")).collect();
    words.join(", ")
}
