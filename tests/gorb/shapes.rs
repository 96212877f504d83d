//! What is answered when all is well, and what comes of it in the table.

use serde_json::json;

use super::Shared;
use crate::world::NOTHING;

#[test]
fn a_service_and_its_backends_from_put_to_delete() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    assert_eq!(world.ask("GET", "/service", "").body, "[]");
    world.done("PUT", "/service/b", r#"{"host":"127.0.0.2","port":81,"protocol":"UDP","method":"sh","flags":"sh-port|sh-fallback","persistent":true}"#);
    assert_eq!(world.get("/service"), json!(["b"]));
    assert_eq!(
        world.ask("GET", "/service/b", "").body,
        "{\n\t\"options\": {\n\t\t\"host\": \"127.0.0.2\",\n\t\t\"port\": 81,\n\t\t\"protocol\": \"udp\",\n\t\t\"method\": \"sh\",\n\
         \t\t\"flags\": \"sh-port|sh-fallback\",\n\t\t\"persistent\": true\n\t},\n\t\"health\": 1,\n\t\"backends\": null\n}"
    );
    let body = r#"{"Host":"127.0.0.9","PORT":3,"pulse":{"type":"HTTP","args":{"path":"/h?x=1","expect":200,"method":"HEAD","port":"54321"}},"other":[1]}  trailing"#;
    world.done("PUT", "/service/b/r3", body);
    world.done("PUT", "/service/b/r4", r#"{"host":"127.0.0.9","port":4,"weight":0,"pulse":{"type":"none"}}"#);
    assert_eq!(
        kernel.table(),
        [
            "udp://127.0.0.2:81 sh [sh-fallback,sh-port] 300s",
            "udp://127.0.0.2:81 -> 127.0.0.9:3 nat 100",
            "udp://127.0.0.2:81 -> 127.0.0.9:4 nat 100"
        ]
    );
    assert_eq!(
        world.get("/service/b/r3"),
        json!({
            "options": { "host": "127.0.0.9", "port": 3, "weight": 100, "method": "nat", "pulse": {
                "type": "http", "interval": "1m",
                "args": { "expect": 200, "method": "HEAD", "path": "/h?x=1", "port": "54321" } } },
            "metrics": { "status": 0, "health": 0, "uptime": 0 }
        })
    );
    let none = world.get("/service/b/r4");
    assert_eq!(none["options"]["pulse"], json!({ "type": "none", "interval": "1m", "args": null }));
    assert_eq!(none["metrics"]["health"], 1, "what is not checked is well");
    let service = world.get("/service/b");
    assert_eq!((&service["health"], &service["backends"]), (&json!(0.5), &json!(["r3", "r4"])));

    world.done("PATCH", "/service/b/r3", r#"{"weight":7}"#);
    assert_eq!(world.get("/service/b/r3")["options"]["weight"], 7);
    assert!(kernel.table().contains(&"udp://127.0.0.2:81 -> 127.0.0.9:3 nat 7".to_owned()));
    world.done("PATCH", "/service/b/r3", r#"{"weight":0}"#);
    world.done("PATCH", "/service/b", r#"{"method":"wrr","flags":"flag-3","persistent":false}"#);
    assert_eq!(kernel.table()[0], "udp://127.0.0.2:81 wrr [flag-3]");
    assert_eq!(world.get("/service/b")["options"]["flags"], "flag-3");

    world.done("DELETE", "/service/b/r3", "");
    assert_eq!(kernel.table().len(), 2);
    world.done("DELETE", "/service/b", "");
    assert_eq!((kernel.table(), world.kept()), (vec![], vec![]));
    assert_eq!(world.get("/service"), json!([]));
}

#[test]
fn an_equal_put_is_done_already() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/a", r#"{"port":80}"#);
    world.done(
        "PUT",
        "/service/a",
        r#"{"host":"192.0.2.1","port":80,"protocol":"tcp","method":"wrr","flags":"","persistent":false}"#,
    );
    world.done("PUT", "/service/a/r", r#"{"host":"10.0.0.1","port":80}"#);
    world.done(
        "PUT",
        "/service/a/r",
        r#"{"host":"10.0.0.1","port":80,"weight":100,"method":"NAT","pulse":{"type":"tcp","interval":"60s"}}"#,
    );
    assert_eq!(kernel.table().len(), 2);
    assert_eq!(world.get("/service/a")["options"]["host"], "", "as it was sent when it was made");
}

#[test]
fn an_id_of_a_backend_belongs_to_its_service_and_is_found_under_others_while_only_one_has_it() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    for (service, port) in [("a", 80), ("b", 81)] {
        world.done("PUT", &format!("/service/{service}"), &format!(r#"{{"port":{port}}}"#));
    }
    world.done("PUT", "/service/a/r1", r#"{"host":"10.0.0.1","port":80}"#);
    assert_eq!(world.get("/service/NOTHING/r1")["options"]["port"], 80);
    world.done("PATCH", "/service/zzz/r1", r#"{"weight":3}"#);
    world.done("PUT", "/service/b/r1", r#"{"host":"10.0.0.2","port":81}"#);
    assert_eq!(world.get("/service/a/r1")["options"]["weight"], 3);
    assert_eq!(world.get("/service/b/r1")["options"]["host"], "10.0.0.2");
    assert_eq!(world.refused("GET", "/service/zzz/r1", "").0, 404, "now there are two");
    world.done("DELETE", "/service/b/r1", "");
    world.done("DELETE", "/service/zz/r1", "");
    assert_eq!(kernel.table().len(), 2, "two services without backends");
}

#[test]
fn every_way_of_forwarding_and_ipv6() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    world.done("PUT", "/service/six", r#"{"host":"2001:db8::1","port":80,"persistent":true}"#);
    for (id, host, port, method) in [
        ("n", "2001:db8::11", 8080, "nat"),
        ("d", "2001:db8::12", 80, "DR"),
        ("t", "2001:db8::13", 80, "ipip"),
        ("u", "2001:db8::14", 80, "tunnel"),
    ] {
        let body = format!(r#"{{"host":"{host}","port":{port},"method":"{method}"}}"#);
        world.done("PUT", &format!("/service/six/{id}"), &body);
        assert_eq!(world.get(&format!("/service/six/{id}"))["options"]["method"], method.to_lowercase());
    }
    let table = kernel.table();
    assert!(table.contains(&"tcp://[2001:db8::1]:80 -> [2001:db8::12]:80 dr 100".to_owned()), "{table:?}");
    assert!(table.contains(&"tcp://[2001:db8::1]:80 -> [2001:db8::13]:80 tunnel 100".to_owned()), "{table:?}");
    // The rules of a configuration hold over the API as well.
    let (status, error) = world.refused("PUT", "/service/six/x", r#"{"host":"2001:db8::15","port":81,"method":"dr"}"#);
    assert!(status == 400 && error.contains("dr leaves the port alone"), "{error}");
}
