//! What operators order.

use super::night;
use crate::api::testing::ask;
use crate::api::{Order, Refusal};
use crate::model::{Action, Forced};

#[tokio::test]
async fn orders_are_as_on_the_command_line() {
    let props = night();
    let about = r#"{"service":"web","destination":"10.0.0.11""#;
    for (path, rest, action) in [
        ("drain", "", Action::Drain),
        ("undrain", "", Action::Undrain),
        ("weight", r#","weight":0"#, Action::Weight { weight: 0, seconds: None }),
        ("weight", r#","weight":65535.0"#, Action::Weight { weight: 65_535, seconds: None }),
        ("weight", r#","weight":10,"for":"10m""#, Action::Weight { weight: 10, seconds: Some(600) }),
        ("weight", r#","reset":true"#, Action::ResetWeight),
        ("health", r#","health":"up""#, Action::Health { health: Forced::Up, seconds: None }),
        ("health", r#","health":"down","for":"2h""#, Action::Health { health: Forced::Down, seconds: Some(7200) }),
        ("health", r#","health":"auto""#, Action::ResetHealth),
    ] {
        let answer = ask(&props, "POST", &format!("/v1/{path}"), &format!("{about}{rest}}}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.json()["overrides"][0]["text"], "10.0.0.11:80 of tcp://192.0.2.10:80 (web) is drained");
        let order = props.orders.lock().unwrap().pop().unwrap();
        assert_eq!(order, Order { service: "web".into(), destination: "10.0.0.11".into(), action });
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_said_and_ordered_nowhere() {
    let props = night();
    let about = r#"{"service":"web","destination":"10.0.0.11:80""#;
    for (path, rest, want) in [
        ("weight", "", "give `weight`, or `\"reset\": true`"),
        ("weight", r#","weight":70000"#, "`weight`: expected 0 to 65535"),
        ("weight", r#","weight":-1"#, "`weight`: expected 0 to 65535"),
        ("weight", r#","weight":0.5"#, "`weight`: expected 0 to 65535"),
        ("weight", r#","weight":1,"reset":true"#, "give `weight`, or"),
        ("weight", r#","reset":true,"for":"1m""#, "goes without `for`"),
        ("weight", r#","weight":1,"for":"soon""#, "`for`: expected a duration such as 30s, 10m or 1h30m"),
        ("weight", r#","weight":1,"for":"1ms""#, "`for`: expected whole seconds, from 1s to 365d"),
        ("weight", r#","weight":1,"four":"1m""#, "unknown field `four`"),
        ("health", r#","health":"auto","for":"1m""#, "goes without `for`"),
        ("health", r#","health":"sick""#, "unknown variant `sick`"),
        ("drain", r#","destination":"x""#, "duplicate field"),
    ] {
        let answer = ask(&props, "POST", &format!("/v1/{path}"), &format!("{about}{rest}}}")).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{path} {rest}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.json()["detail"].as_str().unwrap().contains(want), "{path} {rest}: {}", answer.text);
    }
    assert!(props.orders.lock().unwrap().is_empty());
    assert_eq!(ask(&props, "GET", "/v1/drain", "").await.status, 405);
    *props.refusal.lock().unwrap() = Some(Refusal::Unknown("no service `web`: there are none".into()));
    let answer = ask(&props, "POST", "/v1/drain", &format!("{about}}}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["detail"].as_str()),
        (404, Some("no service `web`: there are none"))
    );
}

#[tokio::test]
async fn bodies_that_are_meant_to_hurt_are_refused() {
    let props = night();
    let deep = "[".repeat(1 << 20);
    let long = format!(r#"{{"service":"web","destination":"{}"}}"#, "x".repeat(10 << 20));
    let list = r#"["web", "10.0.0.11:80"]"#;
    let odd = r#"{"service":"\ud800","destination":"\u0000"}"#;
    for (body, want) in
        [(deep.as_str(), 422), (long.as_str(), 413), (odd, 400), (list, 422), (r#"{"service":"web","#, 400)]
    {
        let answer = ask(&props, "POST", "/v1/drain", body).await;
        assert_eq!(answer.status.as_u16(), want, "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert!(answer.text.len() < 1000);
    }
    assert!(props.orders.lock().unwrap().is_empty());
}
