//! TOML to a tree. The only folder that knows the `toml` crate and its parser.

mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::fault::{Fault, Faults};
use crate::config::tree::{Entry, Node, Place, Value};

/// Syntax errors beyond this many in one file say nothing new.
const MOST_ERRORS: usize = 20;

/// The document, or nothing after saying what is wrong with its syntax.
pub(super) fn parse<'a>(text: &'a str, file: u32, faults: &mut Faults) -> Option<Node<'a>> {
    read::read(text, file).or_else(|| judge(text, file, faults))
}

/// The same, by the crate that knows all of TOML, and what to say of a text that is none.
fn judge<'a>(text: &'a str, file: u32, faults: &mut Faults) -> Option<Node<'a>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let place = Place::new(file, 0, 0);
        return Some(Node { place, value: table(document.into_inner(), file) });
    }
    let mut last_line = None;
    for error in errors.iter().take(MOST_ERRORS) {
        let span = error.span().unwrap_or(0..0);
        // What follows an error on its own line is mostly the same one again.
        let line = text.get(..span.start).map_or(0, |before| before.matches('\n').count());
        if last_line.replace(line) == Some(line) {
            continue;
        }
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let mut fault = Fault::new(Place::new(file, span.start, span.end), format!("not valid TOML: {message}"));
        if message.contains("duplicate key") {
            fault = fault.help("keep one of the two; each `[[services]]` starts another service");
        } else if message.contains("recurs") {
            fault = fault.help("no configuration nests this deep");
        }
        faults.push(fault);
    }
    None
}

/// A document that was emitted here, as JSON.
pub(super) fn to_json(text: &str) -> Result<serde_json::Value, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn table<'a>(table: DeTable<'a>, file: u32) -> Value<'a> {
    let entry = |(key, value): (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)| {
        let span = key.span();
        Entry { place: Place::new(file, span.start, span.end), key: key.into_inner(), node: node(value, file) }
    };
    let mut entries: Vec<Entry<'a>> = table.into_iter().map(entry).collect();
    // The parser gives them in the order of their names.
    entries.sort_by_key(|entry| entry.place.start);
    Value::Table(entries)
}

/// The parser refuses to nest deeper than 80, so this may recurse.
fn node<'a>(value: Spanned<DeValue<'a>>, file: u32) -> Node<'a> {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => Value::Other("a number beyond all bounds".to_owned()),
        },
        DeValue::Float(_) => Value::Other("a number with a fraction".to_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(_) => Value::Other("a date or time".to_owned()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, file)).collect()),
        DeValue::Table(inner) => table(inner, file),
    };
    Node { place: Place::new(file, span.start, span.end), value }
}
