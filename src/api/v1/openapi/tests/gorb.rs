//! GORB's interface in the document. Its bodies are read as Go's decoder does, by no type that could say so itself: what is written here
//! is held to it by the requests of this folder, and by whoever asks at random.

use serde_json::{Value, json};

use super::document::{Answer, PROBLEM, REFERENCE, Writer, words};
use crate::api::gorb::{BackendView, ServiceView};

const SERVICE: &str = "/service/{vs}";
const BACKEND: &str = "/service/{vs}/{rs}";

pub(super) fn write(to: &mut Writer) {
    let ids = json!({ "type": "array", "items": { "type": "string" } });
    let list = vec![Answer::json(200, ids, "Their IDs")];
    to.put(("get", "/service"), "All services, as in GORB", list, &[]);
    let of_service = to.schema::<ServiceView>();
    let of_backend = to.schema::<BackendView>();
    for (path, what, view) in [(SERVICE, "service", of_service), (BACKEND, "backend", of_backend)] {
        let mut put = |method, summary: &str, done: Answer, wrong: &[u16]| {
            let wrong: Vec<_> = wrong.iter().map(|status| failed(to, *status)).collect();
            let answers = std::iter::once(done).chain(wrong).collect();
            to.put((method, path), &format!("{summary} a {what}, as in GORB"), answers, &[]);
        };
        put("get", "Show", Answer::json(200, view, "How it is"), &[404]);
        put("put", "Make", Answer(200, None, "It is there"), &[400, 404, 409, 413, 500, 503, 504]);
        put("patch", "Change", Answer(200, None, "It is so"), &[400, 404, 409, 413, 500, 503, 504]);
        put("delete", "Delete", Answer(200, None, "It is gone"), &[404, 409, 500, 503, 504]);
    }
    to.takes(("put", SERVICE), service(true));
    to.takes(("patch", SERVICE), service(false));
    to.takes(("put", BACKEND), backend());
    to.takes(
        ("patch", BACKEND),
        json!({ "type": "object", "required": ["weight"], "properties": { "weight": weight(0) } }),
    );
}

/// In GORB's shape, or in ours if it is refused before that.
fn failed(to: &mut Writer, status: u16) -> Answer {
    let error = json!({ "type": "object", "required": ["error"], "properties": { "error": { "type": "string" } } });
    let shared = to.share(&format!("gorb-{status}"), |problem| {
        let content = json!({ "application/json": { "schema": error }, PROBLEM: { "schema": problem } });
        json!({ "description": words(status), "content": content })
    });
    Answer(status, Some((REFERENCE, shared)), "")
}

fn weight(least: i32) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": 65_535 })
}

fn port() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 65_535 })
}

/// To be made, or to be changed: then what it is at may be said again, which nobody needs to know.
fn service(new: bool) -> Value {
    let flag = "(sh-fallback|sh-port|mh-fallback|mh-port|flag-[123])";
    let flags = format!("^(|{flag}(\\|{flag}){{0,5}})$");
    let mut schema = json!({
        "type": "object",
        "properties": {
            "method": { "type": ["string", "null"], "pattern": "^[!-~]{0,15}$", "description": "A scheduler that the kernel has; `wrr` if none is given" },
            "flags": { "type": ["string", "null"], "pattern": flags },
            "persistent": { "type": ["boolean", "null"] },
        },
    });
    if new {
        schema["required"] = json!(["port"]);
        schema["properties"]["host"] = json!({ "type": ["string", "null"], "description": "An address or a name" });
        schema["properties"]["port"] = port();
        schema["properties"]["protocol"] = json!({ "enum": ["tcp", "udp", "", null] });
    } else {
        let set = |key: &str, value: Value| json!({ "required": [key], "properties": { key: value } });
        schema["anyOf"] = json!([
            set("method", json!({ "type": "string", "pattern": "^[!-~]{1,15}$" })),
            set("flags", json!({ "type": "string" })),
            set("persistent", json!({ "type": "boolean" })),
        ]);
    }
    schema
}

fn backend() -> Value {
    let text = json!({ "type": ["string", "number", "null"] });
    json!({
        "type": "object",
        "required": ["host", "port"],
        "properties": {
            "host": { "type": "string", "minLength": 1, "description": "An address or a name" },
            "port": port(),
            "weight": { "description": "100 if none above 0 is given", "anyOf": [weight(i32::MIN), { "type": "null" }] },
            "method": { "enum": ["nat", "dr", "tunnel", "ipip", "", null] },
            "vsid": { "type": ["string", "null"], "maxLength": 128 },
            "pulse": {
                "type": ["object", "null"],
                "properties": {
                    "type": { "enum": ["tcp", "http", "none", "", null] },
                    "interval": { "type": ["string", "null"], "description": "A number and s, m or h" },
                    "args": {
                        "type": ["object", "null"],
                        "properties": { "host": text, "port": text, "path": text, "method": text, "expect": text },
                    },
                },
            },
        },
    })
}
