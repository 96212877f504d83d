//! What is shown of services and backends, in GORB's shapes.

use serde::Serialize;
use serde_json::Number;

use super::change::Note;
use super::pulse::Pulse;
use crate::model::{Forward, Health, Offer, OfferedDestination, ServiceKey};
use crate::reconcile::{DestinationStatus, ServiceStatus};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::api) struct ServiceView {
    options: ServiceShown,
    health: Number,
    /// Null without any.
    backends: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServiceShown {
    /// As it was sent: empty if it was left out.
    host: String,
    port: u16,
    protocol: String,
    method: String,
    flags: String,
    persistent: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::api) struct BackendView {
    options: BackendShown,
    metrics: Metrics,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct BackendShown {
    host: String,
    port: u16,
    /// The one in the kernel.
    weight: u32,
    method: String,
    pulse: Pulse,
    #[serde(skip_serializing_if = "String::is_empty")]
    vsid: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Metrics {
    /// 0 is up, or not known yet; 1 is down.
    status: u8,
    /// 0 until it is known.
    health: Number,
    /// In seconds.
    uptime: u64,
}

pub(super) fn service(offer: &Offer, status: Option<&ServiceStatus>) -> ServiceView {
    let note = Note::of(offer);
    let settings = &offer.settings;
    let (address, port, protocol) = match offer.key {
        ServiceKey::Address { protocol, address, port } => (address.to_string(), port, protocol.to_string()),
        ServiceKey::Mark { .. } => (offer.key.to_string(), 0, String::new()),
    };
    let (host, flags) = match note {
        Some(note) => (note.host, note.flags),
        None => (address, settings.flags.names(&settings.scheduler).join("|")),
    };
    let options = ServiceShown {
        host,
        port,
        protocol,
        method: settings.scheduler.to_string(),
        flags,
        persistent: settings.persistence.is_some(),
    };
    let backends: Vec<String> = offer.destinations.iter().map(|backend| backend.name.clone()).collect();
    let of = offer
        .destinations
        .iter()
        .map(|backend| health(backend, status.and_then(|status| status.destinations.get(&backend.key))));
    let health = if backends.is_empty() {
        1.0
    } else {
        of.sum::<f64>() / f64::from(u32::try_from(backends.len()).unwrap_or(u32::MAX))
    };
    ServiceView { options, health: number(health), backends: Some(backends).filter(|backends| !backends.is_empty()) }
}

pub(super) fn backend(
    offer: &Offer,
    backend: &OfferedDestination,
    status: Option<&DestinationStatus>,
    unix: u64,
) -> BackendView {
    let OfferedDestination { name, key, settings, check } = backend;
    let note = Note::of(offer).and_then(|mut note| note.backends.remove(name));
    let (host, method, pulse, vsid) = match note {
        Some(note) => (note.host, note.method, note.pulse, note.vsid),
        None => {
            let method = match settings.forward {
                Forward::Nat => "nat",
                Forward::Dr => "dr",
                _ => "tunnel",
            };
            (key.address.to_string(), method.to_owned(), Pulse::of(check.as_ref()), String::new())
        }
    };
    let weight = status.map_or(settings.weight, |status| status.effective);
    let options = BackendShown { host, port: key.port, weight, method, pulse, vsid };
    let known = status.and_then(|status| status.health);
    let up_since = status.filter(|_| known == Some(Health::Up)).and_then(|status| status.since);
    let metrics = Metrics {
        status: u8::from(known == Some(Health::Down)),
        health: number(health(backend, status)),
        uptime: up_since.map_or(0, |since| unix.saturating_sub(since)),
    };
    BackendView { options, metrics }
}

/// From 0 to 1. What is not checked is well.
fn health(backend: &OfferedDestination, status: Option<&DestinationStatus>) -> f64 {
    match (&backend.check, status.and_then(|status| status.health)) {
        (_, Some(Health::Up)) | (None, None) => 1.0,
        (_, Some(Health::Down | Health::Unknown)) | (Some(_), None) => 0.0,
    }
}

/// As Go writes it: without a fraction where there is none.
fn number(value: f64) -> Number {
    if value == 0.0 {
        return Number::from(0);
    }
    if value == 1.0 {
        return Number::from(1);
    }
    Number::from_f64(value).unwrap_or_else(|| Number::from(0))
}
