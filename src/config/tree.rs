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

impl Node<'_> {
    /// [`Value::plain`], at the same place.
    pub(super) fn plain(self) -> Self {
        Self { place: self.place, value: self.value.plain() }
    }

    /// [`Value::typed`], at the same place.
    pub(super) fn typed(self) -> Self {
        Self { place: self.place, value: self.value.typed() }
    }
}

/// A value of either format.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// YAML's `key:` without a value.
    Nothing,
    Bool(bool),
    Integer(i128),
    Text(Cow<'a, str>),
    /// What stands for a string that was a parameter (`${NAME}`) and nothing else: where a number is wanted, it may be one.
    Given(String),
    /// It cannot be known, and a fault says why.
    Broken,
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
    /// The same where a text is wanted, whatever it looks like.
    pub(super) fn plain(self) -> Self {
        match self {
            Value::Given(text) => Value::Text(text.into()),
            other => other,
        }
    }

    /// The same where a number or a boolean may be wanted: a parameter that looks like one is one.
    pub(super) fn typed(self) -> Self {
        let Value::Given(text) = self else { return self };
        match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            word => match word.parse::<i128>() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::Text(text.into()),
            },
        }
    }

    /// In words, for "expected …, found …".
    pub(crate) fn describe(&self) -> String {
        match self {
            Value::Nothing => "nothing".to_owned(),
            Value::Bool(value) => format!("the boolean `{value}`"),
            Value::Integer(value) => format!("the integer `{value}`"),
            Value::Text(_) | Value::Given(_) => "a string".to_owned(),
            Value::Broken => "nothing that is known".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            Value::Other(words) => words.clone(),
        }
    }
}
