//! The routes, asked one by one.

mod orders;
mod stream;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Sample;
use crate::api::testing::{NOW, Props, ask, destination_key, live, service_key, status};
use crate::model::{Health, Override, WeightOverride};
use crate::reconcile::{DestinationStatus, DrainStatus, Failing, HostTrouble, ServiceStatus};

const WEB: &str = "tcp://192.0.2.10:80";

fn up(weight: u32) -> DestinationStatus {
    DestinationStatus {
        health: Some(Health::Up),
        checks: Some(Health::Up),
        since: Some(NOW - 60),
        configured: Some(weight),
        effective: weight,
        ..DestinationStatus::default()
    }
}

/// One is up, one down, one drains, and the kernel has a foreign service and a helper.
pub(super) fn night() -> Arc<Props> {
    let down = DestinationStatus {
        health: Some(Health::Down),
        reason: "http: status 500".into(),
        effective: 0,
        why: "down".into(),
        ..up(100)
    };
    let drain = Some(DrainStatus { connections: 3, until: NOW + 100 });
    let leaving = DestinationStatus { drain, ..DestinationStatus::default() };
    let mut status = status(&[("10.0.0.11:80", up(100)), ("10.0.0.12:80", down), ("10.0.0.13:80", leaving)]);
    let web = status.services.get_mut(&service_key(WEB)).unwrap();
    *web = ServiceStatus { up: 1, of: 2, failed: true, ..web.clone() };
    status.helpers.insert(service_key("fwmark:1000"));
    let given = WeightOverride { weight: 10, since: NOW - 9, until: Some(NOW + 9) };
    let given = Override { weight: Some(given), ..Override::default() };
    status.overrides.set(service_key(WEB), destination_key("10.0.0.11:80"), given);
    let props = Props::default();
    *props.status.lock().unwrap() = Arc::new(status);
    let live = live(&[
        (WEB, &[("10.0.0.11:80", 10, 7), ("10.0.0.12:80", 0, 0)]),
        ("tcp://192.0.2.99:80", &[("10.0.0.9:80", 1, 0)]),
        ("fwmark:1000", &[("10.0.0.11:0", 1, 0)]),
    ]);
    *props.sample.lock().unwrap() = Arc::new(Sample { unix_ms: NOW * 1000, live });
    Arc::new(props)
}

async fn get(props: &Arc<Props>, path: &str) -> Value {
    let answer = ask(props, "GET", path, "").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    answer.json()
}

#[tokio::test]
async fn the_status_answers_the_first_question() {
    let props = Arc::new(Props::default());
    let overview = get(&props, "/v1/status").await;
    assert_eq!((&overview["kernel"], &overview["version"]), (&json!("unknown"), &json!("1.2.3")));
    assert_eq!(overview["summary"], "The first pass has not ended yet.");

    let props = night();
    let overview = get(&props, "/v1/status").await;
    assert_eq!(overview["kernel"], "as_configured");
    assert_eq!(overview["summary"], "The kernel is what the files say.");
    let counts = json!({
        "services": 1, "services_failed": 1, "destinations": 2, "up": 1, "down": 1, "unknown": 0, "unchecked": 0,
        "draining": 1,
    });
    assert_eq!(overview["counts"], counts);
    assert_eq!(overview["overrides"][0]["weight"]["weight"], 10);
    assert_eq!(overview["overrides"][0]["name"], "web");

    let change = |change: &dyn Fn(&mut crate::reconcile::Status)| {
        change(Arc::make_mut(&mut *props.status.lock().unwrap()));
    };
    let told = async || {
        let overview = get(&props, "/v1/status").await;
        (overview["kernel"].as_str().unwrap().to_owned(), overview["summary"].as_str().unwrap().to_owned())
    };
    let service = service_key(WEB);
    let failing = Failing {
        service,
        destination: None,
        reason: "scheduler mh is not available in this kernel".into(),
        tries: 3,
        since: NOW - 90,
        retry_at: NOW + 4,
    };
    change(&|status| status.failing.push(failing.clone()));
    let want = ("differs".into(), "The kernel is not what the files say: 1 object could not be put right.".into());
    assert_eq!(told().await, want);
    let overview = get(&props, "/v1/status").await;
    assert_eq!(overview["failing"][0]["reason"], "scheduler mh is not available in this kernel");

    change(&|status| status.failing.clear());
    change(&|status| {
        status.host.push(HostTrouble { object: "sysctl net.ipv4.ip_forward".into(), reason: "read-only".into() });
    });
    assert_eq!(told().await.0, "differs");
    change(&|status| status.outdated = true);
    let want = ("outdated".into(), "The files are refused: an older configuration is in force.".into());
    assert_eq!(told().await, want);
    change(&|status| status.blind = true);
    assert_eq!(told().await, ("unknown".into(), "The kernel could not be looked at.".into()));
}

#[tokio::test]
async fn services_have_all_that_is_known_of_them() {
    let props = night();
    let all = get(&props, "/v1/services").await;
    assert_eq!(all["sampled_ms"], NOW * 1000);
    let standing = |at: usize| (all["services"][at]["address"].clone(), all["services"][at]["standing"].clone());
    assert_eq!(standing(0), (json!(WEB), json!("configured")));
    assert_eq!(standing(1), (json!("tcp://192.0.2.99:80"), json!("foreign")));
    assert_eq!(all["services"].as_array().unwrap().len(), 2, "a helper is nobody's business");
    let web = &all["services"][0];
    assert_eq!((&web["up"], &web["of"], &web["failed"]), (&json!(1), &json!(2), &json!(true)));
    assert_eq!(web["settings"]["scheduler"], "wrr");
    let [first, second, third] = [0, 1, 2].map(|at| &web["destinations"][at]);
    assert_eq!(
        (&first["configured"], &first["weight"], &first["active_connections"]),
        (&json!(100), &json!(10), &json!(7))
    );
    assert_eq!(first["override"]["weight"]["weight"], 10);
    assert_eq!(second["reason"], "http: status 500");
    assert_eq!(second["override"], Value::Null);
    assert_eq!(third["drain"], json!({ "connections": 3, "until": NOW + 100 }));
    assert_eq!((&third["weight"], &third["stats"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_service_is_found_by_name_and_by_address() {
    let props = night();
    for path in ["/v1/services/web", "/v1/services/tcp:%2F%2F192.0.2.10:80"] {
        let found = get(&props, path).await;
        assert_eq!(found["services"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(found["services"][0]["address"], WEB, "{path}");
    }
    for path in
        ["/v1/services/nope", "/v1/services/%2e%2e%2fetc", "/v1/services/fwmark:1000", "/v1/services/%F0%9F%98%80"]
    {
        let answer = ask(&props, "GET", path, "").await;
        assert_eq!((answer.status.as_u16(), answer.json()["status"].as_u64()), (404, Some(404)), "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let long = format!("/v1/services/{}", "x".repeat(5000));
    assert!(ask(&props, "GET", &long, "").await.text.len() < 500);
    assert_eq!(ask(&props, "GET", "/v1/services/%ff", "").await.status, 400, "it is not text");
}
