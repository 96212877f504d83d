//! What becomes of one container, and what of its destination.

use std::time::Instant;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::engine::{Engine, PATIENCE, VIP};
use super::requests::ask;
use super::{FILE, configuration};
use crate::daemon_process::Daemon;
use crate::oracle::{shown_text, wait_weights, weight};
use crate::program::Program;

const SERVICE: &str = "-t 192.0.2.10:80";

#[test]
fn whatever_becomes_of_a_container_its_destination_follows() {
    let mut engine = Engine::start();
    let program = Program::new();
    let service = format!(
        "[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\ncheck = \"port\"\ndocker = {{ port = 80, weight = 7 }}\n"
    );
    program.write(FILE, &configuration(&engine, "", &service));
    let mut daemon = Daemon::start(&program, FILE);
    engine.run("odd", &json!({"ipvsd.service": "web", "ipvsd.weight": "9"}), &json!({}));
    let at = |engine: &Engine, network| format!("{}:80", engine.address("odd", network));
    let address = at(&engine, "bridge");
    let wait = |what: &str, wanted: Option<u32>| {
        wait_weights(what, SERVICE, |weights| weights.get(&address).copied() == wanted);
    };
    wait("its start", Some(9));

    // A signal that ends nothing, and another name: nothing happens to it.
    daemon.skip();
    engine.post("/containers/odd/kill?signal=HUP");
    engine.post("/containers/odd/rename?name=even");
    let begin = Instant::now();
    while !shown_text(&program, FILE).contains("(even)") {
        assert!(begin.elapsed() < PATIENCE, "waited for its name: {}", shown_text(&program, FILE));
    }
    assert_eq!(weight(SERVICE, &address), Some(9));
    let changed = daemon.unseen().iter().filter(|line| line.is_pass() && line.number("changed") > 0).count();
    assert_eq!(changed, 0, "its name is no matter of the kernel's");
    engine.post("/containers/even/rename?name=odd");

    engine.post("/containers/odd/pause");
    wait("a pause", Some(0));
    assert!(shown_text(&program, FILE).contains("its container is paused"), "{}", shown_text(&program, FILE));
    engine.post("/containers/odd/unpause");
    wait("its end", Some(9));

    // On two networks the first counts, and it is said; then it is on the other one only.
    engine.must("/networks/blue/connect", &json!({"Container": "odd"}));
    let blue = at(&engine, "blue");
    let said = daemon.wait("a finding", |line| line.message().contains("it is on the networks"));
    assert!(said.message().contains("odd") && said.level() == "WARN", "{said}");
    engine.must("/networks/bridge/disconnect", &json!({"Container": "odd"}));
    wait_weights("the other network", SERVICE, |weights| {
        weights.get(&blue) == Some(&9) && weights.get(&address).is_none_or(|weight| *weight == 0)
    });
    assert_eq!(ask(&engine.client, VIP).unwrap(), "odd");

    // It comes back from a restart, wherever that puts it.
    engine.post("/containers/odd/restart?t=0");
    let blue = at(&engine, "blue");
    wait_weights("the restart", SERVICE, |weights| weights.get(&blue) == Some(&9));

    // It dies without the engine, which finds out when it is back.
    let pid = engine.pid("odd");
    engine.kill();
    kill_process(pid, Signal::KILL).unwrap();
    daemon.wait("a warning", |line| line.message().contains("cannot be followed"));
    assert!(weight(SERVICE, &blue).is_some(), "nobody has said that it is gone");
    engine.come_back();
    wait_weights("the end of it", SERVICE, |weights| !weights.contains_key(&blue));

    // It starts again, and dies by itself.
    engine.post("/containers/odd/start");
    let blue = at(&engine, "blue");
    wait_weights("its start", SERVICE, |weights| weights.get(&blue) == Some(&9));
    kill_process(engine.pid("odd"), Signal::KILL).unwrap();
    wait_weights("its death", SERVICE, |weights| weights.is_empty());
}
