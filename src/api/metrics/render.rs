//! From what was posted and sampled to a page of metrics.

use std::collections::BTreeSet;

use super::catalogue as of;
use super::catalogue::Metric;
use super::text::{Family, Page, labels};
use crate::api::About;
use crate::model::{DestinationKey, Health, Live, LiveDestination, LiveService, ServiceKey, Stats};
use crate::reconcile::{
    CheckVerdict, DestinationStatus, Kind, Outcome, PassEnd, ServiceStatus, Status, Tally, Trigger, Verdict, Verdicts,
};

/// What a page is made of.
pub struct Scene<'a> {
    pub about: &'a About,
    pub status: &'a Status,
    pub verdicts: &'a Verdicts,
    /// In milliseconds since 1970; 0: there are no counters.
    pub sampled: u64,
    pub live: &'a Live,
    /// Destinations beyond so many have no metrics of their own.
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
    verdict: Option<&'a Verdict>,
}

/// The page.
pub fn render(scene: &Scene<'_>) -> String {
    let Scene { about, status, verdicts: _, sampled, live, most_destinations: _ } = scene;
    let mut page = Page::default();
    page.family(&of::BUILD_INFO).sample(&labels([("version", &about.version)]), 1);
    page.single(&of::START, about.started);
    of_ipvsd(&mut page, status);
    // As the kernel's clock has it, to the millisecond.
    page.single(&of::SAMPLED, format_args!("{}.{:03}", sampled / 1000, sampled % 1000));
    page.single(&of::UNKNOWN, live.unknown.len());
    let (services, rows, omitted) = rows(scene);
    page.single(&of::OMITTED, omitted);
    of_services(&mut page, &services);
    of_destinations(&mut page, &rows);
    page.end()
}

fn of_ipvsd(page: &mut Page, status: &Status) {
    let Status { outdated, pass_at, trouble, overrides, suspicions, host, tally, .. } = status;
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
    let mut family = page.family(&of::DRIFT);
    for (object, count) in [("service", drift.services), ("destination", drift.destinations), ("host", drift.host)] {
        family.sample_of("", object, count);
    }
    page.single(&of::HOST_TROUBLES, host.len());
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

/// What there is, be it in the kernel or in the status, with its labels; and how many destinations are left out.
fn rows<'a>(scene: &Scene<'a>) -> (Vec<ServiceRow<'a>>, Vec<Row<'a>>, usize) {
    let Scene { status, verdicts, live, .. } = scene;
    let keys: BTreeSet<&ServiceKey> = live.services.keys().chain(status.services.keys()).collect();
    let (mut services, mut rows, mut omitted) = (Vec::new(), Vec::new(), 0);
    for key in keys.into_iter().filter(|key| !status.helpers.contains(key)) {
        let (live, status) = (live.services.get(key), status.services.get(key));
        let name = status.and_then(|status| status.name.as_deref()).unwrap_or("");
        let of_service = labels([("service", name), ("address", &key.to_string())]);
        let there = live.into_iter().flat_map(|live| live.destinations.keys());
        let told = status.into_iter().flat_map(|status| status.destinations.keys());
        let destinations: BTreeSet<&DestinationKey> = there.chain(told).collect();
        for destination in destinations {
            if rows.len() >= scene.most_destinations {
                omitted += 1;
                continue;
            }
            rows.push(Row {
                labels: format!("{of_service},{}", labels([("destination", &destination.to_string())])),
                live: live.and_then(|live| live.destinations.get(destination)),
                status: status.and_then(|status| status.destinations.get(destination)),
                verdict: verdicts.destinations.get(&(*key, *destination)),
            });
        }
        services.push(ServiceRow { labels: of_service, live, status });
    }
    (services, rows, omitted)
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
    for Row { labels: of_row, verdict, .. } in rows {
        for CheckVerdict { name, kind, took, .. } in verdict.iter().flat_map(|verdict| &verdict.checks) {
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
    let mut one = |metric, value: fn(&Stats) -> u64| {
        let mut family = page.family(metric);
        for (labels, stats) in rows {
            family.sample(labels, value(stats));
        }
    };
    one(connections, |stats| stats.connections);
    one(connection_rate, |stats| stats.connection_rate);
    let mut both = |metric, value: fn(&Stats) -> (u64, u64)| {
        let mut family = page.family(metric);
        for (labels, stats) in rows {
            let (inward, outward) = value(stats);
            family.sample_of(labels, "in", inward);
            family.sample_of(labels, "out", outward);
        }
    };
    both(packets, |stats| (stats.in_packets, stats.out_packets));
    both(packet_rate, |stats| (stats.in_packet_rate, stats.out_packet_rate));
    both(bytes, |stats| (stats.in_bytes, stats.out_bytes));
    both(byte_rate, |stats| (stats.in_byte_rate, stats.out_byte_rate));
}
