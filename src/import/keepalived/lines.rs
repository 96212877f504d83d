//! From files to statements: comments, includes, definitions, `@` and `~` lines, as keepalived's parser has them, and braces
//! as statements of their own.

use std::collections::VecDeque;
use std::sync::Arc;

use super::definitions::{Definitions, Expanded};
use crate::config::Source;
use crate::import::Surroundings;
use crate::import::report::{Line, Place, Report, lines};

/// A word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub place: Place,
}

/// A line between braces, or a brace.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub place: Place,
    /// As it is after all replacements, for what has rules of its own for quotes.
    pub text: String,
    /// At least one.
    pub words: Vec<Word>,
}

impl Statement {
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }
}

/// Files in files in files.
const MOST_FILES: usize = 1000;
/// Statements, so that nothing multiplies without end.
const MOST_STATEMENTS: usize = 2_000_000;
/// keepalived refuses lines that are longer.
const LONGEST: usize = 64 << 10;

/// All statements, in their order.
pub(super) fn statements(report: &mut Report, surroundings: &mut dyn Surroundings) -> Vec<Statement> {
    let mut reader = Reader {
        report,
        surroundings,
        definitions: Definitions::default(),
        id: None,
        open: Vec::new(),
        out: Vec::new(),
        is_full: false,
    };
    reader.file(0);
    reader.out
}

struct Reader<'r> {
    report: &'r mut Report,
    surroundings: &'r mut dyn Surroundings,
    definitions: Definitions,
    id: Option<String>,
    /// The files that are being read, the outermost first.
    open: Vec<usize>,
    out: Vec<Statement>,
    is_full: bool,
}

impl Reader<'_> {
    fn file(&mut self, number: usize) {
        let source = self.report.source(number);
        self.open.push(number);
        for line in lines(number, source.body()) {
            self.line(&line, &source);
        }
        self.definitions.end_of_file();
        self.open.pop();
    }

    fn line(&mut self, line: &Line<'_>, source: &Arc<Source>) {
        let text = decomment(line.text);
        if text.len() > LONGEST {
            self.report.error(&line.place, "the line is too long", "keepalived passes over it, too: divide it");
            return;
        }
        let place = within(&line.place, line.text, &text);
        // Lines that are to be read as if they stood here; what they give comes before what follows.
        let mut queue = VecDeque::from([text]);
        while let Some(text) = queue.pop_front() {
            if self.definitions.goes_on(&text) || text.is_empty() {
                continue;
            }
            self.text(text, &place, source, &mut queue);
        }
    }

    fn text(&mut self, text: String, place: &Place, source: &Arc<Source>, queue: &mut VecDeque<String>) {
        let mut text = text;
        if let Some(rest) = text.strip_prefix('@') {
            let (rest, wanted) = rest.strip_prefix('^').map_or((rest, true), |rest| (rest, false));
            let Some((id, rest)) = rest.split_once([' ', '\t']) else { return };
            let surroundings = &mut *self.surroundings;
            let ours = self.id.get_or_insert_with(|| surroundings.config_id());
            if (id == ours) != wanted {
                return;
            }
            text = rest.trim_start().to_owned();
        }
        if self.definitions.define(&text) {
            return;
        }
        let mut ahead = Vec::new();
        if text.starts_with('~') {
            match self.definitions.repeat(&text, place, self.report, self.surroundings) {
                Some(lines) => ahead = lines,
                None => return,
            }
        } else {
            let folder = source.path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
            match self.definitions.expand(&text, &folder, place, self.report, self.surroundings) {
                Expanded::Same => {
                    self.finished(&text, place, source);
                    return;
                }
                Expanded::Lines(lines) => {
                    let mut lines = lines.into_iter();
                    if let Some(first) = lines.next() {
                        let first = decomment(&first);
                        // What came of a definition may be a definition, an include or another `@` again.
                        if first.starts_with(['@', '~', '$']) && first != text {
                            ahead.push(first);
                        } else {
                            self.finished(&first, place, source);
                        }
                    }
                    ahead.extend(lines);
                }
            }
        }
        if self.out.len() + queue.len() + ahead.len() > MOST_STATEMENTS {
            self.too_much(place);
            return;
        }
        for line in ahead.into_iter().rev() {
            queue.push_front(line);
        }
    }

    fn too_much(&mut self, place: &Place) {
        if !self.is_full {
            let message = format!("more than {MOST_STATEMENTS} lines come of this");
            self.report.error(place, message, "what follows is left out: divide the file");
        }
        self.is_full = true;
    }

    fn finished(&mut self, text: &str, place: &Place, source: &Arc<Source>) {
        if let Some((kind, pattern)) = include(text) {
            self.include(kind, pattern, place, source);
            return;
        }
        for part in braces(text) {
            let words = self.words(part, place);
            if self.out.len() >= MOST_STATEMENTS {
                self.too_much(place);
                return;
            }
            if let [first, .., last] = &words[..] {
                let span = first.place.span.start..last.place.span.end.max(first.place.span.start);
                let place = Place { span, ..place.clone() };
                self.out.push(Statement { place, text: part.to_owned(), words });
            } else if let [only] = &words[..] {
                self.out.push(Statement { place: only.place.clone(), text: part.to_owned(), words });
            }
        }
    }

    /// Words between blanks; what is in double quotes is one word without them.
    fn words(&mut self, part: &str, place: &Place) -> Vec<Word> {
        let source = self.report.source(place.file);
        let line = source.body().get(place.span.clone()).unwrap_or_default().to_owned();
        let mut found = Vec::new();
        let mut from = 0;
        let mut rest = part.trim_start();
        while !rest.is_empty() {
            let (text, behind) = match rest.strip_prefix('"') {
                Some(inner) => match inner.split_once('"') {
                    Some((text, behind)) => (text, behind),
                    None => {
                        self.report.error(place, "a quote is not closed", "close it in the same line");
                        (inner, "")
                    }
                },
                None => {
                    let end = rest.find([' ', '\t', '"']).unwrap_or(rest.len());
                    rest.split_at(end)
                }
            };
            // Where it stands in the line; what came of a definition stands for all of it.
            let at = line.get(from..).and_then(|line| line.find(text)).filter(|_| !text.is_empty());
            let word_place = match at {
                Some(at) => {
                    let start = from + at;
                    from = start + text.len();
                    place.part(start..from)
                }
                None => place.clone(),
            };
            found.push(Word { text: text.to_owned(), place: word_place });
            rest = behind.trim_start();
        }
        found
    }

    fn include(&mut self, kind: &str, pattern: &str, place: &Place, source: &Arc<Source>) {
        let pattern = pattern.trim().trim_matches('"');
        let found = match self.surroundings.files(pattern, source) {
            Ok(found) => found,
            Err(why) => {
                self.report.error(
                    place,
                    format!("`{pattern}` cannot be read: {why}"),
                    "keepalived has to read it, too",
                );
                return;
            }
        };
        if found.is_empty() {
            let is_pattern = pattern.contains(['*', '?', '[', '{']);
            let has_to_match = matches!(kind, "r" | "a") && !is_pattern
                || matches!(kind, "m" | "w" | "a")
                || kind == "b" && pattern.contains('{');
            let message = format!("no file is `{pattern}`");
            if has_to_match {
                self.report.error(place, message, "keepalived refuses that here");
            } else {
                self.report.warn(place, message, "keepalived passes over that; remove the line, or bring the file");
            }
        }
        for file in found {
            let open = self.open.iter().any(|number| self.report.source(*number).path == file.path);
            if open || self.report.source_count() >= MOST_FILES {
                self.report.error(place, "the file includes itself, or there are too many", "it is left out here");
                return;
            }
            let number = self.report.add_source(file);
            self.file(number);
        }
    }
}

/// The kind of an include, and what it names.
fn include(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("include")?;
    let kind = rest.get(..1).filter(|kind| "rmwba".contains(*kind)).unwrap_or("");
    let pattern = rest.strip_prefix(kind)?;
    pattern.starts_with([' ', '\t']).then_some((kind, pattern))
}

/// The part of a line that is left of it without comments.
fn within(place: &Place, line: &str, text: &str) -> Place {
    let start = line.len() - line.trim_start().len();
    place.part(start..start + text.len().max(1))
}

/// Without comments, escapes of their signs, and blanks around. A backslash at the end stays.
pub(super) fn decomment(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut goes_on = false;
    let mut chars = text.trim_start().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '\\' => match chars.next() {
                None => {
                    goes_on = true;
                    break;
                }
                Some(next) => {
                    if quoted || !matches!(next, '#' | '!') {
                        out.push(c);
                    }
                    out.push(next);
                }
            },
            '!' | '#' if !quoted => break,
            _ => out.push(c),
        }
    }
    let mut out = out.trim_end_matches([' ', '\t', '\r']).to_owned();
    if goes_on {
        out.push('\\');
    }
    out
}

/// The parts of a line before, at and after each brace that is not in quotes.
fn braces(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '{' | '}' if !quoted => {
                parts.push(&text[start..at]);
                parts.push(&text[at..at + 1]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}
