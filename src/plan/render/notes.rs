//! What a plan does not do, in words.

use std::collections::BTreeMap;

use crate::model::{DestinationKey, ServiceKey};
use crate::plan::{Held, Note, SkipReason, Verb};

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
        Note::Draining { service, destination, connections, seconds } => {
            let what = destination.map_or(service.to_string(), |destination| format!("{destination} of {service}"));
            format!("{what} drains: {}", words::draining(*connections, *seconds))
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

/// The lines of the notes' section: what waits first, then what drains, then what is kept, then what is foreign. The
/// destinations of a service that waits are counted on its line.
pub(super) fn condensed(notes: &[Note]) -> Vec<String> {
    let mut dependent: BTreeMap<ServiceKey, usize> = BTreeMap::new();
    let (mut waiting, mut draining, mut kept, mut foreign) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for note in notes {
        match note {
            Note::HeldBack { service, reason: SkipReason::NoService, .. } => {
                *dependent.entry(*service).or_default() += 1;
            }
            Note::Waiting { .. } | Note::HeldBack { .. } => waiting.push(note),
            Note::Draining { .. } => draining.push(note),
            Note::KeptService { .. } => kept.push(note),
            Note::ForeignService { .. } | Note::ForeignDestination { .. } => foreign.push(note),
        }
    }
    let mut lines = Vec::new();
    for (notes, rest) in
        [(waiting, "that wait"), (draining, "that drain"), (kept, "that are kept"), (foreign, "that are foreign")]
    {
        lines.extend(notes.iter().take(SHOWN).map(|note| {
            let line = note_line(note);
            match (note, dependent.get(note.service())) {
                (Note::Waiting { destination: None, .. }, Some(&count)) => {
                    format!("{line} (and with it {})", words::count(count, "destination"))
                }
                _ => line,
            }
        }));
        if notes.len() > SHOWN {
            lines.push(format!("… and {} more {rest}", notes.len() - SHOWN));
        }
    }
    lines
}
