//! The page, from what the state holds to the cells of a terminal. Pure.

mod columns;
mod detail;
mod foot;
mod help;
mod paint;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::rows::Line;
use super::state::{Mode, State};
use super::table::Totals;
use crate::cli::layout::{length, scaled};
use crate::cli::picture::health::Mood;
use crate::plan::render::words::{count, duration, rough};
use crate::reconcile::Agreement;
use columns::Columns;
pub(super) use paint::Palette;
use paint::{Brush, Side};

/// A terminal with fewer lines has no pane by itself.
const HIGH: u16 = 30;

/// The parts of the page, from above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Areas {
    head: Rect,
    headings: Rect,
    rows: Rect,
    detail: Rect,
    foot: Rect,
}

/// Where everything goes, and how many lines of the table that leaves; the state has them in view from now on.
pub(super) fn fit(state: &mut State, area: Rect) -> Areas {
    state.is_high = area.height >= HIGH;
    let head = 2 + u16::from(alarm(state).is_some());
    let detail = if state.has_detail() { (area.height / 3).max(7) } else { 0 };
    let foot = foot::height(state, area);
    // What there is too little room for goes from below, but for the foot.
    let mut y = area.y;
    let mut left = area.height;
    let mut take = |wanted: u16| {
        let height = wanted.min(left);
        let part = Rect { x: area.x, y, width: area.width, height };
        y += height;
        left -= height;
        part
    };
    let inner = area.height.saturating_sub(foot);
    let head = take(head.min(inner));
    let headings = take(1.min(inner.saturating_sub(head.height)));
    let room = inner.saturating_sub(head.height + headings.height);
    let detail_height = detail.min(room.saturating_sub(3));
    let rows = take(room - detail_height);
    let detail = take(detail_height);
    let foot = take(foot);
    state.settle(usize::from(rows.height));
    Areas { head, headings, rows, detail, foot }
}

/// Draws all of it.
pub(super) fn page(state: &State, areas: &Areas, palette: Palette, buffer: &mut Buffer) {
    let mut brush = Brush { buffer, palette };
    let columns = Columns::fit(&state.table, areas.rows.width);
    if state.mode == Mode::Help {
        let area = areas.head.union(areas.headings).union(areas.rows).union(areas.detail);
        help::draw(area, &mut brush);
    } else {
        head(state, areas.head, &mut brush);
        columns.headings(&state.arrangement, areas.headings, &mut brush);
        for (y, line) in state.lines.iter().enumerate().skip(state.top).take(usize::from(areas.rows.height)) {
            let at = areas.rows.y.saturating_add(u16::try_from(y - state.top).unwrap_or(u16::MAX));
            let area = Rect { y: at, height: 1, ..areas.rows };
            columns.row(state, line, area, y == state.at, &mut brush);
        }
        if state.lines.is_empty() {
            brush.text(areas.rows, 0, 1, nothing(state), palette.dim());
        }
        detail::draw(state, areas.detail, &mut brush);
    }
    let is_told = columns.have_reasons() || areas.detail.height > 0 || state.mode == Mode::Help;
    foot::draw(state, areas.foot, is_told, &mut brush);
}

fn nothing(state: &State) -> &'static str {
    if state.arrangement.filter.is_empty() { "The table is empty." } else { "Nothing is as the filter says." }
}

/// The first of what somebody should look at.
fn alarm(state: &State) -> Option<String> {
    if let Some(trouble) = &state.trouble {
        return Some(format!("the kernel cannot be looked at, and this is as it was: {trouble}"));
    }
    let (first, more) = state.table.attention.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        number => format!(" (and {number} more: ipvsd show)"),
    };
    Some(format!("{first}{more}"))
}

fn head(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let palette = brush.palette;
    let table = &state.table;
    let clock = match state.frozen {
        true => (" FROZEN, space goes on ".to_owned(), palette.frozen()),
        false => (format!("{}  every {}", time(table.picture.now), seconds(table.every)), palette.dim()),
    };
    let right = brush.side(area, 0, Side::Right, &clock.0, clock.1);
    let mut x = brush.text(area, 0, 0, "ipvsd top  ", palette.title());
    let end = right.saturating_sub(1);
    let (text, style) = match &table.picture.daemon {
        None => ("no daemon is running".to_owned(), palette.dim()),
        Some(answer) => {
            let up = rough(table.picture.now.saturating_sub(answer.started));
            let (words, style) = match answer.status.agreement() {
                Agreement::AsConfigured => ("as configured", palette.good()),
                Agreement::Differs => ("NOT as configured", palette.bad()),
                Agreement::Outdated => ("an OLD configuration is in force", palette.bad()),
                Agreement::Unknown => ("not known yet", palette.warning()),
            };
            x = brush.clipped(area, 0, x, end, words, style);
            (format!("  daemon {} for {up}", answer.pid), palette.dim())
        }
    };
    brush.clipped(area, 0, x, end, &text, style);
    totals(&table.totals, area, brush);
    if let Some(alarm) = alarm(state) {
        brush.text(area, 2, 0, &format!("! {alarm}"), palette.bad());
    }
}

fn totals(totals: &Totals, area: Rect, brush: &mut Brush<'_>) {
    let palette = brush.palette;
    let Totals { services, destinations, up, down, draining, active, connection_rate, in_rate, out_rate } = *totals;
    let plain = Style::default();
    let mut parts: Vec<(String, Style)> =
        vec![(format!("{}, {}", count(services, "service"), count(destinations, "destination")), plain)];
    let health = [(up, "up", palette.good()), (down, "down", palette.bad()), (draining, "draining", palette.warning())];
    parts.extend(
        health
            .into_iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, word, style)| (format!("{number} {word}"), style)),
    );
    parts.push((format!("{} active", scaled(active)), plain));
    parts.push((format!("{} conn/s", scaled(connection_rate)), plain));
    parts.push((format!("{} in {} out B/s", scaled(in_rate), scaled(out_rate)), plain));
    let mut x = 0;
    for (number, (text, style)) in parts.iter().enumerate() {
        let gap = if number == 0 { 0 } else { 2 };
        // What does not fit whole is left out.
        if usize::from(x) + gap + length(text) > usize::from(area.width) {
            break;
        }
        x = brush.text(area, 1, x + u16::try_from(gap).unwrap_or(0), text, *style);
    }
}

/// `13:50:02 UTC`
fn time(unix: u64) -> String {
    let day = unix % 86_400;
    format!("{:02}:{:02}:{:02} UTC", day / 3600, day / 60 % 60, day % 60)
}

fn seconds(every: std::time::Duration) -> String {
    if every.subsec_millis() == 0 { duration(every.as_secs()) } else { format!("{:.1}s", every.as_secs_f64()) }
}

/// How a row is to be looked at.
fn of_mood(palette: Palette, mood: Mood) -> Style {
    match mood {
        Mood::Plain => Style::default(),
        Mood::Quiesced => palette.warning(),
        Mood::Bad => palette.bad(),
    }
}

/// The same of a line: services stand out.
fn mood(palette: Palette, mood: Mood, line: &Line) -> Style {
    let style = of_mood(palette, mood);
    if line.destination.is_none() { style.patch(palette.title()) } else { style }
}

#[cfg(test)]
mod tests;
