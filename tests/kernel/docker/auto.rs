//! `docker.auto`: what GORB's link did for containers that publish ports, and what it did not.

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::engine::{Engine, LONG_IMAGE, VIP};
use super::requests::ask;
use super::{FILE, configuration};
use crate::daemon_process::Daemon;
use crate::netns::ipvsadm;
use crate::oracle::{shown, shown_text, wait_weights, weights};
use crate::program::Program;

const TCP: &str = "-t 192.0.2.10:80";
const UDP: &str = "-u 192.0.2.10:53";

#[test]
fn published_ports_become_services() {
    let engine = Engine::start();
    let program = Program::new();
    let auto = "host = \"10.1.0.1\"\nauto = { services_at = \"192.0.2.10\", address = \"published\" }";
    program.write(FILE, &configuration(&engine, auto, ""));
    let mut daemon = Daemon::start(&program, FILE);
    let spec = json!({
        "Image": LONG_IMAGE, "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "9000/tcp": {}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}], "53/udp": [{"HostPort": "5353"}]}},
    });
    engine.run("web", &json!({}), &spec);
    wait_weights("the service by tcp", TCP, |weights| weights.get("10.1.0.1:8080") == Some(&100));
    assert_eq!(weights(TCP).len(), 1, "what is not published is nobody's business");
    assert_eq!(weights(UDP).get("10.1.0.1:5353"), Some(&100));
    assert_eq!(ask(&engine.client, VIP).unwrap(), "web", "by the published port");

    // Named as the link named them.
    let shown = shown(&program, FILE);
    let named = |name: &str| shown["services"].as_array().unwrap().iter().find(|one| one["name"] == name);
    assert!(named("registry.example-5000-shop-web-2.1-80-tcp").is_some(), "{shown:#}");
    assert!(named("registry.example-5000-shop-web-2.1-53-udp").is_some(), "{shown:#}");

    let said = shown_text(&program, FILE);
    assert!(said.contains("10.1.0.1:8080 (web-8080-tcp)"), "{said}");

    // The link took it out for this, and never put it back.
    daemon.skip();
    engine.post("/containers/web/kill?signal=HUP");
    engine.post("/containers/web/pause");
    wait_weights("a pause", TCP, |weights| weights.get("10.1.0.1:8080") == Some(&0));
    engine.post("/containers/web/unpause");
    wait_weights("its end", TCP, |weights| weights.get("10.1.0.1:8080") == Some(&100));

    // And it did not see this at all.
    kill_process(engine.pid("web"), Signal::KILL).unwrap();
    wait_weights("its death", TCP, |weights| weights.is_empty());
    wait_weights("its death", UDP, |weights| weights.is_empty());
    let left = ipvsadm(&["-Sn"], "");
    assert!(!left.contains("-a "), "{left}");
}
