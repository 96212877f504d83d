//! The options there are, in both of their forms, and which command takes which.

use super::shell::{Word, Words};
use crate::import::report::{Place, Report};

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// A value unless the next word is an option.
    Maybe,
}

use Takes::{Maybe, Nothing, Value};

/// The short form (or a blank), the long one, and what the option takes.
pub(super) const OPTIONS: [(char, &str, Takes); 48] = [
    ('A', "add-service", Nothing),
    ('E', "edit-service", Nothing),
    ('D', "delete-service", Nothing),
    ('C', "clear", Nothing),
    ('R', "restore", Nothing),
    ('S', "save", Nothing),
    ('a', "add-server", Nothing),
    ('e', "edit-server", Nothing),
    ('d', "delete-server", Nothing),
    ('L', "list", Nothing),
    ('l', "list", Nothing),
    ('Z', "zero", Nothing),
    (' ', "set", Nothing),
    ('h', "help", Nothing),
    ('v', "version", Nothing),
    (' ', "start-daemon", Value),
    (' ', "stop-daemon", Value),
    ('t', "tcp-service", Value),
    ('u', "udp-service", Value),
    (' ', "sctp-service", Value),
    ('f', "fwmark-service", Value),
    ('6', "ipv6", Nothing),
    ('s', "scheduler", Value),
    ('p', "persistent", Maybe),
    ('M', "netmask", Value),
    (' ', "pe", Value),
    ('b', "sched-flags", Value),
    ('o', "ops", Nothing),
    ('O', "ops", Nothing),
    ('r', "real-server", Value),
    ('g', "gatewaying", Nothing),
    ('i', "ipip", Nothing),
    ('m', "masquerading", Nothing),
    (' ', "tun-type", Value),
    (' ', "tun-port", Value),
    (' ', "tun-nocsum", Nothing),
    (' ', "tun-csum", Nothing),
    (' ', "tun-remcsum", Nothing),
    ('w', "weight", Value),
    ('x', "u-threshold", Value),
    ('y', "l-threshold", Value),
    (' ', "syncid", Value),
    (' ', "sync-maxlen", Value),
    (' ', "mcast-interface", Value),
    (' ', "mcast-group", Value),
    (' ', "mcast-port", Value),
    (' ', "mcast-ttl", Value),
    ('n', "numeric", Nothing),
];

/// Options of lists, which change nothing.
pub(super) const LISTING: [(char, &str); 12] = [
    ('c', "connection"),
    (' ', "timeout"),
    (' ', "daemon"),
    (' ', "stats"),
    (' ', "rate"),
    (' ', "thresholds"),
    (' ', "persistent-conn"),
    (' ', "tun-info"),
    (' ', "sort"),
    (' ', "nosort"),
    ('X', "exact"),
    (' ', "numeric"),
];

/// The commands among the options, with what each takes besides.
const SERVICE: &[&str] = &["tcp-service", "udp-service", "sctp-service", "fwmark-service", "ipv6"];
const SCHEDULING: &[&str] = &["scheduler", "persistent", "netmask", "pe", "sched-flags", "ops"];
const SERVER: &[&str] = &["real-server"];
const FORWARDING: &[&str] = &[
    "gatewaying",
    "ipip",
    "masquerading",
    "tun-type",
    "tun-port",
    "tun-nocsum",
    "tun-csum",
    "tun-remcsum",
    "weight",
    "u-threshold",
    "l-threshold",
];
const DAEMON: &[&str] = &["syncid", "sync-maxlen", "mcast-interface", "mcast-group", "mcast-port", "mcast-ttl"];
pub(super) const COMMANDS: [(&str, &[&[&str]]); 14] = [
    ("add-service", &[SERVICE, SCHEDULING]),
    ("edit-service", &[SERVICE, SCHEDULING]),
    ("delete-service", &[SERVICE]),
    ("clear", &[]),
    ("add-server", &[SERVICE, SERVER, FORWARDING]),
    ("edit-server", &[SERVICE, SERVER, FORWARDING]),
    ("delete-server", &[SERVICE, SERVER]),
    ("set", &[]),
    ("start-daemon", &[DAEMON]),
    ("stop-daemon", &[&["mcast-interface", "syncid"]]),
    ("list", &[SERVICE, &["numeric"]]),
    ("zero", &[SERVICE]),
    ("save", &[&["numeric"]]),
    ("restore", &[&["numeric"]]),
];

/// An option as it was found.
pub(super) struct Given {
    pub name: &'static str,
    /// Of the option itself.
    pub place: Place,
    pub value: Option<Word>,
}

/// The options of a command, and the words that are none.
pub(super) fn given(words: &Words, report: &mut Report) -> Option<(Vec<Given>, Vec<Word>)> {
    let mut found = Vec::new();
    let mut rest = Vec::new();
    let mut list = words.list.iter().peekable();
    while let Some(word) = list.next() {
        let mut value_of = |takes: Takes, inline: Option<&str>| match (takes, inline) {
            (Nothing, _) => None,
            (_, Some(text)) => Some(Word { text: text.to_owned(), place: word.place.clone() }),
            (Value, None) => list.next().cloned(),
            (Maybe, None) => list.next_if(|next| !next.text.starts_with('-')).cloned(),
        };
        if let Some(long) = word.text.strip_prefix("--") {
            let (name, inline) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let known = OPTIONS.iter().find(|(_, known, _)| *known == name).map(|(_, name, takes)| (*name, *takes));
            let listing = LISTING.iter().find(|(_, known)| *known == name).map(|(_, name)| (*name, Nothing));
            let Some((name, takes)) = known.or(listing) else {
                return unknown(word, report);
            };
            let value = value_of(takes, inline);
            found.push(checked(name, takes, word, value, report)?);
        } else if let Some(short) = word.text.strip_prefix('-').filter(|short| !short.is_empty()) {
            for (at, letter) in short.char_indices() {
                let known = OPTIONS.iter().find(|(short, ..)| *short == letter).map(|(_, name, takes)| (*name, *takes));
                let listing = LISTING.iter().find(|(short, _)| *short == letter).map(|(_, name)| (*name, Nothing));
                let Some((name, takes)) = known.or(listing).filter(|_| letter != ' ') else {
                    return unknown(word, report);
                };
                // A value may follow at once, with or without a sign between.
                let behind = short[at + letter.len_utf8()..].trim_start_matches('=');
                let inline = Some(behind).filter(|behind| takes != Nothing && !behind.is_empty());
                let value = value_of(takes, inline);
                found.push(checked(name, takes, word, value, report)?);
                if inline.is_some() {
                    break;
                }
            }
        } else {
            rest.push(word.clone());
        }
    }
    Some((found, rest))
}

fn unknown<T>(word: &Word, report: &mut Report) -> Option<T> {
    let help = "options of ipvsadm 1.31 are known; write what it does in ipvsd's words";
    report.error(&word.place, format!("unknown option `{}`", word.text), help);
    None
}

fn checked(name: &'static str, takes: Takes, word: &Word, value: Option<Word>, report: &mut Report) -> Option<Given> {
    if takes == Value && value.is_none() {
        report.error(&word.place, format!("--{name} has no value"), "write it behind the option");
        return None;
    }
    Some(Given { name, place: word.place.clone(), value })
}
