//! The live table for people: a line for each service, and under it one for each destination.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::cli::layout::{Columns, PLAIN, Row, lay_out, scaled, wrap};
use crate::cli::overrides;
use crate::cli::picture::Picture;
use crate::cli::picture::health::{self, Mood, Said};
use crate::ipvs::KernelSettings;
use crate::model::{DestinationKey, LiveDestination, LiveService, ServiceKey, Stats};
use crate::plan::render::{sync_settings, words};

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
const COLUMNS: Columns<'static> = Columns {
    numbers: 2..9,
    // CONNECTIONS, OUT B/S, SCHEDULER / FORWARD, IN B/S, OWNER, INACTIVE, CONN/S
    spare: &[5, 8, 1, 7, 9, 4, 6],
    // SCHEDULER / FORWARD: flags and persistence may make it very long.
    long: Some((1, HEADINGS[1].len())),
};

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
    for key in picture.service_keys() {
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
        lay_out(&rows, &COLUMNS, color, width) + &totals
    } else {
        "The table is empty.\n".to_owned()
    };
    if helpers > 0 {
        let helpers = words::count(helpers, "helper service");
        push(&mut text, &format!("{helpers} of checks not shown; --all shows them"), "", width);
    }
    for line in settings(&picture.settings) {
        push(&mut text, &line, "", width);
    }
    for unknown in &picture.live.unknown {
        push(&mut text, &format!("not understood: {unknown}"), "", width);
    }
    let none = std::collections::BTreeMap::new();
    let overrides = overrides::lines(
        &picture.overrides,
        picture.origins().unwrap_or(&none),
        picture.desired.as_deref(),
        picture.now,
    );
    section(&mut text, "Overrides, until they are lifted:", overrides.lines(), width);
    let attention = status.map(|status| health::attention(status, picture.now)).unwrap_or_default();
    section(&mut text, "Attention:", attention.iter().map(String::as_str), width);
    text
}

/// The kernel's own settings, where they are not as they are at boot.
fn settings(KernelSettings { timeouts, sync }: &KernelSettings) -> Vec<String> {
    let mut lines = Vec::new();
    if timeouts.iter().any(|(timeout, seconds)| *seconds != timeout.at_boot()) {
        let timeouts = timeouts
            .iter()
            .map(|(timeout, seconds)| format!("{} {}", timeout.as_str(), words::duration(u64::from(*seconds))));
        lines.push(format!("timeouts: {}", timeouts.collect::<Vec<_>>().join(", ")));
    }
    for (role, settings) in sync {
        lines.push(format!("connections are synchronised as {}: {}", role.as_str(), sync_settings(settings)));
    }
    lines
}

fn section<'l>(text: &mut String, title: &str, lines: impl Iterator<Item = &'l str>, width: Option<usize>) {
    for (number, line) in lines.enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\n{title}");
        }
        push(text, line, "  ", width);
    }
}

/// A line, or what a terminal makes of it: the second part and those after it stand in a little more.
fn push(text: &mut String, line: &str, indent: &str, width: Option<usize>) {
    let parts = match width {
        Some(width) => wrap(line, width.saturating_sub(indent.len() + 2)),
        None => vec![line.to_owned()],
    };
    for (number, part) in parts.iter().enumerate() {
        let _ = writeln!(text, "{indent}{}{part}", if number == 0 { "" } else { "  " });
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
    for destination in picture.destination_keys(key) {
        let live = live.and_then(|live| live.destinations.get(&destination));
        rows.push(of_destination(picture, key, &destination, live, with_health));
    }
    rows
}

fn of_destination(
    picture: &Picture,
    service: &ServiceKey,
    key: &DestinationKey,
    live: Option<&LiveDestination>,
    with_health: bool,
) -> Row {
    let said = health::destination(picture, service, key, live);
    let called = picture.called(service, key).map(|name| format!(" ({name})")).unwrap_or_default();
    let style = match said.mood {
        Mood::Plain => PLAIN,
        Mood::Quiesced => QUIESCED,
        Mood::Bad => BAD,
    };
    let mut cells = match live {
        Some(LiveDestination { settings, active_connections, inactive_connections, stats, .. }) => {
            let counts = (u64::from(*active_connections), u64::from(*inactive_connections));
            let forward = words::forward(&settings.forward).into_owned();
            cells(format!("  {key}{}", called), forward, settings.weight.to_string(), counts, stats)
        }
        None => no_cells(format!("  {key}{}", called)),
    };
    cells.push(live.map_or_else(String::new, |_| picture.owner(service, Some(key)).to_owned()));
    row(cells, said, style, with_health)
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
    cells.resize(COLUMNS.numbers.end, "–".to_owned());
    cells
}

#[cfg(test)]
mod tests;
