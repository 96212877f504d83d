//! The keys.

use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::paint::Brush;

/// On the last line, as many as there is room for.
pub(super) const SHORT: [(&str, &str); 9] = [
    ("q", "quit"),
    ("?", "help"),
    ("/", "filter"),
    ("s", "sort"),
    ("enter", "detail"),
    ("d", "drain"),
    ("u", "undrain"),
    ("space", "freeze"),
    ("← →", "fold"),
];

const KEYS: [(&str, &str); 12] = [
    ("↑ ↓ j k", "select; PgUp PgDn Home End g G go further"),
    ("← → h l", "fold a service, unfold it; c: all of them"),
    ("enter tab i", "why it is so, and what happened to it"),
    ("/", "show what has these words; esc: all"),
    ("s S > <", "sort by the next column, the one before"),
    ("1 … 9 0", "sort by that column; again: turned round"),
    ("r", "turn the order round"),
    ("space", "freeze the page, and go on"),
    ("d", "drain a destination, as `ipvsd drain`"),
    ("u", "take that back, as `ipvsd undrain`"),
    ("^L ^Z", "draw anew; stop, and `fg` comes back"),
    ("q ^C", "quit"),
];

/// A colour.
type Ink = fn(super::Palette) -> Style;

const WORDS: [(&str, Ink, &str); 3] = [
    ("red", super::Palette::bad, "down, failed, not as it should be"),
    ("yellow", super::Palette::warning, "no new connections, on purpose"),
    ("green", super::Palette::good, "up"),
];

pub(super) fn draw(area: Rect, brush: &mut Brush<'_>) {
    let palette = brush.palette;
    brush.text(area, 0, 0, "The keys of ipvsd top", palette.title());
    let mut line = 2;
    for (key, what) in KEYS {
        brush.text(area, line, 2, key, palette.key());
        brush.text(area, line, 16, what, Style::default());
        line += 1;
    }
    for (word, style, what) in WORDS {
        brush.text(area, line, 2, word, style(palette));
        brush.text(area, line, 16, what, Style::default());
        line += 1;
    }
    let text = "Rates are the kernel's own: of one second, smoothed over some. Numbers of a service are the sums of its destinations.";
    for part in crate::cli::layout::wrap(text, usize::from(area.width).saturating_sub(4)) {
        line += 1;
        brush.text(area, line, 2, &part, palette.dim());
    }
}
