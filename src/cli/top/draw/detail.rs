//! The pane that tells more of what is selected: why it is so, and what happened to it.

use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::paint::{Brush, Palette};
use super::time;
use crate::cli::explain::explain;
use crate::cli::layout::{length, wrap};
use crate::cli::top::state::State;
use crate::cli::top::table::{ServiceRow, Table};
use crate::daemon::orders::Target;
use crate::model::{DestinationKey, ServiceKey};
use crate::plan::render::words::count;

pub(super) fn draw(state: &State, area: Rect, brush: &mut Brush<'_>) {
    let Some((service, destination)) = state.selected().filter(|_| area.height > 0) else { return };
    let palette = brush.palette;
    let title = match destination {
        Some(destination) => format!(" {destination} of {service} "),
        None => format!(" {service} "),
    };
    let rule = "─".repeat(usize::from(area.width));
    brush.text(area, 0, 0, &rule, palette.dim());
    brush.text(area, 0, 2, &title, palette.title());
    let lines = lines(&state.table, &service, destination.as_ref(), usize::from(area.width), palette);
    for (line, (text, style)) in (1..area.height).zip(&lines) {
        brush.text(area, line, 0, text, *style);
    }
    let more = lines.len().saturating_sub(usize::from(area.height.saturating_sub(1)));
    if more > 0 {
        let text = format!(" … {} ", count(more, "line"));
        let x = area.width.saturating_sub(u16::try_from(length(&text)).unwrap_or(u16::MAX));
        brush.text(area, 0, x, &text, palette.dim());
    }
}

/// First why it is so, then what happened, the newest first.
fn lines(
    table: &Table,
    service: &ServiceKey,
    destination: Option<&DestinationKey>,
    width: usize,
    palette: Palette,
) -> Vec<(String, Style)> {
    let text = match destination {
        Some(destination) => explain(&table.picture, Target { service: *service, destination: *destination }).text(),
        None => of_service(table, service),
    };
    let mut lines: Vec<(String, Style)> = wrap(&text, width).into_iter().map(|line| (line, Style::default())).collect();
    let told = table.events.iter().filter(|event| event.concerns(service, destination));
    for event in told {
        let style = if event.bad { palette.bad() } else { Style::default() };
        let time = time(event.at);
        let time = time.trim_end_matches(" UTC");
        let indent = length(time) + 2;
        for (number, part) in wrap(&event.text, width.saturating_sub(indent).max(20)).into_iter().enumerate() {
            let begin = if number == 0 { format!("{time}  ") } else { " ".repeat(indent) };
            lines.push((begin + &part, style));
        }
    }
    lines
}

/// A service in sentences.
fn of_service(table: &Table, key: &ServiceKey) -> String {
    let Some(ServiceRow { row, destinations, .. }) = table.services.iter().find(|service| service.key == *key) else {
        return String::new();
    };
    let mut text = match &row.numbers {
        Some(numbers) => format!(
            "scheduler {}; {} of weight {} together; {} connections until now.",
            row.how,
            count(destinations.len(), "destination"),
            numbers.weight,
            numbers.connections
        ),
        None => "Not in the kernel's table.".to_owned(),
    };
    if let Some(status) = table.picture.status(key) {
        text += &format!(" {} of {} up.", status.up, status.of);
        if let Some(fallback) = &status.fallback_to {
            text += &format!(" The fallback is {fallback}{}.", if status.fallback { ", and in use" } else { "" });
        }
    }
    if !row.said.why.is_empty() {
        text += &format!(" {}.", row.said.why);
    }
    let owner = table.picture.owner(key, None);
    text + &format!(" It is {owner}.")
}
