//! The JSON Schema of a configuration file, for editors and for those who generate files.
//!
//! It is made of the same declarations that read the files (`raw.rs`), so that a key cannot be missing in it. It says
//! what one key can say; what takes two keys or two files to be wrong, only `ipvsd check` says.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::decode::{At, Field};
use super::raw::File;
use super::{names, rules};
use crate::model::Scheduler;

/// The JSON Schema (draft 2020-12) of a configuration file. `config/ipvsd.schema.json` is this, and a test keeps it so.
pub fn schema() -> Value {
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

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

pub(super) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 })
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

pub(super) fn max_delete(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "pattern": "^(100|[0-9]{1,2})%$" },
            { "type": "integer", "minimum": 0, "maximum": u32::MAX }
        ],
        "default": "50%"
    })
}
