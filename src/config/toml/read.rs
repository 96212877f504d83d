//! TOML to a tree, for a text that is right: what the parser meets is put together as it comes.
//!
//! The `toml` crate makes a map of every table first, which takes most of the time and some thirty times the memory of the
//! text. Here the same parser (it is a crate of its own) is given a stretch of the text at a time, from one header to
//! another, and whatever it takes becomes a node of the tree at once. What is wrong, and what is rare, is refused without
//! a word: `toml` then has the last one. So this may refuse too much, and never take what `toml` does not; the tests
//! compare the two.

use std::borrow::Cow;
use std::collections::HashMap;

use toml_parser::decoder::{Encoding, ScalarKind};
use toml_parser::lexer::{Token, TokenKind};
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Raw, Source, Span};

use crate::config::tree::{Entry, Node, Place, Value};

/// How deep arrays and tables in braces may nest, as in `toml`.
const DEEPEST: u32 = 80;
/// The most keys between a value and its header.
const LONGEST_PATH: usize = 40;
/// So many tokens are parsed at once, and what is left up to the next header.
const STRETCH: usize = 4096;
/// A table of more keys gets an index.
const LARGE: usize = 32;

/// The document, unless something about it is not for this reader.
pub(super) fn read(text: &str, file: u32) -> Option<Node<'_>> {
    let mut reader = Reader { text, file, ..Reader::default() };
    let mut tokens: Vec<Token> = Vec::new();
    let mut depth = 0usize;
    let mut line_start = true;
    for token in Source::new(text).lex() {
        let kind = token.kind();
        if kind == TokenKind::LeftSquareBracket && line_start && depth == 0 && tokens.len() >= STRETCH {
            reader.parse(&tokens)?;
            tokens.clear();
        }
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        line_start = kind == TokenKind::Newline || line_start && kind == TokenKind::Whitespace;
        tokens.push(token);
    }
    reader.parse(&tokens)?;
    reader.end_table()?;
    Some(Node { place: Place::new(file, 0, 0), value: Value::Table(reader.root) })
}

/// A key and where it stands.
type Key<'a> = (Cow<'a, str>, Place);

/// The tables of this many keys and more, by where they stand: which key is the how manieth.
type Index<'a> = HashMap<u32, HashMap<Cow<'a, str>, usize>>;

/// Where the table without a header stands, for the index.
const ROOT: u32 = u32::MAX;

#[derive(Default)]
struct Reader<'a> {
    text: &'a str,
    file: u32,
    root: Vec<Entry<'a>>,
    /// The header of the table that is being read, and its path.
    header: Option<Header>,
    path: Vec<Key<'a>>,
    /// Keys whose values are not yet there, those of what is open first.
    keys: Vec<Key<'a>>,
    /// What is complete of the table that is being read, then of each that is open in braces.
    entries: Vec<Entry<'a>>,
    /// What is complete of each array that is open.
    items: Vec<Node<'a>>,
    open: Vec<Open>,
    index: Index<'a>,
    refused: bool,
}

#[derive(Clone, Copy)]
struct Header {
    place: Place,
    is_array: bool,
}

/// An array or a table in braces: where it starts, and what of the stacks lies below what is in it.
#[derive(Clone, Copy, Default)]
struct Open {
    start: u32,
    is_table: bool,
    keys: usize,
    entries: usize,
    items: usize,
}

impl<'a> Reader<'a> {
    /// Takes whole lines that are no part of anything open.
    fn parse(&mut self, tokens: &[Token]) -> Option<()> {
        let mut error: Option<ParseError> = None;
        let source = Source::new(self.text);
        let mut receiver = ValidateWhitespace::new(self, source);
        parse_document(tokens, &mut RecursionGuard::new(&mut receiver, DEEPEST), &mut error);
        (error.is_none() && !self.refused).then_some(())
    }

    fn place(&self, span: Span) -> Place {
        Place::new(self.file, span.start(), span.end())
    }

    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Raw<'a> {
        Raw::new_unchecked(self.text.get(span.start()..span.end()).unwrap_or(""), encoding, span)
    }

    /// A value is complete: it belongs to what is open, or else to the table of the header.
    fn put(&mut self, node: Node<'a>) {
        let start = self.header.map_or(ROOT, |header| header.place.start);
        let open = self.open.last().copied().unwrap_or(Open { start, is_table: true, ..Open::default() });
        if open.is_table {
            let done = self.insert(open, node);
            self.refused |= done.is_none();
        } else {
            self.items.push(node);
        }
    }

    /// Puts a value into a table under the keys that were read last; a dotted key is a table for each of its parts.
    fn insert(&mut self, open: Open, node: Node<'a>) -> Option<()> {
        if self.keys.len() <= open.keys {
            return None;
        }
        let (last, place) = self.keys.pop()?;
        let Self { text, keys, entries, index, .. } = self;
        let (mut start, mut table, mut from) = (open.start, entries, open.entries);
        for key in keys.drain(open.keys..) {
            (start, table) = step(index, text, (start, table, from), key)?;
            from = 0;
        }
        if find(index, start, table.get(from..)?, &last).is_some() {
            return None;
        }
        table.push(Entry { key: last, place, node });
        Some(())
    }

    fn open(&mut self, span: Span, is_table: bool) {
        let start = u32::try_from(span.start()).unwrap_or(u32::MAX);
        let (keys, entries, items) = (self.keys.len(), self.entries.len(), self.items.len());
        self.open.push(Open { start, is_table, keys, entries, items });
    }

    fn close(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return self.refused = true };
        let value = if open.is_table {
            Value::Table(self.entries.drain(open.entries.min(self.entries.len())..).collect())
        } else {
            Value::List(self.items.drain(open.items.min(self.items.len())..).collect())
        };
        self.put(Node { place: Place::new(self.file, open.start as usize, span.end()), value });
    }

    /// A header starts, or the text ends: the table that was read goes to where its own header says.
    fn end_table(&mut self) -> Option<()> {
        let entries: Vec<Entry<'a>> = self.entries.drain(..).collect();
        let Some(Header { place: header, is_array }) = self.header.take() else {
            self.root = entries;
            return Some(());
        };
        let node = Node { place: header, value: Value::Table(entries) };
        let (last, last_place) = self.path.pop()?;
        let Self { text, root, path, index, .. } = self;
        let (mut start, mut table) = (ROOT, root);
        for key in path.drain(..) {
            (start, table) = step(index, text, (start, table, 0), key)?;
        }
        match find(index, start, table, &last) {
            None if is_array => {
                let list = Node { place: header, value: Value::List(vec![node]) };
                table.push(Entry { key: last, place: last_place, node: list });
            }
            None => table.push(Entry { key: last, place: last_place, node }),
            Some(at) => match &mut table.get_mut(at)?.node {
                Node { place, value: Value::List(items) } if is_array && has_headers(*place, items) => items.push(node),
                _ => return None,
            },
        }
        Some(())
    }

    fn start_header(&mut self, span: Span, is_array: bool) {
        let ended = self.end_table();
        self.refused |= ended.is_none();
        self.header = Some(Header { place: self.place(span), is_array });
    }

    fn end_header(&mut self, span: Span) {
        if let Some(header) = &mut self.header {
            header.place = Place::new(self.file, header.place.start as usize, span.end());
        }
        self.path.append(&mut self.keys);
    }
}

/// Whether the tables of a list have headers: the place of such a list is that of its first header.
fn has_headers(place: Place, items: &[Node<'_>]) -> bool {
    items.first().is_some_and(|first| first.place == place)
}

/// Where the table stands that a part of a path leads to, and what is in it: a new one, or one that is not complete. `from`
/// is where the entries of the table that the path is at start.
fn step<'t, 'a>(
    index: &mut Index<'a>,
    text: &str,
    (start, table, from): (u32, &'t mut Vec<Entry<'a>>, usize),
    (key, place): Key<'a>,
) -> Option<(u32, &'t mut Vec<Entry<'a>>)> {
    let at = match find(index, start, table.get(from..)?, &key) {
        Some(at) => from + at,
        None => {
            table.push(Entry { key, place, node: Node { place, value: Value::Table(Vec::new()) } });
            table.len() - 1
        }
    };
    inside(text, &mut table.get_mut(at)?.node)
}

/// What is in a table, or the last of a list of them; what stands in braces or brackets is complete.
fn inside<'t, 'a>(text: &str, Node { place, value }: &'t mut Node<'a>) -> Option<(u32, &'t mut Vec<Entry<'a>>)> {
    let in_braces = text.as_bytes().get(place.start as usize) == Some(&b'{');
    match value {
        Value::Table(inner) if !in_braces => Some((place.start, inner)),
        Value::List(items) if has_headers(*place, items) => inside(text, items.last_mut()?),
        _ => None,
    }
}

/// Which of the entries of the table at `start` has that key.
fn find<'a>(index: &mut Index<'a>, start: u32, entries: &[Entry<'a>], key: &str) -> Option<usize> {
    if entries.len() < LARGE {
        return entries.iter().position(|entry| entry.key == key);
    }
    let known = index.entry(start).or_default();
    for (at, entry) in entries.iter().enumerate().skip(known.len()) {
        known.insert(entry.key.clone(), at);
    }
    known.get(key).copied()
}

impl EventReceiver for Reader<'_> {
    fn std_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span, false);
    }

    fn std_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_header(span);
    }

    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.start_header(span, true);
    }

    fn array_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.end_header(span);
    }

    fn inline_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span, true);
        true
    }

    fn inline_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn array_open(&mut self, span: Span, _: &mut dyn ErrorSink) -> bool {
        self.open(span, false);
        true
    }

    fn array_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        if self.keys.len() >= LONGEST_PATH {
            return self.refused = true;
        }
        let mut key = Cow::Borrowed("");
        self.raw(span, encoding).decode_key(&mut key, errors);
        let place = self.place(span);
        self.keys.push((key, place));
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, errors: &mut dyn ErrorSink) {
        let mut text = Cow::Borrowed("");
        let value = match self.raw(span, encoding).decode_scalar(&mut text, errors) {
            ScalarKind::String => Value::Text(text),
            ScalarKind::Boolean(value) => Value::Bool(value),
            ScalarKind::Integer(radix) => match i128::from_str_radix(&text, radix.value()) {
                Ok(value) => Value::Integer(value),
                Err(_) => return self.refused = true,
            },
            // No key wants them.
            ScalarKind::Float | ScalarKind::DateTime => return self.refused = true,
        };
        let place = self.place(span);
        self.put(Node { place, value });
    }
}
