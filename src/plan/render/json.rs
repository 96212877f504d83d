//! The plan as data.

use serde_json::{Map, Value, json};

use crate::model::{
    Checksum, DestinationKey, DestinationSettings, Forward, Netmask, Persistence, ServiceFlags, ServiceKey,
    ServiceSettings, Tunnel,
};
use crate::plan::{Cause, Counts, Entries, Held, Leave, Note, Operation, Plan, Step};

use super::attributes::{Attribute, destination_changes, service_changes};
use super::{Origins, host_json, note_line, words};

/// The version of the format, for programs: as long as it is the same, keys are only added.
const VERSION: u32 = 1;

/// The plan as JSON, as `packaging/doc/plan.md` promises it:
///
/// ```json
/// {
///   "version": 1,
///   "operations": [{
///     "op": "edit",                       // add, edit, delete; in the order of execution
///     "kind": "destination",              // service, destination
///     "service": "tcp://192.0.2.10:80",
///     "name": "web",                      // in the configuration; null if it is not there
///     "destination": "10.0.0.11:80",      // null for a service
///     "destinations": 2,                  // only when a service is deleted: they go with it
///     "drain": { "connections": 3, "seconds": 300 }, // only when a delete waits for connections: how many, how long
///     "cause": "change",                  // change, drift
///     "from": { "forward": "nat", "weight": 100, "max_connections": 0, "min_connections": 0 }, // null for an add
///     "to": { "forward": "nat", "weight": 50, "max_connections": 0, "min_connections": 0 },    // null for a delete
///     "changed": ["weight"]               // paths into from and to; empty but for an edit
///   }],
///   "notes": [{ "kind": "foreign_service", "service": "tcp://192.0.2.9:80", "name": null, "text": "…" }],
///   "summary": {
///     "add": { "services": 0, "destinations": 0 },
///     "edit": { "services": 0, "destinations": 1 },
///     "delete": { "services": 0, "destinations": 0 },
///     "unchanged": 7, "owned": 8, "drift": 0
///   },
///   "host": { "operations": [], "notes": [], "unchanged": 0 } // see [`host_json`]
/// }
/// ```
///
/// `from` and `to` are in the configuration's words: a service has `scheduler`, `scheduler_flags`,
/// `one_packet` and `persistence` (`null`, or `timeout`, `netmask` and `engine`), a destination `forward`,
/// `tunnel` (`type`, `port`, and `checksum`: `false`, `true` or `"remote"`; only with `"forward": "tunnel"`),
/// `weight`, `max_connections` and `min_connections`. The summary counts entries, so the destinations of a deleted service as well; `drift`
/// counts operations.
///
/// Notes are of the kind `foreign_service` (with `destinations`, their number), `foreign_destination` (with
/// `destination`), `kept_service` (with `foreign`, the destinations that are not ours), `draining` (with `destination`, `null` for the whole
/// service, `connections`, `seconds`), `waiting` (with `op`,
/// `destination`, `seconds`, `reason`) and `held_back` (with `op`, `destination`, `reason`). All of them are
/// there; only the text condenses them.
pub fn json(plan: &Plan, origins: &Origins) -> Value {
    let Plan { steps, notes, unchanged, owned, host } = plan;
    let Counts { add, edit, delete } = plan.counts();
    let entries = |Entries { services, destinations }| json!({ "services": services, "destinations": destinations });
    json!({
        "version": VERSION,
        "operations": steps.iter().map(|step| step_value(step, origins)).collect::<Vec<_>>(),
        "notes": notes.iter().map(|note| note_value(note, origins)).collect::<Vec<_>>(),
        "summary": {
            "add": entries(add),
            "edit": entries(edit),
            "delete": entries(delete),
            "unchanged": unchanged,
            "owned": owned,
            "drift": steps.iter().filter(|step| step.cause == Cause::Drift).count(),
        },
        "host": host_json(host),
    })
}

fn name(service: &ServiceKey, origins: &Origins) -> Option<String> {
    origins.get(service).map(|origin| origin.name.clone())
}

fn step_value(step: &Step, origins: &Origins) -> Value {
    let Step { operation, cause, leave } = step;
    let names = |changes: Vec<Attribute>| changes.into_iter().map(|change| change.name).collect::<Vec<_>>();
    let (from, to, changed) = match operation {
        Operation::AddService { service: _, settings } => (Value::Null, service(settings), Vec::new()),
        Operation::EditService { service: _, from, to } => {
            (service(from), service(to), names(service_changes(from, to)))
        }
        Operation::DeleteService { service: _, from, destinations: _ } => (service(from), Value::Null, Vec::new()),
        Operation::AddDestination { service: _, destination: _, settings } => {
            (Value::Null, destination(settings), Vec::new())
        }
        Operation::EditDestination { service: _, destination: _, from, to } => {
            (destination(from), destination(to), names(destination_changes(from, to)))
        }
        Operation::DeleteDestination { service: _, destination: _, from } => {
            (destination(from), Value::Null, Vec::new())
        }
    };
    let mut value = json!({
        "op": operation.verb(),
        "kind": if operation.destination().is_some() { "destination" } else { "service" },
        "service": operation.service(),
        "name": name(operation.service(), origins),
        "destination": operation.destination(),
        "cause": match cause {
            Cause::Change => "change",
            Cause::Drift => "drift",
        },
        "from": from,
        "to": to,
        "changed": changed,
    });
    if let Operation::DeleteService { destinations, .. } = operation {
        value["destinations"] = json!(destinations);
    }
    if let Leave { wait: Some(seconds), connections, .. } = leave {
        value["drain"] = json!({ "connections": connections, "seconds": seconds });
    }
    value
}

/// A service's settings as the configuration would have them.
pub fn service(settings: &ServiceSettings) -> Value {
    let ServiceSettings { scheduler, flags, persistence } = settings;
    json!({
        "scheduler": scheduler.as_str(),
        "scheduler_flags": words::scheduler_flags(scheduler, *flags),
        "one_packet": flags.contains(ServiceFlags::ONE_PACKET),
        "persistence": persistence.as_ref().map(|Persistence { timeout, netmask, engine }| json!({
            "timeout": words::duration(u64::from(*timeout)),
            "netmask": match netmask {
                Netmask::Prefix(length) => json!(length),
                Netmask::Odd(mask) => json!(mask),
            },
            "engine": engine,
        })),
    })
}

/// A destination's settings as the configuration would have them.
pub fn destination(settings: &DestinationSettings) -> Value {
    let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
    let mut value = Map::new();
    match forward {
        Forward::Tunnel(Tunnel { kind, port, checksum }) => {
            value.insert("forward".into(), json!(forward.name()));
            let tunnel = json!({
                "type": words::tunnel_type(*kind),
                "port": port,
                "checksum": match checksum {
                    Checksum::Off => json!(false),
                    Checksum::On => json!(true),
                    Checksum::Remote | Checksum::Other(_) => json!(words::checksum(*checksum)),
                },
            });
            value.insert("tunnel".into(), tunnel);
        }
        other => {
            value.insert("forward".into(), json!(words::forward(other)));
        }
    }
    value.insert("weight".into(), json!(weight));
    value.insert("max_connections".into(), json!(max_connections));
    value.insert("min_connections".into(), json!(min_connections));
    Value::Object(value)
}

fn note_value(note: &Note, origins: &Origins) -> Value {
    let object = |kind: &str, op: &str, destination: &Option<DestinationKey>, reason: &str| json!({ "kind": kind, "op": op, "destination": destination, "reason": reason });
    let mut value = match note {
        Note::ForeignService { service: _, destinations } => {
            json!({ "kind": "foreign_service", "destinations": destinations })
        }
        Note::ForeignDestination { service: _, destination } => {
            json!({ "kind": "foreign_destination", "destination": destination })
        }
        Note::Draining { service: _, destination, connections, seconds } => json!({
            "kind": "draining", "destination": destination, "connections": connections, "seconds": seconds,
        }),
        Note::KeptService { service: _, foreign } => json!({ "kind": "kept_service", "foreign": foreign }),
        Note::Waiting { verb, service: _, destination, held: Held { seconds, reason } } => {
            let mut value = object("waiting", verb.as_str(), destination, reason);
            value["seconds"] = json!(seconds);
            value
        }
        Note::HeldBack { verb, service: _, destination, reason } => {
            object("held_back", verb.as_str(), destination, reason.as_str())
        }
    };
    value["service"] = json!(note.service());
    value["name"] = json!(name(note.service(), origins));
    value["text"] = json!(note_line(note));
    value
}
