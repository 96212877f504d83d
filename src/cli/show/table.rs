//! The live table for people: a line for each service, and under it one for each destination.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::Picture;
use crate::model::Stats;
use crate::plan::render::words;

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
const QUIESCED: Style = AnsiColor::Yellow.on_default();
const PLAIN: Style = Style::new();

struct Row {
    cells: [String; HEADINGS.len()],
    style: Style,
}

/// The whole table, with a line of totals.
pub(super) fn text(picture: &Picture, color: bool) -> String {
    let mut rows = vec![Row { cells: HEADINGS.map(str::to_owned), style: HEADING }];
    let mut destinations = 0;
    for (key, service) in &picture.live.services {
        let name = picture.name(key).map_or_else(String::new, |name| format!(" ({name})"));
        let what = words::service(&service.settings);
        let what = what.strip_prefix("scheduler ").unwrap_or(&what).to_owned();
        let active: u64 = service.destinations.values().map(|live| u64::from(live.active_connections)).sum();
        let inactive: u64 = service.destinations.values().map(|live| u64::from(live.inactive_connections)).sum();
        let mut cells = row(format!("{key}{name}"), what, String::new(), (active, inactive), &service.stats);
        cells[9] = picture.owner(key, None).to_owned();
        rows.push(Row { cells, style: SERVICE });
        destinations += service.destinations.len();
        for (destination, live) in &service.destinations {
            let counts = (u64::from(live.active_connections), u64::from(live.inactive_connections));
            let weight = live.settings.weight;
            let forward = words::forward(&live.settings.forward).into_owned();
            let mut cells = row(format!("  {destination}"), forward, weight.to_string(), counts, &live.stats);
            cells[9] = picture.owner(key, Some(destination)).to_owned();
            rows.push(Row { cells, style: if weight == 0 { QUIESCED } else { PLAIN } });
        }
    }
    let mut text = String::new();
    if picture.live.services.is_empty() {
        text.push_str("The table is empty.\n");
    } else {
        lay_out(&rows, color, &mut text);
        let services = words::count(picture.live.services.len(), "service");
        let _ = writeln!(text, "{services}, {}", words::count(destinations, "destination"));
    }
    for unknown in &picture.live.unknown {
        let _ = writeln!(text, "not understood: {unknown}");
    }
    text
}

fn row(
    what: String,
    how: String,
    weight: String,
    (active, inactive): (u64, u64),
    stats: &Stats,
) -> [String; HEADINGS.len()] {
    let Stats { connections, connection_rate, in_byte_rate, out_byte_rate, .. } = stats;
    [
        what,
        how,
        weight,
        active.to_string(),
        inactive.to_string(),
        connections.to_string(),
        connection_rate.to_string(),
        scaled(*in_byte_rate),
        scaled(*out_byte_rate),
        String::new(),
    ]
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

fn lay_out(rows: &[Row], color: bool, text: &mut String) {
    let mut widths = [0; HEADINGS.len()];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _ = if NUMBERS.contains(&column) {
                write!(line, "{gap}{cell:>width$}")
            } else {
                write!(line, "{gap}{cell:<width$}")
            };
        }
        let line = line.trim_end();
        let _ = if color && row.style != PLAIN {
            writeln!(text, "{}{line}{:#}", row.style, row.style)
        } else {
            writeln!(text, "{line}")
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_stay_short() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (9_949, "9.9k"),
            (9_950, "10k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (u64::MAX, "18E"),
        ] {
            assert_eq!(scaled(number), want);
        }
    }
}
