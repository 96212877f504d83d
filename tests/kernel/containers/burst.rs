//! Many events at once are few passes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FILE, LIST, SERVICE, WEB, stage};
use crate::daemon_process::Daemon;
use crate::oracle::wait_weights;
use crate::recorded::{container, event, kill};
use crate::replayed::Replayed;

const NUMBER: usize = 200;

/// Has all events told, waits until the kernel has what follows, and counts the passes that it took.
fn passes(
    daemon: &mut Daemon,
    what: &str,
    tell: impl FnOnce(),
    is_it: impl Fn(&BTreeMap<String, u32>) -> bool,
) -> usize {
    daemon.skip();
    let before = daemon.log.len();
    tell();
    wait_weights(what, SERVICE, is_it);
    // The kernel has it a moment before the log.
    daemon.change(what);
    daemon.drain();
    daemon.log[before..].iter().filter(|line| line.is_pass()).count()
}

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
    let all: Vec<Value> =
        (0..NUMBER).map(|number| container(&format!("web-{number}"), &format!("172.17.1.{number}"), &WEB)).collect();
    let events = || all.iter().flat_map(|one| ["create", "attach", "start"].map(|action| event(action, one)));
    // One has no label, and is nobody's business.
    engine.set_containers(all.iter().cloned().chain([container("stranger", "172.17.2.1", &[])]).collect());
    let took = passes(&mut daemon, "all of them", || at_once(&engine, events()), |weights| weights.len() == NUMBER);
    assert!((1..=2).contains(&took), "{took} passes");
    let lists = engine.count(LIST);
    assert!((2..=3).contains(&lists), "{lists} lists");

    // All are told to stop, and nobody waits for a list, nor for the next of them: a pass takes what has come until then.
    let told = || at_once(&engine, all.iter().map(|one| kill(15, one)));
    let took = passes(&mut daemon, "no new connections", told, |weights| weights.values().all(|weight| *weight == 0));
    assert!((1..=4).contains(&took), "{took} passes");

    // They die, and are gone.
    let events = || all.iter().flat_map(|one| [kill(9, one), event("die", one), event("stop", one)]);
    engine.set_containers(Vec::new());
    let took = passes(&mut daemon, "the end of all", || at_once(&engine, events()), BTreeMap::is_empty);
    assert!((1..=4).contains(&took), "{took} passes");
    assert!(engine.count(LIST) <= lists + 4, "{} lists", engine.count(LIST));
}
