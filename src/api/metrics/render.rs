//! From what was posted and sampled to a page of metrics.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::http::StatusCode;

use super::catalogue as of;
use super::catalogue::Metric;
use super::text::{Family, Page, labels};
use crate::api::traffic::{Requests, Route, TurnedAway};
use crate::api::{About, Broadcast, Traffic};
use crate::model::{Health, Live, LiveDestination, LiveService, Stats};
use crate::reconcile::{
    CheckVerdict, DestinationStatus, DockerStatus, Durations, Fault, Kind, Outcome, PassEnd, ServiceStatus, Sort,
    Status, Tally, Trigger, Verdicts,
};

/// What a page is made of.
pub struct Scene<'a> {
    pub about: &'a About,
    pub status: &'a Status,
    pub verdicts: &'a Verdicts,
    /// In milliseconds since 1970; 0: there are no counters.
    pub sampled: u64,
    pub live: &'a Live,
    /// What the HTTP side has had to do.
    pub traffic: &'a Traffic,
    pub broadcast: &'a Broadcast,
    /// Services beyond so many have no metrics of their own, nor have their destinations.
    pub most_services: usize,
    /// Destinations beyond so many have none, nor have checks beyond so many.
    pub most_destinations: usize,
}

struct ServiceRow<'a> {
    labels: String,
    live: Option<&'a LiveService>,
    status: Option<&'a ServiceStatus>,
}

struct Row<'a> {
    labels: String,
    live: Option<&'a LiveDestination>,
    status: Option<&'a DestinationStatus>,
    /// Of its checks, those that have metrics of their own.
    checks: &'a [CheckVerdict],
}

/// What has metrics of its own, and how much has not.
#[derive(Default)]
struct Rows<'a> {
    services: Vec<ServiceRow<'a>>,
    destinations: Vec<Row<'a>>,
    checks: usize,
    omitted_services: usize,
    omitted_destinations: usize,
    omitted_checks: usize,
}

/// The page.
pub fn render(scene: &Scene<'_>) -> String {
    let Scene { about, status, verdicts: _, sampled, live, traffic, broadcast, most_services: _, most_destinations: _ } =
        scene;
    let rows = rows(scene);
    let mut page = Page::with_room_for(rows.services.len() + rows.destinations.len());
    page.family(&of::BUILD_INFO).sample(&labels([("version", &about.version)]), 1);
    page.single(&of::START, about.started);
    of_ipvsd(&mut page, status);
    of_docker(&mut page, status.docker.as_ref());
    // As the kernel's clock has it, to the millisecond.
    page.single(&of::SAMPLED, format_args!("{}.{:03}", sampled / 1000, sampled % 1000));
    page.single(&of::UNKNOWN, live.unknown.len());
    let mut family = page.family(&of::OMITTED);
    family.sample_of("", "service", rows.omitted_services);
    family.sample_of("", "destination", rows.omitted_destinations);
    family.sample_of("", "check", rows.omitted_checks);
    of_http(&mut page, traffic, broadcast);
    of_services(&mut page, &rows.services);
    of_destinations(&mut page, &rows.destinations);
    page.end()
}

fn of_ipvsd(page: &mut Page, status: &Status) {
    let Status { outdated, pass_at, trouble, overrides, suspicions, host, names, failures, tally, .. } = status;
    let Tally { passes, whole, part, operations, drift, configuration, verified_at } = tally;
    let mut family = page.family(&of::PASSES);
    for trigger in Trigger::ALL {
        for end in PassEnd::ALL {
            let count = passes.get(trigger).and_then(|ends| ends.get(end)).copied().unwrap_or(0);
            family.sample(&labels([("trigger", trigger.as_str()), ("result", end.as_str())]), count);
        }
    }
    let mut family = page.family(&of::PASS_SECONDS);
    family.histogram("scope=\"all\"", whole);
    family.histogram("scope=\"part\"", part);
    page.single(&of::LAST_PASS, pass_at);
    page.single(&of::LAST_VERIFIED, verified_at);
    page.single(&of::TROUBLE, u8::from(trouble.is_some()));
    let mut family = page.family(&of::OPERATIONS);
    for kind in Kind::ALL {
        for outcome in Outcome::ALL {
            let count = operations.get(kind).and_then(|outcomes| outcomes.get(outcome)).copied().unwrap_or(0);
            family.sample(&labels([("kind", kind.as_str()), ("result", outcome.as_str())]), count);
        }
    }
    let mut family = page.family(&of::FAILING);
    for sort in Sort::ALL {
        for fault in Fault::ALL {
            let count = failures.get(sort).and_then(|faults| faults.get(fault)).copied().unwrap_or(0);
            family.sample(&labels([("object", sort.as_str()), ("reason", fault.as_str())]), count);
        }
    }
    let mut family = page.family(&of::DRIFT);
    for (object, count) in [("service", drift.services), ("destination", drift.destinations), ("host", drift.host)] {
        family.sample_of("", object, count);
    }
    page.single(&of::HOST_TROUBLES, host.len());
    let failing = names.iter().filter(|name| name.trouble.is_some()).count();
    let mut family = page.family(&of::NAMES);
    family.sample_of("", "good", names.len() - failing);
    family.sample_of("", "failing", failing);
    page.single(&of::SUSPICIONS, suspicions.len());
    page.single(&of::OVERRIDES, overrides.services.values().map(|of_service| of_service.len()).sum::<usize>());
    page.single(&of::GENERATION, configuration.generation);
    let mut family = page.family(&of::CONFIGURATION_INFO);
    if !configuration.sha256.is_empty() {
        family.sample(&labels([("sha256", &configuration.sha256)]), 1);
    }
    page.single(&of::LAST_SUCCESS, configuration.accepted_at);
    page.single(&of::OUTDATED, u8::from(*outdated));
    let mut family = page.family(&of::LOADS);
    family.sample_of("", "accepted", configuration.accepted);
    family.sample_of("", "refused", configuration.refused);
}

/// Without an engine its families have no samples.
fn of_docker(page: &mut Page, docker: Option<&DockerStatus>) {
    let mut told = |metric, value: fn(&DockerStatus) -> u64| {
        let mut family = page.family(metric);
        if let Some(docker) = docker {
            family.sample(&labels([("engine", &docker.engine)]), value(docker));
        }
    };
    told(&of::DOCKER_UP, |docker| (docker.trouble.is_none() && docker.listed_at.is_some()).into());
    told(&of::DOCKER_LISTED, |docker| docker.listed_at.unwrap_or(0));
    told(&of::DOCKER_CONTAINERS, |docker| docker.containers as u64);
    told(&of::DOCKER_DESTINATIONS, |docker| docker.destinations as u64);
    told(&of::DOCKER_FINDINGS, |docker| docker.findings.len() as u64);
}

fn of_http(page: &mut Page, traffic: &Traffic, broadcast: &Broadcast) {
    page.single(&of::HTTP_OPEN, traffic.open());
    page.single(&of::HTTP_ACCEPTED, traffic.accepted());
    let mut family = page.family(&of::HTTP_REFUSED);
    for why in TurnedAway::ALL {
        family.sample_of("", why.as_str(), traffic.turned_away(why));
    }
    page.single(&of::HTTP_CUT, traffic.cut());
    let Requests { counts, took } = traffic.requests();
    let mut family = page.family(&of::HTTP_REQUESTS);
    for ((route, method, status), count) in &counts {
        let status = status.as_ref().map_or("gone", |status| status.as_str());
        family.sample(&labels([("route", route.as_str()), ("method", method), ("status", status)]), count);
    }
    let (mut family, none) = (page.family(&of::HTTP_SECONDS), Durations::default());
    for route in Route::ALL {
        family.histogram(&labels([("route", route.as_str())]), took.get(&route).unwrap_or(&none));
    }
    let limited = counts.iter().filter(|((.., status), _)| *status == Some(StatusCode::TOO_MANY_REQUESTS));
    page.single(&of::HTTP_LIMITED, limited.map(|(_, count)| count).sum::<u64>());
    page.single(&of::HTTP_HELD, traffic.held());
    page.single(&of::HTTP_STREAMS, broadcast.streams());
    page.single(&of::HTTP_DROPPED, broadcast.dropped_streams());
}

/// What there is, be it in the kernel or in the status, with its labels: in the order of addresses, as far as the limits allow.
fn rows<'a>(scene: &Scene<'a>) -> Rows<'a> {
    let Scene { status, verdicts, live, most_services, most_destinations, .. } = scene;
    let mut rows = Rows::default();
    for key in merged(live.services.keys(), status.services.keys()).filter(|key| !status.helpers.contains(key)) {
        let (live, status) = (live.services.get(key), status.services.get(key));
        let name = status.and_then(|status| status.name.as_deref()).unwrap_or("");
        let of_service = labels([("service", name), ("address", &key.to_string())]);
        let there = live.map(|live| &live.destinations);
        let told = status.map(|status| &status.destinations);
        let is_in = rows.services.len() < *most_services;
        for destination in merged(there.into_iter().flat_map(BTreeMap::keys), told.into_iter().flat_map(BTreeMap::keys))
        {
            let checks = verdicts.destinations.get(&(*key, *destination)).map_or(&[][..], |verdict| &verdict.checks);
            if !is_in || rows.destinations.len() >= *most_destinations {
                rows.omitted_destinations += 1;
                rows.omitted_checks += checks.len();
                continue;
            }
            let (has, has_not) = checks.split_at(checks.len().min(most_destinations.saturating_sub(rows.checks)));
            rows.checks += has.len();
            rows.omitted_checks += has_not.len();
            rows.destinations.push(Row {
                labels: format!("{of_service},{}", labels([("destination", &destination.to_string())])),
                live: there.and_then(|there| there.get(destination)),
                status: told.and_then(|told| told.get(destination)),
                checks: has,
            });
        }
        if is_in {
            rows.services.push(ServiceRow { labels: of_service, live, status });
        } else {
            rows.omitted_services += 1;
        }
    }
    rows
}

/// The keys of two sorted lists, each once.
fn merged<'a, K: Ord + 'a>(
    one: impl Iterator<Item = &'a K>,
    other: impl Iterator<Item = &'a K>,
) -> impl Iterator<Item = &'a K> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(left), Some(right)) => match left.cmp(right) {
            Ordering::Less => one.next(),
            Ordering::Greater => other.next(),
            Ordering::Equal => one.next().and(other.next()),
        },
        (Some(_), None) => one.next(),
        (None, _) => other.next(),
    })
}

fn of_services(page: &mut Page, rows: &[ServiceRow<'_>]) {
    let mut told = |metric, value: fn(&ServiceStatus) -> usize| {
        let mut family = page.family(metric);
        for ServiceRow { labels, status, .. } in rows {
            if let Some(status) = status {
                family.sample(labels, value(status));
            }
        }
    };
    told(&of::SERVICE_DESTINATIONS, |status| status.of);
    told(&of::SERVICE_UP, |status| status.up);
    told(&of::SERVICE_FAILED, |status| status.failed.into());
    told(&of::SERVICE_PANIC, |status| status.panic.into());
    told(&of::SERVICE_FALLBACK, |status| status.fallback.into());
    let stats = |row: &ServiceRow<'_>| Some(row.live?.stats);
    let counted: Vec<(&str, Stats)> = rows.iter().filter_map(|row| Some((row.labels.as_str(), stats(row)?))).collect();
    counters(
        page,
        &counted,
        [&of::SERVICE_CONNECTIONS, &of::SERVICE_PACKETS, &of::SERVICE_BYTES],
        [&of::SERVICE_CONNECTION_RATE, &of::SERVICE_PACKET_RATE, &of::SERVICE_BYTE_RATE],
    );
}

fn of_destinations(page: &mut Page, rows: &[Row<'_>]) {
    let mut told = |metric, sample: fn(&mut Family<'_>, &str, &DestinationStatus)| {
        let mut family = page.family(metric);
        for Row { labels, status, .. } in rows {
            if let Some(status) = status {
                sample(&mut family, labels, status);
            }
        }
    };
    told(&of::UP, |family, labels, status| match status.health {
        Some(Health::Up) => family.sample(labels, 1),
        Some(Health::Down) => family.sample(labels, 0),
        Some(Health::Unknown) | None => {}
    });
    told(&of::UP_SINCE, |family, labels, status| {
        if let Some(since) = status.since {
            family.sample(labels, since);
        }
    });
    told(&of::FLAPPING, |family, labels, status| {
        if status.checks.is_some() {
            family.sample(labels, u8::from(status.flapping));
        }
    });
    let mut family = page.family(&of::CHECK_SECONDS);
    for Row { labels: of_row, checks, .. } in rows {
        for CheckVerdict { name, kind, took, .. } in *checks {
            if let Some(took) = took {
                let all = format!("{of_row},{}", labels([("check", name), ("kind", kind)]));
                family.sample(&all, took.as_secs_f64());
            }
        }
    }
    let mut family = page.family(&of::WEIGHT);
    for Row { labels, live, status, .. } in rows {
        if let Some(configured) = status.and_then(|status| status.configured) {
            family.sample_of(labels, "configured", configured);
        }
        if let Some(status) = status {
            family.sample_of(labels, "effective", status.effective);
        }
        if let Some(live) = live {
            family.sample_of(labels, "kernel", live.settings.weight);
        }
    }
    let mut drains = |metric, value: fn(&crate::reconcile::DrainStatus) -> u64| {
        let mut family = page.family(metric);
        for Row { labels, status, .. } in rows {
            if let Some(drain) = status.and_then(|status| status.drain.as_ref()) {
                family.sample(labels, value(drain));
            }
        }
    };
    drains(&of::DRAINING, |_| 1);
    drains(&of::DRAIN_CONNECTIONS, |drain| drain.connections);
    drains(&of::DRAIN_DEADLINE, |drain| drain.until);
    let mut family = page.family(&of::OPEN);
    for Row { labels, live, .. } in rows {
        if let Some(live) = live {
            family.sample_of(labels, "active", live.active_connections);
            family.sample_of(labels, "inactive", live.inactive_connections);
            family.sample_of(labels, "persistent", live.persistent_connections);
        }
    }
    let counted: Vec<(&str, Stats)> =
        rows.iter().filter_map(|row| Some((row.labels.as_str(), row.live?.stats))).collect();
    counters(
        page,
        &counted,
        [&of::CONNECTIONS, &of::PACKETS, &of::BYTES],
        [&of::CONNECTION_RATE, &of::PACKET_RATE, &of::BYTE_RATE],
    );
}

/// Connections, packets and bytes, and their rates.
fn counters(
    page: &mut Page,
    rows: &[(&str, Stats)],
    [connections, packets, bytes]: [&'static Metric; 3],
    [connection_rate, packet_rate, byte_rate]: [&'static Metric; 3],
) {
    fn one(page: &mut Page, rows: &[(&str, Stats)], metric: &'static Metric, value: fn(&Stats) -> u64) {
        let mut family = page.family(metric);
        for (labels, stats) in rows {
            family.sample(labels, value(stats));
        }
    }
    fn both(page: &mut Page, rows: &[(&str, Stats)], metric: &'static Metric, value: fn(&Stats) -> (u64, u64)) {
        let mut family = page.family(metric);
        for (labels, stats) in rows {
            let (inward, outward) = value(stats);
            family.sample_of(labels, "in", inward);
            family.sample_of(labels, "out", outward);
        }
    }
    one(page, rows, connections, |stats| stats.connections);
    both(page, rows, packets, |stats| (stats.in_packets, stats.out_packets));
    both(page, rows, bytes, |stats| (stats.in_bytes, stats.out_bytes));
    one(page, rows, connection_rate, |stats| stats.connection_rate);
    both(page, rows, packet_rate, |stats| (stats.in_packet_rate, stats.out_packet_rate));
    both(page, rows, byte_rate, |stats| (stats.in_byte_rate, stats.out_byte_rate));
}
