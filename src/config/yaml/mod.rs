//! YAML to a tree. The only folder that knows the `serde_yaml` crate.
//!
//! serde_yaml tells positions only in errors. But most strings it lends from the text, so that they show where they stand
//! themselves. Where the position of something else is wanted, it is read by a visitor that keeps the value and then
//! fails on purpose: the error carries line and column, the parser has moved on by exactly that scalar, and the walk goes
//! on. That is dear, so at first it is done for the addresses of services only; a file with faults at places that are
//! not known then is walked again.

mod lines;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::{Cell, LazyCell, RefCell};
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::config::fault::{Fault, Faults};
use crate::config::tree::{Entry, Node, Place, Value};
use lines::{LONGEST, Lines};

/// Depth of the elements of a service's list of addresses: root, list, service, list, element.
const ADDRESS_DEPTH: u8 = 4;
/// Nodes beyond the bytes of the text: room for honest aliases, none for a bomb of them.
const ALIAS_ROOM: usize = 100_000;

/// Which scalars get a position, whatever it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Positions {
    /// Only the addresses of services; the place of others may be [`Place::unknown`].
    Addresses,
    All,
}

/// The document, or nothing after saying what is wrong with its syntax.
pub(super) fn parse<'a>(text: &'a str, file: u32, positions: Positions, faults: &mut Faults) -> Option<Node<'a>> {
    let origin = Place::new(file, 0, 0);
    let mut walk = Walk::new(text, file, positions);
    let mut result = walk.document();
    if result.is_err() && walk.trusting {
        walk = Walk { trusting: false, ..Walk::new(text, file, positions) };
        result = walk.document();
    }
    match result {
        Ok(Node { place: _, value }) => Some(Node { place: origin, value }),
        Err(error) => {
            let message = error.to_string();
            // serde_yaml has no kinds of errors to ask for.
            if message.contains("EOF while parsing a value") {
                return Some(Node { place: origin, value: Value::Nothing });
            }
            let start = error.location().map_or(0, |at| walk.lines.offset(at.line(), at.column()));
            let place = |start: usize| Place::new(file, start, walk.lines.end_of_word(start));
            if message.contains("more than one document") {
                let end = "not valid YAML: several documents in one file".to_owned();
                let fault = Fault::new(place(second_document(text)), end).label("another one starts here");
                faults.push(fault.help("remove the `---` between them, or make them files of one directory"));
                return None;
            }
            let (message, locations) = strip_locations(&message);
            let mut fault = explain(place(start), &message);
            // libyaml says where it was, and where what it was reading began.
            if let Some((line, column)) = locations.get(1) {
                fault = fault.related(place(walk.lines.offset(*line, *column)), "it began here");
            }
            faults.push(fault);
            None
        }
    }
}

/// Where the second document starts: at the first `---` after something.
fn second_document(text: &str) -> usize {
    let mut at = 0;
    let mut content = false;
    for line in text.split_inclusive('\n') {
        let marker = line.starts_with("---");
        if marker && content {
            return at;
        }
        content |= marker || !(line.trim().is_empty() || line.starts_with(['#', '%']));
        at += line.len();
    }
    at
}

fn explain(place: Place, message: &str) -> Fault {
    let fault = |message: String| Fault::new(place, message);
    if message.contains("repetition limit") || message.contains(TOO_MUCH) {
        fault("not valid YAML: its aliases repeat too much".to_owned()).help("write out what the aliases stand for")
    } else if message.contains("recursion limit") {
        fault("not valid YAML: nested too deep".to_owned()).help("no configuration nests this deep")
    } else if message.contains("found character that cannot start any token") {
        fault(format!("not valid YAML: {message}"))
            .help("indent with spaces, never tabs; put a value that starts with a sign such as `%` or `@` in quotes")
    } else if message.contains("mapping values are not allowed") {
        fault(format!("not valid YAML: {message}"))
            .help("keys of one table are indented alike; put a value with `: ` in it in quotes")
    } else {
        fault(format!("not valid YAML: {message}"))
    }
}

/// A message without its ` at line L column C`, which the carets show better, and those lines and columns.
fn strip_locations(message: &str) -> (String, Vec<(usize, usize)>) {
    let mut parts = message.split(" at line ");
    let mut out = parts.next().unwrap_or("").to_owned();
    let mut locations = Vec::new();
    for part in parts {
        let number =
            |text: &str| text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse::<usize>();
        if let Some((line, tail)) = part.split_once(" column ")
            && let (Ok(line), Ok(column)) = (number(line), number(tail))
        {
            locations.push((line, column));
            out.push_str(tail.trim_start_matches(|c: char| c.is_ascii_digit()));
        } else {
            out.push_str(" at line ");
            out.push_str(part);
        }
    }
    (out, locations)
}

const TOO_MUCH: &str = "more than the text holds";
const ON_PURPOSE: &str = "on purpose";

struct Walk<'a> {
    text: &'a str,
    /// Found out when somebody asks.
    lines: LazyCell<Lines<'a>, Box<dyn FnOnce() -> Lines<'a> + 'a>>,
    /// Whether there may be anchors and tags, at which what they belong to starts.
    marked: bool,
    /// Whether keys and the addresses of destinations are taken for strings, so that nobody need find out if one is a
    /// number. If it does not work out, the document is walked again without.
    trusting: bool,
    file: u32,
    deepest: u8,
    /// Nodes that may still come.
    room: Cell<usize>,
    /// What the visitor kept when it failed on purpose.
    found: RefCell<Option<Value<'a>>>,
    /// What is read of the containers that are open, the innermost last.
    entries: RefCell<Vec<Entry<'a>>>,
    items: RefCell<Vec<Node<'a>>>,
}

#[derive(Clone, Copy)]
struct Seed<'w, 'a> {
    walk: &'w Walk<'a>,
    depth: u8,
    locate: bool,
    is_string: bool,
}

impl<'a> Seed<'_, 'a> {
    /// A value whose place is not known by itself.
    fn scalar<E: de::Error>(&self, value: Value<'a>) -> Result<Node<'a>, E> {
        if self.locate {
            self.walk.found.replace(Some(value));
            return Err(E::custom(ON_PURPOSE));
        }
        Ok(Node { place: Place::unknown(self.walk.file), value })
    }

    /// What was taken for a string has to look like one.
    fn judge<E: de::Error>(&self, text: &str) -> Result<(), E> {
        if self.is_string && self.walk.trusting && !is_string(text) {
            return Err(E::custom("it may be a number"));
        }
        Ok(())
    }

    /// A list or table, whose place is known once it is whole.
    fn container(&self, value: Value<'a>) -> Node<'a> {
        Node { place: Place::unknown(self.walk.file), value }
    }

    /// A step down: a value below this one, which is located if that is wanted at its depth.
    fn below(&self) -> Self {
        let depth = self.depth.saturating_add(1);
        Self { walk: self.walk, depth, locate: depth <= self.walk.deepest, is_string: false }
    }

    /// What came of reading one value: an error on purpose is a value and its place.
    fn outcome<E: de::Error>(&self, result: Result<Node<'a>, E>, near: Place) -> Result<Node<'a>, E> {
        let room = self.walk.room.get().checked_sub(1).ok_or_else(|| E::custom(TOO_MUCH))?;
        self.walk.room.set(room);
        match result {
            Ok(Node { value: value @ (Value::List(_) | Value::Table(_)), .. }) => {
                let place = first_place(&value).filter(|place| place.start >= near.start).unwrap_or(near);
                Ok(Node { place, value })
            }
            Ok(scalar) => Ok(scalar),
            Err(error) => match self.walk.found.take() {
                Some(value) => Ok(Node { place: self.walk.place(&error.to_string(), &value), value }),
                None => Err(error),
            },
        }
    }
}

/// Whether a scalar can be nothing but a string, with quotes or without: of what YAML has else, only words of their own
/// start with a letter, and nothing has a colon or two dots.
fn is_string(text: &str) -> bool {
    let is_word = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_word {
        return !["null", "true", "false"].iter().any(|word| word.eq_ignore_ascii_case(text));
    }
    text.contains(':') || text.split('.').nth(2).is_some()
}

/// Whether what stands before a scalar in its line is something, and has no mark of an anchor or a tag in it.
fn is_unmarked(before: &[u8]) -> bool {
    let line = before.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or(before);
    !line.trim_ascii().is_empty() && !line.iter().any(|byte| matches!(byte, b'&' | b'!'))
}

/// serde_yaml gives containers no position that could be had without losing one's way; theirs is where their
/// first scalar is.
fn first_place(value: &Value<'_>) -> Option<Place> {
    match value {
        Value::List(items) => items.first().map(|item| item.place),
        Value::Table(entries) => entries.first().map(|entry| entry.place),
        _ => None,
    }
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, file: u32, positions: Positions) -> Self {
        let marked = text.contains('&') || text.contains('!');
        Self {
            text,
            lines: LazyCell::new(Box::new(|| Lines::of(text))),
            marked,
            trusting: positions == Positions::Addresses && !marked,
            file,
            deepest: if positions == Positions::All { u8::MAX } else { ADDRESS_DEPTH },
            room: Cell::new(text.len().saturating_add(ALIAS_ROOM)),
            found: RefCell::default(),
            entries: RefCell::default(),
            items: RefCell::default(),
        }
    }

    fn document(&self) -> Result<Node<'a>, serde_yaml::Error> {
        let seed = Seed { walk: self, depth: 0, locate: false, is_string: false };
        seed.deserialize(serde_yaml::Deserializer::from_str(self.text))
    }

    /// The place of a string that was lent from the text, unless it may start with an anchor or a tag.
    fn place_of(&self, lent: &str, value: &Value<'_>) -> Option<Place> {
        let at = lent.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        let before = self.text.get(..at)?.as_bytes();
        if at + lent.len() > self.text.len() || self.marked && !is_unmarked(before) {
            return None;
        }
        let (start, end) = match before.last() {
            Some(b'"' | b'\'') => (at - 1, self.lines.end_of_scalar(at - 1, value)),
            _ if lent.len() > LONGEST => (at, self.lines.end_of_scalar(at, value)),
            _ => (at, at + lent.len()),
        };
        Some(Place::new(self.file, start, end))
    }

    /// The place that an error's text tells.
    fn place(&self, error: &str, value: &Value<'_>) -> Place {
        let location = error.rsplit_once(" at line ").and_then(|(_, tail)| {
            let (line, column) = tail.split_once(" column ")?;
            Some(self.lines.offset(line.parse().ok()?, column.parse().ok()?))
        });
        let start = location.unwrap_or(0);
        Place::new(self.file, start, self.lines.end_of_scalar(start, value))
    }
}

impl<'a> DeserializeSeed<'a> for Seed<'_, 'a> {
    type Value = Node<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Node<'a>, D::Error> {
        if self.is_string && self.walk.trusting {
            return deserializer.deserialize_str(self);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seed<'_, 'a> {
    type Value = Node<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node<'a>, E> {
        self.scalar(Value::Nothing)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node<'a>, E> {
        self.scalar(Value::Nothing)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node<'a>, E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node<'a>, E> {
        self.scalar(Value::Integer(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node<'a>, E> {
        self.scalar(Value::Integer(value.into()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node<'a>, E> {
        self.scalar(Value::Integer(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node<'a>, E> {
        self.scalar(Value::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node<'a>, E> {
        self.scalar(Value::Other("a number with a fraction".to_owned()))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'a str) -> Result<Node<'a>, E> {
        self.judge(text)?;
        let value = Value::Text(Cow::Borrowed(text));
        match self.walk.place_of(text, &value) {
            Some(place) => Ok(Node { place, value }),
            None => self.scalar(value),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node<'a>, E> {
        self.judge(text)?;
        self.scalar(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_enum<A: de::EnumAccess<'a>>(self, _: A) -> Result<Node<'a>, A::Error> {
        Err(de::Error::custom("a tag (`!name`) has no meaning here"))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut access: A) -> Result<Node<'a>, A::Error> {
        let seed = self.below();
        let from = self.walk.items.borrow().len();
        let mut near = Place::new(self.walk.file, 0, 0);
        loop {
            let result = match access.next_element_seed(seed) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            let item = seed.outcome(result, near)?;
            near = item.place;
            self.walk.items.borrow_mut().push(item);
        }
        Ok(self.container(Value::List(self.walk.items.borrow_mut().drain(from..).collect())))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut access: A) -> Result<Node<'a>, A::Error> {
        let below = self.below();
        let from = self.walk.entries.borrow().len();
        loop {
            let key_seed = Seed { locate: self.walk.deepest == u8::MAX, is_string: true, ..below };
            let result = match access.next_key_seed(key_seed) {
                Ok(None) => break,
                Ok(Some(node)) => Ok(node),
                Err(error) => Err(error),
            };
            let key = key_seed.outcome(result, Place::new(self.walk.file, 0, 0))?;
            let text = match key.value {
                Value::Text(text) => text,
                Value::Integer(number) => Cow::Owned(number.to_string()),
                Value::Bool(value) => Cow::Owned(value.to_string()),
                Value::Nothing => Cow::Borrowed("null"),
                Value::List(_) | Value::Table(_) | Value::Given(_) | Value::Broken | Value::Other(_) => {
                    return Err(de::Error::custom("a key has to be a string"));
                }
            };
            let wanted = self.walk.deepest == u8::MAX || text == "address";
            let is_string = below.depth > ADDRESS_DEPTH && text == "address";
            let seed = Seed { locate: below.locate && wanted, is_string, ..below };
            let node = seed.outcome(access.next_value_seed(seed), key.place)?;
            self.walk.entries.borrow_mut().push(Entry { key: text, place: key.place, node });
        }
        Ok(self.container(Value::Table(self.walk.entries.borrow_mut().drain(from..).collect())))
    }
}
