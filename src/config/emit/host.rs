//! `[timeouts]` and `[sync]`, from what the kernel has.

use std::collections::BTreeMap;

use super::{Keys, quoted};
use crate::config::host;
use crate::model::{SyncRole, SyncSettings, Timeout};

/// The timeouts that are not as they are at boot; those that a configuration cannot have are said.
pub(super) fn timeouts(timeouts: &BTreeMap<Timeout, u32>, omitted: &mut Vec<String>) -> Keys {
    let mut keys = Vec::new();
    for (timeout, seconds) in timeouts {
        let name = timeout.as_str();
        if host::is_timeout(*seconds) {
            if *seconds != timeout.at_boot() {
                keys.push((name, format!("\"{seconds}s\"")));
            }
        } else {
            let most = host::TIMEOUT_MAX.as_secs();
            omitted.push(format!("the timeout {name} of {seconds} seconds: a configuration has 1 to {most}"));
        }
    }
    keys
}

/// The daemons; those that a configuration cannot have are said. `mixed` is whether there is a destination of another
/// family than its service, with which there cannot be any.
pub(super) fn sync(
    sync: &BTreeMap<SyncRole, SyncSettings>,
    mixed: bool,
    separator: &str,
    omitted: &mut Vec<String>,
) -> Keys {
    let mut keys = Vec::new();
    for (role, settings) in sync {
        let why = if mixed {
            Some("a destination is of another family than its service".to_owned())
        } else {
            host::against(*role, settings)
        };
        match why {
            Some(why) => omitted.push(format!("the synchronisation daemon {}: {why}", role.as_str())),
            None => keys.push((role.as_str(), daemon(settings, separator))),
        }
    }
    keys
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
