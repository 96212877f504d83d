//! As much of JSON Schema as the document uses. What it does not know it refuses.

use serde_json::Value;

/// Where `value` is not what `schema` says.
pub(super) fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(schema) = schema.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, rule) in schema {
        let rules = rule.as_array();
        match key.as_str() {
            "$ref" => {
                let target = document.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap());
                found.extend(faults(document, target.expect("what is referred to is there"), value, at));
            }
            "type" => {
                let kinds = rules.cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !kinds.iter().any(|kind| is(value, kind.as_str().unwrap())) {
                    found.push(format!("{at}: {value} is not {rule}"));
                }
            }
            "anyOf" | "oneOf" => {
                let each: Vec<_> = rules.unwrap().iter().map(|one| faults(document, one, value, at)).collect();
                let fits = each.iter().filter(|faults| faults.is_empty()).count();
                if fits == 0 || (key == "oneOf" && fits > 1) {
                    found.extend(each.into_iter().flatten());
                    found.push(format!("{at}: {fits} of {key} fit"));
                }
            }
            "enum" if !rules.unwrap().contains(value) => found.push(format!("{at}: {value} is none of {rule}")),
            "const" if rule != value => found.push(format!("{at}: {value} is not {rule}")),
            "minimum" if value.is_number() && value.as_f64() < rule.as_f64() => {
                found.push(format!("{at}: {value} is too small"))
            }
            "maximum" if value.is_number() && value.as_f64() > rule.as_f64() => {
                found.push(format!("{at}: {value} is too large"))
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(document, rule, item, &format!("{at}[{index}]")));
                }
            }
            "required" => {
                let missing = rules.unwrap().iter().filter(|key| value.get(key.as_str().unwrap()).is_none());
                found.extend(missing.map(|key| format!("{at}: {key} is missing")));
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    match rule.get(key) {
                        Some(schema) => found.extend(faults(document, schema, value, &format!("{at}.{key}"))),
                        None => found.push(format!("{at}: {key} is not in the document")),
                    }
                }
            }
            "enum"
            | "const"
            | "minimum"
            | "maximum"
            | "description"
            | "title"
            | "default"
            | "format"
            | "pattern"
            | "minLength"
            | "maxLength"
            | "additionalProperties" => {}
            other => found.push(format!("{at}: this test does not know {other}")),
        }
    }
    found
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a type that there is not: {other}"),
    }
}
