//! The document, from the types that the handlers use.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use super::gorb;
use crate::api::backstage::Ordered;
use crate::api::broadcast::PassEvent;
use crate::api::server::refusals;
use crate::api::v1::{events, orders, sample, services, status, upkeep};
use crate::api::{Problem, Role};

pub(super) struct Writer {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
    responses: Map<String, Value>,
}

/// One answer, beside the problems: status, content with its schema, words.
pub(super) struct Answer(pub u16, pub Option<(&'static str, Value)>, pub &'static str);

impl Answer {
    pub(super) fn json(status: u16, schema: Value, words: &'static str) -> Self {
        Self(status, Some(("application/json", schema)), words)
    }

    fn text(status: u16, kind: &'static str, words: &'static str) -> Self {
        Self(status, Some((kind, json!({ "type": "string" }))), words)
    }
}

pub(super) const PROBLEM: &str = "application/problem+json";
/// In place of a kind: the answer is a shared one.
pub(super) const REFERENCE: &str = "$ref";

pub(super) fn words(status: u16) -> &'static str {
    StatusCode::from_u16(status).unwrap().canonical_reason().unwrap()
}

/// What the server refuses before a handler is asked.
fn refused((method, path): (&str, &str)) -> Vec<u16> {
    let mut refused: Vec<StatusCode> = refusals::ALWAYS.into();
    if !matches!(path, "/livez" | "/readyz") {
        refused.push(refusals::WITHOUT_TOKEN);
    }
    if Role::needed_for(&method.to_uppercase().parse().unwrap()) == Role::Write {
        refused.extend(refusals::OF_WRITES);
    }
    refused.into_iter().map(|status| status.as_u16()).collect()
}

impl Writer {
    pub(super) fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    pub(super) fn put(&mut self, (method, path): (&str, &str), summary: &str, answers: Vec<Answer>, problems: &[u16]) {
        let mut responses: BTreeMap<u16, Value> = BTreeMap::new();
        for Answer(status, content, words) in answers {
            let response = responses.entry(status).or_insert_with(|| json!({ "description": words }));
            match content {
                Some((REFERENCE, shared)) => *response = shared,
                Some((kind, schema)) => response["content"][kind] = json!({ "schema": schema }),
                None => {}
            }
        }
        for status in problems.iter().copied().chain(refused((method, path))) {
            match responses.get_mut(&status) {
                // Something else that is no problem+json.
                Some(response) if response.get("$ref").is_none() => {
                    response["content"][PROBLEM] = json!({ "schema": self.schema::<Problem>() });
                }
                Some(_) => {}
                None => {
                    let shared = self.share(
                        &status.to_string(),
                        |schema| json!({ "description": words(status), "content": { PROBLEM: { "schema": schema } } }),
                    );
                    responses.insert(status, shared);
                }
            }
        }
        let responses: Map<String, Value> =
            responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
        let mut operation = json!({ "summary": summary, "responses": responses });
        let parameters: Vec<Value> = PARAMETERS
            .iter()
            .filter(|(name, _, _)| path.contains(&format!("{{{name}}}")))
            .map(|(name, schema, words)| {
                let schema: Value = serde_json::from_str(schema).unwrap();
                json!({ "name": name, "in": "path", "required": true, "schema": schema, "description": words })
            })
            .collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        self.paths.entry(path.to_owned()).or_insert_with(|| json!({}))[method] = operation;
    }

    /// An answer that many have.
    pub(super) fn share(&mut self, name: &str, make: impl FnOnce(Value) -> Value) -> Value {
        let problem = self.schema::<Problem>();
        self.responses.entry(name.to_owned()).or_insert_with(|| make(problem));
        json!({ "$ref": format!("#/components/responses/{name}") })
    }

    pub(super) fn takes(&mut self, (method, path): (&str, &str), schema: Value) {
        self.paths[path][method]["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
}

const ID: &str = r#"{ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-.0-~]+$" }"#;
const PARAMETERS: [(&str, &str, &str); 3] = [
    (
        "name",
        r#"{ "type": "string", "minLength": 1 }"#,
        "A name in the configuration, or an address such as `tcp://192.0.2.10:80`, percent-encoded.",
    ),
    ("vs", ID, "The ID of a service."),
    ("rs", ID, "The ID of a backend."),
];

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut to = Writer { generator: settings.into_generator(), paths: Map::new(), responses: Map::new() };
    reading(&mut to);
    writing(&mut to);
    gorb::write(&mut to);
    let schemas = to.generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ipvsd",
            "version": "1",
            "description": "Times are seconds since 1970. What goes wrong is application/problem+json; what GORB's interface (/service) \
                refuses itself is as GORB has it. Any request may be refused: 400, a token in the query, or a path that is no text; \
                401, a token is wanted, or this one is not known; 421, without tokens it answers to names of this host only; 503, \
                too much is asked at once; 504, it took too long. One that writes, too: 403, this token may read only, or a page of \
                another site asks; 408 and 413, a body that comes too slowly or is too large; 429, too many writes.",
        },
        "paths": to.paths,
        "components": {
            "schemas": schemas,
            "responses": to.responses,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "password": { "type": "http", "scheme": "basic", "description": "Any user, and the token as password" },
            },
        },
        "security": [{}, { "token": [] }, { "password": [] }],
    })
}

/// The document as it is kept: it is part of the program, so what is in it is to be worth its bytes.
pub(super) fn text() -> String {
    let mut text = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut document = document();
    spare(&mut document);
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut text, form)).unwrap();
    String::from_utf8(text).unwrap() + "\n"
}

/// Without what says how a number is kept here.
fn spare(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("format").is_some_and(Value::is_string) {
                object.remove("format");
            }
            object.values_mut().for_each(spare);
        }
        Value::Array(array) => array.iter_mut().for_each(spare),
        _ => {}
    }
}

fn reading(to: &mut Writer) {
    let text = |status, words| Answer::text(status, "text/plain", words);
    let schema = to.schema::<status::Overview>();
    to.put(("get", "/v1/status"), "How it all is", vec![Answer::json(200, schema, "How it all is")], &[500]);
    let schema = to.schema::<services::Services>();
    let of = |words| vec![Answer::json(200, schema.clone(), words)];
    to.put(("get", "/v1/services"), "All services, with health and counters", of("All services"), &[500]);
    let summary = "The services of one name or address";
    to.put(("get", "/v1/services/{name}"), summary, of("The services"), &[404, 500]);
    let words = "Events, named as their `event` is: `sample` is a SampleEvent, `pass` a PassEvent, the others are what hooks \
        get. `Last-Event-ID` goes on from there.";
    let stream = Answer::text(200, "text/event-stream", words);
    to.put(("get", "/v1/events"), "What happens, as it happens", vec![stream], &[]);
    to.schema::<sample::SampleEvent>();
    to.schema::<PassEvent>();
    let schema = to.schema::<events::History>();
    let last = vec![Answer::json(200, schema, "The last events, the oldest first")];
    to.put(("get", "/v1/history"), "What happened last", last, &[]);
    let schema = json!({ "type": "object", "required": ["operations"] });
    let plan = vec![Answer::json(200, schema, "What `ipvsd plan --output json` prints")];
    to.put(("get", "/v1/plan"), "What a pass over the files as they are now would do", plan, &[409, 500]);
    let schema = to.schema::<upkeep::Me>();
    to.put(("get", "/v1/me"), "What whoever asks may do", vec![Answer::json(200, schema, "The role")], &[]);
    let itself = vec![Answer::json(200, json!({ "type": "object" }), "This document")];
    to.put(("get", "/openapi.json"), "This document", itself, &[]);
    to.put(("get", "/livez"), "Whether it lives", vec![text(200, "It lives")], &[]);
    let ready = vec![text(200, "It is"), text(503, "It is not, and why")];
    to.put(("get", "/readyz"), "Whether the first pass has ended, and the files are in force", ready, &[]);
    let metrics = Answer::text(200, "application/openmetrics-text", "All metrics, in OpenMetrics");
    to.put(("get", "/metrics"), "What ipvsd does, and what the kernel counts", vec![metrics], &[500]);
    let page = Answer::text(200, "text/html", "The status page");
    to.put(("get", "/"), "A page for people", vec![page], &[]);
}

fn writing(to: &mut Writer) {
    let schema = to.schema::<upkeep::Reloaded>();
    let answers = vec![
        Answer::json(200, schema.clone(), "The files were read, and a pass was made"),
        Answer::json(202, schema, "It will be: it takes longer than somebody should wait"),
    ];
    to.put(("post", "/v1/reload"), "Read the files now, and try again what had failed", answers, &[]);
    let ordered = to.schema::<Ordered>();
    let orders = [
        ("/v1/drain", "Take new connections away from a destination", to.schema::<orders::Target>()),
        ("/v1/undrain", "Take a drain back", to.schema::<orders::Target>()),
        ("/v1/weight", "Give a destination another weight, or take that back", to.schema::<orders::SetWeight>()),
        ("/v1/health", "Say whether a destination is up, whatever its checks say", to.schema::<orders::SetHealth>()),
    ];
    for (path, summary, body) in orders {
        let answers = vec![Answer::json(200, ordered.clone(), "What is ordered now")];
        to.put(("post", path), summary, answers, &[404, 409, 415, 422, 500]);
        to.takes(("post", path), body);
    }
}
