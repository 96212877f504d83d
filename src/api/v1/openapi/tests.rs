//! Writes the document, and holds the routes to it.

mod conform;
mod document;
mod gorb;
mod rules;

pub(in crate::api::v1) use rules::{auto_for_good, either_weight, period};

use std::sync::Arc;

use serde_json::Value;

use super::DOCUMENT;
use crate::api::Refusal;
use crate::api::testing::{Props, ask};
use conform::faults;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

#[test]
fn the_document_is_what_the_types_say() {
    let want = document::text();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/v1/openapi.json"), want).unwrap();
    } else {
        assert_eq!(DOCUMENT, want, "UPDATE_GOLDEN=1 writes it again");
    }
}

/// What answers to a request have to be, by the document.
fn check(document: &Value, path: &str, method: &str, status: u16, headers: &axum::http::HeaderMap, text: &str) {
    let operation = &document["paths"][path][method.to_lowercase()];
    let response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {path}: {status} is not in the document: {text}");
    let target = response["$ref"].as_str().map(|target| document.pointer(target.strip_prefix('#').unwrap()).unwrap());
    let Some(contents) = target.unwrap_or(response)["content"].as_object() else {
        assert_eq!(text, "", "{method} {path} {status}");
        return;
    };
    let said = headers["content-type"].to_str().unwrap();
    let kind = said.split(';').next().unwrap();
    let content =
        contents.get(kind).unwrap_or_else(|| panic!("{method} {path} {status}: {kind} is not in the document"));
    if kind.ends_with("json") {
        let value: Value = serde_json::from_str(text).unwrap();
        let found = faults(document, &content["schema"], &value, "");
        assert!(found.is_empty(), "{method} {path} {status}: {found:#?}\n{value:#}");
    }
}

#[tokio::test]
async fn every_answer_is_in_the_document() {
    let document = document();
    let props = crate::api::v1::tests::night();
    let good = r#"{"service": "web", "destination": "10.0.0.11:80"}"#;
    let bodies = [
        ("/v1/drain", good.to_owned()),
        ("/v1/undrain", good.to_owned()),
        ("/v1/weight", good.replace('}', r#", "weight": 65535, "for": "1h30m"}"#)),
        ("/v1/weight", good.replace('}', r#", "reset": true}"#)),
        ("/v1/health", good.replace('}', r#", "health": "down", "for": "10m"}"#)),
        ("/v1/health", good.replace('}', r#", "health": "auto"}"#)),
    ];
    let strange = [
        "{",
        "[]",
        "null",
        "\"\"",
        "{}",
        "1e999",
        "{\"service\": 1, \"destination\": []}",
        "{\"service\":\"\",\"destination\":\"\",\"x\":1}",
        r#"{"service": "web", "destination": "10.0.0.11:80", "weight": 65536}"#,
        r#"{"service": "web", "destination": "10.0.0.11:80", "weight": -1}"#,
        r#"{"service": "web", "destination": "10.0.0.11:80", "weight": 1, "reset": true}"#,
        r#"{"service": "web", "destination": "10.0.0.11:80", "weight": 1, "for": "1ms"}"#,
        r#"{"service": "web", "destination": "10.0.0.11:80", "health": "auto", "for": "1m"}"#,
        "\u{0}",
    ];
    let mut asked = 0;
    let ours = |path: &&String| !path.starts_with("/service") && *path != "/v1/events";
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths.iter().filter(|(path, _)| ours(path)) {
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let real = path.replace("{name}", "web");
            let mut ask_with = async |real: &str, body: &str| {
                let answer = ask(&props, &method, real, body).await;
                check(&document, path, &method, answer.status.as_u16(), &answer.headers, &answer.text);
                asked += 1;
                answer.status.as_u16()
            };
            if method == "GET" {
                assert_eq!(ask_with(&real, "").await, 200, "{path}");
                ask_with(&path.replace("{name}", "no%2Fsuch"), "").await;
                ask_with(&path.replace("{name}", "%ff"), "").await;
                continue;
            }
            for (_, body) in bodies.iter().filter(|(at, _)| at == path) {
                assert_eq!(ask_with(&real, body).await, 200, "{path}: {body}");
            }
            if path != "/v1/reload" {
                for body in strange {
                    assert!(matches!(ask_with(&real, body).await, 400 | 422), "{path}: {body}");
                }
                assert_eq!(ask_with(&real, "").await, 415, "{path}: a body without its type");
            }
            for refusal in [Refusal::Unknown, Refusal::Conflict, Refusal::Failed, Refusal::Busy] {
                *props.refusal.lock().unwrap() = Some(refusal("in words".into()));
                for (_, body) in bodies.iter().filter(|(at, _)| at == path) {
                    assert!(ask_with(&real, body).await >= 404, "{path}: {body}");
                }
            }
            *props.refusal.lock().unwrap() = None;
        }
    }
    assert!(asked > 80, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_planned_is_in_the_document_too() {
    let document = document();
    let props = Arc::new(Props::default());
    for (refusal, status) in
        [(Refusal::Conflict as fn(String) -> Refusal, 409), (Refusal::Failed, 500), (Refusal::Busy, 503)]
    {
        *props.refusal.lock().unwrap() = Some(refusal("in words".into()));
        let answer = ask(&props, "GET", "/v1/plan", "").await;
        assert_eq!(answer.status.as_u16(), status);
        check(&document, "/v1/plan", "GET", status, &answer.headers, &answer.text);
    }
    // The loop does not move here, so a reload is not waited for without end.
    let answer = ask(&props, "POST", "/v1/reload", "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["done"]), (202, &false.into()));
    check(&document, "/v1/reload", "POST", 202, &answer.headers, &answer.text);
    assert_eq!(*props.woken.lock().unwrap(), [crate::reconcile::Event::Reload]);
}

/// GORB's interface, of a stage on which nothing is known and nothing can be changed.
#[tokio::test]
async fn answers_as_gorb_has_them_are_in_the_document() {
    let document = document();
    let props = Arc::new(Props::default());
    let service = r#"{"host":"192.0.2.1","port":80,"method":"rr","flags":"sh-port|flag-1","persistent":true}"#;
    let backend =
        r#"{"host":"10.0.0.1","port":80,"weight":-1,"pulse":{"type":"http","args":{"port":8080,"expect":"204"}}}"#;
    let cases = [
        ("GET", "/service", "", 200),
        ("GET", "/service/{vs}", "", 404),
        ("PUT", "/service/{vs}", service, 500),
        ("PUT", "/service/{vs}", "{", 400),
        ("PATCH", "/service/{vs}", service, 500),
        ("PATCH", "/service/{vs}", "{}", 400),
        ("DELETE", "/service/{vs}", "", 500),
        ("GET", "/service/{vs}/{rs}", "", 404),
        ("PUT", "/service/{vs}/{rs}", backend, 500),
        ("PUT", "/service/{vs}/{rs}", "{}", 400),
        ("PATCH", "/service/{vs}/{rs}", r#"{"weight":10.0}"#, 500),
        ("DELETE", "/service/{vs}/{rs}", "", 500),
    ];
    for (method, path, body, status) in cases {
        let answer = ask(&props, method, &path.replace("{vs}", "web").replace("{rs}", "r1"), body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
        check(&document, path, method, status, &answer.headers, &answer.text);
        let schema =
            &document["paths"][path][method.to_lowercase()]["requestBody"]["content"]["application/json"]["schema"];
        // What asks for one of several keys lists only that one each time: `faults` would miss the others.
        if schema.get("anyOf").is_none()
            && let (500, Ok(body)) = (status, serde_json::from_str(body))
        {
            assert_eq!(faults(&document, schema, &body, ""), Vec::<String>::new(), "{body}");
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let document = document();
    let sources = [
        include_str!("../mod.rs"),
        include_str!("../../gorb/mod.rs"),
        include_str!("../../metrics/mod.rs"),
        include_str!("../../probes.rs"),
        include_str!("../../page/mod.rs"),
    ];
    let mut routes: Vec<&str> = Vec::new();
    for source in sources {
        for route in source.split(".route(").skip(1) {
            routes.push(route.trim_start().strip_prefix('"').unwrap().split('"').next().unwrap());
        }
    }
    routes.sort_unstable();
    // Where GORB has nothing, there is nothing.
    routes.retain(|route| *route != "/service/");
    assert_eq!(routes, document["paths"].as_object().unwrap().keys().collect::<Vec<_>>());
    let props = Arc::new(Props::default());
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "TRACE"] {
            let known = item.get(method.to_lowercase()).is_some();
            if path == "/v1/events" || path == "/v1/reload" && known {
                continue;
            }
            let answer = ask(&props, method, path, "").await;
            assert_eq!(answer.status != 405, known, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_a_problem() {
    let props = Arc::new(Props::default());
    for path in ["/%ff", "/v1/services/%ff%fe", "/v1/%c3", "/%ff/service/web"] {
        let answer = ask(&props, "GET", path, "").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (400, &"application/problem+json".parse().unwrap())
        );
        assert!(answer.json()["detail"].as_str().unwrap().contains("not UTF-8"), "{path}: {}", answer.text);
    }
}
