//! JSON as Go's decoder reads it into a struct: unknown keys are ignored, keys are what they are in any case, null leaves a field as
//! it is, and what follows the first value is not looked at. Its words for what does not fit are its own.

use serde_json::{Map, Number, Value};

use super::Failed;

/// The first value of a body, which has to be an object.
pub(super) struct Object {
    fields: Map<String, Value>,
    /// What Go calls the struct, in messages.
    of: &'static str,
    /// Of one within another: where it is there.
    within: &'static str,
}

impl Object {
    pub(super) fn decode(body: &[u8], of: &'static str) -> Result<Self, Failed> {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        match values.next() {
            None => Err(Failed::bad("EOF")),
            Some(Ok(Value::Object(fields))) => Ok(Self { fields, of, within: "" }),
            // As in Go, null is an object without fields.
            Some(Ok(Value::Null)) => Ok(Self { fields: Map::new(), of, within: "" }),
            Some(Ok(other)) => {
                Err(Failed::bad(format!("json: cannot unmarshal {} into Go value of type core.{of}", kind(&other))))
            }
            Some(Err(error)) => Err(Failed::bad(syntax(body, &error))),
        }
    }

    /// `pulse` within it, if it is there.
    pub(super) fn pulse(&self) -> Result<Option<Self>, Failed> {
        match self.get("pulse") {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { fields: fields.clone(), of: "Options", within: "pulse." })),
            Some(other) => Err(self.wrong("pulse", other, "pulse.Options")),
        }
    }

    /// The value of a key; null is none.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let same = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case(key);
        let value = self.fields.get(key).or_else(|| self.fields.iter().find(same).map(|(_, value)| value));
        value.filter(|value| !value.is_null())
    }

    /// Text; nothing is the empty one.
    pub(super) fn text(&self, key: &str) -> Result<String, Failed> {
        match self.get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong(key, other, "string")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Failed> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(key, other, "bool")),
        }
    }

    pub(super) fn port(&self, key: &str) -> Result<u16, Failed> {
        match self.get(key) {
            None => Ok(0),
            Some(value) => {
                let port = whole(value).and_then(|port| u16::try_from(port).ok());
                port.ok_or_else(|| self.wrong(key, value, "uint16"))
            }
        }
    }

    pub(super) fn int32(&self, key: &str) -> Result<Option<i32>, Failed> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => {
                let number = whole(value).and_then(|number| i32::try_from(number).ok());
                number.map(Some).ok_or_else(|| self.wrong(key, value, "int32"))
            }
        }
    }

    pub(super) fn wrong(&self, key: &str, value: &Value, wanted: &str) -> Failed {
        let Self { of, within, .. } = self;
        let kind = match value {
            // The number is shown where it is what is wrong.
            Value::Number(number) if wanted.contains("int") => format!("number {}", short(number)),
            other => kind(other).to_owned(),
        };
        Failed::bad(format!("json: cannot unmarshal {kind} into Go struct field {of}.{within}{key} of type {wanted}"))
    }
}

/// A number without a fraction, however it is written: 80.0 is one in JSON, although Go's decoder does not think so.
fn whole(value: &Value) -> Option<i64> {
    let by_float = |number: f64| (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(by_float))
}

/// What Go calls it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn short(number: &Number) -> String {
    number.to_string().chars().take(40).collect()
}

/// What Go says of a text that is no JSON, where that is easily told; else what serde_json does.
fn syntax(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected EOF".to_owned();
    }
    let text = String::from_utf8_lossy(body.get(..64.min(body.len())).unwrap_or_default()).into_owned();
    let first = text.trim_start().chars().next();
    match first {
        Some(first) if !matches!(first, '{' | '[' | '"' | '-' | '0'..='9' | 't' | 'f' | 'n') => {
            format!("invalid character {first:?} looking for beginning of value")
        }
        _ => format!("invalid JSON: {error}"),
    }
}
