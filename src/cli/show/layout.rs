//! Rows of cells as lines of text.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::Style;

pub(super) const PLAIN: Style = Style::new();

pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// What stands behind the row, or under it where that is too long for the terminal.
    pub(super) tail: String,
    pub(super) style: Style,
}

/// Less than this is no place for a tail.
const LEAST: usize = 20;

/// The rows, the first of which holds the headings, with the cells of `numbers` to the right. On a terminal of `width`
/// characters tails that do not all fit stand on lines of their own, and are cut there.
pub(super) fn lay_out(rows: &[Row], numbers: &Range<usize>, color: bool, width: Option<usize>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(length(cell));
        }
    }
    let cells = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    let tails = rows.iter().map(|row| length(&row.tail)).max().unwrap_or(0);
    let beneath = width.filter(|width| tails > 0 && cells + 2 + tails > *width);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.cells.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _ = if numbers.contains(&column) {
                write!(line, "{gap}{cell:>width$}")
            } else {
                write!(line, "{gap}{cell:<width$}")
            };
        }
        if beneath.is_none() && tails > 0 {
            let _ = write!(line, "  {}", row.tail);
        }
        push(&mut text, line.trim_end(), row.style, color);
        if let Some(width) = beneath
            && number > 0
            && !row.tail.is_empty()
        {
            push(&mut text, &format!("      {}", cut(&row.tail, width.saturating_sub(6).max(LEAST))), row.style, color);
        }
    }
    text
}

fn push(text: &mut String, line: &str, style: Style, color: bool) {
    let _ = if color && style != PLAIN { writeln!(text, "{style}{line}{style:#}") } else { writeln!(text, "{line}") };
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// At most so many characters, the last of which says that there were more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}
