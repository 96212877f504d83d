//! Parameters in the schema: wherever a value has a rule, `${NAME}` may stand in its place, and what that is only the environment
//! knows.

use serde_json::{Map, Value, json};

/// Keys whose values have none: the arguments of programs are left as they are, and a version says how to read all else.
const WITHOUT: [&str; 3] = ["argv", "on_change", "version"];
/// What a rule is made of.
const RULES: [&str; 10] =
    ["type", "enum", "const", "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "multipleOf"];
const SCALARS: [&str; 4] = ["string", "integer", "number", "boolean"];

/// Lets a parameter stand for every value of a schema that is no table and no list.
pub(super) fn allow(schema: &mut Value) {
    properties(schema);
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else { return };
    definitions.values_mut().for_each(properties);
    definitions.insert(
        "Parameter".to_owned(),
        json!({
            "description": "A variable of the environment, `${NAME}` or `${NAME:-DEFAULT}`, or what is in a file, `${file:PATH}`; also as a part of a text.",
            "type": "string",
            "pattern": "\\$\\{"
        }),
    );
}

fn reference() -> Value {
    json!({ "$ref": "#/$defs/Parameter" })
}

/// The values of a table.
fn properties(table: &mut Value) {
    if let Some(keys) = table.get_mut("properties").and_then(Value::as_object_mut) {
        keys.iter_mut().filter(|(key, _)| !WITHOUT.contains(&key.as_str())).for_each(|(_, value)| one(value));
    }
    for more in ["additionalProperties", "allOf"] {
        match table.get_mut(more) {
            Some(Value::Array(parts)) => parts.iter_mut().for_each(properties),
            Some(value) => one(value),
            None => {}
        }
    }
}

/// One value, whatever it is.
fn one(value: &mut Value) {
    properties(value);
    if let Some(items) = value.get_mut("items") {
        one(items);
    }
    if let Some(Value::Array(items)) = value.get_mut("prefixItems") {
        items.iter_mut().for_each(one);
    }
    if let Some(Value::Array(choices)) = value.get_mut("anyOf") {
        let is_ruled = choices.iter().any(is_ruled) && !choices.iter().any(is_any_text);
        choices.iter_mut().filter(|choice| !is_scalar(choice)).for_each(one);
        if is_ruled {
            choices.push(reference());
        }
    } else if is_ruled(value)
        && let Some(keys) = value.as_object_mut()
    {
        let rule: Map<String, Value> = RULES.iter().filter_map(|key| keys.remove_entry(*key)).collect();
        keys.insert("anyOf".to_owned(), json!([rule, reference()]));
    }
}

fn is_scalar(value: &Value) -> bool {
    let of_type = value.get("type").and_then(Value::as_str).is_some_and(|kind| SCALARS.contains(&kind));
    of_type || value.get("enum").is_some()
}

/// A text about which there is nothing to say.
fn is_any_text(value: &Value) -> bool {
    let is_text = value.get("type").and_then(Value::as_str) == Some("string");
    is_text && ["pattern", "enum", "format", "maxLength"].iter().all(|rule| value.get(rule).is_none())
}

fn is_ruled(value: &Value) -> bool {
    is_scalar(value) && !is_any_text(value)
}
