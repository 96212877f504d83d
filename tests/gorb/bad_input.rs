//! What nobody in their right mind sends: a clear answer below 500, and nothing has changed.

use tower::ServiceExt as _;

use super::Shared;
use crate::world::NOTHING;

#[test]
fn odd_ids_are_refused_and_lead_nowhere() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let long = format!("/service/{}", "x".repeat(1024));
    for path in [
        "/service/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/service/..%2f..%2fstate",
        "/service/%2e%2e",
        "/service/a%20b",
        "/service/a%00b",
        "/service/%F0%9F%92%A9",
        "/service/%E2%80%AE",
        "/service/%FF%FE",
        "/service/%ff",
        "/service/a%C0%AFb",
        "/service/%2Fetc%2Fpasswd",
        "/service/%0d%0aX:%20y",
        "/service/e%CC%81",
        long.as_str(),
    ] {
        for (method, body) in [("PUT", r#"{"port":81}"#), ("GET", ""), ("PATCH", r#"{"method":"rr"}"#), ("DELETE", "")]
        {
            let (status, error) = world.refused(method, path, body);
            assert!(
                (400..500).contains(&status) && !error.is_empty() && error.len() < 200,
                "{method} {path}: {status} {error}"
            );
        }
        let id = path.strip_prefix("/service/").unwrap();
        for path in [format!("/service/web/{id}"), format!("/service/{id}/r")] {
            for (method, body) in
                [("PUT", r#"{"host":"10.0.0.1","port":80}"#), ("GET", ""), ("PATCH", r#"{"weight":1}"#), ("DELETE", "")]
            {
                let (status, error) = world.refused(method, &path, body);
                assert!((400..500).contains(&status) && !error.is_empty(), "{method} {path}: {status} {error}");
            }
        }
    }
    assert_eq!((world.kept(), kernel.table().len()), (vec!["web.toml".to_owned()], 1));
    // An ID that looks like a way out is only a name.
    world.done("PUT", "/service/%2e%2e@%25", r#"{"port":82}"#);
    assert_eq!(world.kept(), ["%2E.%40%25.toml", "web.toml"]);
    assert_eq!(world.get("/service/%2e%2e@%25")["options"]["port"], 82);
}

/// As with GORB, what a body is called does not matter: `curl -d` has names of its own. What it is does.
#[test]
fn a_body_is_json_whatever_it_is_called() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let ask = |id: &str, headers: &[(&str, &str)], body: &'static [u8]| {
        let mut request = crate::world::request("PUT", &format!("/service/{id}"), body);
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        world.block_on(async { world.router().oneshot(request).await.unwrap().status().as_u16() })
    };
    let body = br#"{"host":"192.0.2.9","port":81}"#;
    assert_eq!(ask("a", &[("content-type", "application/x-www-form-urlencoded")], body), 200);
    assert_eq!(ask("a", &[("content-type", "no/such; kind=?")], body), 200);
    assert_eq!(ask("b", &[("content-encoding", "gzip")], b"\x1f\x8b\x08\x00\x00"), 400);
    assert_eq!(ask("b", &[("content-type", "application/xml")], b"<port>80</port>"), 400);
    assert_eq!((world.kept(), kernel.table().len()), (vec!["a.toml".to_owned()], 1));
}

#[test]
fn odd_bodies_are_refused() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let deep = format!("{{\"port\":81,\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"port\":81,\"a\":\"{}\"}}", "x".repeat(10 << 20));
    let bodies: Vec<Vec<u8>> = vec![
        deep.into_bytes(),
        large.into_bytes(),
        b"\xff\xfe\x00".to_vec(),
        b"{\"port\":81,".to_vec(),
        b"{\"port\":1e999}".to_vec(),
        b"{\"port\":80.5}".to_vec(),
        b"{\"port\":{}}".to_vec(),
        b"true".to_vec(),
    ];
    for body in bodies {
        for (method, path) in
            [("PUT", "/service/x"), ("PUT", "/service/web/x"), ("PATCH", "/service/web"), ("PATCH", "/service/web/x")]
        {
            let answer = world.ask(method, path, body.clone());
            assert!((400..500).contains(&answer.status), "{method} {path}: {answer:?}");
            assert!(!answer.error().is_empty());
        }
    }
    for pulse in [
        r#"{"args":{"path":true},"type":"http"}"#,
        r#"{"args":{"path":"/a b"},"type":"http"}"#,
        r#"{"args":{"path":"/\r\nX: y"},"type":"http"}"#,
        r#"{"args":{"expect":1000},"type":"http"}"#,
        r#"{"args":{"expect":"2xx"},"type":"http"}"#,
        r#"{"args":{"port":0},"type":"http"}"#,
        r#"{"args":{"port":-1},"type":"http"}"#,
        r#"{"args":{"method":"G T"},"type":"http"}"#,
        r#"{"args":{"host":"0.0.0.0"},"type":"http"}"#,
        r#"{"args":[],"type":"http"}"#,
        r#"{"interval":"99999999999999999999s"}"#,
        r#"{"interval":"25h"}"#,
        "7",
    ] {
        let body = format!(r#"{{"host":"10.0.0.1","port":80,"pulse":{pulse}}}"#);
        let (status, error) = world.refused("PUT", "/service/web/x", &body);
        assert!(status == 400 && !error.is_empty(), "{pulse}: {status} {error}");
    }
    let long = "1".repeat(5000);
    for body in [
        format!(r#"{{"host":"{long}","port":80}}"#),
        format!(r#"{{"host":"10.0.0.1","port":80,"vsid":"{long}"}}"#),
        format!(r#"{{"host":"10.0.0.1","port":80,"method":"{long}"}}"#),
        format!(r#"{{"host":"10.0.0.1","port":80,"pulse":{{"interval":"{long}s"}}}}"#),
        format!(r#"{{"host":"10.0.0.1","port":80,"pulse":{{"type":"{long}"}}}}"#),
        format!(r#"{{"host":"10.0.0.1","port":80,"pulse":{{"args":{{"x":"{long}"}}}}}}"#),
    ] {
        let (status, error) = world.refused("PUT", "/service/web/x", &body);
        assert!(status == 400 && error.len() < 200, "{status} {error}");
    }
    let flags = vec!["flag-1"; 1000].join("|");
    assert_eq!(world.refused("PUT", "/service/x", &format!(r#"{{"port":81,"flags":"{flags}"}}"#)).0, 400);
    for host in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "::ffff:0.0.0.0", "ff02::1"] {
        let (status, error) = world.refused("PUT", "/service/x", &format!(r#"{{"host":"{host}","port":80}}"#));
        assert!(status == 400 && !error.is_empty(), "{host}: {status} {error}");
    }
    assert_eq!((world.kept(), kernel.table().len()), (vec!["web.toml".to_owned()], 1));
    // Null where a text is wanted is nothing, and numbers are taken for text in `args`.
    let pulse = r#"{"type":"http","interval":null,"args":{"path":null,"port":54321,"expect":204}}"#;
    world.done("PUT", "/service/web/ok", &format!(r#"{{"host":"10.0.0.1","port":80,"weight":null,"pulse":{pulse}}}"#));
}
