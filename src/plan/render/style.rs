//! The symbols of a plan and their colours, in one place.

use std::fmt;

use anstyle::AnsiColor;

use crate::plan::Verb;

/// Between the old value and the new one.
pub(super) const ARROW: &str = "→";

const ADD: anstyle::Style = AnsiColor::Green.on_default();
const EDIT: anstyle::Style = AnsiColor::Yellow.on_default();
const DELETE: anstyle::Style = AnsiColor::Red.on_default();
pub(super) const SERVICE: anstyle::Style = anstyle::Style::new().bold();
pub(super) const HEADING: anstyle::Style = anstyle::Style::new().bold();
pub(super) const DRIFT: anstyle::Style = AnsiColor::Magenta.on_default().bold();
pub(super) const FAINT: anstyle::Style = anstyle::Style::new().dimmed();

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
}

impl Style {
    /// Text alone.
    pub const PLAIN: Self = Self { color: false };
    /// With ANSI colours.
    pub const COLOR: Self = Self { color: true };

    /// `what` in that style, if there is to be any.
    pub(super) fn paint<T: fmt::Display>(self, style: anstyle::Style, what: T) -> Painted<T> {
        Painted { style: if self.color { style } else { anstyle::Style::new() }, what }
    }

    /// The symbol of a verb: `+`, `~`, `-`.
    pub(super) fn symbol(self, verb: Verb) -> Painted<&'static str> {
        match verb {
            Verb::Add => self.paint(ADD, "+"),
            Verb::Edit => self.paint(EDIT, "~"),
            Verb::Delete => self.paint(DELETE, "-"),
        }
    }
}

/// Something with a style around it.
pub(super) struct Painted<T> {
    style: anstyle::Style,
    what: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { style, what } = self;
        write!(f, "{style}{what}{style:#}")
    }
}
