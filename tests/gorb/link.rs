//! The requests of gorb-docker-link, word by word.

use super::Shared;
use crate::world::NOTHING;

#[test]
fn containers_are_registered_and_go() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let images = [
        ("nginx-80-tcp", "tcp", 80),
        ("registry.example.com-team-project-a-very-long-image-name-1.27.3-alpine-slim-443-tcp", "tcp", 443),
        ("dns@sha256-0123-53-udp", "udp", 53),
    ];
    for (service, protocol, port) in images {
        let path = format!("/service/{service}");
        assert_eq!(world.ask("GET", &path, "").status, 404);
        let body =
            format!(r#"{{"host":"","port":{port},"protocol":"{protocol}","method":"","flags":"","persistent":false}}"#);
        world.done("PUT", &path, &body);
        assert_eq!(world.ask("GET", &path, "").status, 200);
        let pulse = if protocol == "udp" { r#"{"type":"none","interval":"","args":null}"# } else { "null" };
        for container in 1..=2 {
            let body =
                format!(r#"{{"host":"172.17.0.1","port":3276{container},"weight":0,"method":"","pulse":{pulse}}}"#);
            let path = format!("{path}/name-{container}-{service}");
            world.done("PUT", &path, &body);
            let shown = world.get(&path);
            assert_eq!((&shown["options"]["weight"], &shown["options"]["method"]), (&100.into(), &"nat".into()));
            let kind = if protocol == "udp" { "none" } else { "tcp" };
            assert_eq!(shown["options"]["pulse"], serde_json::json!({ "type": kind, "interval": "1m", "args": null }));
        }
    }
    assert_eq!(kernel.table().len(), 9);
    // A link that was restarted registers them again; one that lists another image finds them all the same.
    let body = r#"{"host":"172.17.0.1","port":32761,"weight":0,"method":"","pulse":null}"#;
    world.done("PUT", "/service/nginx-80-tcp/name-1-nginx-80-tcp", body);
    world.done("DELETE", "/service/4bb46517cac3-80-tcp/name-1-nginx-80-tcp", "");
    assert_eq!(world.ask("DELETE", "/service/nginx-80-tcp/name-1-nginx-80-tcp", "").status, 404);
    assert_eq!(kernel.table().len(), 8);
}
