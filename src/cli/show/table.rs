//! The live table for people: a line for each service, and under it one for each destination.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::Picture;
use super::health::{self, Mood, Said};
use super::layout::{PLAIN, Row, cut, lay_out};
use crate::cli::overrides;
use crate::ipvs::KernelSettings;
use crate::model::{DestinationKey, Health, LiveDestination, LiveService, ServiceKey, Stats};
use crate::plan::render::{sync_settings, words};
use crate::reconcile::DestinationStatus;

const HEADINGS: [&str; 10] = [
    "SERVICE / DESTINATION",
    "SCHEDULER / FORWARD",
    "WEIGHT",
    "ACTIVE",
    "INACTIVE",
    "CONNECTIONS",
    "CONN/S",
    "IN B/S",
    "OUT B/S",
    "OWNER",
];
/// Columns that hold numbers stand to the right.
const NUMBERS: std::ops::Range<usize> = 2..9;

const HEADING: Style = Style::new().dimmed();
const SERVICE: Style = Style::new().bold();
const BAD_SERVICE: Style = AnsiColor::Red.on_default().bold();
const QUIESCED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// The whole table, with lines of totals, and then what else one should know. `width` is the terminal's, if it is one.
pub(super) fn text(picture: &Picture, color: bool, width: Option<usize>) -> String {
    let status = picture.daemon.as_ref().map(|daemon| &daemon.status);
    let with_health = status.is_some_and(health::is_known);
    let mut rows = vec![headings(with_health)];
    let (mut services, mut destinations, mut helpers) = (0, 0, 0);
    for key in keys(picture) {
        if !picture.all && picture.is_helper(&key) {
            helpers += 1;
            continue;
        }
        let live = picture.live.services.get(&key);
        services += usize::from(live.is_some());
        destinations += live.map_or(0, |live| live.destinations.len());
        rows.extend(of_service(picture, &key, live, with_health));
    }
    let mut text = if rows.len() > 1 {
        let totals = format!("{}, {}\n", words::count(services, "service"), words::count(destinations, "destination"));
        lay_out(&rows, &NUMBERS, color, width) + &totals
    } else {
        "The table is empty.\n".to_owned()
    };
    if helpers > 0 {
        let _ = writeln!(text, "{} of checks not shown; --all shows them", words::count(helpers, "helper service"));
    }
    text += &settings(&picture.settings);
    for unknown in &picture.live.unknown {
        let _ = writeln!(text, "not understood: {unknown}");
    }
    let none = std::collections::BTreeMap::new();
    let overrides =
        overrides::lines(&picture.overrides, picture.origins().unwrap_or(&none), picture.desired.as_ref(), picture.now);
    section(&mut text, "Overrides, until they are lifted:", overrides.lines(), None);
    let attention = status.map(|status| health::attention(status, picture.now)).unwrap_or_default();
    section(&mut text, "Attention:", attention.iter().map(String::as_str), width);
    text
}

/// The kernel's own settings, where they are not as they are at boot.
fn settings(KernelSettings { timeouts, sync }: &KernelSettings) -> String {
    let mut text = String::new();
    if timeouts.iter().any(|(timeout, seconds)| *seconds != timeout.at_boot()) {
        let timeouts = timeouts
            .iter()
            .map(|(timeout, seconds)| format!("{} {}", timeout.as_str(), words::duration(u64::from(*seconds))));
        let _ = writeln!(text, "timeouts: {}", timeouts.collect::<Vec<_>>().join(", "));
    }
    for (role, settings) in sync {
        let _ = writeln!(text, "connections are synchronised as {}: {}", role.as_str(), sync_settings(settings));
    }
    text
}

fn section<'l>(text: &mut String, title: &str, lines: impl Iterator<Item = &'l str>, width: Option<usize>) {
    for (number, line) in lines.enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\n{title}");
        }
        let line = width.map_or_else(|| line.to_owned(), |width| cut(line, width.saturating_sub(2)));
        let _ = writeln!(text, "  {line}");
    }
}

fn headings(with_health: bool) -> Row {
    let mut cells: Vec<String> = HEADINGS.map(str::to_owned).to_vec();
    if !with_health {
        return Row { cells, tail: String::new(), style: HEADING };
    }
    cells.push("HEALTH".to_owned());
    Row { cells, tail: "WHY".to_owned(), style: HEADING }
}

/// What is live, and what should be by name.
fn keys(picture: &Picture) -> BTreeSet<ServiceKey> {
    let status = picture.daemon.iter().flat_map(|daemon| &daemon.status.services);
    let wanted = status.filter_map(|(key, service)| service.name.as_ref().map(|_| *key));
    picture.live.services.keys().copied().chain(wanted).collect()
}

fn of_service(picture: &Picture, key: &ServiceKey, live: Option<&LiveService>, with_health: bool) -> Vec<Row> {
    let title = match (picture.name(key), picture.helped(key)) {
        (Some(name), _) => format!("{key} ({name})"),
        (None, Some(helped)) => format!("{key} (checks {} of {})", helped.destination, helped.service),
        (None, None) => key.to_string(),
    };
    let said = health::service(picture, key);
    let style = if said.mood == Mood::Bad { BAD_SERVICE } else { SERVICE };
    let mut cells = match live {
        Some(live) => {
            let what = words::service(&live.settings);
            let what = what.strip_prefix("scheduler ").unwrap_or(&what).to_owned();
            let sum =
                |count: fn(&LiveDestination) -> u32| live.destinations.values().map(|of| u64::from(count(of))).sum();
            let counts = (sum(|of| of.active_connections), sum(|of| of.inactive_connections));
            cells(title, what, String::new(), counts, &live.stats)
        }
        None => no_cells(title),
    };
    cells.push(live.map_or_else(String::new, |_| picture.owner(key, None).to_owned()));
    let mut rows = vec![row(cells, said, style, with_health)];
    for destination in destination_keys(picture, key, live) {
        let live = live.and_then(|live| live.destinations.get(&destination));
        rows.push(of_destination(picture, key, &destination, live, with_health));
    }
    rows
}

/// Those that are live, and those that are not although they should be, or because they are down.
fn destination_keys(picture: &Picture, service: &ServiceKey, live: Option<&LiveService>) -> BTreeSet<DestinationKey> {
    let is_missed = |status: &DestinationStatus| status.health == Some(Health::Down) || status.effective > 0;
    let known = picture.status(service).into_iter().flat_map(|status| &status.destinations);
    let missed = known.filter(|(_, status)| is_missed(status)).map(|(key, _)| *key);
    live.into_iter().flat_map(|live| live.destinations.keys().copied()).chain(missed).collect()
}

fn of_destination(
    picture: &Picture,
    service: &ServiceKey,
    key: &DestinationKey,
    live: Option<&LiveDestination>,
    with_health: bool,
) -> Row {
    let said = health::destination(picture, service, key, live);
    let style = match said.mood {
        Mood::Plain => PLAIN,
        Mood::Quiesced => QUIESCED,
        Mood::Bad => BAD,
    };
    let mut cells = match live {
        Some(LiveDestination { settings, active_connections, inactive_connections, stats, .. }) => {
            let counts = (u64::from(*active_connections), u64::from(*inactive_connections));
            let forward = words::forward(&settings.forward).into_owned();
            cells(
                format!("  {key}{}", called(picture, service, key)),
                forward,
                settings.weight.to_string(),
                counts,
                stats,
            )
        }
        None => no_cells(format!("  {key}{}", called(picture, service, key))),
    };
    cells.push(live.map_or_else(String::new, |_| picture.owner(service, Some(key)).to_owned()));
    row(cells, said, style, with_health)
}

fn called(picture: &Picture, service: &ServiceKey, key: &DestinationKey) -> String {
    picture.destination_name(service, key).map(|name| format!(" ({name})")).unwrap_or_default()
}

fn row(mut cells: Vec<String>, said: Said, style: Style, with_health: bool) -> Row {
    if !with_health {
        return Row { cells, tail: String::new(), style };
    }
    cells.push(said.health);
    Row { cells, tail: said.why, style }
}

fn cells(what: String, how: String, weight: String, (active, inactive): (u64, u64), stats: &Stats) -> Vec<String> {
    let Stats { connections, connection_rate, in_byte_rate, out_byte_rate, .. } = stats;
    vec![
        what,
        how,
        weight,
        active.to_string(),
        inactive.to_string(),
        connections.to_string(),
        connection_rate.to_string(),
        scaled(*in_byte_rate),
        scaled(*out_byte_rate),
    ]
}

/// Of what is not in the kernel.
fn no_cells(what: String) -> Vec<String> {
    let mut cells = vec![what];
    cells.resize(NUMBERS.end, "–".to_owned());
    cells
}

/// `999`, `1.5k`, `20M`: at most four characters up to the largest.
fn scaled(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["", "k", "M", "G", "T", "P"] {
        if value < 999.5 {
            return match unit {
                "" => number.to_string(),
                _ if value < 9.95 => format!("{value:.1}{unit}"),
                _ => format!("{value:.0}{unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{value:.0}E")
}

#[cfg(test)]
mod tests;
