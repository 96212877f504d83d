//! What a check sends, and what it looks for in an answer.

use crate::config::decode::{Decode, table, wrong_type};
use crate::config::fault::Faults;
use crate::config::tree::{Node, Value};

/// A text that is looked for, or a table that says how.
#[derive(Debug)]
pub(in crate::config) enum Match {
    Text(String),
    Table(MatchTable),
}

table! {
    /// What an answer has to hold: exactly one of the keys.
    #[schemars(extend("oneOf" = [
        { "required": ["contains"] }, { "required": ["regex"] }, { "required": ["hex"] }
    ]))]
    MatchTable "of what is expected" later [];

    /// A text, anywhere.
    #[schemars(default, extend("minLength" = 1))]
    "contains" contains: String,

    /// A regular expression (of the Rust crate `regex`), anywhere.
    #[schemars(default)]
    "regex" regex: String,

    /// Bytes, anywhere: two hexadecimal digits for each; spaces are passed over.
    #[schemars(default, extend("pattern" = "^( *[0-9A-Fa-f]{2})+ *$"))]
    "hex" hex: String,
}

impl Decode for Match {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::Text(text) => Some(Self::Text(text.into_owned())),
            Value::Table(_) => MatchTable::decode(node, faults).map(Self::Table),
            other => {
                let fault = wrong_type(node.place, "a string or a table", &other);
                faults.push(fault.help("write the text in double quotes, or { regex = \"…\" }, or { hex = \"…\" }"));
                None
            }
        }
    }
}

/// A text, or bytes.
#[derive(Debug)]
pub(in crate::config) enum Payload {
    Text(String),
    Table(PayloadTable),
}

table! {
    /// Bytes that are sent.
    PayloadTable "of what is sent" later [];

    /// Two hexadecimal digits for each; spaces are passed over.
    #[schemars(extend("pattern" = "^( *[0-9A-Fa-f]{2})+ *$"))]
    "hex" hex: String,
}

impl Decode for Payload {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::Text(text) => Some(Self::Text(text.into_owned())),
            Value::Table(_) => PayloadTable::decode(node, faults).map(Self::Table),
            other => {
                let fault = wrong_type(node.place, "a string or a table", &other);
                faults.push(fault.help("write the text in double quotes, or { hex = \"…\" } for bytes"));
                None
            }
        }
    }
}
