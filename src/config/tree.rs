//! A parsed document of either format: what was written and where, before anybody asks what it means.

use std::borrow::Cow;

/// A range of bytes in one of the sources, counted without a leading byte order mark. Sources are at most
/// 64 MiB, so 32 bits hold it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Place {
    /// A place of that file.
    pub(crate) fn new(file: u32, start: usize, end: usize) -> Self {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        Self { file, start, end: u32::try_from(end).unwrap_or(u32::MAX).max(start) }
    }

    /// Somewhere in that file: where exactly would have taken too long to find out.
    pub(crate) fn unknown(file: u32) -> Self {
        Self { file, start: u32::MAX, end: u32::MAX }
    }

    /// Whether it stands for a place that is not known.
    pub(crate) fn is_unknown(self) -> bool {
        self.start == u32::MAX
    }
}

/// A value and the place it stands at.
#[derive(Debug, PartialEq)]
pub(crate) struct Node<'a> {
    pub place: Place,
    pub value: Value<'a>,
}

/// A value of either format.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// YAML's `key:` without a value.
    Nothing,
    Bool(bool),
    Integer(i128),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Table(Vec<Entry<'a>>),
    /// What no key wants (a date, a fraction), in words.
    Other(String),
}

/// One key of a table. YAML may carry a key twice; whoever reads the table has to look.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    pub key: Cow<'a, str>,
    pub place: Place,
    pub node: Node<'a>,
}

impl<'a> Entry<'a> {
    /// The value, of which only the place stays.
    pub(crate) fn take(&mut self) -> Node<'a> {
        let place = self.node.place;
        std::mem::replace(&mut self.node, Node { place, value: Value::Nothing })
    }
}

impl Value<'_> {
    /// In words, for "expected …, found …".
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Nothing => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Integer(value) => format!("the integer `{value}`"),
            Value::Text(_) => "a string".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            Value::Other(words) => words.clone(),
        }
    }
}
