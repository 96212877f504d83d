//! `[timeouts]` and `[sync]`, from what the kernel has.

use std::collections::BTreeMap;

use super::{Keys, quoted};
use crate::config::host;
use crate::model::{DestinationKey, ServiceKey, SyncRole, SyncSettings, Timeout};

/// The timeouts; those that a configuration cannot have are said.
pub(super) fn timeouts<'t>(
    timeouts: impl IntoIterator<Item = (&'t Timeout, &'t u32)>,
    omitted: &mut Vec<String>,
) -> Keys {
    let mut keys = Vec::new();
    for (timeout, seconds) in timeouts {
        let name = timeout.as_str();
        if host::is_timeout(*seconds) {
            keys.push((name, format!("\"{seconds}s\"")));
        } else {
            let most = host::TIMEOUT_MAX.as_secs();
            omitted.push(format!("the timeout {name} of {seconds} seconds: a configuration has 1 to {most}"));
        }
    }
    keys
}

/// The daemons; those that a configuration cannot have are said. `mixed` is a destination of another family than its
/// service, with which there cannot be any.
pub(super) fn sync(
    sync: &BTreeMap<SyncRole, SyncSettings>,
    mixed: Option<(DestinationKey, ServiceKey)>,
    separator: &str,
    omitted: &mut Vec<String>,
) -> Keys {
    let mut keys = Vec::new();
    for (role, settings) in sync {
        let why = match mixed {
            Some((destination, service)) => Some(against_mixed(&destination, &service)),
            None => host::against(*role, settings),
        };
        match why {
            Some(why) => omitted.push(format!("the synchronisation daemon {}: {why}", role.as_str())),
            None => keys.push((role.as_str(), daemon(settings, separator))),
        }
    }
    keys
}

/// Why there is no synchronisation beside such a destination.
pub(super) fn against_mixed(destination: &DestinationKey, service: &ServiceKey) -> String {
    format!(
        "the kernel synchronises no connections while a destination is of another family than its service, as \
         {destination} of {service} is"
    )
}

fn daemon(settings: &SyncSettings, separator: &str) -> String {
    let SyncSettings { interface, id, group, port, ttl, sync_maxlen } = settings;
    let mut keys = vec![("interface", quoted(interface)), ("id", id.to_string())];
    if *group != SyncSettings::GROUP {
        keys.push(("group", quoted(&group.to_string())));
    }
    if *port != SyncSettings::PORT {
        keys.push(("port", port.to_string()));
    }
    if *ttl != SyncSettings::TTL {
        keys.push(("ttl", ttl.to_string()));
    }
    if let Some(length) = sync_maxlen {
        keys.push(("sync_maxlen", length.to_string()));
    }
    let keys: Vec<String> = keys.into_iter().map(|(key, value)| format!("{key}{separator}{value}")).collect();
    format!("{{ {} }}", keys.join(", "))
}
