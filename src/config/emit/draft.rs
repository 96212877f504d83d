//! What was written for another program, as a configuration: what the kernel is to have, the checks, and remarks beside
//! what somebody has to decide.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::checks::check_keys;
use super::{
    Document, Emitted, Entry, Item, Keys, addressed_keys, first_error, host, one_line, quoted, service_keys, toml, yaml,
};
use crate::config::{Source, parse, rules};
use crate::model::{
    Check, DestinationKey, DestinationSettings, Initial, OnDown, ServiceKey, ServiceSettings, Share, SyncRole,
    SyncSettings, Timeout,
};

/// A configuration that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Lines at the head.
    pub comments: Vec<String>,
    /// In seconds.
    pub timeouts: BTreeMap<Timeout, u32>,
    pub sync: BTreeMap<SyncRole, SyncSettings>,
    pub checks: Vec<DraftCheck>,
    pub services: Vec<DraftService>,
}

/// A check with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftCheck {
    pub name: String,
    pub comments: Vec<String>,
    pub check: Check,
}

/// A service at one address or several of a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftService {
    /// Unique.
    pub name: String,
    pub comments: Vec<String>,
    /// At least one.
    pub keys: Vec<ServiceKey>,
    pub settings: ServiceSettings,
    /// By name; empty is none.
    pub checks: Vec<String>,
    /// What is `None` is not written.
    pub on_down: Option<OnDown>,
    pub initial: Option<Initial>,
    pub min_healthy: Option<Share>,
    pub fallback: Option<DraftDestination>,
    pub destinations: Vec<DraftDestination>,
}

/// A destination; its checks stand for those of its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftDestination {
    pub comments: Vec<String>,
    pub name: Option<String>,
    pub address: IpAddr,
    /// Without one it is the service's.
    pub port: Option<u16>,
    pub settings: DestinationSettings,
    pub checks: Vec<String>,
}

impl DraftDestination {
    /// What identifies it in a service.
    pub fn key(&self, service: &ServiceKey) -> DestinationKey {
        let port = self.port.or_else(|| service.port()).unwrap_or(0);
        DestinationKey { address: self.address, port }
    }

    /// The first of the services whose family is another, with what identifies it there.
    pub fn crosses(&self, services: &[ServiceKey]) -> Option<(DestinationKey, ServiceKey)> {
        let service = services.iter().find(|service| service.family() != self.key(service).family())?;
        Some((self.key(service), *service))
    }

    fn written(&self) -> String {
        match (self.port, self.address) {
            (Some(port), address) => DestinationKey { address, port }.to_string(),
            (None, address) => address.to_string(),
        }
    }
}

/// As TOML.
pub fn draft_toml(draft: &Draft) -> Emitted {
    write(draft, " = ", toml)
}

/// As YAML.
pub fn draft_yaml(draft: &Draft) -> Emitted {
    write(draft, ": ", yaml)
}

/// As JSON, which has no place for comments.
pub fn draft_json(draft: &Draft) -> Emitted {
    super::json(draft_toml(draft))
}

/// Why a configuration cannot have a service that is set so, and what to do about it.
pub fn objection_to_service(key: &ServiceKey, settings: &ServiceSettings) -> Option<(String, String)> {
    first_error(rules::service(key, settings)).map(|breach| (breach.message, breach.help))
}

/// The same of a destination.
pub fn objection_to_destination(
    service: &ServiceKey,
    key: &DestinationKey,
    settings: &DestinationSettings,
) -> Option<(String, String)> {
    first_error(rules::destination(service, key, settings)).map(|breach| (breach.message, breach.help))
}

/// The same of a check: what the reader of configurations says to it.
pub fn objection_to_check(check: &Check) -> Option<(String, String)> {
    let draft = Draft {
        checks: vec![DraftCheck { name: "it".to_owned(), comments: Vec::new(), check: check.clone() }],
        ..Draft::default()
    };
    let source = Source { path: PathBuf::from("it.toml"), text: draft_toml(&draft).text };
    let problems = parse(&[source]).err()?;
    let first = problems.list.into_iter().next()?;
    Some((first.message, first.help.unwrap_or_default()))
}

/// Why there is no synchronisation beside a destination of another family than its service, and what to do about it.
pub fn objection_to_sync(destination: &DestinationKey, service: &ServiceKey) -> (String, String) {
    let help = "remove it, or write destinations of the families of their services";
    (host::against_mixed(destination, service), help.to_owned())
}

/// What the rules refuse is left out and said: whoever drafts has asked before, and knows of a place.
fn write(draft: &Draft, separator: &str, write: fn(&mut String, &Document)) -> Emitted {
    let Draft { comments, timeouts, sync, checks, services } = draft;
    let mut omitted = Vec::new();
    let mut mixed = None;
    let mut entries = Vec::new();
    for service in services {
        let mut keys = service.keys.clone();
        keys.retain(|key| match objection_to_service(key, &service.settings) {
            Some((why, _)) => {
                omitted.push(format!("{key}: {why}"));
                false
            }
            None => true,
        });
        if keys.is_empty() {
            continue;
        }
        let mut allowed = |destination: &&DraftDestination| {
            let refused = keys.iter().find_map(|service| {
                let key = destination.key(service);
                let (why, _) = objection_to_destination(service, &key, &destination.settings)?;
                Some(format!("{service} -> {key}: {why}"))
            });
            if refused.is_none() {
                mixed = mixed.or_else(|| destination.crosses(&keys));
            }
            omitted.extend(refused.clone());
            refused.is_none()
        };
        let fallback = service.fallback.as_ref().filter(&mut allowed);
        let destinations: Vec<&DraftDestination> = service.destinations.iter().filter(&mut allowed).collect();
        entries.push(entry(service, &keys, fallback, &destinations, separator));
    }
    let timeouts = Item { comments: Vec::new(), keys: host::timeouts(timeouts, &mut omitted) };
    let sync = Item { comments: Vec::new(), keys: host::sync(sync, mixed, separator, &mut omitted) };
    let left_out = omitted.iter().map(|words| format!("left out: {words}"));
    let document = Document {
        comments: comments.iter().cloned().chain(left_out).collect(),
        timeouts,
        sync,
        checks: checks
            .iter()
            .map(|DraftCheck { name, comments, check }| {
                (quoted(name), Item { comments: comments.clone(), keys: check_keys(check, separator) })
            })
            .collect(),
        services: entries,
    };
    let mut text = String::new();
    write(&mut text, &document);
    Emitted { text, omitted: omitted.iter().map(|words| one_line(words)).collect() }
}

fn entry(
    service: &DraftService,
    addresses: &[ServiceKey],
    fallback: Option<&DraftDestination>,
    destinations: &[&DraftDestination],
    separator: &str,
) -> Entry {
    let DraftService { name, comments, settings, checks, on_down, initial, min_healthy, .. } = service;
    let addresses: Vec<String> = addresses.iter().map(|key| quoted(&key.to_string())).collect();
    let address = match &addresses[..] {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let mut keys = vec![("name", quoted(name)), ("address", address)];
    keys.extend(service_keys(settings, separator));
    keys.extend(check_names(checks));
    if let Some(on_down) = on_down {
        let word = match on_down {
            OnDown::Quiesce => "quiesce",
            OnDown::Delete => "delete",
            OnDown::Ignore => "ignore",
        };
        keys.push(("on_down", quoted(word)));
    }
    if let Some(initial) = initial {
        let word = match initial {
            Initial::Live => "live",
            Initial::Up => "up",
            Initial::Down => "down",
        };
        keys.push(("initial", quoted(word)));
    }
    match min_healthy {
        Some(Share::Count(count)) => keys.push(("min_healthy", count.to_string())),
        Some(Share::Percent(percent)) => keys.push(("min_healthy", format!("\"{percent}%\""))),
        None => {}
    }
    if let Some(fallback) = fallback {
        let inner: Vec<String> = addressed_keys(&fallback.written(), &fallback.settings, separator)
            .into_iter()
            .map(|(key, value)| format!("{key}{separator}{value}"))
            .collect();
        keys.push(("fallback", format!("{{ {} }}", inner.join(", "))));
    }
    let destinations = destinations.iter().map(|destination| {
        let DraftDestination { comments, name, settings, checks, .. } = destination;
        let mut keys: Keys = name.iter().map(|name| ("name", quoted(name))).collect();
        keys.extend(addressed_keys(&destination.written(), settings, separator));
        keys.extend(check_names(checks));
        Item { comments: comments.clone(), keys }
    });
    Entry { service: Item { comments: comments.clone(), keys }, destinations: destinations.collect() }
}

fn check_names(checks: &[String]) -> Option<(&'static str, String)> {
    match checks {
        [] => None,
        [one] => Some(("check", quoted(one))),
        several => {
            let names: Vec<String> = several.iter().map(|name| quoted(name)).collect();
            Some(("checks", format!("[{}]", names.join(", "))))
        }
    }
}
