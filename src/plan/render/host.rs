//! What is done to the host around the table, in words and as data.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::style::{ARROW, DRIFT, HEADING, Style};
use super::words;
use crate::model::{HostKey, HostValue, SyncSettings};
use crate::plan::{Cause, Held, HostNote, HostOperation, HostPlan, HostStep, Verb};

/// A value in the words of the configuration; nothing for what is simply there.
pub fn host_value(value: &HostValue) -> String {
    match value {
        HostValue::There => String::new(),
        HostValue::Link { dummy: _, up, foreign: _ } => if *up { "up" } else { "down" }.to_owned(),
        HostValue::Text(text) if text.is_empty() => "\"\"".to_owned(),
        HostValue::Text(text) => text.clone(),
        HostValue::Seconds(seconds) => words::duration(u64::from(*seconds)),
        HostValue::Sync(settings) => sync_settings(settings),
    }
}

/// `interface eth1 id 7 group 224.0.0.81 port 8848 ttl 1 sync_maxlen 1472`.
pub fn sync_settings(settings: &SyncSettings) -> String {
    let SyncSettings { interface, id, group, port, ttl, sync_maxlen } = settings;
    let mut text = format!("interface {interface} id {id} group {group} port {port} ttl {ttl}");
    if let Some(length) = sync_maxlen {
        let _ = write!(text, " sync_maxlen {length}");
    }
    text
}

/// `id 3 → 7, port 8848 → 8849`; or why it is started anew.
fn sync_changes(from: &SyncSettings, to: &SyncSettings) -> String {
    let SyncSettings { interface, id, group, port, ttl, sync_maxlen } = to;
    let length = |length: Option<u16>| length.map_or_else(|| "default".to_owned(), |length| length.to_string());
    let mut changes = vec![
        ("interface", from.interface.clone(), interface.clone()),
        ("id", from.id.to_string(), id.to_string()),
        ("group", from.group.to_string(), group.to_string()),
        ("port", from.port.to_string(), port.to_string()),
        ("ttl", from.ttl.to_string(), ttl.to_string()),
    ];
    if !to.maxlen_is_met_by(from) {
        changes.push(("sync_maxlen", length(from.sync_maxlen), length(*sync_maxlen)));
    }
    changes.retain(|(_, from, to)| from != to);
    if changes.is_empty() {
        return "anew, for the interface or its address is another one than when it was started".to_owned();
    }
    let changes = changes.into_iter().map(|(name, from, to)| format!("{name} {from} {ARROW} {to}"));
    changes.collect::<Vec<_>>().join(", ")
}

/// What an operation does to its object: `0 → 1`, `up`, or nothing to say.
fn effect(operation: &HostOperation) -> String {
    let HostOperation { key: _, from, to } = operation;
    match (from, to) {
        (Some(HostValue::Sync(from)), Some(HostValue::Sync(to))) => sync_changes(from, to),
        (Some(from), Some(to)) => format!("{} {ARROW} {}", host_value(from), host_value(to)),
        (None, Some(to)) => host_value(to),
        (_, None) => String::new(),
    }
}

/// `edit sysctl net.ipv4.ip_forward: 0 → 1`, `add address 192.0.2.10 on ipvs0`.
pub fn host_operation_line(operation: &HostOperation) -> String {
    let effect = effect(operation);
    let colon = if effect.is_empty() { "" } else { ": " };
    format!("{} {}{colon}{effect}", operation.kind(), operation.key)
}

/// One note in one line.
pub fn host_note_line(note: &HostNote) -> String {
    match note {
        HostNote::Kept { key, value, before } => format!(
            "{key} is not written any more, and stays {}: it was {} before; `ipvsd apply --restore-host` puts it back",
            host_value(value),
            host_value(before)
        ),
        HostNote::InUse { key, addresses } => {
            format!("{key} is kept: it has {} of somebody else", words::count(*addresses, "address"))
        }
        HostNote::Draining { key } => format!("{key} stays for now: a service that is on its way out has it"),
        HostNote::Unmoved { key } => {
            format!("{key} stays for now: it is not where it is to be instead, and a service that goes on has it")
        }
        HostNote::Foreign { key } => format!("{key} is foreign: left alone"),
        HostNote::Unknown { reason } => format!("the host is left alone, for it cannot be looked at: {reason}"),
        HostNote::Waiting { verb, key, held: Held { seconds, reason } } => {
            format!("{verb} of {key} waits {} more after a failure: {reason}", words::duration(*seconds))
        }
    }
}

/// The lines of a plan's host, by what they are for: before the table's, and after.
pub(super) fn section(out: &mut String, plan: &HostPlan, before: bool, style: Style) {
    let mut steps = plan.steps.iter().filter(|step| (step.operation.kind() != Verb::Delete) == before).peekable();
    if steps.peek().is_none() {
        return;
    }
    let heading = if before { "The host, before the table:" } else { "The host, after the table:" };
    let _ = writeln!(out, "{}\n", style.paint(HEADING, heading));
    for HostStep { operation, cause } in steps {
        let _ = write!(out, "  {} {}", style.symbol(operation.kind()), operation.key);
        let effect = effect(operation);
        if !effect.is_empty() {
            let _ = write!(out, "  {effect}");
        }
        if *cause == Cause::Drift {
            let _ = write!(out, "  {}", style.paint(DRIFT, "(drift)"));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// The host's part of a plan as JSON, `host` in the plan's own. Keys are only ever added to this shape:
///
/// ```json
/// {
///   "operations": [{
///     "op": "edit", "kind": "sysctl",     // module, interface, sysctl, timeout, address, sync
///     "object": "sysctl net.ipv4.ip_forward",
///     "cause": "change",                  // change, drift
///     "from": "0", "to": "1"              // null where there is nothing
///   }],
///   "notes": [{ "kind": "kept", "object": "sysctl net.ipv4.ip_forward", "text": "…" }],
///   "unchanged": 3
/// }
/// ```
///
/// Values are texts (sysctls), seconds (timeouts), `true` (modules and addresses), `{ "up": true, … }` (interfaces) or
/// the keys of the configuration (`sync`). Notes are of the kind `kept` (with `value` and `before`), `in_use` (with
/// `addresses`, their number), `draining`, `unmoved`, `foreign`, `unknown` (with `reason`) and `waiting` (with `op`, `seconds`, `reason`).
pub fn host_json(plan: &HostPlan) -> Value {
    json!({
        "operations": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "notes": plan.notes.iter().map(note).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
    })
}

fn step(step: &HostStep) -> Value {
    let HostStep { operation: operation @ HostOperation { key, from, to }, cause } = step;
    json!({
        "op": operation.kind().as_str(),
        "kind": key.kind(),
        "object": key,
        "cause": match cause {
            Cause::Change => "change",
            Cause::Drift => "drift",
        },
        "from": from.as_ref().map(value),
        "to": to.as_ref().map(value),
    })
}

fn value(value: &HostValue) -> Value {
    match value {
        HostValue::There => json!(true),
        HostValue::Link { dummy, up, foreign } => json!({ "dummy": dummy, "up": up, "foreign_addresses": foreign }),
        HostValue::Text(text) => json!(text),
        HostValue::Seconds(seconds) => json!(seconds),
        HostValue::Sync(settings) => json!(settings),
    }
}

fn note(note: &HostNote) -> Value {
    let about = |kind: &str, key: &HostKey| json!({ "kind": kind, "object": key });
    let mut value = match note {
        HostNote::Kept { key, value: now, before } => {
            let mut about = about("kept", key);
            (about["value"], about["before"]) = (value(now), value(before));
            about
        }
        HostNote::InUse { key, addresses } => {
            let mut about = about("in_use", key);
            about["addresses"] = json!(addresses);
            about
        }
        HostNote::Draining { key } => about("draining", key),
        HostNote::Unmoved { key } => about("unmoved", key),
        HostNote::Foreign { key } => about("foreign", key),
        HostNote::Unknown { reason } => json!({ "kind": "unknown", "object": null, "reason": reason }),
        HostNote::Waiting { verb, key, held: Held { seconds, reason } } => {
            let mut about = about("waiting", key);
            (about["op"], about["seconds"], about["reason"]) = (json!(verb.as_str()), json!(seconds), json!(reason));
            about
        }
    };
    value["text"] = json!(host_note_line(note));
    value
}
