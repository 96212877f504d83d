//! Containers that start again, and ipvsd that does.

use rustix::process::Signal;
use serde_json::json;

use super::engine::{Engine, VIP};
use super::requests::Requests;
use super::{FILE, configuration};
use crate::daemon_process::{Daemon, Line};
use crate::oracle::{wait_shown, wait_weights, weights};
use crate::program::Program;

const SERVICE: &str = "-t 192.0.2.10:80";

#[test]
fn one_that_starts_again_gets_nothing_before_it_answers() {
    let engine = Engine::start();
    let program = Program::new();
    // Its checks would take long to see that it is down.
    let service = format!(
        "[checks.slow]\ntcp = {{}}\ninterval = \"2s\"\ntimeout = \"1s\"\nrise = 1\nfall = 10\n\
         [[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"rr\"\ncheck = \"slow\"\ndocker = {{ port = 80 }}\n"
    );
    program.write(FILE, &configuration(&engine, "", &service));
    let mut daemon = Daemon::start(&program, FILE);
    let serve = "hostname >/www/index.html; sleep 5; exec httpd -f -p 80 -h /www";
    for name in ["quick", "late"] {
        let spec = if name == "late" { json!({"Cmd": ["sh", "-c", serve]}) } else { json!({}) };
        engine.run(name, &json!({"ipvsd.service": "web"}), &spec);
    }
    wait_weights("both", SERVICE, |weights| weights.len() == 2 && weights.values().all(|weight| *weight == 100));
    let load = Requests::start(&engine.client, VIP);
    load.wait("answers of both", |tally| tally.of("late") > 3 && tally.of("quick") > 3);
    engine.post("/containers/late/restart?t=1");
    let at = format!("{}:80", engine.address("late", "bridge"));
    assert!(weights(SERVICE).get(&at).is_none_or(|weight| *weight == 0), "it runs, and does not answer yet");
    wait_weights("its first check", SERVICE, |weights| weights.get(&at) == Some(&100));
    let before = load.tally().of("late");
    load.wait("its answers", |tally| tally.of("late") > before + 3);
    load.assert_whole();

    // What happened before is told again to the next process, which does nothing on its account.
    assert_eq!(daemon.end(Signal::TERM).code(), Some(0));
    let mut daemon = Daemon::start(&program, FILE);
    wait_shown(&program, FILE, "a list", |shown| shown["daemon"]["docker"]["listed_at"].is_u64());
    load.go_on(20);
    daemon.drain();
    let changed: Vec<&Line> = daemon.log.iter().filter(|line| line.is_pass() && line.number("changed") > 0).collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert!(weights(SERVICE).values().all(|weight| *weight == 100));
    load.assert_whole();
    load.end();
}
