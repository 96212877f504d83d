//! `/v1/services`: every service and destination, with all that is known of it.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::{aside, written};
use crate::api::{Problem, Sample, Stage};
use crate::model::{DestinationKey, Health, LiveDestination, LiveService, Override, ServiceKey, Stats};
use crate::plan::render::{destination_json, service_json};
use crate::reconcile::{DestinationStatus, DrainStatus, ServiceStatus, Status};

/// Services, in the order of their addresses.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Services {
    /// When the counters were read, in milliseconds since 1970; 0 if they were not yet, and are null for that reason.
    sampled_ms: u64,
    services: Vec<Service>,
}

/// Whose a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Standing {
    Configured,
    /// Not in the configuration any more, and draining.
    Leaving,
    /// In the kernel, and neither configured nor ours.
    Foreign,
}

/// A service. Times are seconds since 1970.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Service {
    /// `tcp://192.0.2.10:80`, `fwmark:7`.
    #[cfg_attr(test, schemars(with = "String"))]
    address: ServiceKey,
    /// What the configuration calls it; it may have several addresses.
    name: Option<String>,
    standing: Standing,
    /// How many of its destinations are not down, and how many there are, without the fallback.
    up: usize,
    of: usize,
    /// Fewer are up than `min_healthy` asks for.
    failed: bool,
    /// So many went down at once that the checker is suspected, and weights are kept.
    panic: bool,
    /// The fallback is in use.
    fallback: bool,
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    fallback_to: Option<DestinationKey>,
    /// As the kernel has it: `scheduler`, `scheduler_flags`, `one_packet`, `persistence`.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, Value>>"))]
    settings: Option<Value>,
    stats: Option<Stats>,
    destinations: Vec<Destination>,
}

/// A destination. Times are seconds since 1970.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Destination {
    #[cfg_attr(test, schemars(with = "String"))]
    address: DestinationKey,
    /// The weight in the configuration; null for what is not in it.
    configured: Option<u32>,
    /// The weight that it should have in the kernel now; null if nothing is known of it.
    effective: Option<u32>,
    /// The weight that it has in the kernel; null if it is not there.
    weight: Option<u32>,
    /// Why it is not what is configured, in words; empty if it is.
    why: String,
    /// What it counts as; null if it has no checks, and nobody says anything of it.
    health: Option<Health>,
    /// What its checks say, whatever an operator says.
    checks: Option<Health>,
    /// What its checks found wrong, in words; else empty.
    reason: String,
    /// Since when its health is so.
    since: Option<u64>,
    flapping: bool,
    /// Set while it is on its way out of the table.
    drain: Option<DrainStatus>,
    /// What an operator ordered by hand.
    r#override: Option<Override>,
    /// As the kernel has it: `forward`, `weight`, `max_connections`, `min_connections`, `tunnel`.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, Value>>"))]
    settings: Option<Value>,
    active_connections: Option<u32>,
    inactive_connections: Option<u32>,
    persistent_connections: Option<u32>,
    stats: Option<Stats>,
}

pub(super) async fn all(State(stage): State<Stage>) -> Result<Response, Problem> {
    let made = aside(stage, |stage| {
        let (status, sample, now) = (stage.status(), stage.sample(), stage.unix());
        serde_json::to_vec(&list(&status, &sample, now, |_, _| true))
    });
    written(made.await?)
}

/// By its name, which may be several addresses, or by one address.
pub(super) async fn one(State(stage): State<Stage>, Path(text): Path<String>) -> Result<Response, Problem> {
    let made = aside(stage, move |stage| {
        let (status, sample, now) = (stage.status(), stage.sample(), stage.unix());
        let key = text.parse::<ServiceKey>().ok();
        let mut found = list(&status, &sample, now, |_, name| name == Some(text.as_str()));
        if found.services.is_empty() {
            found = list(&status, &sample, now, |address, _| Some(*address) == key);
        }
        if found.services.is_empty() {
            let text: String = text.chars().take(200).collect();
            let detail = format!("no service `{text}`: give a name or an address of one");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
        Ok(serde_json::to_vec(&found))
    });
    written(made.await??)
}

fn list(status: &Status, sample: &Sample, now: u64, wanted: impl Fn(&ServiceKey, Option<&str>) -> bool) -> Services {
    let mut keys: BTreeMap<&ServiceKey, (Option<&ServiceStatus>, Option<&LiveService>)> = BTreeMap::new();
    for (key, of) in &status.services {
        keys.entry(key).or_default().0 = Some(of);
    }
    for (key, live) in sample.live.services.iter().filter(|(key, _)| !status.helpers.contains(key)) {
        keys.entry(key).or_default().1 = Some(live);
    }
    let name = |of: Option<&ServiceStatus>| of.and_then(|of| of.name.clone());
    let found = keys.into_iter().filter(|(key, (of, _))| wanted(key, name(*of).as_deref()));
    let services = found.map(|(key, (of, live))| {
        service(*key, of, live, |destination| {
            Some(status.overrides.get(key, destination, now)).filter(|given| !given.is_empty())
        })
    });
    Services { sampled_ms: sample.unix_ms, services: services.collect() }
}

fn service(
    address: ServiceKey,
    status: Option<&ServiceStatus>,
    live: Option<&LiveService>,
    given: impl Fn(&DestinationKey) -> Option<Override>,
) -> Service {
    let standing = match status {
        Some(ServiceStatus { name: Some(_), .. }) => Standing::Configured,
        Some(_) => Standing::Leaving,
        None => Standing::Foreign,
    };
    let mut keys: BTreeMap<&DestinationKey, (Option<&DestinationStatus>, Option<&LiveDestination>)> = BTreeMap::new();
    for (key, of) in status.iter().flat_map(|status| &status.destinations) {
        keys.entry(key).or_default().0 = Some(of);
    }
    for (key, found) in live.iter().flat_map(|live| &live.destinations) {
        keys.entry(key).or_default().1 = Some(found);
    }
    let destinations = keys.into_iter().map(|(key, (of, live))| destination(*key, of, live, given(key)));
    let plain = ServiceStatus::default();
    let ServiceStatus { name, up, of, failed, panic, fallback, fallback_to, ignores_down: _, destinations: _ } =
        status.unwrap_or(&plain);
    Service {
        address,
        name: name.clone(),
        standing,
        up: *up,
        of: *of,
        failed: *failed,
        panic: *panic,
        fallback: *fallback,
        fallback_to: *fallback_to,
        settings: live.map(|live| service_json(&live.settings)),
        stats: live.map(|live| live.stats),
        destinations: destinations.collect(),
    }
}

fn destination(
    address: DestinationKey,
    status: Option<&DestinationStatus>,
    live: Option<&LiveDestination>,
    given: Option<Override>,
) -> Destination {
    let plain = DestinationStatus::default();
    let DestinationStatus {
        health,
        checks,
        reason,
        since,
        flapping,
        configured,
        effective,
        why,
        ramp_to: _,
        quiesced: _,
        drain,
    } = status.unwrap_or(&plain);
    Destination {
        address,
        configured: *configured,
        effective: status.map(|_| *effective),
        weight: live.map(|live| live.settings.weight),
        why: why.clone(),
        health: *health,
        checks: *checks,
        reason: reason.clone(),
        since: *since,
        flapping: *flapping,
        drain: *drain,
        r#override: given,
        settings: live.map(|live| destination_json(&live.settings)),
        active_connections: live.map(|live| live.active_connections),
        inactive_connections: live.map(|live| live.inactive_connections),
        persistent_connections: live.map(|live| live.persistent_connections),
        stats: live.map(|live| live.stats),
    }
}
