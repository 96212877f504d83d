//! What an answer has to hold: expressions compiled once, and words for what is missing.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::bytes::Regex;

use crate::model::Match;

/// So many compiled expressions are kept; more than that are only there after many reloads.
const KEPT: usize = 1024;

static COMPILED: LazyLock<Mutex<HashMap<Match, Regex>>> = LazyLock::new(Mutex::default);

/// The expression that finds what is expected. It is compiled once, for it takes longer than a whole check.
pub(super) fn compile(expected: &Match) -> Result<Regex, String> {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = compiled.get(expected) {
        return Ok(regex.clone());
    }
    let regex = match expected {
        Match::Regex(pattern) => Regex::new(pattern),
        Match::Contains(bytes) => {
            let mut pattern = "(?-u)".to_owned();
            for byte in bytes {
                // To write to a string cannot fail.
                let _ = write!(pattern, "\\x{byte:02x}");
            }
            Regex::new(&pattern)
        }
    };
    let regex = regex.map_err(|error| format!("what it expects does not compile: {error}"))?;
    if compiled.len() >= KEPT {
        compiled.clear();
    }
    compiled.insert(expected.clone(), regex.clone());
    Ok(regex)
}

/// `the body does not contain "ok"`
pub(super) fn missing(what: &str, expected: &Match) -> String {
    match expected {
        Match::Contains(bytes) => format!("{what} does not contain {}", quoted(bytes)),
        Match::Regex(pattern) => format!("{what} does not match {}", quoted(pattern.as_bytes())),
    }
}

/// In quotation marks, on one line, without anything that a terminal would take as an order, and not endless.
pub(super) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", plain(bytes))
}

/// Like [`quoted`], without the quotation marks.
pub(super) fn plain(bytes: &[u8]) -> String {
    const LONGEST: usize = 120;
    let mut plain = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if plain.len() > LONGEST {
                plain.push('…');
                return plain;
            }
            match character {
                '\'' => plain.push(character),
                _ => plain.extend(character.escape_debug()),
            }
        }
        plain.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    plain
}

/// An answer that is looked at while it comes in.
pub(super) struct Search {
    regex: Regex,
    /// The length at which it is worth looking again.
    next: usize,
    /// Bytes looked at so far.
    looked_at: usize,
}

impl Search {
    pub(super) fn new(expected: &Match) -> Result<Self, String> {
        Ok(Self { regex: compile(expected)?, next: 0, looked_at: 0 })
    }

    /// Whether it is there, given all that has come in. May put off looking, unless this is the end.
    pub(super) fn found(&mut self, bytes: &[u8], end: bool) -> bool {
        // An answer that comes byte by byte would be looked at from its beginning for each of them.
        const PATIENCE: usize = 1024 * 1024;
        if !end && bytes.len() < self.next {
            return false;
        }
        self.looked_at = self.looked_at.saturating_add(bytes.len());
        if self.looked_at > PATIENCE {
            self.next = bytes.len() + bytes.len() / 4;
        }
        self.regex.is_match(bytes)
    }
}
