//! The JSON Schema of a configuration file, for editors and for those who generate files.
//!
//! It is made of the same declarations that read the files (`raw.rs`), so that a key cannot be missing in it. It says
//! what one key can say; what takes two keys or two files to be wrong, only `ipvsd check` says.

mod parameters;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::decode::{At, Field, Named};
use super::raw::{AutoTable, Destination, File, Http, MatchTable, PayloadTable};
use super::{checks, names, rules};
use crate::model::Scheduler;

/// The JSON Schema (draft 2020-12) of a configuration file. `config/ipvsd.schema.json` is this, and a test keeps it so.
pub fn schema() -> Value {
    let mut schema = keys();
    parameters::allow(&mut schema);
    schema
}

/// The same without parameters: what the keys themselves take.
pub fn keys() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), "ipvsd configuration".into());
    schema.to_value()
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

pub(super) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 })
}

pub(super) fn interface(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 15, "pattern": "^[^/:%\\s]+$", "examples": ["ipvs0"] })
}

pub(super) fn sysctls(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^net([./]|$)" },
        "additionalProperties": { "type": ["integer", "boolean", "string", "object"] },
        "examples": [{ "net.ipv4.ip_forward": 1, "net.ipv4.vs.conntrack": 1 }]
    })
}

pub(super) fn sync_id(_: &mut SchemaGenerator) -> Schema {
    number(0, 255, 0)
}

pub(super) fn ttl(_: &mut SchemaGenerator) -> Schema {
    number(1, 255, 1)
}

pub(super) fn sync_maxlen(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 65507 })
}

pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^\\s*[0-9]+\\s*[a-zA-Zµ]+(\\s*[0-9]+\\s*[a-zA-Zµ]+)*\\s*$",
        "examples": ["30s", "1m30s", "1h"]
    })
}

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": names::NAME_MAX })
}

pub(super) fn addresses(_: &mut SchemaGenerator) -> Schema {
    let one = json_schema!({
        "type": "string",
        "pattern": "^((tcp|udp|sctp)://.+:[0-9]{1,5}|fwmark6?:[0-9]{1,10})$",
        "examples": ["tcp://192.0.2.10:80", "udp://[2001:db8::1]:53", "fwmark:7", "fwmark6:7"]
    });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] })
}

pub(super) fn scheduler(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "enum": Scheduler::KNOWN },
            { "type": "string", "minLength": 1, "maxLength": Scheduler::MAX_LEN,
              "description": "Any other scheduler that the kernel has." }
        ],
        "default": "wlc"
    })
}

pub(super) fn scheduler_flags(_: &mut SchemaGenerator) -> Schema {
    let names = ["sh-fallback", "sh-port", "mh-fallback", "mh-port", "flag-1", "flag-2", "flag-3"];
    json_schema!({ "type": "array", "items": { "enum": names }, "uniqueItems": true, "default": [] })
}

pub(super) fn forward(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["nat", "dr", "tunnel"], "default": "nat" })
}

pub(super) fn weight(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": rules::WEIGHT_MAX, "default": 100 })
}

pub(super) fn threshold(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": rules::THRESHOLD_MAX, "default": 0 })
}

pub(super) fn netmask(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": 128 },
        { "type": "string", "format": "ipv4" }
    ] })
}

pub(super) fn checksum(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [true, false, "remote"], "default": false })
}

pub(super) fn manage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "enum": ["owned", "all"] },
            { "type": "array", "items": { "type": "string" }, "minItems": 1,
              "examples": [["192.0.2.0/24", "2001:db8::/64", "fwmark:7", "fwmark6:7"]] }
        ],
        "default": "owned"
    })
}

pub(super) fn max_delete(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = share(generator);
    schema.insert("default".to_owned(), "50%".into());
    schema
}

pub(super) fn share(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "string", "pattern": "^(100|[0-9]{1,2})%$" },
        { "type": "integer", "minimum": 0, "maximum": u32::MAX }
    ] })
}

pub(super) fn percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^(100|[0-9]{1,2})%$" })
}

fn number(least: u32, most: u32, default: u32) -> Schema {
    json_schema!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
}

pub(super) fn rise(_: &mut SchemaGenerator) -> Schema {
    number(1, 100, 2)
}

pub(super) fn fall(_: &mut SchemaGenerator) -> Schema {
    number(1, 100, 3)
}

pub(super) fn changes(_: &mut SchemaGenerator) -> Schema {
    number(1, 1000, 5)
}

pub(super) fn checks_at_once(_: &mut SchemaGenerator) -> Schema {
    number(1, 65_536, 1000)
}

pub(super) fn check_marks(_: &mut SchemaGenerator) -> Schema {
    number(1, u32::MAX - 65_535, 0x6970_0000)
}

pub(super) fn listen(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^(unix:/.+|[^/]+:[0-9]{1,5})$",
        "default": "127.0.0.1:4672",
        "examples": ["127.0.0.1:4672", "[::1]:4672", "unix:/run/ipvsd/api.sock"]
    })
}

pub(super) fn docker_socket(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^(unix:)?/.+|^tcp://.+",
        "default": "/var/run/docker.sock",
        "examples": ["/var/run/docker.sock", "/run/podman/podman.sock", "tcp://engine.example:2376"]
    })
}

pub(super) fn docker_auto(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "boolean" }, generator.subschema_for::<AutoTable>()], "default": false })
}

pub(super) fn ip_addresses(_: &mut SchemaGenerator) -> Schema {
    let one = json_schema!({ "type": "string", "examples": ["192.0.2.10", "2001:db8::10"] });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] })
}

pub(super) fn writes_per_second(_: &mut SchemaGenerator) -> Schema {
    number(1, 1_000_000, 100)
}

pub(super) fn metrics_objects(_: &mut SchemaGenerator) -> Schema {
    number(0, 1_000_000, 10_000)
}

pub(super) fn at_once(_: &mut SchemaGenerator) -> Schema {
    number(1, 64, 4)
}

pub(super) fn check_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "examples": ["tcp", "none"] })
}

pub(super) fn check_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true })
}

pub(super) fn argv(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "prefixItems": [{ "type": "string", "pattern": "^/" }],
        "items": { "type": "string" }
    })
}

pub(super) fn fallback(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "string", "examples": ["10.0.0.99:80"] },
        without(generator.subschema_for::<Destination>(), &["check", "checks", "check_pass"])
    ] })
}

/// A request without TLS has none of its keys.
pub(super) fn http(generator: &mut SchemaGenerator) -> Schema {
    without(generator.subschema_for::<Http>(), &["insecure", "ca", "server_name"])
}

fn without(table: Schema, keys: &[&str]) -> Schema {
    let keys: Vec<Value> = keys.iter().map(|key| serde_json::json!({ "required": [key] })).collect();
    json_schema!({ "allOf": [table], "not": { "anyOf": keys } })
}

pub(super) fn payload(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string" }, generator.subschema_for::<PayloadTable>()] })
}

pub(super) fn matching(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string", "minLength": 1 }, generator.subschema_for::<MatchTable>()] })
}

pub(super) fn status(_: &mut SchemaGenerator) -> Schema {
    let range = "[1-5][0-9][0-9](-[1-5][0-9][0-9])?";
    let one = json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 100, "maximum": 599 },
        { "type": "string", "pattern": format!("^ *{range} *(, *{range} *)*$") }
    ] });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }], "default": "200-299" })
}

pub(super) fn record(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = checks::RECORDS.iter().map(|(name, _)| *name).collect();
    json_schema!({ "enum": names, "default": "SOA" })
}

pub(super) fn rcode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "enum": checks::RCODES }, { "type": "integer", "minimum": 0, "maximum": 15 }],
        "default": "NOERROR"
    })
}
