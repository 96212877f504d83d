//! What all languages have in common of services and destinations: which of them a configuration can have.

use super::names::{Names, of_key};
use super::report::{Place, Report};
use crate::config::{
    Draft, DraftCheck, DraftDestination, DraftService, objection_to_destination, objection_to_service,
    objection_to_sync,
};
use crate::model::{
    DestinationSettings, Forward, Initial, OnDown, Probe, ServiceFlags, ServiceKey, ServiceSettings, Share,
};

/// The largest weight of a configuration.
const WEIGHT_MAX: u32 = 65_535;

/// A service, with where it was written.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub place: Place,
    /// What its language calls it, if it does.
    pub name: Option<String>,
    pub comments: Vec<String>,
    pub keys: Vec<ServiceKey>,
    pub settings: ServiceSettings,
    pub on_down: Option<OnDown>,
    pub initial: Option<Initial>,
    pub min_healthy: Option<Share>,
    pub fallback: Option<(Place, DraftDestination)>,
    pub destinations: Vec<(Place, DraftDestination)>,
}

impl Item {
    pub(super) fn new(place: Place, keys: Vec<ServiceKey>, settings: ServiceSettings) -> Self {
        Self {
            place,
            name: None,
            comments: Vec::new(),
            keys,
            settings,
            on_down: None,
            initial: None,
            min_healthy: None,
            fallback: None,
            destinations: Vec::new(),
        }
    }
}

/// A destination without anything but where it is and how it is reached.
pub(super) fn destination(
    address: std::net::IpAddr,
    port: Option<u16>,
    forward: Forward,
    weight: u32,
) -> DraftDestination {
    DraftDestination {
        comments: Vec::new(),
        name: None,
        address,
        port,
        settings: DestinationSettings { forward, weight, max_connections: 0, min_connections: 0 },
        checks: Vec::new(),
    }
}

/// Scheduler flags by the names that all languages share; `None` for another word.
pub(super) fn flag(name: &str) -> Option<ServiceFlags> {
    match name {
        "flag-1" | "sh-fallback" | "mh-fallback" => Some(ServiceFlags::SCHED1),
        "flag-2" | "sh-port" | "mh-port" => Some(ServiceFlags::SCHED2),
        "flag-3" => Some(ServiceFlags::SCHED3),
        _ => None,
    }
}

/// Puts services into a draft, with names of their own. What no configuration can have is said and left out.
pub(super) fn put(items: Vec<Item>, draft: &mut Draft, report: &mut Report) {
    let mut names = Names::default();
    let mut crossing = None;
    let mut claimed = std::collections::HashMap::new();
    for mut item in items {
        let mut keys = std::mem::take(&mut item.keys);
        let Item { place, settings, .. } = &item;
        keys.retain(|key| {
            if let Some((why, help)) = objection_to_service(key, settings) {
                report.error(place, format!("{key} is left out: {why}"), help);
                return false;
            }
            if let Some(line) = claimed.insert(*key, place.line) {
                let help = "the first stays; in ipvsd a service is written once";
                report.error(place, format!("{key} is left out: it stands already in line {line}"), help);
                return false;
            }
            true
        });
        let Some(first) = keys.first() else { continue };
        let name = names.take(item.name.as_deref().unwrap_or(&of_key(first)));
        let mut seen = std::collections::HashMap::new();
        let mut fits = |(place, mut destination): (Place, DraftDestination), report: &mut Report| {
            weigh(&place, &mut destination, report);
            for service in &keys {
                let key = destination.key(service);
                if let Some((why, help)) = objection_to_destination(service, &key, &destination.settings) {
                    let comment = report.error(&place, format!("{key} of {service} is left out: {why}"), help);
                    return Err(comment);
                }
                if let Some(line) = seen.insert((*service, key), place.line) {
                    let message = format!("{key} of {service} is left out: it stands already in line {line}");
                    return Err(report.error(
                        &place,
                        message,
                        "the first stays; in ipvsd a destination is written once",
                    ));
                }
            }
            if let Some((destination, service)) = destination.crosses(&keys) {
                crossing.get_or_insert((place, destination, service));
            }
            Ok(destination)
        };
        let mut comments = std::mem::take(&mut item.comments);
        let mut destinations = Vec::new();
        for listed in std::mem::take(&mut item.destinations) {
            match fits(listed, report) {
                Ok(destination) => destinations.push(destination),
                Err(comment) => comments.push(comment),
            }
        }
        let fallback = match item.fallback.take().map(|listed| fits(listed, report)) {
            Some(Ok(fallback)) => Some(fallback),
            Some(Err(comment)) => {
                comments.push(comment);
                None
            }
            None => None,
        };
        let Item { settings, mut on_down, mut initial, mut min_healthy, .. } = item;
        for destination in &mut destinations {
            without_port(&keys, destination, &draft.checks, &item.place, report);
        }
        if destinations.iter().all(|destination| destination.checks.is_empty()) {
            // They would have no effect.
            (on_down, initial, min_healthy) = (None, None, None);
        }
        let checks = of_all(&mut destinations);
        draft.services.push(DraftService {
            name,
            comments,
            keys,
            settings,
            checks,
            on_down,
            initial,
            min_healthy,
            fallback,
            destinations,
        });
    }
    if let Some((place, destination, service)) = crossing {
        for role in std::mem::take(&mut draft.sync).into_keys() {
            let (why, help) = objection_to_sync(&destination, &service);
            report.error(&place, format!("the synchronisation daemon {} is left out: {why}", role.as_str()), help);
        }
    }
}

/// The checks that all destinations have in common, which then are the service's.
fn of_all(destinations: &mut [DraftDestination]) -> Vec<String> {
    let first = destinations.first().map(|destination| destination.checks.clone()).unwrap_or_default();
    if destinations.iter().any(|destination| destination.checks != first) {
        return Vec::new();
    }
    for destination in destinations {
        destination.checks.clear();
    }
    first
}

/// Takes away checks that have no port to go to.
fn without_port(
    services: &[ServiceKey],
    destination: &mut DraftDestination,
    checks: &[DraftCheck],
    place: &Place,
    report: &mut Report,
) {
    if services.iter().all(|service| destination.key(service).port != 0) {
        return;
    }
    let address = destination.address;
    let comments = &mut destination.comments;
    destination.checks.retain(|name| {
        let check = checks.iter().find(|check| check.name == *name).map(|found| &found.check);
        let connects =
            check.is_some_and(|check| check.port.is_none() && !matches!(check.probe, Probe::Exec { .. } | Probe::None));
        if connects {
            let message = format!("a check of {address} is left out: there is no port to go to");
            comments.push(report.error(place, message, "write a check with a `port`"));
        }
        !connects
    });
}

/// Weights and thresholds that other programs take and a configuration does not.
fn weigh(place: &Place, destination: &mut DraftDestination, report: &mut Report) {
    let settings = &mut destination.settings;
    if settings.weight > WEIGHT_MAX {
        let message = format!("the weight {} is written as {WEIGHT_MAX}, the most that there is", settings.weight);
        let comment = report.error(place, message, "weights are shares: divide all of them by the same number");
        destination.comments.push(comment);
        settings.weight = WEIGHT_MAX;
    }
    if settings.min_connections > 0 && settings.max_connections == 0 {
        let message = "a lower threshold means nothing without an upper one, and is left out";
        destination.comments.push(report.warn(place, message, "write both, min_connections and max_connections"));
        settings.min_connections = 0;
    }
    if settings.min_connections > settings.max_connections {
        let message = format!(
            "the lower threshold {} is over the upper one, {}, and is left out",
            settings.min_connections, settings.max_connections
        );
        destination.comments.push(report.error(place, message, "write a min_connections below max_connections"));
        settings.min_connections = 0;
    }
}
