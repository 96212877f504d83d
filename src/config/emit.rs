//! The kernel's table, its timeouts and its synchronisation as configuration text that means exactly that.
//!
//! Every key that `[defaults]` could change is written out, so that the text means the same among other files. What
//! the rules of a configuration do not allow is left out, and said: in the text as a comment, and to the caller.

mod host;
mod offer;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::problem::Severity;
use super::rules::{self, Breaches};
use crate::model::{
    Checksum, DestinationKey, DestinationSettings, Forward, Live, LiveService, Netmask, Persistence, ServiceFlags,
    ServiceKey, ServiceSettings, SyncRole, SyncSettings, Timeout, Tunnel, TunnelType,
};
use host::Keys;
pub use offer::{emit_offer, note_of};

/// What a configuration is made from.
#[derive(Debug, Clone, Copy)]
pub struct Import<'l> {
    pub live: &'l Live,
    /// In seconds. Those that are as at boot are not written.
    pub timeouts: &'l BTreeMap<Timeout, u32>,
    /// The daemons that are running.
    pub sync: &'l BTreeMap<SyncRole, SyncSettings>,
}

impl<'l> Import<'l> {
    /// The table, and nothing else.
    pub fn table(live: &'l Live) -> Self {
        Self { live, timeouts: const { &BTreeMap::new() }, sync: const { &BTreeMap::new() } }
    }
}

/// A configuration text, and what could not be put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    pub text: String,
    /// In words; also comments in the text.
    pub omitted: Vec<String>,
}

/// As TOML. Sorted; the same gives the same text.
pub fn emit_toml(import: Import<'_>) -> Emitted {
    emit(import, " = ", toml)
}

/// As YAML. Sorted; the same gives the same text.
pub fn emit_yaml(import: Import<'_>) -> Emitted {
    emit(import, ": ", yaml)
}

/// The same as JSON, which is YAML, too. Comments have no place in it; what is left out is only in `omitted`.
pub fn emit_json(import: Import<'_>) -> Emitted {
    let Emitted { text, omitted } = emit_toml(import);
    let text = match super::toml::to_json(&text) {
        Ok(document) => format!("{document:#}\n"),
        // A text of ours that does not parse would be a defect; TOML that says so is better than nothing.
        Err(error) => format!("# {}\n{text}", one_line(&error)),
    };
    Emitted { text, omitted }
}

/// A service that a configuration can express.
struct Entry<'l> {
    key: ServiceKey,
    settings: &'l ServiceSettings,
    destinations: Vec<(DestinationKey, DestinationSettings)>,
}

/// What can be written, with values as both formats read them.
struct Document<'l> {
    timeouts: Keys,
    sync: Keys,
    services: Vec<Entry<'l>>,
}

impl Document<'_> {
    /// The tables before the services that have something in them.
    fn tables(&self) -> impl Iterator<Item = (&'static str, &Keys)> {
        [("timeouts", &self.timeouts), ("sync", &self.sync)].into_iter().filter(|(_, keys)| !keys.is_empty())
    }
}

/// `separator` stands between key and value in braces.
fn emit(import: Import<'_>, separator: &str, write: fn(&mut String, &Document<'_>)) -> Emitted {
    let Import { live: Live { services, unknown }, timeouts, sync } = import;
    let mut omitted: Vec<String> = unknown.iter().map(|words| one_line(words)).collect();
    let mut entries = Vec::new();
    for (key, LiveService { settings, stats: _, destinations }) in services {
        if let Some(why) = first_error(rules::service(key, settings)) {
            let with = match destinations.len() {
                0 => String::new(),
                1 => ", with its destination".to_owned(),
                many => format!(", with its {many} destinations"),
            };
            omitted.push(one_line(&format!("{key}{with}: {why}")));
            continue;
        }
        let mut kept = Vec::new();
        for (destination, live) in destinations {
            match first_error(rules::destination(key, destination, &live.settings)) {
                Some(why) => omitted.push(one_line(&format!("{key} -> {destination}: {why}"))),
                None => kept.push((*destination, live.settings)),
            }
        }
        entries.push(Entry { key: *key, settings, destinations: kept });
    }
    let mixed = entries.iter().any(|Entry { key, destinations, .. }| {
        destinations.iter().any(|(destination, _)| destination.family() != key.family())
    });
    let mut others = Vec::new();
    let timeouts = host::timeouts(timeouts, &mut others);
    let sync = host::sync(sync, mixed, separator, &mut others);
    omitted.extend(others.iter().map(|words| one_line(words)));
    let mut text = String::new();
    for words in &omitted {
        push(&mut text, format_args!("# left out: {words}\n"));
    }
    if !omitted.is_empty() {
        text.push('\n');
    }
    write(&mut text, &Document { timeouts, sync, services: entries });
    Emitted { text, omitted }
}

fn first_error(breaches: Breaches) -> Option<String> {
    breaches.0.into_iter().find(|breach| breach.severity == Severity::Error).map(|breach| breach.message)
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(arguments);
}

fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// `tcp-192.0.2.10-80`, `udp-2001-db8--10-53`, `fwmark-7`: readable, and unique because the key can be read back from it.
fn name(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { protocol, address, port } => {
            format!("{protocol}-{}-{port}", address.to_string().replace(':', "-"))
        }
        ServiceKey::Mark { .. } => key.to_string().replace(':', "-"),
    }
}

/// A string in double quotes, as both formats read it; what looks like a parameter is none.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let escaped = if text.contains("${") { Cow::Owned(text.replace("${", "$${")) } else { Cow::Borrowed(text) };
    for c in escaped.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => push(&mut out, format_args!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// The keys of a service beside name, address and destinations, with values as both formats read them inline; tables
/// are in braces with `separator` between key and value.
fn service_keys(settings: &ServiceSettings, separator: &str) -> Vec<(&'static str, String)> {
    let ServiceSettings { scheduler, flags, persistence } = settings;
    let mut keys = vec![("scheduler", quoted(scheduler.as_str()))];
    let named = scheduler.flags().iter().filter(|(flag, _)| flags.contains(*flag));
    let names: Vec<String> = named.map(|(_, name)| quoted(name)).collect();
    if !names.is_empty() {
        keys.push(("scheduler_flags", format!("[{}]", names.join(", "))));
    }
    if let Some(Persistence { timeout, netmask, engine }) = persistence {
        let mut table = format!("timeout{separator}\"{timeout}s\"");
        match netmask {
            Netmask::Prefix(length) => push(&mut table, format_args!(", netmask{separator}{length}")),
            Netmask::Odd(mask) => push(&mut table, format_args!(", netmask{separator}\"{mask}\"")),
        }
        if let Some(engine) = engine {
            push(&mut table, format_args!(", engine{separator}{}", quoted(engine)));
        }
        keys.push(("persistence", format!("{{ {table} }}")));
    }
    if flags.contains(ServiceFlags::ONE_PACKET) {
        keys.push(("one_packet", "true".to_owned()));
    }
    keys
}

/// The keys of a destination.
fn destination_keys(
    key: &DestinationKey,
    settings: &DestinationSettings,
    separator: &str,
) -> Vec<(&'static str, String)> {
    let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
    let mut keys = vec![
        ("address", quoted(&key.to_string())),
        ("weight", weight.to_string()),
        ("forward", quoted(forward.name())),
    ];
    if let Forward::Tunnel(Tunnel { kind, port, checksum }) = forward {
        let kind = match kind {
            TunnelType::Ipip => "ipip",
            TunnelType::Gue => "gue",
            TunnelType::Gre => "gre",
            TunnelType::Other(_) => "unknown",
        };
        let mut table = format!("type{separator}\"{kind}\"");
        if *port != 0 {
            push(&mut table, format_args!(", port{separator}{port}"));
        }
        match checksum {
            Checksum::Off => {}
            Checksum::On => push(&mut table, format_args!(", checksum{separator}true")),
            Checksum::Remote | Checksum::Other(_) => push(&mut table, format_args!(", checksum{separator}\"remote\"")),
        }
        keys.push(("tunnel", format!("{{ {table} }}")));
    }
    if *max_connections != 0 {
        keys.push(("max_connections", max_connections.to_string()));
    }
    if *min_connections != 0 {
        keys.push(("min_connections", min_connections.to_string()));
    }
    keys
}

fn toml(out: &mut String, document: &Document<'_>) {
    out.push_str("version = 1\n");
    if document.services.is_empty() {
        out.push_str("services = []\n");
    }
    for (table, keys) in document.tables() {
        push(out, format_args!("\n[{table}]\n"));
        for (key, value) in keys {
            push(out, format_args!("{key} = {value}\n"));
        }
    }
    for Entry { key, settings, destinations } in &document.services {
        push(
            out,
            format_args!("\n[[services]]\nname = {}\naddress = {}\n", quoted(&name(key)), quoted(&key.to_string())),
        );
        for (key, value) in service_keys(settings, " = ") {
            push(out, format_args!("{key} = {value}\n"));
        }
        for (key, settings) in destinations {
            out.push_str("\n[[services.destinations]]\n");
            for (key, value) in destination_keys(key, settings, " = ") {
                push(out, format_args!("{key} = {value}\n"));
            }
        }
    }
}

fn yaml(out: &mut String, document: &Document<'_>) {
    out.push_str("version: 1\n");
    for (table, keys) in document.tables() {
        push(out, format_args!("{table}:\n"));
        for (key, value) in keys {
            push(out, format_args!("  {key}: {value}\n"));
        }
    }
    out.push_str(if document.services.is_empty() { "services: []\n" } else { "services:\n" });
    for Entry { key, settings, destinations } in &document.services {
        push(out, format_args!("  - name: {}\n    address: {}\n", quoted(&name(key)), quoted(&key.to_string())));
        for (key, value) in service_keys(settings, ": ") {
            push(out, format_args!("    {key}: {value}\n"));
        }
        if !destinations.is_empty() {
            out.push_str("    destinations:\n");
        }
        for (key, settings) in destinations {
            for (index, (key, value)) in destination_keys(key, settings, ": ").into_iter().enumerate() {
                push(out, format_args!("      {} {key}: {value}\n", if index == 0 { "-" } else { " " }));
            }
        }
    }
}
