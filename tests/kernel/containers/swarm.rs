//! The tasks of a swarm's services, as they were recorded.

use serde_json::Value;

use super::{FILE, SERVICE, stage, tell};
use crate::daemon_process::Daemon;
use crate::oracle::wait_weights;
use crate::recorded::{body, events, list};

fn array(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

#[test]
fn tasks_are_destinations() {
    let (engine, program) = stage("port = 80");
    let services = array(&body("swarm.pods.services"));
    engine.set_swarm(Some((services.clone(), array(&body("swarm.pods.tasks")))));
    engine.set_containers(list("swarm.pods"));
    let _daemon = Daemon::start(&program, FILE);
    // Three on an overlay network, three on the bridge of this node.
    let addresses = |tasks: &[Value]| -> Vec<String> {
        let on_overlay = tasks.iter().filter_map(|task| task["NetworksAttachments"][0]["Addresses"][0].as_str());
        on_overlay.map(|address| format!("{}:80", address.trim_end_matches("/24"))).collect()
    };
    let overlay = addresses(&array(&body("swarm.pods.tasks")));
    assert_eq!(overlay.len(), 3);
    wait_weights("all tasks", SERVICE, |weights| {
        weights.len() == 6
            && weights.values().all(|weight| *weight == 100)
            && overlay.iter().all(|at| weights.contains_key(at))
    });

    // Two of them are to end.
    engine.wait_streams(1);
    engine.set_swarm(Some((services, array(&body("swarm-scale.tasks")))));
    tell(&engine, &events("swarm-scale")[..1]);
    wait_weights("those that end", SERVICE, |weights| weights.values().filter(|weight| **weight == 0).count() == 2);
    engine.set_containers(list("swarm-scale"));
    let left: Vec<Value> =
        array(&body("swarm-scale.tasks")).into_iter().filter(|task| task["DesiredState"] == "running").collect();
    engine.set_swarm(Some((array(&body("swarm.pods.services")), left)));
    tell(&engine, &events("swarm-scale")[1..]);
    wait_weights("those that are left", SERVICE, |weights| {
        weights.len() == 4 && weights.values().all(|weight| *weight == 100)
    });
}
