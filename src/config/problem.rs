//! What is wrong with a configuration, in a form that people and programs can both use.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Source;
use super::fault::Fault;
use super::render::render;
use super::tree::Place;
use crate::model::Written;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is not taken.
    Error,
    /// It is taken, and probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// Another place that has to do with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    pub file: PathBuf,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// Bytes of the source, without its byte order mark.
    pub span: Range<usize>,
    pub label: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub message: String,
    /// `None` if it is about all the files together.
    pub file: Option<PathBuf>,
    /// 1-based; `None` if it is about the file as a whole.
    pub line: Option<usize>,
    /// 1-based, in characters; with `line`.
    pub column: Option<usize>,
    /// Bytes of the source, without its byte order mark; with `line`.
    pub span: Option<Range<usize>>,
    /// What stands under the caret; may be empty.
    pub label: String,
    pub related: Vec<Related>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Problem {
    /// An error about a file as a whole.
    pub(super) fn of_file(file: impl Into<PathBuf>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: Some(file.into()),
            line: None,
            column: None,
            span: None,
            label: String::new(),
            related: Vec::new(),
            help: Some(help.into()),
        }
    }

    /// Something that is probably not meant, found out by somebody who did not read the file.
    pub fn warning_at(written: &Written, message: impl Into<String>, help: impl Into<String>) -> Self {
        let Written { file, line, column, span } = written;
        Self {
            severity: Severity::Warning,
            line: Some(*line),
            column: Some(*column),
            span: Some(span.clone()),
            ..Self::of_file(file, message, help)
        }
    }

    /// The problem as JSON; line and column are 1-based, the column counts characters.
    pub fn to_json(&self) -> Value {
        let Self { severity, message, file, line, column, span, label, related, help } = self;
        let related: Vec<Value> = related
            .iter()
            .map(|Related { file, line, column, span, label }| {
                json!({ "file": file.display().to_string(), "line": line, "column": column,
                    "span": [span.start, span.end], "label": label })
            })
            .collect();
        json!({
            "severity": severity.name(),
            "message": message,
            "file": file.as_ref().map(|file| file.display().to_string()),
            "line": line,
            "column": column,
            "span": span.as_ref().map(|span| [span.start, span.end]),
            "label": label,
            "related": related,
            "help": help,
        })
    }
}

/// Everything that is wrong with the sources, in reading order, and the sources to draw it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    pub sources: Vec<Source>,
    /// Errors and warnings.
    pub list: Vec<Problem>,
}

/// Something to be said of a text that is no configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub severity: Severity,
    pub message: String,
    /// Which of the sources.
    pub file: usize,
    /// Bytes of the source, without its byte order mark.
    pub span: Range<usize>,
    /// What stands under the caret; may be empty.
    pub label: String,
    pub help: String,
}

impl Problems {
    /// Of texts in other languages.
    pub fn of_remarks(sources: Vec<Source>, mut remarks: Vec<Remark>) -> Self {
        remarks.sort_by_key(|remark| (remark.file, remark.span.start));
        let mut atlas = Atlas::new(sources.iter().collect());
        let list = remarks
            .into_iter()
            .map(|Remark { severity, message, file, span, label, help }| {
                let place = Place::new(u32::try_from(file).unwrap_or(u32::MAX), span.start, span.end);
                atlas.problem(Fault::new(place, message).severity(severity).label(label).help(help))
            })
            .collect();
        Self { sources, list }
    }

    /// As `rustc` draws it: the message, `file:line:column`, the line, a caret, and the help, one problem after the other.
    pub fn render(&self, color: bool) -> String {
        render(&self.sources, &self.list, color)
    }

    /// A list of objects, one for each problem.
    pub fn to_json(&self) -> Value {
        self.list.iter().map(Problem::to_json).collect()
    }

    /// How many are errors.
    pub fn error_count(&self) -> usize {
        self.list.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Places to files, lines and columns.
pub(super) struct Atlas<'s> {
    sources: Vec<&'s Source>,
    /// The bytes at which the lines of each source start.
    lines: HashMap<u32, Vec<u32>>,
    /// The place and the line that were asked for last.
    last: (Place, usize),
}

impl<'s> Atlas<'s> {
    pub(super) fn new(sources: Vec<&'s Source>) -> Self {
        Self { sources, lines: HashMap::new(), last: (Place::default(), 1) }
    }

    pub(super) fn file(&self, place: Place) -> PathBuf {
        self.sources.get(place.file as usize).map(|source| source.path.clone()).unwrap_or_default()
    }

    /// The 1-based line. Cheap for a place behind the one before.
    pub(super) fn line(&mut self, place: Place) -> usize {
        let (last, line) = match self.last {
            (last, line) if last.file == place.file => (last.start, line),
            (last, _) if last.file < place.file => (0, 1),
            _ => return self.line_start(place).0,
        };
        let body = self.sources.get(place.file as usize).map_or("", |source| source.body()).as_bytes();
        let Some(between) = body.get(last as usize..place.start as usize) else { return self.line_start(place).0 };
        let line = line + between.iter().filter(|byte| **byte == b'\n').count();
        self.last = (place, line);
        line
    }

    fn line_start(&mut self, place: Place) -> (usize, usize) {
        let body = self.sources.get(place.file as usize).map_or("", |source| source.body());
        let starts = self.lines.entry(place.file).or_insert_with(|| {
            let ends = body.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
        });
        let line = starts.partition_point(|start| *start <= place.start);
        (line, starts.get(line.saturating_sub(1)).map_or(0, |start| *start as usize))
    }

    /// Line, column and the span, which is brought to character boundaries of its one line.
    fn locate(&mut self, place: Place) -> (usize, usize, Range<usize>) {
        let body = self.sources.get(place.file as usize).map_or("", |source| source.body());
        let (line, line_start) = self.line_start(place);
        let floor = |at: usize| {
            let mut at = at.min(body.len());
            while !body.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(place.start as usize).max(line_start);
        let rest = body.get(start..).unwrap_or("");
        // A table's span runs over its lines; the caret shows the first.
        let wanted = &rest[..floor(place.end as usize).saturating_sub(start).min(rest.len())];
        let length = wanted.find(['\n', '\r']).unwrap_or(wanted.len());
        let column = body.get(line_start..start).map_or(0, |before| before.chars().count()) + 1;
        (line, column, start..start + length)
    }

    /// Where something stands, for those who find out later that it is wrong.
    pub(super) fn written(&mut self, place: Place) -> Written {
        let (line, column, span) = self.locate(place);
        Written { file: self.file(place), line, column, span }
    }

    pub(super) fn problem(&mut self, fault: Fault) -> Problem {
        let Fault { severity, message, place, label, related, help } = fault;
        let related = related
            .into_iter()
            .map(|(place, label)| {
                let (line, column, span) = self.locate(place);
                Related { file: self.file(place), line, column, span, label }
            })
            .collect();
        let at = place.map(|place| self.locate(place));
        Problem {
            severity,
            message,
            file: place.map(|place| self.file(place)),
            line: at.as_ref().map(|at| at.0),
            column: at.as_ref().map(|at| at.1),
            span: at.map(|at| at.2),
            label,
            related,
            help,
        }
    }
}
