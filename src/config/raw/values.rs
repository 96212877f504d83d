//! Values that are more than one type, or a string of a form.

use std::time::Duration;

use super::{AutoTable, Destination};
use crate::config::decode::{At, Decode, wrong_type};
use crate::config::fault::{Fault, Faults};
use crate::config::names;
use crate::config::tree::{Node, Value};

/// A duration with its units, such as "1m30s".
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Period(pub Duration);

impl Decode for Period {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::Text(text) => match humantime::parse_duration(text.trim()) {
                Ok(duration) => Some(Self(duration)),
                Err(error) => {
                    let message = format!("`{}` is not a duration: {error}", names::quote(&text));
                    faults.push(Fault::new(node.place, message).help(DURATIONS));
                    None
                }
            },
            other => {
                let fault = wrong_type(node.place, "a duration in quotes", &other);
                faults.push(match other {
                    Value::Integer(seconds) => fault.help(format!("a number has no unit: write \"{seconds}s\"")),
                    _ => fault.help(DURATIONS),
                });
                None
            }
        }
    }
}

const DURATIONS: &str = "write for example \"90s\", \"1m30s\" or \"1h\"";

/// One address or several.
#[derive(Debug)]
pub(in crate::config) struct Addresses(pub Vec<At<String>>);

impl Decode for Addresses {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::List(_) => Vec::decode(node, faults).map(Self),
            Value::Text(text) => Some(Self(vec![At { place: node.place, value: text.into_owned() }])),
            other => {
                faults.push(
                    wrong_type(node.place, "an address or a list of them", &other)
                        .help("write for example \"tcp://192.0.2.10:80\""),
                );
                None
            }
        }
    }
}

/// A word, or a list of scopes.
#[derive(Debug)]
pub(in crate::config) enum Manage {
    Word(String),
    Within(Vec<At<String>>),
}

impl Decode for Manage {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::List(_) => Vec::decode(node, faults).map(Self::Within),
            Value::Text(text) => Some(Self::Word(text.into_owned())),
            other => {
                faults.push(
                    wrong_type(node.place, "\"owned\", \"all\" or a list", &other)
                        .help("a list is of prefixes and marks: [\"192.0.2.0/24\", \"fwmark:7\"]"),
                );
                None
            }
        }
    }
}

/// A percentage, or a number of what it is a share of.
#[derive(Debug)]
pub(in crate::config) enum Share {
    Percent(String),
    Count(i128),
}

impl Decode for Share {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.typed();
        match node.value {
            Value::Text(text) => Some(Self::Percent(text.into_owned())),
            Value::Integer(count) => Some(Self::Count(count)),
            other => {
                let fault = wrong_type(node.place, "a percentage or a number", &other);
                faults.push(fault.help("write for example \"50%\" or 10"));
                None
            }
        }
    }
}

/// A percentage.
#[derive(Debug)]
pub(in crate::config) struct Percent(pub String);

impl Decode for Percent {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::Text(text) => Some(Self(text.into_owned())),
            other => {
                let fault = wrong_type(node.place, "a percentage in quotes", &other);
                faults.push(match other {
                    Value::Integer(number) => fault.help(format!("write \"{number}%\"")),
                    _ => fault.help("write for example \"50%\""),
                });
                None
            }
        }
    }
}

/// The name of one check.
#[derive(Debug)]
pub(in crate::config) struct CheckName(pub String);

impl Decode for CheckName {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.plain();
        match node.value {
            Value::Text(text) => Some(Self(text.into_owned())),
            other => {
                let fault = wrong_type(node.place, "the name of a check", &other);
                faults.push(match other {
                    Value::List(_) => fault.help("several are `checks`: checks = [\"…\", \"…\"]"),
                    Value::Table(_) => fault.help("define it as [checks.NAME], and write its name here"),
                    _ => fault.help("write its name in double quotes; \"none\" is no check"),
                });
                None
            }
        }
    }
}

/// The status codes that are up.
#[derive(Debug)]
pub(in crate::config) struct Status(pub Vec<At<Code>>);

impl Decode for Status {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        match node.value {
            Value::List(_) => Vec::decode(node, faults).map(Self),
            _ => At::decode(node, faults).map(|code| Self(vec![code])),
        }
    }
}

/// A number, or a word: a status code or ranges of them, a response code of DNS.
#[derive(Debug)]
pub(in crate::config) enum Code {
    Number(i128),
    Text(String),
}

impl Decode for Code {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.typed();
        match node.value {
            Value::Integer(number) => Some(Self::Number(number)),
            Value::Text(text) => Some(Self::Text(text.into_owned())),
            other => {
                let fault = wrong_type(node.place, "a number or a string", &other);
                faults.push(fault.help("write the number, or what it is called in double quotes"));
                None
            }
        }
    }
}

/// The address of a destination, or all of its keys.
#[derive(Debug)]
pub(in crate::config) struct Fallback(pub Destination);

impl Decode for Fallback {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        match &node.value {
            Value::Table(_) => Destination::decode(node, faults).map(Self),
            Value::Text(_) | Value::Given(_) => {
                let mut destination = Destination::default();
                destination.address.fill(node, faults);
                Some(Self(destination))
            }
            other => {
                let fault = wrong_type(node.place, "an address or a table", other);
                faults.push(fault.help("write for example \"10.0.0.99:80\""));
                None
            }
        }
    }
}

/// A prefix length, or an IPv4 mask in dots.
#[derive(Debug)]
pub(in crate::config) enum Netmask {
    Length(i128),
    Dotted(String),
}

impl Decode for Netmask {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.typed();
        match node.value {
            Value::Integer(length) => Some(Self::Length(length)),
            Value::Text(text) => Some(Self::Dotted(text.into_owned())),
            other => {
                let fault = wrong_type(node.place, "a prefix length or an IPv4 mask", &other);
                faults.push(fault.help("write for example 24 or \"255.255.255.0\""));
                None
            }
        }
    }
}

/// On, off, or a word.
#[derive(Debug)]
pub(in crate::config) enum Checksum {
    Flag(bool),
    Word(String),
}

impl Decode for Checksum {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.typed();
        match node.value {
            Value::Bool(flag) => Some(Self::Flag(flag)),
            Value::Text(text) => Some(Self::Word(text.into_owned())),
            other => {
                let fault = wrong_type(node.place, "true, false or \"remote\"", &other);
                faults.push(fault.help("true and false stand without quotes"));
                None
            }
        }
    }
}

/// Services that come about by themselves: yes, no, or how.
#[derive(Debug)]
pub(in crate::config) enum DockerAuto {
    Flag(bool),
    Table(Box<AutoTable>),
}

impl Decode for DockerAuto {
    fn decode(node: Node<'_>, faults: &mut Faults) -> Option<Self> {
        let node = node.typed();
        match node.value {
            Value::Bool(flag) => Some(Self::Flag(flag)),
            Value::Table(_) => AutoTable::decode(node, faults).map(|table| Self::Table(Box::new(table))),
            other => {
                let fault = wrong_type(node.place, "true, false or a table", &other);
                faults.push(fault.help("write true, without quotes, or { services_at = \"192.0.2.10\" }"));
                None
            }
        }
    }
}
