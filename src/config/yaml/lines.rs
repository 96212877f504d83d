//! Where things stand in a text, as libyaml counts it.

use crate::config::tree::Value;

/// Line and column, as libyaml counts them, to bytes. Its lines also end at a lone CR, NEL, LS and PS, and its
/// columns are characters.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Byte and character at which each line starts.
    starts: Vec<(usize, usize)>,
    /// The byte of every [`STRIDE`]th character: a whole document may be one line.
    strides: Vec<usize>,
}

const STRIDE: usize = 64;
/// How far the end of a scalar is looked for.
pub(super) const LONGEST: usize = 200;

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut starts = vec![(0, 0)];
        let mut strides = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut characters = text.char_indices().enumerate().peekable();
        while let Some((count, (at, character))) = characters.next() {
            if count % STRIDE == 0 {
                strides.push(at);
            }
            let ends = match character {
                '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => true,
                '\r' => !matches!(characters.peek(), Some((_, (_, '\n')))),
                _ => false,
            };
            if ends {
                starts.push((at + character.len_utf8(), count + 1));
            }
        }
        Self { text, starts, strides }
    }

    /// The byte of a 1-based line and column; the nearest there is if there is none.
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let Some(&(_, first)) = self.starts.get(line.saturating_sub(1)) else { return self.text.len() };
        let end = self.starts.get(line).map_or(self.text.len(), |(byte, _)| *byte);
        let wanted = first + column.saturating_sub(1);
        let Some(&from) = self.strides.get(wanted / STRIDE) else { return end };
        let rest = self.text.get(from..).unwrap_or("");
        rest.char_indices().nth(wanted % STRIDE).map_or(end, |(at, _)| (from + at).min(end))
    }

    fn rest_of_line(&self, start: usize) -> &'a str {
        let mut end = start.saturating_add(LONGEST).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.get(start..end).and_then(|rest| rest.split(['\n', '\r']).next()).unwrap_or("")
    }

    pub(super) fn end_of_word(&self, start: usize) -> usize {
        let rest = self.rest_of_line(start);
        start + rest.find(char::is_whitespace).unwrap_or(rest.len())
    }

    /// Where a scalar of that value ends: at its closing quote, or where a plain one can.
    pub(super) fn end_of_scalar(&self, start: usize, value: &Value<'_>) -> usize {
        let rest = self.rest_of_line(start);
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        let length = match (quote, value) {
            (Some(quote), _) => rest[1..].find(quote).map_or(rest.len(), |at| at + 2),
            (None, Value::Text(text)) if rest.starts_with(text.as_ref()) => text.len(),
            (None, Value::Nothing) => 0,
            _ => rest.find([' ', ',', ']', '}']).unwrap_or(rest.len()),
        };
        start + length
    }
}
