//! The document, from the types that the handlers use.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize as _;
use serde_json::{Map, Value, json};

use crate::api::Problem;
use crate::api::backstage::Ordered;
use crate::api::broadcast::PassEvent;
use crate::api::v1::{events, orders, sample, services, status, upkeep};

struct Writer {
    generator: SchemaGenerator,
    paths: Map<String, Value>,
}

/// One answer, beside the problems.
enum Answers {
    Json(u16, Value, &'static str),
    Text(u16, &'static str, &'static str),
}

impl Writer {
    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    fn put(&mut self, (method, path): (&str, &str), summary: &str, answers: Vec<Answers>, problems: &[u16]) {
        let mut responses = Map::new();
        for answer in answers {
            let (status, kind, schema, words) = match answer {
                Answers::Json(status, schema, words) => (status, "application/json", schema, words),
                Answers::Text(status, kind, words) => (status, kind, json!({ "type": "string" }), words),
            };
            let content = json!({ kind: { "schema": schema } });
            responses.insert(status.to_string(), json!({ "description": words, "content": content }));
        }
        let problem = self.schema::<Problem>();
        for status in problems {
            let words = axum::http::StatusCode::from_u16(*status).unwrap().canonical_reason().unwrap();
            let content = json!({ "application/problem+json": { "schema": problem } });
            responses.insert(status.to_string(), json!({ "description": words, "content": content }));
        }
        let mut operation = json!({ "summary": summary, "responses": responses });
        if path.contains("{name}") {
            operation["parameters"] = json!([{
                "name": "name", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 },
                "description": "A name in the configuration, or an address such as `tcp://192.0.2.10:80`, percent-encoded.",
            }]);
        }
        self.paths.entry(path.to_owned()).or_insert_with(|| json!({}))[method] = operation;
    }
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut to = Writer { generator: settings.into_generator(), paths: Map::new() };
    reading(&mut to);
    writing(&mut to);
    let schemas = to.generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ipvsd",
            "version": "1",
            "description": "Times are seconds since 1970. What goes wrong is application/problem+json. Whoever shows no token \
                where one is wanted, or one that is not known, gets 401; who may only read and writes, 403; who writes too \
                often, 429.",
        },
        "paths": to.paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{}, { "token": [] }],
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
    let text = |status, words| Answers::Text(status, "text/plain", words);
    let schema = to.schema::<status::Overview>();
    to.put(("get", "/v1/status"), "How it all is", vec![Answers::Json(200, schema, "How it all is")], &[500]);
    let schema = to.schema::<services::Services>();
    let of = |words| vec![Answers::Json(200, schema.clone(), words)];
    to.put(("get", "/v1/services"), "All services, with health and counters", of("All services"), &[500]);
    let summary = "The services of one name or address";
    to.put(("get", "/v1/services/{name}"), summary, of("The services"), &[400, 404, 500]);
    let words = "Events, named as their `event` is: `sample` is a SampleEvent, `pass` a PassEvent, the others are what hooks \
        get. `Last-Event-ID` goes on from there.";
    let stream = Answers::Text(200, "text/event-stream", words);
    to.put(("get", "/v1/events"), "What happens, as it happens", vec![stream], &[503]);
    to.schema::<sample::SampleEvent>();
    to.schema::<PassEvent>();
    let schema = to.schema::<events::History>();
    let last = vec![Answers::Json(200, schema, "The last events, the oldest first")];
    to.put(("get", "/v1/history"), "What happened last", last, &[]);
    let schema = json!({ "type": "object", "required": ["operations"] });
    let plan = vec![Answers::Json(200, schema, "What `ipvsd plan --output json` prints")];
    to.put(("get", "/v1/plan"), "What a pass over the files as they are now would do", plan, &[409, 500, 503]);
    let schema = to.schema::<upkeep::Me>();
    to.put(("get", "/v1/me"), "What whoever asks may do", vec![Answers::Json(200, schema, "The role")], &[]);
    let itself = vec![Answers::Json(200, json!({ "type": "object" }), "This document")];
    to.put(("get", "/openapi.json"), "This document", itself, &[]);
    to.put(("get", "/livez"), "Whether it lives", vec![text(200, "It lives")], &[]);
    let ready = vec![text(200, "It is"), text(503, "It is not, and why")];
    to.put(("get", "/readyz"), "Whether the first pass has ended, and the files are in force", ready, &[]);
}

fn writing(to: &mut Writer) {
    let schema = to.schema::<upkeep::Reloaded>();
    let answers = vec![
        Answers::Json(200, schema.clone(), "The files were read, and a pass was made"),
        Answers::Json(202, schema, "It will be: it takes longer than somebody should wait"),
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
        let answers = vec![Answers::Json(200, ordered.clone(), "What is ordered now")];
        to.put(("post", path), summary, answers, &[400, 404, 409, 413, 415, 422, 500, 503]);
        to.paths[path]["post"]["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body } } });
    }
}
