//! The event `sample`: what the kernel counts, for those who draw it.

use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;

use super::aside;
use crate::api::{Sample, Stage};
use crate::model::{DestinationKey, LiveDestination, LiveService, ServiceKey, Stats};
use crate::reconcile::Status;

/// The kernel reckons its rates every two seconds, too.
const EVERY: Duration = Duration::from_secs(2);
/// With more destinations than that, only services are told of.
const MOST_DESTINATIONS: usize = 2000;

/// The counters and rates of all services. Rates are per second, as the kernel reckons them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SampleEvent {
    /// When it was read, in milliseconds since 1970.
    at: u64,
    /// There are too many destinations: only services are here.
    services_only: bool,
    services: Vec<OfService>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OfService {
    #[cfg_attr(test, schemars(with = "String"))]
    service: ServiceKey,
    #[serde(flatten)]
    rates: Rates,
    destinations: Vec<OfDestination>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OfDestination {
    #[cfg_attr(test, schemars(with = "String"))]
    destination: DestinationKey,
    weight: u32,
    active: u32,
    inactive: u32,
    persistent: u32,
    #[serde(flatten)]
    rates: Rates,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Rates {
    connections: u64,
    connection_rate: u64,
    in_byte_rate: u64,
    out_byte_rate: u64,
}

impl From<&Stats> for Rates {
    fn from(stats: &Stats) -> Self {
        let Stats { connections, connection_rate, in_byte_rate, out_byte_rate, .. } = *stats;
        Self { connections, connection_rate, in_byte_rate, out_byte_rate }
    }
}

/// Sees to it that streams get samples, as long as there are any.
pub(super) fn see_to_it(stage: &Stage) {
    if !stage.broadcast().begin_sampling() {
        return;
    }
    let stage = Stage::clone(stage);
    tokio::spawn(async move {
        let mut last = 0;
        loop {
            let sample = stage.sample();
            if sample.unix_ms != last {
                last = sample.unix_ms;
                let made = aside(Stage::clone(&stage), move |stage| frame(&event(&sample, &stage.status())));
                if let Ok(frame) = made.await {
                    stage.broadcast().put_sample(frame);
                }
            }
            tokio::time::sleep(EVERY).await;
            if stage.broadcast().end_sampling() {
                return;
            }
        }
    });
}

fn frame(event: &SampleEvent) -> Bytes {
    // It is text and numbers.
    format!("event: sample\ndata: {}\n\n", serde_json::to_string(event).unwrap_or_default()).into()
}

fn event(sample: &Sample, status: &Status) -> SampleEvent {
    let services = sample.live.services.iter().filter(|(key, _)| !status.helpers.contains(key));
    let count: usize = services.clone().map(|(_, service)| service.destinations.len()).sum();
    let services_only = count > MOST_DESTINATIONS;
    let services = services.map(|(key, service)| {
        let LiveService { settings: _, stats, destinations } = service;
        let destinations = destinations.iter().filter(|_| !services_only).map(|(key, found)| of(*key, found));
        OfService { service: *key, rates: stats.into(), destinations: destinations.collect() }
    });
    SampleEvent { at: sample.unix_ms, services_only, services: services.collect() }
}

fn of(destination: DestinationKey, found: &LiveDestination) -> OfDestination {
    OfDestination {
        destination,
        weight: found.settings.weight,
        active: found.active_connections,
        inactive: found.inactive_connections,
        persistent: found.persistent_connections,
        rates: (&found.stats).into(),
    }
}
