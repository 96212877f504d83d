//! A table as `ipvsadm` prints it, in a form that can be compared: the oracle's side of these tests.

use std::collections::BTreeMap;
use std::fmt;

use crate::netns::ipvsadm;

/// What `ipvsadm -Sn` says of each entry, and the thresholds, which it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// `-t 192.0.2.10:80`: `-s wlc -p 300`.
    services: BTreeMap<String, String>,
    /// (`-t 192.0.2.10:80`, `10.0.0.11:80`): `-m -w 100`.
    destinations: BTreeMap<(String, String), Destination>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Destination {
    settings: String,
    /// Upper and lower.
    thresholds: (u32, u32),
}

impl Rules {
    /// The live table of this thread's namespace.
    pub(crate) fn live() -> Self {
        let mut rules = Self::parse(&ipvsadm(&["-Sn"], ""));
        rules.add_thresholds(&thresholds_of(&ipvsadm(&["-Ln", "--thresholds"], "")));
        rules
    }

    /// The output of `ipvsadm -Sn`; lines that start with `#` are comments.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut rules = Self::default();
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let twice = if let Some((service, settings)) = line.strip_prefix("-A ").and_then(|rest| cut(rest, " -s ")) {
                rules.services.insert(service, format!("-s {settings}")).is_some()
            } else if let Some((service, rest)) = line.strip_prefix("-a ").and_then(|rest| cut(rest, " -r "))
                && let Some((address, settings)) = cut(&rest, " ")
            {
                let destination = Destination { settings, thresholds: (0, 0) };
                rules.destinations.insert((service, address), destination).is_some()
            } else {
                panic!("not a line of `ipvsadm -Sn`: {line}");
            };
            assert!(!twice, "stands twice: {line}");
        }
        rules
    }

    /// Lines of a service as `ipvsadm -Ln` heads it, the destination, and its upper and lower threshold:
    /// `TCP 192.0.2.10:80 10.0.0.11:80 1000 800`.
    #[track_caller]
    pub(crate) fn add_thresholds(&mut self, text: &str) {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [service @ .., address, upper, lower] = words.as_slice() else { panic!("not thresholds: {line}") };
            let key = (option(service), (*address).to_owned());
            let destination =
                self.destinations.get_mut(&key).unwrap_or_else(|| panic!("thresholds of no destination: {line}"));
            destination.thresholds = (upper.parse().unwrap(), lower.parse().unwrap());
        }
    }

    /// Whether the two are equal, whatever their thresholds are.
    pub(crate) fn is_but_for_thresholds(&self, other: &Self) -> bool {
        let settings = |rules: &Self| -> Vec<_> {
            let destinations = rules.destinations.iter();
            destinations.map(|(key, destination)| (key.clone(), destination.settings.clone())).collect()
        };
        self.services == other.services && settings(self) == settings(other)
    }

    /// How many operations lead from this table to that one, if every one of them is needed: the destinations of a
    /// deleted service go with it.
    pub(crate) fn operations_to(&self, after: &Self) -> usize {
        let services = differences(&self.services, &after.services);
        let destinations = differences(&self.destinations, &after.destinations);
        let gone = |(service, _): &&(String, String)| {
            self.services.contains_key(service) && !after.services.contains_key(service)
        };
        services + destinations - self.destinations.keys().filter(gone).count()
    }

    /// How many entries are the same in both tables.
    pub(crate) fn common_with(&self, other: &Self) -> usize {
        let services = self.services.iter().filter(|(key, value)| other.services.get(*key) == Some(value)).count();
        let destinations =
            self.destinations.iter().filter(|(key, value)| other.destinations.get(*key) == Some(value)).count();
        services + destinations
    }

    fn lines(&self) -> Vec<String> {
        let services = self.services.iter().map(|(service, settings)| format!("-A {service} {settings}"));
        let destinations = self.destinations.iter().map(
            |((service, address), Destination { settings, thresholds: (upper, lower) })| {
                format!("-a {service} -r {address} {settings} (thresholds {upper} {lower})")
            },
        );
        services.chain(destinations).collect()
    }

    /// Fails with what is missing and what is too much, unless the two are equal.
    #[track_caller]
    pub(crate) fn assert_are(&self, expected: &Self, context: &impl fmt::Display) {
        if self == expected {
            return;
        }
        let (live, wanted) = (self.lines(), expected.lines());
        let missing =
            wanted.iter().filter(|line| !live.contains(line)).map(|line| format!("expected, not there: {line}\n"));
        let more =
            live.iter().filter(|line| !wanted.contains(line)).map(|line| format!("there, not expected: {line}\n"));
        let text: String = missing.chain(more).collect();
        panic!("{context}: ipvsadm shows another table than expected\n{text}");
    }
}

fn cut(text: &str, at: &str) -> Option<(String, String)> {
    text.split_once(at).map(|(left, right)| (left.to_owned(), right.to_owned()))
}

/// Keys that only one of the two has, or that have another value.
fn differences<K: Ord, V: PartialEq>(before: &BTreeMap<K, V>, after: &BTreeMap<K, V>) -> usize {
    let gone = before.keys().filter(|key| !after.contains_key(key)).count();
    gone + after.iter().filter(|(key, value)| before.get(*key) != Some(value)).count()
}

/// From a heading of `ipvsadm -Ln` to the option of `-Sn`: `TCP 192.0.2.10:80` is `-t 192.0.2.10:80`.
fn option(heading: &[&str]) -> String {
    match heading {
        ["TCP", address] => format!("-t {address}"),
        ["UDP", address] => format!("-u {address}"),
        ["SCTP", address] => format!("--sctp-service {address}"),
        ["FWM", mark] => format!("-f {mark}"),
        ["FWM", mark, "IPv6"] => format!("-f {mark} -6"),
        other => panic!("not the heading of a service: {other:?}"),
    }
}

/// What [`Rules::add_thresholds`] takes, from the output of `ipvsadm -Ln --thresholds`.
fn thresholds_of(listing: &str) -> String {
    let mut text = String::new();
    let mut heading = String::new();
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["->", "RemoteAddress:Port", ..] => {}
            ["->", address, upper, lower, ..] => text += &format!("{heading} {address} {upper} {lower}\n"),
            ["FWM", mark, "IPv6", ..] => heading = format!("FWM {mark} IPv6"),
            [kind @ ("TCP" | "UDP" | "SCTP" | "FWM"), address, ..] => heading = format!("{kind} {address}"),
            _ => {}
        }
    }
    text
}
