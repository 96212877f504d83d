//! What was recorded of a real engine, played again: what the kernel has after each event and each list.

use serde_json::{Value, json};

use super::{FILE, LIST, SERVICE, of, stage, tell};
use crate::daemon_process::Daemon;
use crate::oracle::{wait_shown, wait_weights, weights};
use crate::recorded::{body, container, event, events, list};
use crate::replayed::Replayed;

/// The address that the recorded container has, wherever it has one.
const ONE: &str = "172.17.0.2:80";

/// The events of a scene from the first with this action on.
fn from(scene: &str, action: &str) -> Vec<Value> {
    events(scene).into_iter().skip_while(|event| event["Action"] != action).collect()
}

#[track_caller]
fn wait(what: &str, wanted: &[(&str, u32)]) {
    wait_weights(what, SERVICE, |weights| *weights == of(wanted));
}

/// All that has been said is known: a list that was asked for after it has been answered.
fn settle(engine: &Replayed) {
    let before = engine.count(LIST);
    engine.event(&event("start", &container("nobody", "172.17.0.99", &[])));
    engine.wait_count(LIST, before + 1);
}

#[test]
fn a_container_that_stops_is_quiesced_at_the_first_sign() {
    let (engine, program) = stage("port = 80");
    engine.set_containers(list("start"));
    let _daemon = Daemon::start(&program, FILE);
    wait("it to be there", &[(ONE, 100)]);
    engine.wait_streams(1);
    // Each scene is a container of its own; its events tell the one that is played now.
    for scene in ["stop", "stop-at-once", "restart"] {
        // What the list says is that it runs, until it has ended.
        engine.set_containers(list("stop-under-way"));
        let mut running = list("stop-under-way").remove(0);
        running["Id"] = events(scene)[0]["Actor"]["ID"].clone();
        engine.set_containers(vec![running]);
        tell(&engine, &events(scene)[..3]);
        wait(scene, &[(ONE, 100)]);
        tell(&engine, &from(scene, "kill")[..1]);
        wait(scene, &[(ONE, 0)]);
        settle(&engine);
        wait(scene, &[(ONE, 0)]);
        engine.set_containers(list(scene));
        tell(&engine, &from(scene, "kill")[1..]);
        let runs_again: &[(&str, u32)] = if scene == "restart" { &[(ONE, 100)] } else { &[] };
        wait(scene, runs_again);
    }
}

#[test]
fn signals_deaths_and_restarts() {
    let (engine, program) = stage("port = 80");
    let mut daemon = Daemon::start(&program, FILE);
    engine.wait_streams(1);
    for (scene, action, after) in [
        ("kill", "kill", &[][..]),
        ("die", "die", &[][..]),
        // The recorded engine has said that it died, and lists it as running still.
        ("oom", "oom", &[(ONE, 0)][..]),
        ("pause", "pause", &[(ONE, 0)][..]),
        ("restart-policy", "die", &[(ONE, 100)][..]),
        ("rename", "rename", &[(ONE, 100)][..]),
    ] {
        // Before, it runs.
        let mut running = list("start").remove(0);
        running["Id"] = events(scene)[0]["Actor"]["ID"].clone();
        engine.set_containers(vec![running]);
        tell(&engine, &events(scene)[..3]);
        wait(scene, &[(ONE, 100)]);
        engine.set_containers(list(scene));
        tell(&engine, &from(scene, action));
        settle(&engine);
        wait(scene, after);
    }

    // HUP is no reason to go, unless it is what tells this container to stop.
    let id = events("kill-hup")[0]["Actor"]["ID"].as_str().unwrap().to_owned();
    engine.set_containers(list("kill-hup"));
    let mut inspected = body("kill-hup.one.inspect");
    engine.set_inspected(&id, inspected.clone());
    tell(&engine, &events("kill-hup")[..3]);
    settle(&engine);
    wait("its start", &[(ONE, 100)]);
    daemon.skip();
    tell(&engine, &from("kill-hup", "kill"));
    engine.wait_count(&format!("/containers/{id}/json"), 1);
    settle(&engine);
    assert_eq!(weights(SERVICE), of(&[(ONE, 100)]));
    inspected["Config"]["StopSignal"] = json!("SIGHUP");
    engine.set_inspected(&id, inspected);
    tell(&engine, &from("kill-hup", "kill"));
    wait("its stop signal", &[(ONE, 0)]);
}

#[test]
fn its_healthcheck_counts_if_wished() {
    let (engine, program) = stage("port = 80, healthcheck = true");
    let _daemon = Daemon::start(&program, FILE);
    engine.wait_streams(1);
    for (scene, weight) in [("health-starting", 0), ("healthy", 100), ("unhealthy", 0)] {
        engine.set_containers(list(scene));
        tell(&engine, &events(scene));
        wait(scene, &[(ONE, weight)]);
    }
    let shown = wait_shown(&program, FILE, "why", |shown| shown.to_string().contains("unhealthy"));
    assert_eq!(weights(SERVICE), of(&[(ONE, 0)]), "{shown:#}");
}

#[test]
fn networks_come_and_go_and_so_does_the_engine() {
    let (mut engine, program) = stage("port = 80");
    engine.set_containers(list("network-connect"));
    let mut daemon = Daemon::start(&program, FILE);
    // Of two networks one is taken; of none, nothing.
    wait_weights("one of its networks", SERVICE, |weights| weights.len() == 1);
    engine.wait_streams(1);
    engine.set_containers(list("network-disconnect"));
    tell(&engine, &events("network-disconnect"));
    wait("the other network", &[("10.9.0.2:80", 100)]);
    engine.set_containers(list("networks"));
    tell(&engine, &events("networks"));
    wait_weights("a list of many networks", SERVICE, |weights| weights.contains_key("10.8.0.2:80"));

    // It shuts down, and what it had comes back.
    engine.set_containers(
        events("shutdown")
            .iter()
            .filter(|event| event["Action"] == "start")
            .zip(["172.17.0.2", "172.17.0.3"])
            .map(|(event, address)| {
                let name = event["Actor"]["Attributes"]["name"].as_str().unwrap();
                let mut one = container(name, address, &[("ipvsd.service", "web")]);
                one["Id"] = event["Actor"]["ID"].clone();
                one
            })
            .collect(),
    );
    tell(&engine, &events("shutdown")[..6]);
    wait("both", &[("172.17.0.2:80", 100), ("172.17.0.3:80", 100)]);
    let end = from("shutdown", "kill");
    let signals = end.iter().filter(|event| event["Action"] == "kill").count();
    tell(&engine, &end[..signals]);
    wait("no new connections", &[("172.17.0.2:80", 0), ("172.17.0.3:80", 0)]);
    engine.set_containers(Vec::new());
    tell(&engine, &end[signals..]);
    wait("their end", &[]);
    engine.go_away();
    daemon.wait("a warning", |line| line.message().contains("cannot be followed"));
    engine.set_containers(list("engine-back"));
    engine.come_back();
    daemon.wait("its return", |line| line.message().contains("is followed again"));
    wait_weights("the one that is restarted", SERVICE, |weights| {
        weights.values().filter(|weight| **weight > 0).count() == 1
    });
}
