//! Engines that change under way: another one, one that does not know its swarm, many signals at once.

use std::fs;

use ipvsd::reconcile::{Config, ConfigSource as _};
use serde_json::{Value, json};

use super::follow::{SERVICE, Scene, WEB, config, key, lines, web};
use super::recorded::{body, kill};
use super::replayed::{Replayed, Trouble};

/// Has the configuration read again, and puts it into force.
fn reload(scene: &mut Scene) {
    let Config::New(mut desired) = scene.source.load(true) else { panic!("it is refused") };
    scene.source.replaces(&scene.desired, &mut desired);
    scene.desired = *desired;
    scene.source.in_force();
}

#[test]
fn two_hundred_that_are_told_by_a_signal_of_their_own_are_all_heard() {
    let engine = Replayed::start();
    let all: Vec<Value> = (0..200_u8).map(|number| web(&format!("c{number}"), number + 2)).collect();
    engine.set_containers(all.clone());
    for one in &all {
        engine.set_inspected(one["Id"].as_str().unwrap(), json!({ "Config": { "StopSignal": "SIGQUIT" } }));
    }
    let mut scene = Scene::start(engine, SERVICE);
    scene.wait("all of them", |desired, _| lines(desired).len() == 200);
    scene.engine.wait_streams(1);
    let events: String = all.iter().map(|one| format!("{}\n", kill(3, one))).collect();
    scene.engine.raw(events.as_bytes());
    scene.wait("all of them to stop", |desired, _| lines(desired).iter().all(|line| line.ends_with("stopping)")));
}

#[test]
fn the_containers_of_another_engine_drain() {
    let (engine, other) = (Replayed::start(), Replayed::start());
    engine.set_containers(vec![web("one", 2)]);
    other.set_containers(vec![web("two", 3)]);
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("the first list", &["172.17.0.2:80 one 100"]);
    config(&other, &scene.folder, SERVICE);
    reload(&mut scene);
    assert_eq!(lines(&scene.desired), ["172.17.0.2:80 one 100"], "until the other one was listed");
    scene.list("the other one", &["172.17.0.3:80 two 100"]);
    assert!(scene.desired.policies[&key(WEB)].ended.is_empty(), "nobody has said that it has ended");
}

#[test]
fn what_was_known_long_ago_is_forgotten() {
    let engine = Replayed::start();
    engine.set_containers(vec![web("one", 2)]);
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("the first list", &["172.17.0.2:80 one 100"]);
    let (file, kept) = (scene.folder.path().join("ipvsd.toml"), scene.folder.path().join("state/docker.json"));
    fs::write(&file, "version = 1\nservices = []\n").unwrap();
    reload(&mut scene);
    scene.wait("the file to go", |_, _| !kept.exists());
    scene.engine.set_containers(vec![web("two", 3)]);
    config(&scene.engine, &scene.folder, SERVICE);
    reload(&mut scene);
    assert_eq!(lines(&scene.desired), [""; 0], "who knows whether the first one runs");
    scene.list("a new list", &["172.17.0.3:80 two 100"]);
}

#[test]
fn an_engine_that_does_not_know_its_swarm_takes_no_tasks_away() {
    let array = |name: &str| body(name).as_array().unwrap().clone();
    let engine = Replayed::start();
    let mut services = array("swarm.plain.services");
    services[0]["Spec"]["Labels"]["ipvsd.service"] = json!("web");
    engine.set_containers(array("swarm.plain.list"));
    engine.set_swarm(Some((services, array("swarm.plain.tasks"))));
    let mut scene = Scene::start(engine, SERVICE);
    scene.wait("its three tasks", |desired, _| lines(desired).len() == 3);
    scene.engine.wait_streams(1);
    let known = lines(&scene.desired);
    scene.engine.trouble("/info", Some(Trouble::Status(500)));
    scene.engine.cut();
    scene.wait("trouble", |_, status| status.trouble.as_ref().is_some_and(|why| why.contains("/info")));
    assert_eq!(lines(&scene.desired), known);
    scene.engine.trouble("/info", None);
    scene.wait("its end", |_, status| status.trouble.is_none());
    assert_eq!(lines(&scene.desired), known);
}
