//! Colours, and text that stays where it belongs.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

use crate::cli::layout::{cut, length};

/// What means what. Without colours, weight and light have to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::top) struct Palette {
    pub(in crate::cli::top) color: bool,
}

impl Palette {
    fn ink(self, color: Color, without: Modifier) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new().add_modifier(without) }
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn good(self) -> Style {
        self.ink(Color::Green, Modifier::empty())
    }

    pub(super) fn warning(self) -> Style {
        self.ink(Color::Yellow, Modifier::empty())
    }

    pub(super) fn bad(self) -> Style {
        self.ink(Color::Red, Modifier::BOLD)
    }

    pub(super) fn key(self) -> Style {
        self.ink(Color::Cyan, Modifier::BOLD)
    }

    pub(super) fn frozen(self) -> Style {
        self.warning().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn headings(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// At which end of its place a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Writes into a buffer, and never beside it.
pub(super) struct Brush<'b> {
    pub(super) buffer: &'b mut Buffer,
    pub(super) palette: Palette,
}

impl Brush<'_> {
    /// A text in a line of an area, from column `x` of it on; gives the column behind it.
    pub(super) fn text(&mut self, area: Rect, line: u16, x: u16, text: &str, style: Style) -> u16 {
        self.clipped(area, line, x, area.width, text, style)
    }

    /// The same, up to column `end`; what is cut off ends in `…`.
    pub(super) fn clipped(&mut self, area: Rect, line: u16, x: u16, end: u16, text: &str, style: Style) -> u16 {
        let end = end.min(area.width);
        if line >= area.height || x >= end {
            return x;
        }
        let (left, top) = (area.x.saturating_add(x), area.y.saturating_add(line));
        if !self.buffer.area.contains((left, top).into()) {
            return x;
        }
        let room = usize::from(end - x);
        let (right, _) = self.buffer.set_stringn(left, top, cut(text, room), room, style);
        right.saturating_sub(area.x)
    }

    /// A text at one end of a line; gives the column at which it begins or ends.
    pub(super) fn side(&mut self, area: Rect, line: u16, side: Side, text: &str, style: Style) -> u16 {
        let width = u16::try_from(length(text)).unwrap_or(u16::MAX).min(area.width);
        match side {
            Side::Left => self.text(area, line, 0, text, style),
            Side::Right => {
                let x = area.width - width;
                self.text(area, line, x, text, style);
                x
            }
        }
    }

    /// Lays a style over a whole area.
    pub(super) fn wash(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }
}
