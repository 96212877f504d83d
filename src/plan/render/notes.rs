//! What a plan does not do, in words.

use crate::model::{DestinationKey, ServiceKey};
use crate::plan::{Held, Note, Verb};

use super::words;

/// As many notes of a kind are written out; the rest are counted.
const SHOWN: usize = 10;

/// One note in one line.
pub fn note_line(note: &Note) -> String {
    match note {
        Note::ForeignService { service, destinations: 0 } => format!("{service} is foreign: left alone"),
        Note::ForeignService { service, destinations } => {
            format!("{service} is foreign, with {}: left alone", words::count(*destinations, "destination"))
        }
        Note::ForeignDestination { service, destination } => {
            format!("{destination} of {service} is foreign: left alone")
        }
        Note::KeptService { service, foreign } => {
            let mut names: Vec<String> = foreign.iter().take(3).map(DestinationKey::to_string).collect();
            if foreign.len() > names.len() {
                names.push(format!("… and {} more", foreign.len() - names.len()));
            }
            let foreign = words::count(foreign.len(), "destination");
            format!(
                "{service} is no longer wanted, but kept: it holds {foreign} of somebody else ({})",
                names.join(", ")
            )
        }
        Note::Waiting { verb, service, destination, held: Held { seconds, reason } } => {
            let what = object(*verb, service, destination.as_ref());
            format!("{what} waits {} more after a failure: {reason}", words::duration(*seconds))
        }
        Note::HeldBack { verb, service, destination, reason } => {
            let what = object(*verb, service, destination.as_ref());
            format!("{what} is held back: {}", reason.as_str())
        }
    }
}

/// `add of destination 10.0.0.11:80 of tcp://192.0.2.10:80`
fn object(verb: Verb, service: &ServiceKey, destination: Option<&DestinationKey>) -> String {
    match destination {
        Some(destination) => format!("{verb} of destination {destination} of {service}"),
        None => format!("{verb} of service {service}"),
    }
}

/// The lines of the notes' section: what waits first, then what is kept, then what is foreign.
pub(super) fn condensed(notes: &[Note]) -> Vec<String> {
    let is_foreign = |note: &&Note| matches!(note, Note::ForeignService { .. } | Note::ForeignDestination { .. });
    let is_kept = |note: &&Note| matches!(note, Note::KeptService { .. });
    let mut lines = Vec::new();
    let mut group = |notes: Vec<&Note>, rest: &str| {
        lines.extend(notes.iter().take(SHOWN).map(|note| note_line(note)));
        if notes.len() > SHOWN {
            lines.push(format!("… and {} more {rest}", notes.len() - SHOWN));
        }
    };
    group(notes.iter().filter(|note| !is_foreign(note) && !is_kept(note)).collect(), "that wait");
    group(notes.iter().filter(is_kept).collect(), "that are kept");
    group(notes.iter().filter(is_foreign).collect(), "that are foreign");
    lines
}
