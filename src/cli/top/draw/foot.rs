//! The last line: what the keys are, what is asked, and what came of it. What has more words takes lines from the table.

use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::super::state::{Mode, Note, Question, State};
use super::paint::{Brush, Palette, Side};
use super::{help, of_mood};
use crate::cli::layout::{cut, length, wrap};

/// What answers a question.
const ANSWERS: &str = " y/n";

/// A colour.
type Ink = fn(Palette) -> Style;

/// How many lines it takes: at most half of the page, but for a question, which is answered before all else.
pub(super) fn height(state: &State, area: Rect) -> u16 {
    let most = if matches!(state.mode, Mode::Confirm(_)) { area.height } else { (area.height / 2).max(1) };
    let lines = words(state, area.width, most).len();
    u16::try_from(lines).unwrap_or(u16::MAX).max(1)
}

/// `is_told` is whether the reason of what is selected stands on the page already.
pub(super) fn draw(state: &State, area: Rect, is_told: bool, brush: &mut Brush<'_>) {
    let palette = brush.palette;
    let lines = words(state, area.width, area.height);
    let last = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let end = brush.side(area, last, Side::Right, &place(state), palette.dim());
    for (line, (text, ink)) in (0..).zip(&lines) {
        match text.strip_suffix(ANSWERS).filter(|_| line == last && matches!(state.mode, Mode::Confirm(_))) {
            Some(question) => {
                let x = brush.clipped(area, line, 0, end, question, ink(palette));
                brush.clipped(area, line, x, end, ANSWERS, palette.warning());
            }
            None => drop(brush.clipped(area, line, 0, end, text, ink(palette))),
        }
    }
    if lines.is_empty() {
        keys_or_reason(state, area, end, is_told, brush);
    }
}

/// Where in the table one is.
fn place(state: &State) -> String {
    match state.lines.len() {
        0 => String::new(),
        all => format!(" {}/{all}", state.at + 1),
    }
}

/// What is asked or has been said, as lines. A question is there whole before anything else is, for the next key answers it.
fn words(state: &State, width: u16, most: u16) -> Vec<(String, Ink)> {
    let width = usize::from(width).saturating_sub(length(&place(state)));
    let most = usize::from(most);
    match (&state.mode, &state.note) {
        (Mode::Confirm(Question { text, warnings, .. }), _) => {
            let mut question = wrap(&format!("{text}{ANSWERS}"), width);
            if question.len() > most {
                question = vec![cut(text, width.saturating_sub(length(ANSWERS))) + ANSWERS];
            }
            let warnings = warnings.iter().flat_map(|warning| wrap(&format!("{warning}."), width)).collect();
            let warnings = shortened(warnings, most.saturating_sub(question.len()), width);
            let inked = |lines: Vec<String>, ink: Ink| lines.into_iter().map(move |line| (line, ink));
            inked(warnings, Palette::bad).chain(inked(question, Palette::title)).collect()
        }
        (Mode::Filter(_), _) | (_, None) => Vec::new(),
        (_, Some(Note { text, bad })) => {
            let ink: Ink = if *bad { Palette::bad } else { Palette::good };
            shortened(wrap(text, width), most, width).into_iter().map(|line| (line, ink)).collect()
        }
    }
}

/// At most so many lines; one sees that there were more.
fn shortened(mut lines: Vec<String>, most: usize, width: usize) -> Vec<String> {
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"), width);
        }
    }
    lines
}

fn keys_or_reason(state: &State, area: Rect, end: u16, is_told: bool, brush: &mut Brush<'_>) {
    let palette = brush.palette;
    let selected = state.lines.get(state.at).and_then(|line| state.table.row(line.service, line.destination));
    let reason = selected.map(|row| &row.said).filter(|said| !is_told && !said.why.is_empty());
    let mut put = |x: u16, text: &str, style: Style| brush.clipped(area, 0, x, end, text, style);
    match (&state.mode, reason) {
        (Mode::Filter(_), _) => {
            let x = put(0, "filter: ", palette.title());
            let x = put(x, &state.arrangement.filter, Style::default());
            put(x, "▏ enter keeps it, esc takes it back", palette.dim());
        }
        _ if !state.arrangement.filter.is_empty() => {
            let x = put(0, &format!("filter: {}", state.arrangement.filter), palette.warning());
            put(x, "  esc clears it", palette.dim());
        }
        (_, Some(said)) => drop(put(0, &said.why, of_mood(palette, said.mood))),
        _ => {
            let mut x = 0;
            for (key, what) in help::SHORT {
                if usize::from(x) + length(key) + length(what) + 3 > usize::from(end) {
                    break;
                }
                x = put(x, key, palette.key());
                x = put(x, &format!(" {what}  "), palette.dim());
            }
        }
    }
}
