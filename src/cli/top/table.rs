//! All that a page can show, made of a picture once for each look at the kernel: a row for each service and destination. Pure.

use std::time::Duration;

use super::events::Happening;
use crate::cli::layout::length;
use crate::cli::picture::Picture;
use crate::cli::picture::health::{self, Mood, Said};
use crate::model::{DestinationKey, LiveDestination, LiveService, ServiceKey, Stats};
use crate::plan::render::words;

/// See the module.
#[derive(Default)]
pub(super) struct Table {
    pub(super) picture: Picture,
    pub(super) services: Vec<ServiceRow>,
    pub(super) totals: Totals,
    /// What somebody should look at, the first first.
    pub(super) attention: Vec<String>,
    /// What happened last, the newest first.
    pub(super) events: Vec<Happening>,
    /// How often the kernel is looked at.
    pub(super) every: Duration,
    /// How wide the names are.
    pub(super) widest: usize,
    /// Whether there is a reason anywhere.
    pub(super) has_reasons: bool,
}

/// A service, with its destinations.
pub(super) struct ServiceRow {
    pub(super) key: ServiceKey,
    pub(super) row: Row,
    pub(super) destinations: Vec<(DestinationKey, Row)>,
}

/// A line of the table.
pub(super) struct Row {
    pub(super) title: String,
    /// The scheduler, or the way it is forwarded.
    pub(super) how: String,
    /// Nothing if it is not in the kernel.
    pub(super) numbers: Option<Numbers>,
    pub(super) said: Said,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) weight: u64,
    pub(super) active: u64,
    pub(super) inactive: u64,
    pub(super) connections: u64,
    /// A second, as the kernel reckons it.
    pub(super) connection_rate: u64,
    pub(super) in_rate: u64,
    pub(super) out_rate: u64,
}

/// Of all that is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) services: usize,
    pub(super) destinations: usize,
    pub(super) up: usize,
    pub(super) down: usize,
    pub(super) draining: usize,
    pub(super) active: u64,
    pub(super) connection_rate: u64,
    pub(super) in_rate: u64,
    pub(super) out_rate: u64,
}

impl Table {
    /// `warnings` are about what could not be known.
    pub(super) fn new(picture: Picture, events: Vec<Happening>, warnings: Vec<String>, every: Duration) -> Self {
        let keys = picture.service_keys().into_iter().filter(|key| picture.all || !picture.is_helper(key));
        let services: Vec<ServiceRow> = keys.map(|key| of_service(&picture, key)).collect();
        let mut totals = Totals::default();
        let mut widest = 0;
        for ServiceRow { row, destinations, .. } in &services {
            totals.service(row);
            widest = widest.max(length(&row.title) + 2);
            for (_, row) in destinations {
                totals.destination(row);
                widest = widest.max(length(&row.title) + 4);
            }
        }
        let rows = |service: &ServiceRow| {
            !service.row.said.why.is_empty() || service.destinations.iter().any(|(_, row)| !row.said.why.is_empty())
        };
        let has_reasons = services.iter().any(rows);
        let told = picture.daemon_status().map(|status| health::attention(status, picture.now)).unwrap_or_default();
        let unknown = picture.live.unknown.iter().map(|unknown| format!("not understood: {unknown}"));
        let attention = told.into_iter().chain(warnings).chain(unknown).collect();
        Self { services, totals, attention, events, every, widest, has_reasons, picture }
    }

    /// Whether a service or a destination is in it.
    pub(super) fn row(&self, service: usize, destination: Option<usize>) -> Option<&Row> {
        let service = self.services.get(service)?;
        match destination {
            None => Some(&service.row),
            Some(index) => service.destinations.get(index).map(|(_, row)| row),
        }
    }
}

impl Totals {
    fn service(&mut self, row: &Row) {
        self.services += 1;
        let Some(numbers) = &row.numbers else { return };
        self.active += numbers.active;
        self.connection_rate += numbers.connection_rate;
        self.in_rate += numbers.in_rate;
        self.out_rate += numbers.out_rate;
    }

    fn destination(&mut self, row: &Row) {
        self.destinations += 1;
        match (row.said.health.as_str(), row.said.mood) {
            (_, Mood::Bad) | ("down", _) => self.down += 1,
            ("draining" | "drained", _) => self.draining += 1,
            ("up", _) => self.up += 1,
            _ => {}
        }
    }
}

fn of_service(picture: &Picture, key: ServiceKey) -> ServiceRow {
    let live = picture.live.services.get(&key);
    let title = match (picture.name(&key), picture.helped(&key)) {
        (Some(name), _) => format!("{name} {key}"),
        (None, Some(helped)) => format!("{key} (checks {} of {})", helped.destination, helped.service),
        (None, None) => key.to_string(),
    };
    let destinations = picture
        .destination_keys(&key)
        .into_iter()
        .map(|destination| (destination, of_destination(picture, key, destination)));
    let row = Row {
        title,
        how: live.map_or_else(String::new, |live| {
            let what = words::service(&live.settings);
            what.strip_prefix("scheduler ").unwrap_or(&what).to_owned()
        }),
        numbers: live.map(sum),
        said: health::service(picture, &key),
    };
    ServiceRow { key, row, destinations: destinations.collect() }
}

fn sum(live: &LiveService) -> Numbers {
    let all = |of: fn(&LiveDestination) -> u32| live.destinations.values().map(|found| u64::from(of(found))).sum();
    Numbers {
        weight: all(|found| found.settings.weight),
        active: all(|found| found.active_connections),
        inactive: all(|found| found.inactive_connections),
        ..rates(&live.stats)
    }
}

fn of_destination(picture: &Picture, service: ServiceKey, key: DestinationKey) -> Row {
    let live = picture.live.services.get(&service).and_then(|live| live.destinations.get(&key));
    let name = picture.called(&service, &key).map_or_else(String::new, |name| format!(" {name}"));
    Row {
        title: format!("{key}{name}"),
        how: live.map_or_else(String::new, |live| words::forward(&live.settings.forward).into_owned()),
        numbers: live.map(|live| Numbers {
            weight: u64::from(live.settings.weight),
            active: u64::from(live.active_connections),
            inactive: u64::from(live.inactive_connections),
            ..rates(&live.stats)
        }),
        said: health::destination(picture, &service, &key, live),
    }
}

fn rates(stats: &Stats) -> Numbers {
    let Stats { connections, connection_rate, in_byte_rate, out_byte_rate, .. } = *stats;
    Numbers { connections, connection_rate, in_rate: in_byte_rate, out_rate: out_byte_rate, ..Numbers::default() }
}
