//! What the types of requests do not say.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// One unit, which is not all that is taken: whoever writes two of them knows how.
pub(in crate::api::v1) fn period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "pattern": "^([1-9][0-9]{0,5}s|[1-9][0-9]{0,3}m|[1-9][0-9]{0,2}h|[1-9][0-9]?d)$",
    })
}

/// A weight, or that it is taken back.
pub(in crate::api::v1) fn either_weight(schema: &mut Schema) {
    let set = json!({
        "required": ["weight"],
        "properties": { "weight": { "type": "integer" }, "reset": { "const": false } },
    });
    let reset = json!({
        "required": ["reset"],
        "properties": { "reset": { "const": true }, "weight": { "type": "null" }, "for": { "type": "null" } },
    });
    schema.insert("oneOf".to_owned(), json!([set, reset]));
}

/// What is taken back is so for good.
pub(in crate::api::v1) fn auto_for_good(schema: &mut Schema) {
    let given = json!({ "properties": { "health": { "enum": ["up", "down"] } } });
    let auto = json!({ "properties": { "health": { "const": "auto" }, "for": { "type": "null" } } });
    schema.insert("oneOf".to_owned(), json!([given, auto]));
}
