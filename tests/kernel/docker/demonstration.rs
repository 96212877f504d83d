//! Five containers behind one port, and all that may happen to them under a client that never pauses.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use super::engine::{Engine, VIP};
use super::requests::{Requests, spread};
use super::{FILE, configuration};
use crate::daemon_process::{Daemon, Line};
use crate::netns::ipvsadm;
use crate::oracle::{shown_text, wait_shown, wait_weights, weights};
use crate::program::Program;

const SERVICE: &str = "-t 192.0.2.10:80";
const FIVE: [&str; 5] = ["one", "two", "three", "four", "five"];

fn away(line: &Line) -> bool {
    line.level() == "WARN" && line.message().contains("cannot be followed")
}

fn back(line: &Line) -> bool {
    line.message().contains("is followed again")
}

#[test]
fn five_containers_behind_one_port() {
    let mut engine = Engine::start();
    // A client whose server was killed is led to another one.
    fs::write("/proc/sys/net/ipv4/vs/expire_nodest_conn", "1").unwrap();
    let program = Program::new();
    let service = format!(
        "[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"rr\"\ncheck = \"port\"\n\
         docker = {{ label = \"ipvsd.service=web\", port = 80 }}\n"
    );
    program.write(FILE, &configuration(&engine, "", &service));
    let mut daemon = Daemon::start(&program, FILE);
    assert!(weights(SERVICE).is_empty());

    // They appear as they start, each once it answers.
    let labels = json!({"ipvsd.service": "web"});
    let mut addresses = BTreeMap::new();
    for name in FIVE {
        engine.run(name, &labels, &json!({}));
        addresses.insert(name, format!("{}:80", engine.address(name, "bridge")));
        let all = |weights: &BTreeMap<String, u32>| addresses.values().all(|at| weights.get(at) == Some(&100));
        wait_weights(name, SERVICE, |weights| weights.len() == addresses.len() && all(weights));
    }
    let answers = spread(&engine.client, VIP, 50);
    assert_eq!(answers, FIVE.iter().map(|name| ((*name).to_owned(), 10)).collect());

    // A sixth joins, and nobody has to wait.
    let load = Requests::start(&engine.client, VIP);
    load.go_on(5);
    engine.run("six", &labels, &json!({}));
    load.wait("an answer of the sixth", |tally| tally.of("six") > 0);
    addresses.insert("six", format!("{}:80", engine.address("six", "bridge")));
    assert_eq!(weights(SERVICE), addresses.values().map(|at| (at.clone(), 100)).collect());
    load.assert_whole();
    let said = shown_text(&program, FILE);
    assert!(said.contains(&format!("{} (one)", addresses["one"])), "{said}");

    // The engine goes away, and ipvsd is started anew without it: all stays as it was.
    let saved = ipvsadm(&["-Sn"], "");
    engine.kill();
    daemon.wait("a warning", away);
    assert!(shown_text(&program, FILE).contains("cannot be followed since"), "{}", shown_text(&program, FILE));
    assert_eq!(daemon.end(Signal::TERM).code(), Some(0));
    load.go_on(5);
    let mut daemon = Daemon::start(&program, FILE);
    // It may have said so before the end of its first pass.
    if !daemon.log.iter().any(away) {
        daemon.wait("a warning", away);
    }
    load.go_on(20);
    assert_eq!(ipvsadm(&["-Sn"], ""), saved);
    engine.come_back();
    daemon.wait("the engine", back);
    wait_shown(&program, FILE, "a list", |shown| shown["daemon"]["docker"]["listed_at"].is_u64());
    load.go_on(5);
    assert_eq!(ipvsadm(&["-Sn"], ""), saved);
    let changed: Vec<&Line> = daemon.log.iter().filter(|line| line.is_pass() && line.number("changed") > 0).collect();
    assert!(changed.is_empty(), "{changed:?}");
    load.assert_whole();

    // Each is stopped, with time to end its work.
    for name in FIVE {
        let address = addresses.remove(name).unwrap();
        let stop = engine.post_in_background(&format!("/containers/{name}/stop?t=3"));
        wait_weights("no new connections", SERVICE, |weights| weights.get(&address).is_none_or(|weight| *weight == 0));
        stop.join().unwrap();
        wait_weights("its end", SERVICE, |weights| !weights.contains_key(&address));
        load.go_on(5);
        load.assert_whole();
    }
    let tally = load.end();
    println!("of {} requests none failed: {:?}", tally.total(), tally.answered);
    assert!(tally.of("five") > tally.of("one"), "{tally:?}");

    // One is back, and killed: who was on the way to it may be lost, nobody else.
    engine.post("/containers/one/start");
    let address = format!("{}:80", engine.address("one", "bridge"));
    wait_weights("it is back", SERVICE, |weights| weights.get(&address) == Some(&100));
    let load = Requests::start(&engine.client, VIP);
    load.wait("answers of both", |tally| tally.of("one") > 3 && tally.of("six") > 3);
    load.assert_whole();
    engine.post("/containers/one/kill");
    wait_weights("its end", SERVICE, |weights| !weights.contains_key(&address));
    let gone = Instant::now();
    load.go_on(20);
    let tally = load.end();
    let late: Vec<_> = tally.failed.iter().filter(|(begun, _)| *begun > gone).collect();
    assert!(late.is_empty(), "{late:?}");
}
