//! Values of statements, as keepalived reads them. What it would pass over is said.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::tree::Node;
use crate::import::report::Report;

/// Says that a word is not known.
pub(super) fn unknown(node: &Node, wherever: &str, report: &mut Report) {
    let message = format!("unknown word `{}` {wherever}", node.keyword());
    report.error(&node.statement.place, message, "it is left out; keepalived passes over what it does not know, too");
}

/// Says that something has no equivalent.
pub(super) fn without(node: &Node, what: &str, help: &str, report: &mut Report) -> String {
    let message = format!("{}: {what}", node.keyword());
    report.warn(&node.statement.place, message, help)
}

fn wrong(node: &Node, expected: &str, report: &mut Report) {
    let message = match node.word(1) {
        Some(word) => format!("`{word}` is not {expected}"),
        None => format!("{} has no value", node.keyword()),
    };
    report.error(&node.statement.place, message, format!("write {expected}; it is left out here"));
}

/// A whole number.
pub(super) fn number(node: &Node, range: RangeInclusive<u32>, report: &mut Report) -> Option<u32> {
    let found = node.word(1).and_then(|word| word.parse().ok()).filter(|number| range.contains(number));
    if found.is_none() {
        let (least, most) = range.into_inner();
        wrong(node, &format!("a number from {least} to {most}"), report);
    }
    found
}

/// Seconds, with a fraction if need be.
pub(super) fn timer(node: &Node, report: &mut Report) -> Option<Duration> {
    let found = node.word(1).and_then(seconds);
    if found.is_none() {
        wrong(node, "a number of seconds", report);
    }
    found
}

fn seconds(word: &str) -> Option<Duration> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = word.parse::<f64>().ok().filter(|_| plain)?;
    // To the microsecond, as keepalived has it.
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    Some(Duration::from_micros(u64::try_from(time.as_micros()).ok()?))
}

/// on, true, yes, or nothing at all; off, false, no.
pub(super) fn switch(node: &Node, report: &mut Report) -> Option<bool> {
    match node.word(1) {
        None | Some("on" | "true" | "yes") => Some(true),
        Some("off" | "false" | "no") => Some(false),
        Some(_) => {
            wrong(node, "on or off", report);
            None
        }
    }
}

/// The word behind the keyword.
pub(super) fn text(node: &Node, report: &mut Report) -> Option<String> {
    let found = node.word(1).filter(|word| !word.is_empty()).map(str::to_owned);
    if found.is_none() {
        wrong(node, "a word", report);
    }
    found
}

/// The words behind the keyword, with quotes of either kind around parts of them, and escapes if they are `escaped`.
pub(super) fn quoted_words(text: &str, escaped: bool) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', _) => {
                let word = word.get_or_insert_default();
                match chars.next() {
                    Some(next) if escaped => word.push(escape(next, &mut chars)),
                    Some(next) => word.extend(['\\', next]),
                    None => word.push('\\'),
                }
            }
            (' ' | '\t', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.is_empty() { words } else { words.split_off(1) }
}

/// What stands behind a backslash.
fn escape(c: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> char {
    let mut code = |first: u32, radix: u32, most: usize| {
        let mut value = first;
        let mut count = 0;
        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)).filter(|_| count < most) {
            value = value * radix + digit;
            count += 1;
            chars.next();
        }
        char::from_u32(value).unwrap_or('\u{fffd}')
    };
    match c {
        'x' => code(0, 16, 2),
        '0'..='7' => code(c.to_digit(8).unwrap_or(0), 8, 2),
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        other => other,
    }
}

/// When checks run: what virtual servers, real servers and checkers all may say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    pub delay_loop: Option<Duration>,
    pub connect_timeout: Option<Duration>,
    pub retry: Option<u32>,
    pub before_retry: Option<Duration>,
}

impl Times {
    /// Takes a statement, if it is one of these.
    pub(super) fn take(&mut self, node: &Node, report: &mut Report) -> bool {
        match node.keyword() {
            "delay_loop" => self.delay_loop = timer(node, report).or(self.delay_loop),
            "connect_timeout" => self.connect_timeout = timer(node, report).or(self.connect_timeout),
            "retry" | "nb_get_retry" => self.retry = number(node, 0..=u32::MAX, report).or(self.retry),
            "delay_before_retry" => self.before_retry = timer(node, report).or(self.before_retry),
            "warmup" => {
                let what = "ipvsd spreads first checks over their interval by itself";
                without(node, what, "nothing has to be done", report);
            }
            _ => return false,
        }
        true
    }

    /// What these do not say is as those have it.
    pub(super) fn or(self, base: Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(base.delay_loop),
            connect_timeout: self.connect_timeout.or(base.connect_timeout),
            retry: self.retry.or(base.retry),
            before_retry: self.before_retry.or(base.before_retry),
        }
    }
}
