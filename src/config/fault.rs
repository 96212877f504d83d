//! Where everything that is wrong is gathered, by place, until the sources are at hand to draw it.

use std::collections::HashSet;

use super::parameters::Secrets;
use super::problem::Severity;
use super::tree::Place;

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub severity: Severity,
    pub message: String,
    /// Where; `None` if it is about no place in particular.
    pub place: Option<Place>,
    /// What to say under the caret; may be empty.
    pub label: String,
    /// Other places that have to do with it.
    pub related: Vec<(Place, String)>,
    pub help: Option<String>,
}

impl Fault {
    /// An error at a place.
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::nowhere(message) }
    }

    /// An error about all the files together.
    pub(super) fn nowhere(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            place: None,
            label: String::new(),
            related: Vec::new(),
            help: None,
        }
    }

    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with all the sources.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<Fault>,
    errors: usize,
    /// What none of them may say.
    pub secrets: Secrets,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.errors += usize::from(fault.severity == Severity::Error);
        self.list.push(fault);
    }

    /// How many of them are errors.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether one of them is at a place that is not known.
    pub(super) fn are_vague(&self) -> bool {
        self.list.iter().any(|fault| {
            fault.place.into_iter().chain(fault.related.iter().map(|(place, _)| *place)).any(Place::is_unknown)
        })
    }

    /// In reading order, and each once: a destination is looked at for every address of its service.
    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        let mut seen = HashSet::new();
        self.list.retain(|fault| seen.insert((fault.place, fault.message.clone())));
        self.list.sort_by_key(|fault| fault.place);
        let Self { list, secrets, .. } = self;
        if secrets.is_empty() { list } else { list.into_iter().map(|fault| secrets.keep(fault)).collect() }
    }
}
