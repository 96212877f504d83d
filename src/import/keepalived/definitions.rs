//! `$NAME=…`, what is replaced by it, and lines that are repeated: `~SEQ` and `~LST`.

use std::collections::HashMap;

use crate::import::Surroundings;
use crate::import::report::{Place, Report};

/// Lines that one `~SEQ` may make.
const MOST_REPEATED: i64 = 100_000;
/// How deep definitions may name each other.
const DEEPEST: usize = 32;
/// How long a line may grow.
const LONGEST: usize = 64 << 10;

/// What is defined so far.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    known: HashMap<String, Vec<String>>,
    /// One whose lines go on.
    begun: Option<String>,
}

/// What came of a line.
pub(super) enum Expanded {
    /// There was nothing to replace.
    Same,
    /// Several, where a definition has several lines.
    Lines(Vec<String>),
}

/// What is not known stands for itself, as keepalived leaves it.
enum Found {
    Lines(Vec<String>),
    Unknown,
}

impl Definitions {
    /// Takes a line of a definition that goes on.
    pub(super) fn goes_on(&mut self, text: &str) -> bool {
        let Some(name) = self.begun.take() else { return false };
        let (text, more) = text.strip_suffix('\\').map_or((text, false), |text| (text.trim_end(), true));
        if !text.is_empty() {
            self.known.entry(name.clone()).or_default().push(text.to_owned());
        }
        self.begun = more.then_some(name);
        true
    }

    /// No definition goes on in another file.
    pub(super) fn end_of_file(&mut self) {
        self.begun = None;
    }

    /// Takes a definition, if the line is one.
    pub(super) fn define(&mut self, text: &str) -> bool {
        let Some((name, value)) = text.strip_prefix('$').and_then(|rest| rest.split_once('=')) else { return false };
        let name = name.trim_end();
        if !is_name(name) {
            return false;
        }
        let value = value.trim_start();
        match value.strip_suffix('\\') {
            Some(first) => {
                let first = first.trim_end();
                self.known.insert(name.to_owned(), if first.is_empty() { Vec::new() } else { vec![first.to_owned()] });
                self.begun = Some(name.to_owned());
            }
            None => {
                self.known.insert(name.to_owned(), vec![value.to_owned()]);
            }
        }
        true
    }

    /// Replaces what is defined, until nothing is left to replace.
    pub(super) fn expand(
        &self,
        text: &str,
        folder: &str,
        place: &Place,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Expanded {
        let mut done = vec![text.to_owned()];
        for _ in 0..DEEPEST {
            let mut next = Vec::new();
            let mut same = true;
            for line in &done {
                match self.once(line, folder, place, report, surroundings) {
                    Some(lines) => {
                        same = false;
                        next.extend(lines);
                    }
                    None => next.push(line.clone()),
                }
            }
            if same {
                return if done.len() == 1 && done[0] == text { Expanded::Same } else { Expanded::Lines(done) };
            }
            if next.iter().map(String::len).sum::<usize>() > LONGEST {
                report.error(place, "what comes of the definitions is too long", "divide the line");
                return Expanded::Lines(Vec::new());
            }
            done = next;
            // What is repeated sets names of its own first.
            if done.iter().any(|line| line.starts_with('~')) {
                return Expanded::Lines(done);
            }
        }
        report.error(place, "definitions name each other without end", "write the value itself");
        Expanded::Lines(Vec::new())
    }

    /// Replaces the first name that is known.
    fn once(
        &self,
        text: &str,
        folder: &str,
        place: &Place,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<Vec<String>> {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find('$')).map(|at| from + at) {
            from = at + 1;
            let rest = &text[at + 1..];
            let (name, parameters, length) = match rest.strip_prefix('{') {
                Some(inner) => {
                    let Some(end) = inner.find('}') else { continue };
                    let (name, parameters) = inner[..end].split_once([' ', '\t']).unwrap_or((&inner[..end], ""));
                    (name, parameters.trim(), end + 2)
                }
                None => {
                    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
                    (&rest[..length], "", length)
                }
            };
            if !is_name(name) || !rest.starts_with('{') && !ends(&rest[length..]) {
                continue;
            }
            match self.find(name, parameters, folder, place, report, surroundings) {
                Found::Unknown => {
                    let help = "define it, or write the value itself";
                    report.error(place, format!("`${name}` is not defined"), help);
                }
                Found::Lines(lines) => {
                    let before = &text[..at];
                    let behind = &text[at + 1 + length..];
                    let mut lines = lines;
                    match lines.as_mut_slice() {
                        [] => lines.push(format!("{before}{behind}")),
                        [first, ..] => {
                            *first = format!("{before}{first}");
                            if let Some(last) = lines.last_mut() {
                                last.push_str(behind);
                            }
                        }
                    }
                    return Some(lines);
                }
            }
        }
        None
    }

    fn find(
        &self,
        name: &str,
        parameters: &str,
        folder: &str,
        place: &Place,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Found {
        let one = |text: String| Found::Lines(vec![text]);
        if let Some(lines) = self.known.get(name) {
            return Found::Lines(lines.clone());
        }
        match name {
            "_PWD" => one(folder.to_owned()),
            "_HASH" => one("\\#".to_owned()),
            "_BANG" => one("\\!".to_owned()),
            "_INSTANCE" => one(String::new()),
            "_ENV" => match surroundings.variable(parameters) {
                Some(value) => one(value),
                None => {
                    let help = "set it for the import as it is for keepalived";
                    report.error(place, format!("the environment has no {parameters}"), help);
                    one(String::new())
                }
            },
            "_RANDOM" => {
                let least = parameters.split_whitespace().next().unwrap_or("0").to_owned();
                let message = format!("a random number is another each time; it is written as {least}");
                report.error(place, message, "write the number that it should be");
                one(least)
            }
            _ => Found::Unknown,
        }
    }

    /// The lines of `~SEQ(name, …) text` and `~LST(…) text`.
    pub(super) fn repeat(
        &mut self,
        text: &str,
        place: &Place,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<Vec<String>> {
        let made = if let Some(rest) = text.strip_prefix("~SEQ") {
            let (hexadecimal, rest) = rest.strip_prefix('x').map_or((false, rest), |rest| (true, rest));
            self.sequence(rest.trim_start(), hexadecimal, place, report, surroundings)
        } else if let Some(rest) = text.strip_prefix("~LST") {
            list(rest.trim_start())
        } else {
            None
        };
        if made.is_none() {
            let help = "write ~SEQ(NAME, START, STEP, END) or ~LST(NAME, VALUE, …), and what is repeated behind it";
            report.error(place, "this is no line that is repeated", help);
        }
        made
    }

    fn sequence(
        &self,
        text: &str,
        hexadecimal: bool,
        place: &Place,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<Vec<String>> {
        let inner = text.strip_prefix('(')?;
        let (inner, rest) = inner.split_once(')')?;
        let (name, numbers) = inner.split_once(',')?;
        let name = name.trim();
        let numbers = match self.expand(numbers, "", place, report, surroundings) {
            Expanded::Same => numbers.to_owned(),
            Expanded::Lines(lines) => lines.into_iter().next()?,
        };
        let numbers: Option<Vec<i64>> = numbers.split(',').map(|number| self::number(number.trim())).collect();
        let (start, step, end) = match numbers?[..] {
            [end] => (if end < 0 { -1 } else { 1 }, if end < 1 { -1 } else { 1 }, end),
            [start, end] => (start, if start <= end { 1 } else { -1 }, end),
            [start, step, end] => (start, step, end),
            _ => return None,
        };
        let wrong = step == 0 || start < end && step < 0 || start > end && step > 0;
        if wrong || hexadecimal && (start < 0 || end < 0) {
            return None;
        }
        let count = end.checked_sub(start)?.checked_div(step)?;
        if count > MOST_REPEATED {
            return None;
        }
        let rest = rest.trim();
        let lines = (0..=count).map(|index| {
            let number = start + index * step;
            let value = if hexadecimal { format!("{number:x}") } else { number.to_string() };
            set(rest, &[(name.to_owned(), value)])
        });
        Some(lines.collect())
    }
}

/// `~LST(NAME, a, b, c) text`, or `~LST({A, B}, {a1, b1}, {a2, b2}) text`.
fn list(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('(')?;
    let (inner, rest) = inner.split_once(')')?;
    let mut sets: Vec<Vec<String>> = Vec::new();
    let mut left = inner.trim();
    while !left.is_empty() {
        let (set, behind) = match left.strip_prefix('{') {
            Some(group) => {
                let (group, behind) = group.split_once('}')?;
                (group.split(',').map(|value| value.trim().to_owned()).collect(), behind.trim_start())
            }
            None => {
                let end = left.find(',').unwrap_or(left.len());
                (vec![left[..end].trim().to_owned()], &left[end..])
            }
        };
        sets.push(set);
        left = match behind.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if behind.is_empty() => "",
            None => return None,
        };
    }
    let (names, values) = sets.split_first()?;
    if values.is_empty() || values.iter().any(|set| set.len() > names.len()) {
        return None;
    }
    let lines = values.iter().map(|values| {
        let value = |index: usize| values.get(index).cloned().unwrap_or_default();
        let pairs: Vec<_> = names.iter().enumerate().map(|(index, name)| (name.clone(), value(index))).collect();
        set(rest.trim(), &pairs)
    });
    Some(lines.collect())
}

/// The text with these values for these names.
fn set(text: &str, pairs: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let inner = behind.strip_prefix('{');
        let word = inner.unwrap_or(behind);
        let length = word.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let closed = if inner.is_some() { word[length..].starts_with('}') } else { ends(&word[length..]) };
        match pairs.iter().find(|(name, _)| *name == word[..length]).filter(|_| closed) {
            Some((_, value)) => {
                out.push_str(value);
                rest = &word[length + usize::from(inner.is_some())..];
            }
            None => {
                out.push('$');
                rest = behind;
            }
        }
    }
    out + rest
}

/// What may stand behind a name without braces; before anything else it is no name.
fn ends(behind: &str) -> bool {
    behind.is_empty() || behind.starts_with([' ', '\t', ',', ')'])
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// As C reads it: decimal, or hexadecimal and octal by what it starts with.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    let value = value.ok()?;
    Some(if negative { -value } else { value })
}
