//! What a check sends, and what it looks for in an answer.

use regex::bytes::RegexBuilder;

use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::{names, raw};
use crate::model::Match;

/// What fits into a datagram over IPv4.
pub(super) const MOST_SENT: usize = 65_507;
/// So much of an answer is looked at.
const MOST_READ: usize = 64 << 10;
/// Bytes that a regular expression may take, compiled.
const REGEX_SIZE: usize = 1 << 20;
/// Bytes of a regular expression.
const REGEX_LONGEST: usize = 4096;

/// What is sent.
pub(super) fn payload(at: &At<raw::Payload>, faults: &mut Faults) -> Option<Vec<u8>> {
    let bytes = match &at.value {
        raw::Payload::Text(text) => text.clone().into_bytes(),
        raw::Payload::Table(table) => match table.hex.get() {
            Some(digits) => hex(digits, faults)?,
            None => {
                if table.hex.is_absent() {
                    let fault = Fault::new(at.place, "the table does not say what is sent");
                    faults.push(fault.help("write the text in double quotes, or { hex = \"…\" } for bytes"));
                }
                return None;
            }
        },
    };
    if bytes.len() > MOST_SENT {
        let message = format!("what is sent is at most {MOST_SENT} bytes long, not {}", bytes.len());
        faults.push(Fault::new(at.place, message).help("that is what fits into a datagram: write less"));
        return None;
    }
    Some(bytes)
}

/// What an answer has to hold.
pub(super) fn matching(at: &At<raw::Match>, faults: &mut Faults) -> Option<Match> {
    let table = match &at.value {
        raw::Match::Text(text) => {
            return contains(&At { place: at.place, value: text.clone().into_bytes() }, faults);
        }
        raw::Match::Table(table) => table,
    };
    let raw::MatchTable { contains: text, regex: expression, hex: digits } = table;
    let mut places: Vec<_> = [text.place(), expression.place(), digits.place()].into_iter().flatten().collect();
    places.sort_unstable();
    if let [first, second, ..] = places[..] {
        let fault = Fault::new(second, "an answer is looked through in one way").related(first, "first here");
        faults.push(fault.help("keep one of `contains`, `regex` and `hex`"));
        return None;
    }
    if let Some(At { place, value }) = text.get() {
        contains(&At { place: *place, value: value.clone().into_bytes() }, faults)
    } else if let Some(at) = expression.get() {
        regex(at, faults)
    } else if let Some(at) = digits.get() {
        contains(&At { place: at.place, value: hex(at, faults)? }, faults)
    } else {
        if text.is_absent() && expression.is_absent() && digits.is_absent() {
            let fault = Fault::new(at.place, "the table does not say what is expected");
            faults.push(fault.help("write { contains = \"…\" }, { regex = \"…\" } or { hex = \"…\" }"));
        }
        None
    }
}

fn contains(at: &At<Vec<u8>>, faults: &mut Faults) -> Option<Match> {
    let fault = |message: String| Fault::new(at.place, message);
    if at.value.is_empty() {
        let help = "remove it; what holds anything at all is { regex = \"(?s).\" }";
        faults.push(fault("every answer holds the empty text".to_owned()).help(help));
        return None;
    }
    if at.value.len() > MOST_READ {
        let message = format!("only {MOST_READ} bytes of an answer are looked at: it cannot hold {}", at.value.len());
        faults.push(fault(message).help("write less"));
        return None;
    }
    Some(Match::Contains(at.value.clone()))
}

fn regex(at: &At<String>, faults: &mut Faults) -> Option<Match> {
    let fault = |message: String| Fault::new(at.place, message);
    if at.value.len() > REGEX_LONGEST {
        let message = format!("a regular expression is at most {REGEX_LONGEST} bytes long, not {}", at.value.len());
        faults.push(fault(message).help("write less"));
        return None;
    }
    let error = match RegexBuilder::new(&at.value).size_limit(REGEX_SIZE).build() {
        Ok(_) => return Some(Match::Regex(at.value.clone())),
        Err(error) => error,
    };
    let (message, help) = match error {
        regex::Error::CompiledTooBig(_) => {
            ("the regular expression is too large: it repeats too much".to_owned(), "write smaller numbers in its {…}")
        }
        other => {
            // Several lines, with a drawing of its own; the last one has the reason.
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            let reason = names::sentence(last.trim_start_matches("error: "));
            let help =
                "the syntax is that of the Rust crate `regex`; in TOML, single quotes keep backslashes as they are";
            (format!("not a regular expression: {reason}"), help)
        }
    };
    faults.push(fault(message).help(help));
    None
}

/// Two digits for each byte; spaces are passed over.
fn hex(at: &At<String>, faults: &mut Faults) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = at
        .value
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let (message, help) = match digits {
        Some(digits) if digits.is_empty() => ("there are no hexadecimal digits here", "write two for each byte"),
        Some(digits) if digits.len() % 2 == 0 => {
            return Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect());
        }
        Some(_) => ("an odd number of hexadecimal digits", "write two for each byte: 0a, not a"),
        None => ("not hexadecimal digits", "write 0 to 9 and a to f, two for each byte, such as \"0d 0a\""),
    };
    faults.push(Fault::new(at.place, message).help(help));
    None
}
