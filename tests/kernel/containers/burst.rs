//! Many events at once are few passes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FILE, LIST, SERVICE, WEB, stage};
use crate::daemon_process::Daemon;
use crate::oracle::wait_weights;
use crate::recorded::{container, event, kill};
use crate::replayed::Replayed;

const NUMBER: usize = 200;

/// All in one piece, so that no engine could be quicker.
fn at_once(engine: &Replayed, events: impl Iterator<Item = Value>) {
    let lines: String = events.map(|event| format!("{event}\n")).collect();
    engine.raw(lines.as_bytes());
}

#[test]
fn two_hundred_containers_at_once_are_one_or_two_passes() {
    let (engine, program) = stage("port = 80");
    let mut daemon = Daemon::start(&program, FILE);
    engine.wait_streams(1);
    engine.wait_count(LIST, 1);
    daemon.skip();

    let all: Vec<Value> =
        (0..NUMBER).map(|number| container(&format!("web-{number}"), &format!("172.17.1.{number}"), &WEB)).collect();
    engine.set_containers(all.clone());
    at_once(&engine, all.iter().flat_map(|one| ["create", "attach", "start"].map(|action| event(action, one))));
    wait_weights("all of them", SERVICE, |weights| weights.len() == NUMBER);
    let lists = engine.count(LIST);
    assert!((2..=3).contains(&lists), "{lists} lists");
    let passes = daemon.unseen().iter().filter(|line| line.is_pass()).count();
    assert!((1..=2).contains(&passes), "{passes} passes");

    // All are told to stop, and nobody waits for a list to know it.
    daemon.skip();
    at_once(&engine, all.iter().map(|one| kill(15, one)));
    wait_weights("no new connections", SERVICE, |weights| weights.values().all(|weight| *weight == 0));
    let passes = daemon.unseen().iter().filter(|line| line.is_pass()).count();
    assert!((1..=4).contains(&passes), "{passes} passes");

    // They die, and are gone.
    daemon.skip();
    engine.set_containers(Vec::new());
    at_once(&engine, all.iter().flat_map(|one| [kill(9, one), event("die", one), event("stop", one)]));
    wait_weights("the end of all", SERVICE, BTreeMap::is_empty);
    let passes = daemon.unseen().iter().filter(|line| line.is_pass()).count();
    assert!((1..=4).contains(&passes), "{passes} passes");
    assert!(engine.count(LIST) <= lists + 4, "{} lists", engine.count(LIST));
}
