//! What is said about a text, each thing with its place.

use std::ops::Range;
use std::sync::Arc;

use crate::config::{Problems, Remark, Severity, Source};

/// Somewhere in one of the texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of the texts.
    pub file: usize,
    /// 1-based.
    pub line: usize,
    /// Bytes, without a byte order mark.
    pub span: Range<usize>,
}

impl Place {
    /// A part of it, by bytes from its start.
    pub(super) fn part(&self, part: Range<usize>) -> Self {
        let start = self.span.start.saturating_add(part.start).min(self.span.end);
        let end = self.span.start.saturating_add(part.end).min(self.span.end);
        Self { span: start..end.max(start), ..self.clone() }
    }
}

/// A line of a text.
#[derive(Debug, Clone)]
pub(super) struct Line<'t> {
    pub place: Place,
    /// Without its end.
    pub text: &'t str,
}

/// The lines of a text.
pub(super) fn lines(file: usize, body: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    body.split_inclusive('\n').enumerate().map(move |(index, whole)| {
        let text = whole.trim_end_matches(['\n', '\r']);
        let place = Place { file, line: index + 1, span: start..start + text.len() };
        start += whole.len();
        Line { place, text }
    })
}

/// Everything that is said, and the texts that it is said of.
pub(super) struct Report {
    sources: Vec<Arc<Source>>,
    remarks: Vec<(Remark, usize)>,
}

impl Report {
    pub(super) fn new(source: Source) -> Self {
        Self { sources: vec![Arc::new(source)], remarks: Vec::new() }
    }

    /// A text by its number; the first is the one that was asked for.
    pub(super) fn source(&self, file: usize) -> Arc<Source> {
        self.sources.get(file).or_else(|| self.sources.first()).cloned().unwrap_or_else(|| {
            // There is always the first.
            Arc::new(Source { path: "-".into(), text: String::new() })
        })
    }

    /// Takes in another text, and gives its number.
    pub(super) fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(Arc::new(source));
        self.sources.len() - 1
    }

    /// How many texts there are.
    pub(super) fn source_count(&self) -> usize {
        self.sources.len()
    }

    /// What is not understood, or cannot be in a configuration. Gives the words for a comment.
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) -> String {
        self.say(Severity::Error, place, message.into(), help.into())
    }

    /// What is understood, and is otherwise in ipvsd or not at all. Gives the words for a comment.
    pub(super) fn warn(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) -> String {
        self.say(Severity::Warning, place, message.into(), help.into())
    }

    fn say(&mut self, severity: Severity, place: &Place, message: String, help: String) -> String {
        let path = self.source(place.file).path.display().to_string();
        let comment = format!("{path}:{}: {message}; {help}", place.line);
        let remark =
            Remark { severity, message, file: place.file, span: place.span.clone(), label: String::new(), help };
        self.remarks.push((remark, place.line));
        comment
    }

    /// What says the same of several lines is said once, with the numbers of all of them.
    pub(super) fn finish(self) -> Problems {
        let mut once: Vec<(Remark, Vec<usize>)> = Vec::new();
        let mut at = std::collections::HashMap::new();
        for (remark, line) in self.remarks {
            let same = (remark.severity, remark.message.clone(), remark.help.clone(), remark.file);
            let index = *at.entry(same).or_insert(once.len());
            match once.get_mut(index) {
                Some((_, lines)) => lines.push(line),
                None => once.push((remark, vec![line])),
            }
        }
        let remarks = once
            .into_iter()
            .map(|(mut remark, mut lines)| {
                lines.sort_unstable();
                lines.dedup();
                if let [_, others @ ..] = &lines[..]
                    && !others.is_empty()
                {
                    let lines: Vec<String> = others.iter().map(ToString::to_string).collect();
                    let s = if lines.len() == 1 { "" } else { "s" };
                    remark.label = format!("and in line{s} {}", lines.join(", "));
                }
                remark
            })
            .collect();
        let sources = self.sources.iter().map(|source| Source::clone(source)).collect();
        Problems::of_remarks(sources, remarks)
    }
}
