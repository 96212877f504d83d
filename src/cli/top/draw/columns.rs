//! The table itself: which columns there is room for, and what stands in them.

use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::mood;
use super::paint::{Brush, Side};
use crate::cli::layout::scaled;
use crate::cli::picture::health::Mood;
use crate::cli::top::rows::{Arrangement, Column, Line};
use crate::cli::top::state::State;
use crate::cli::top::table::{Row, Table};

/// Between two columns.
const GAP: u16 = 1;
/// Names get no less, unless that is all there is.
const NAME: u16 = 24;
/// And no more, where something else wants the room.
const NAME_MOST: u16 = 60;
/// Less is no place for a reason; and before it has so much, there is no room for the columns that come last.
const WHY_LEAST: u16 = 30;
const WHY: u16 = 60;

/// The order in which columns get their place: first what is looked at most, …
const FIRST: [Column; 6] =
    [Column::Health, Column::Weight, Column::Active, Column::ConnectionRate, Column::InRate, Column::OutRate];
/// … then the reasons, if there are any, and then what is left.
const THEN: [Column; 3] = [Column::Inactive, Column::How, Column::Connections];

/// The columns that are shown, with their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    places: Vec<(Column, u16, u16)>,
    /// Where the reason stands, and how wide that may be.
    why: Option<(u16, u16)>,
}

fn width_of(column: Column) -> u16 {
    match column {
        Column::Name => NAME,
        Column::How => 12,
        Column::Health => 9,
        Column::Weight | Column::Active | Column::Inactive | Column::Connections => 7,
        Column::ConnectionRate | Column::InRate | Column::OutRate => 8,
    }
}

impl Columns {
    /// Whether reasons have a column.
    pub(super) fn have_reasons(&self) -> bool {
        self.why.is_some()
    }

    /// What fits into so many cells.
    pub(super) fn fit(table: &Table, width: u16) -> Self {
        let widest = u16::try_from(table.widest).unwrap_or(u16::MAX).clamp(NAME, NAME_MOST);
        // On a narrow terminal a name is cut before the numbers go that are looked at most.
        let needed: u16 = FIRST.iter().take(4).map(|column| width_of(*column) + GAP).sum();
        let narrow = (width / 2).min(width.saturating_sub(needed)).max(NAME);
        let name = if width >= 100 { widest } else { widest.min(narrow) };
        let mut left = width.saturating_sub(name);
        let mut shown = vec![Column::Name];
        let mut place = |columns: &[Column], left: &mut u16, kept: u16| {
            for column in columns {
                let wanted = width_of(*column) + GAP;
                if wanted + kept > *left {
                    return;
                }
                *left -= wanted;
                shown.push(*column);
            }
        };
        place(&FIRST, &mut left, 0);
        let has_why = table.has_reasons && left >= WHY_LEAST + GAP;
        place(&THEN, &mut left, if has_why { WHY + GAP } else { 0 });
        // Names take what nobody else can use.
        let name = if has_why { name } else { name.saturating_add(left).min(width) };
        let mut x = 0;
        let mut places = Vec::new();
        for column in Column::ALL.into_iter().filter(|column| shown.contains(column)) {
            let width = if column == Column::Name { name } else { width_of(column) };
            places.push((column, x, width));
            x += width + GAP;
        }
        Self { places, why: has_why.then(|| (x, width.saturating_sub(x))) }
    }

    pub(super) fn headings(&self, arrangement: &Arrangement, area: Rect, brush: &mut Brush<'_>) {
        let style = brush.palette.headings();
        brush.wash(area, style);
        for (column, x, width) in &self.places {
            let place = Rect { x: area.x + x, width: *width, ..area };
            let arrow = match (*column == arrangement.sort, arrangement.reversed) {
                (false, _) => "",
                (true, false) => "▾",
                (true, true) => "▴",
            };
            let text = format!("{}{arrow}", column.heading());
            brush.side(place, 0, side(*column), &text, style);
        }
        if let Some((x, width)) = self.why {
            brush.side(Rect { x: area.x + x, width, ..area }, 0, Side::Left, "WHY", style);
        }
    }

    pub(super) fn row(&self, state: &State, line: &Line, area: Rect, is_selected: bool, brush: &mut Brush<'_>) {
        let Some(row) = state.table.row(line.service, line.destination) else { return };
        let palette = brush.palette;
        let style = mood(palette, row.said.mood, line);
        for (column, x, width) in &self.places {
            let place = Rect { x: area.x + x, width: *width, ..area };
            let (text, style) = match column {
                Column::Name => (name(state, line, row), style),
                Column::How => (row.how.clone(), palette.dim()),
                Column::Health => (row.said.health.clone(), self.health(row, style, brush)),
                number => (figure(*number, row), self.number(*number, row, style, brush)),
            };
            brush.side(place, 0, side(*column), &text, style);
        }
        if let Some((x, width)) = self.why {
            brush.side(Rect { x: area.x + x, width, ..area }, 0, Side::Left, &row.said.why, style);
        }
        if is_selected {
            brush.wash(area, palette.selected());
        }
    }

    fn health(&self, row: &Row, style: Style, brush: &Brush<'_>) -> Style {
        match (row.said.mood, row.said.health.as_str()) {
            (Mood::Plain, "up") => brush.palette.good(),
            (Mood::Plain, "–" | "") => brush.palette.dim(),
            (Mood::Plain, "unknown") => brush.palette.warning(),
            _ => style,
        }
    }

    /// What is 0 is not looked for, but a weight.
    fn number(&self, column: Column, row: &Row, style: Style, brush: &Brush<'_>) -> Style {
        match column.of(row) {
            None | Some(0) if column != Column::Weight => brush.palette.dim(),
            _ => style,
        }
    }
}

fn side(column: Column) -> Side {
    match column {
        Column::Name | Column::How | Column::Health => Side::Left,
        _ => Side::Right,
    }
}

/// Services have a sign that tells whether they are folded, and their destinations stand in.
fn name(state: &State, line: &Line, row: &Row) -> String {
    if line.destination.is_some() {
        return format!("    {}", row.title);
    }
    let folded = state.arrangement.filter.is_empty()
        && state
            .table
            .services
            .get(line.service)
            .is_some_and(|service| state.arrangement.folded.contains(&service.key));
    format!("{} {}", if folded { '▸' } else { '▾' }, row.title)
}

fn figure(column: Column, row: &Row) -> String {
    match (column, column.of(row)) {
        (_, None) => "–".to_owned(),
        (Column::Weight | Column::Active | Column::Inactive, Some(number)) if number < 1_000_000 => number.to_string(),
        (_, Some(number)) => scaled(number),
    }
}
