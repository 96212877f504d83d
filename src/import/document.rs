//! YAML and JSON of other programs: tables with known keys, and everything else said.

use std::sync::Arc;

use super::report::{Place, Report};
use crate::config::{Entry, Node, Source, Value, yaml_tree};

/// A value in a document, with what can be asked of it.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    pub node: &'t Node<'t>,
    body: &'t str,
    file: usize,
}

/// Reads one of the texts with `read`; what is wrong with its syntax is said.
pub(super) fn with_tree(file: usize, report: &mut Report, read: impl FnOnce(Item<'_>, &mut Report)) {
    let source: Arc<Source> = report.source(file);
    match yaml_tree(&source) {
        Ok(node) => read(Item { node: &node, body: source.body(), file }, report),
        Err(problems) => {
            for problem in problems.list {
                let place = Place { file, line: problem.line.unwrap_or(1), span: problem.span.unwrap_or(0..0) };
                let help =
                    problem.help.unwrap_or_else(|| "nothing of the text is read until that is mended".to_owned());
                report.error(&place, problem.message, help);
            }
        }
    }
}

impl<'t> Item<'t> {
    pub(super) fn place(self) -> Place {
        self.at((self.node.place.start, self.node.place.end))
    }

    /// Where something stands.
    fn at(self, (start, end): (u32, u32)) -> Place {
        let (start, end) = (start as usize, end as usize);
        let Some(before) = self.body.as_bytes().get(..start) else {
            return Place { file: self.file, line: 1, span: 0..0 };
        };
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Place { file: self.file, line, span: start..end.min(self.body.len()) }
    }

    pub(super) fn of(self, node: &'t Node<'t>) -> Self {
        Self { node, ..self }
    }

    /// The entries of a table, each with its place; nothing is an empty one.
    pub(super) fn table(self, what: &str, report: &mut Report) -> Vec<(&'t str, Place, Item<'t>)> {
        match &self.node.value {
            Value::Table(entries) => {
                let entry = |entry: &'t Entry<'t>| {
                    (&*entry.key, self.at((entry.place.start, entry.place.end)), self.of(&entry.node))
                };
                entries.iter().map(entry).collect()
            }
            Value::Nothing => Vec::new(),
            other => {
                report.error(&self.place(), format!("{what} is a table, not {}", other.describe()), "it is left out");
                Vec::new()
            }
        }
    }

    pub(super) fn list(self, what: &str, report: &mut Report) -> Vec<Item<'t>> {
        match &self.node.value {
            Value::List(items) => items.iter().map(|item| self.of(item)).collect(),
            Value::Nothing => Vec::new(),
            other => {
                report.error(&self.place(), format!("{what} is a list, not {}", other.describe()), "it is left out");
                Vec::new()
            }
        }
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(super) fn is_true(self) -> bool {
        self.node.value == Value::Bool(true)
    }

    pub(super) fn is_nothing(self) -> bool {
        self.node.value == Value::Nothing
    }

    /// A string, or a number as one.
    pub(super) fn text(self, what: &str, report: &mut Report) -> Option<String> {
        match &self.node.value {
            Value::Text(text) => Some(text.clone().into_owned()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Nothing => None,
            other => {
                report.error(&self.place(), format!("{what} is a string, not {}", other.describe()), "it is left out");
                None
            }
        }
    }

    /// A whole number, or a string that is one.
    pub(super) fn number(self, what: &str, report: &mut Report) -> Option<i128> {
        let found = match &self.node.value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            Value::Nothing => return None,
            _ => None,
        };
        if found.is_none() {
            let message = format!("{what} is a number, not {}", self.node.value.describe());
            report.error(&self.place(), message, "it is left out");
        }
        found
    }
}
