//! Text in columns, lines and paragraphs, as wide as a terminal draws it.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub(super) const PLAIN: Style = Style::new();

pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// What stands behind the row, or under it where that is too long for the terminal.
    pub(super) tail: String,
    pub(super) style: Style,
}

/// How rows of cells become lines.
pub(super) struct Columns<'a> {
    /// Those that hold numbers, which stand to the right.
    pub(super) numbers: Range<usize>,
    /// Those that a terminal goes without which is too narrow for all, the first of them first.
    pub(super) spare: &'a [usize],
    /// One that is made narrower, to that, before tails have to go under their rows.
    pub(super) long: Option<(usize, usize)>,
}

/// Less than this is no place for a tail.
const LEAST: usize = 20;
/// How far a tail under its row stands in.
const INDENT: usize = 6;

/// The rows, the first of which holds the headings. On a terminal of `width` characters columns are left out that do not fit,
/// and tails stand on lines of their own if they do not all fit behind their rows.
pub(super) fn lay_out(rows: &[Row], columns: &Columns<'_>, color: bool, width: Option<usize>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(length(cell));
        }
    }
    let tails = rows.iter().map(|row| length(&row.tail)).max().unwrap_or(0);
    if let (Some((long, least)), Some(width)) = (columns.long, width) {
        let all: Vec<usize> = (0..widths.len()).collect();
        if total(&widths, &all) + 2 + tails > width
            && let Some(long) = widths.get_mut(long)
        {
            *long = least.min(*long);
        }
    }
    let shown = fit(&mut widths, columns, width);
    let cells = total(&widths, &shown);
    let beneath = width.filter(|width| tails > 0 && cells + 2 + tails > *width);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for column in shown.iter().copied() {
            let (Some(cell), Some(width)) = (row.cells.get(column), widths.get(column)) else { continue };
            let gap = if line.is_empty() { "" } else { "  " };
            let _ = write!(line, "{gap}{}", pad(&cut(cell, *width), *width, columns.numbers.contains(&column)));
        }
        if beneath.is_none() && tails > 0 {
            let _ = write!(line, "  {}", row.tail);
        }
        push(&mut text, line.trim_end(), row.style, color);
        if let Some(width) = beneath.filter(|_| number > 0) {
            for part in wrap(&row.tail, width.saturating_sub(INDENT).max(LEAST)) {
                push(&mut text, &format!("{:INDENT$}{part}", ""), row.style, color);
            }
        }
    }
    text
}

/// The columns that are shown. If even the last of them do not fit, the first is made narrower.
fn fit(widths: &mut [usize], columns: &Columns<'_>, width: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    let Some(width) = width else { return shown };
    for spare in columns.spare {
        if total(widths, &shown) <= width {
            return shown;
        }
        shown.retain(|column| column != spare);
    }
    let over = total(widths, &shown).saturating_sub(width);
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(over).max(LEAST.min(*first));
    }
    shown
}

fn total(widths: &[usize], shown: &[usize]) -> usize {
    shown.iter().filter_map(|column| widths.get(*column)).sum::<usize>() + 2 * shown.len().saturating_sub(1)
}

fn push(text: &mut String, line: &str, style: Style, color: bool) {
    let _ = if color && style != PLAIN { writeln!(text, "{style}{line}{style:#}") } else { writeln!(text, "{line}") };
}

/// How many cells of a terminal it takes.
pub(super) fn length(text: &str) -> usize {
    text.width()
}

/// At most so wide; what is cut off is replaced by `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut short = head(text, most.saturating_sub(1)).to_owned();
    short.push('…');
    short
}

/// The same of a text with colours in it, which take no place.
pub(super) fn cut_styled(text: &str, most: usize) -> String {
    let plain = without_colours(text);
    if length(&plain) <= most {
        return text.to_owned();
    }
    let kept = head(&plain, most.saturating_sub(1)).chars().count();
    let (mut out, mut count, mut rest) = (String::new(), 0, text);
    while let Some(first) = rest.chars().next() {
        let taken = match colour(rest) {
            Some(sequence) => sequence,
            None if count < kept => {
                count += 1;
                first.len_utf8()
            }
            None => {
                if count == kept {
                    out.push('…');
                    count += 1;
                }
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        let (part, behind) = rest.split_at(taken);
        out += part;
        rest = behind;
    }
    out
}

/// The length of the escape sequence for a colour at the beginning of a text, if there is one.
fn colour(text: &str) -> Option<usize> {
    let begin = "\x1b[";
    Some(begin.len() + text.strip_prefix(begin)?.find('m')? + 1)
}

fn without_colours(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let taken = colour(rest).unwrap_or_else(|| {
            out.push(first);
            first.len_utf8()
        });
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// As much of its beginning as is at most so wide.
fn head(text: &str, most: usize) -> &str {
    let mut width = 0;
    for (at, character) in text.char_indices() {
        width += character.width().unwrap_or(0);
        if width > most {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// With blanks behind it, or before it if it is to stand to the right.
pub(super) fn pad(text: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(length(text)));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

/// As lines of at most so many cells, broken between words where that can be.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && length(&line) + 1 + length(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while length(word) > width {
            // A character that is wider than the line has to go somewhere.
            let first = word.chars().next().map_or(1, char::len_utf8);
            let part = head(word, width).len().max(first);
            let (begin, rest) = word.split_at(part);
            lines.push(begin.to_owned());
            word = rest;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `999`, `1.5k`, `20M`: at most four characters up to the largest.
pub(super) fn scaled(number: u64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wide_counts_as_much_as_it_takes() {
        assert_eq!(length("10.0.0.11:80 (世界)"), 19);
        assert_eq!(cut("世界世界", 8), "世界世界");
        assert_eq!(cut("世界世界", 7), "世界世…");
        assert_eq!(cut("世界世界", 6), "世界…", "half a character is none");
        assert_eq!((pad("世", 4, false), pad("世", 4, true)), ("世  ".to_owned(), "  世".to_owned()));
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn colours_take_no_place_and_end_where_a_line_is_cut() {
        for (text, most, want) in [
            ("\x1b[31mabc\x1b[0m", 3, "\x1b[31mabc\x1b[0m"),
            ("\x1b[31mabcd\x1b[0m", 3, "\x1b[31mab…\x1b[0m"),
            ("a\x1b[1mb\x1b[0mcd", 2, "a\x1b[1m…\x1b[0m"),
            ("世界世", 5, "世界…"),
        ] {
            assert_eq!(cut_styled(text, most), want, "{text:?}");
        }
    }

    #[test]
    fn paragraphs_are_broken_between_words() {
        for (text, width, want) in [
            ("", 10, &[][..]),
            ("one two three", 20, &["one two three"]),
            ("one two three", 8, &["one two", "three"]),
            ("one  two", 3, &["one", "two"]),
            ("[2001:db8::1:2:3]:8080 x", 8, &["[2001:db", "8::1:2:3", "]:8080 x"]),
            ("世界", 1, &["世", "界"]),
            ("世界 a", 3, &["世", "界", "a"]),
        ] {
            assert_eq!(wrap(text, width), want, "{text:?} in {width}");
        }
    }

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

    fn table() -> Vec<Row> {
        let row = |cells: [&str; 4], tail: &str| Row {
            cells: cells.map(str::to_owned).to_vec(),
            tail: tail.to_owned(),
            style: PLAIN,
        };
        vec![
            row(["NAME", "FORWARD", "WEIGHT", "HEALTH"], "WHY"),
            row(["tcp://[2001:db8::10]:80 (web)", "nat", "", "up"], ""),
            row(["  10.0.0.11:80 (世界)", "tunnel gue port 6080", "100", "down"], "http: status 500, expected 200-299"),
        ]
    }

    fn lines(width: Option<usize>) -> String {
        lay_out(&table(), &Columns { numbers: 2..3, spare: &[1], long: None }, false, width)
    }

    #[test]
    fn with_room_all_stands_in_its_column() {
        let all = "\
NAME                           FORWARD               WEIGHT  HEALTH  WHY
tcp://[2001:db8::10]:80 (web)  nat                           up
  10.0.0.11:80 (世界)          tunnel gue port 6080     100  down    http: status 500, expected 200-299
";
        assert_eq!(lines(None), all);
        assert_eq!(lines(Some(103)), all);
    }

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_reasons_on_lines_of_their_own() {
        assert_eq!(
            lines(Some(50)),
            "\
NAME                           WEIGHT  HEALTH
tcp://[2001:db8::10]:80 (web)          up
  10.0.0.11:80 (世界)             100  down
      http: status 500, expected 200-299
"
        );
        assert_eq!(
            lines(Some(40)),
            "\
NAME                      WEIGHT  HEALTH
tcp://[2001:db8::10]:80…          up
  10.0.0.11:80 (世界)        100  down
      http: status 500, expected 200-299
"
        );
        for width in 0..120 {
            let wide = lines(Some(width)).lines().map(length).max().unwrap_or(0);
            assert!(wide <= width.max(36), "{width}: {wide}");
        }
    }
}
