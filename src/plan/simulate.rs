//! Operations carried out on a table in memory, as strictly as the kernel would.

use std::collections::btree_map::Entry;

use crate::model::{DestinationKey, Service, ServiceKey, Table};

use super::operation::Operation;

/// An operation that the table at hand does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// EEXIST
    #[error("service {0} exists already")]
    ServiceExists(ServiceKey),
    /// ESRCH
    #[error("there is no service {0}")]
    NoService(ServiceKey),
    /// EEXIST
    #[error("destination {1} of {0} exists already")]
    DestinationExists(ServiceKey, DestinationKey),
    /// ENOENT
    #[error("there is no destination {1} of {0}")]
    NoDestination(ServiceKey, DestinationKey),
}

/// Carries out one operation on `table`, which is left as it was if that makes no sense. As in the kernel,
/// `from` and the count of a deleted service's destinations are not looked at.
pub fn apply(table: &mut Table, operation: &Operation) -> Result<(), Nonsense> {
    let services = &mut table.services;
    match operation {
        Operation::AddService { service, settings } => match services.entry(*service) {
            Entry::Occupied(_) => return Err(Nonsense::ServiceExists(*service)),
            Entry::Vacant(entry) => {
                entry.insert(Service { settings: settings.clone(), destinations: Default::default() });
            }
        },
        Operation::EditService { service, from: _, to } => {
            services.get_mut(service).ok_or(Nonsense::NoService(*service))?.settings = to.clone();
        }
        Operation::DeleteService { service, from: _, destinations: _ } => {
            services.remove(service).ok_or(Nonsense::NoService(*service))?;
        }
        Operation::AddDestination { service, destination, settings } => {
            match services.get_mut(service).ok_or(Nonsense::NoService(*service))?.destinations.entry(*destination) {
                Entry::Occupied(_) => return Err(Nonsense::DestinationExists(*service, *destination)),
                Entry::Vacant(entry) => entry.insert(*settings),
            };
        }
        Operation::EditDestination { service, destination, from: _, to } => {
            let destinations = &mut services.get_mut(service).ok_or(Nonsense::NoService(*service))?.destinations;
            *destinations.get_mut(destination).ok_or(Nonsense::NoDestination(*service, *destination))? = *to;
        }
        Operation::DeleteDestination { service, destination, from: _ } => {
            let destinations = &mut services.get_mut(service).ok_or(Nonsense::NoService(*service))?.destinations;
            destinations.remove(destination).ok_or(Nonsense::NoDestination(*service, *destination))?;
        }
    }
    Ok(())
}

/// The table after `operations`, or the first of them that makes no sense.
pub fn simulate<'a>(table: &Table, operations: impl IntoIterator<Item = &'a Operation>) -> Result<Table, Nonsense> {
    let mut table = table.clone();
    for operation in operations {
        apply(&mut table, operation)?;
    }
    Ok(table)
}
