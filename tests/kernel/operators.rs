//! `ipvsd drain`, `undrain` and `weight`, with a daemon that carries them out, and connections that are open.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::network::{Network, VIP};
use crate::program::{Program, end};
use crate::sessions::{InUse, Server, Session, last};
use crate::table::{self, Table, Watch};

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
const A: &str = "10.2.0.11:9000";
const B: &str = "10.2.0.21:9000";
/// A command has its effect in that time.
const AT_ONCE: Duration = Duration::from_secs(1);

struct Stage {
    network: Network,
    servers: Vec<Server>,
    program: Program,
}

impl Stage {
    fn new(checked: bool) -> Self {
        drop(netns::enter());
        let network = Network::around_here(2);
        let servers = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
        ipvsadm(&["--set", "2", "2", "2"], "");
        let program = Program::new();
        program.write(FILE, &configuration(checked));
        Self { network, servers, program }
    }

    fn says(&self, arguments: &[&str]) -> String {
        self.program.runs(FILE, arguments, 0)
    }

    fn shows(&self) -> Value {
        serde_json::from_str(&self.says(&["show", "--output", "json"])).unwrap()
    }
}

fn configuration(checked: bool) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nresync = \"1h\"\n[checks.port]\ntcp = {{}}\ninterval = \"400ms\"\ntimeout = \"300ms\"\n\
         rise = 1\nfall = 2\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"rr\"\n"
    );
    if checked {
        text += "check = \"port\"\n";
    }
    for address in [A, B] {
        writeln!(text, "[[services.destinations]]\naddress = \"{address}\"").unwrap();
    }
    text
}

fn becomes(destination: &str, weight: u32) -> Duration {
    let what = format!("{destination} gets weight {weight}");
    table::wait(&what, AT_ONCE, |table| table.weight(SERVICE, destination) == Some(weight))
}

/// The standard error of a child, line by line.
fn lines(child: &mut Child) -> Receiver<String> {
    let stderr = child.stderr.take().unwrap();
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

#[test]
fn a_drain_is_waited_for_with_progress_until_the_connections_are_gone() {
    let stage = Stage::new(false);
    let client = &stage.network.client;
    let _daemon = Daemon::start(&stage.program, FILE);
    let session = InUse::new(Session::open_at(client, VIP, A));

    let mut child = stage.program.command(FILE, &["drain", "web", A, "--wait", "--timeout", "40s"]).spawn().unwrap();
    let progress = lines(&mut child);
    table::wait("drained", Duration::from_secs(3), |table| table.weight(SERVICE, A) == Some(0));
    let said = |what: &str| {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            let line = progress.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            if line.unwrap_or_else(|_| panic!("it never said: {what}")).contains(what) {
                break;
            }
        }
    };
    said("1 connection left (1 active, 0 inactive, 0 persistent)");
    for _ in 0..6 {
        assert_eq!(Session::open(client, VIP).unwrap().at, last(B), "new connections go elsewhere");
    }
    session.goes_on(20);
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    // A reset leaves an inactive one for 10 s.
    drop(session.rest());
    said("1 connection left (0 active, 1 inactive, 0 persistent)");
    let ended = end(child);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains("no connections are left"), "{}", ended.out);
    let row = Table::read().row(SERVICE, A).unwrap();
    assert_eq!((row.weight, row.connections()), (0, 0), "what is drained by hand stays");

    // And not longer than is said.
    let session = InUse::new(Session::open_at(client, VIP, B));
    let begin = Instant::now();
    let ended = stage.program.run(FILE, &["drain", "web", B, "--wait", "--timeout", "2s"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("1 connection left (1 active, 0 inactive, 0 persistent) after 2s"), "{}", ended.err);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(Table::read().weight(SERVICE, B), Some(0), "it stays drained");
    session.goes_on(3);

    // Interrupted, the drain stays as well.
    let mut child = stage.program.command(FILE, &["drain", "web", B, "--wait"]).spawn().unwrap();
    let progress = lines(&mut child);
    let line = progress.recv_timeout(Duration::from_secs(15)).unwrap();
    assert!(line.contains("1 connection left"), "{line}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    let ended = end(child);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(progress.iter().any(|line| line.contains("interrupted")), "it says why it ended");
    assert_eq!(Table::read().weight(SERVICE, B), Some(0));
}

#[test]
fn overrides_are_in_force_at_once_and_survive_the_daemon() {
    let stage = Stage::new(false);
    let mut daemon = Daemon::start(&stage.program, FILE);
    stage.says(&["drain", "web", A]);
    becomes(A, 0);
    stage.says(&["weight", "web", B, "3"]);
    becomes(B, 3);

    let says_it = || {
        let text = stage.says(&["show"]);
        for words in ["Overrides, until they are lifted:", "drained by override since ", "weight 3 by override since "]
        {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
        // That is no pending change.
        let plan = stage.says(&["plan"]);
        assert!(plan.contains("Overrides, until they are lifted:"), "{plan}");
        assert!(plan.contains(&format!("{A} of tcp://{VIP} (web): drained by override since ")), "{plan}");
        let shown = stage.shows();
        let overrides = shown["overrides"].as_array().unwrap();
        let destinations: Vec<&Value> = overrides.iter().map(|order| &order["destination"]).collect();
        assert_eq!(destinations, [&json!(A), &json!(B)], "{shown}");
    };
    says_it();
    let watch = Watch::start();
    assert!(daemon.end(Signal::TERM).success());
    says_it();
    daemon = Daemon::start(&stage.program, FILE);
    daemon.end(Signal::KILL);
    let mut daemon = Daemon::start(&stage.program, FILE);
    says_it();
    let seen = watch.end();
    for (at, weight) in [(A, 0), (B, 3)] {
        assert_eq!(seen.weights(SERVICE, at), [Some(weight)], "{at}");
    }

    stage.says(&["undrain", "web", A]);
    becomes(A, 100);
    stage.says(&["weight", "web", B, "--reset"]);
    becomes(B, 100);
    assert_eq!(stage.shows()["overrides"], json!([]));

    // For a time only.
    let begin = Instant::now();
    stage.says(&["weight", "web", A, "5", "--for", "3s"]);
    becomes(A, 5);
    table::wait("its end", Duration::from_secs(6), |table| table.weight(SERVICE, A) == Some(100));
    let took = begin.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_millis(5500)).contains(&took), "3 s, and it took {took:?}");
    // Its end is kept over a restart, and over nobody being there.
    stage.says(&["weight", "web", A, "5", "--for", "3s"]);
    becomes(A, 5);
    let given = Instant::now();
    daemon.end(Signal::KILL);
    thread::sleep(Duration::from_secs(4).saturating_sub(given.elapsed()));
    assert_eq!(Table::read().weight(SERVICE, A), Some(5), "nobody is there to lift it");
    let _daemon = Daemon::start(&stage.program, FILE);
    becomes(A, 100);
}

#[test]
fn commands_at_the_same_time_are_all_in_force() {
    let stage = Stage::new(false);
    let _daemon = Daemon::start(&stage.program, FILE);
    for round in 0..3 {
        let weight = (round + 5).to_string();
        let commands = [&["drain", "web", A][..], &["weight", "web", B, &weight], &["weight", "web", A, "9"]];
        let children: Vec<Child> =
            commands.iter().map(|words| stage.program.command(FILE, words).spawn().unwrap()).collect();
        for (child, words) in children.into_iter().zip(commands) {
            let ended = end(child);
            assert_eq!(ended.code, Some(0), "{words:?}: {}{}", ended.out, ended.err);
        }
        becomes(A, 0);
        becomes(B, round + 5);
        stage.says(&["undrain", "web", A]);
        becomes(A, 9);
        stage.says(&["weight", "web", A, "--reset"]);
        becomes(A, 100);
    }
}

#[test]
fn without_a_daemon_overrides_take_effect_with_apply() {
    let stage = Stage::new(false);
    stage.says(&["apply"]);
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    let ended = stage.program.run(FILE, &["drain", "web", A]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("no daemon is running"), "{}", ended.err);
    assert_eq!(Table::read().weight(SERVICE, A), Some(100), "not yet");
    let plan = stage.program.runs(FILE, &["plan"], 2);
    assert!(plan.contains("drained by override since ") && plan.contains("weight"), "{plan}");
    let out = stage.says(&["apply"]);
    assert!(out.contains(&format!("edit destination {A} of tcp://{VIP}: weight 100 → 0")), "{out}");
    assert_eq!(Table::read().weight(SERVICE, A), Some(0));
    assert_eq!(stage.says(&["apply"]), "changed=0 failed=0 unchanged=3\n");
    session.goes_on(5);
    assert_eq!(stage.program.run(FILE, &["undrain", "web", A]).code, Some(0));
    stage.says(&["apply"]);
    assert_eq!(Table::read().weight(SERVICE, A), Some(100));
    session.goes_on(5);
}

#[test]
fn what_is_drained_and_goes_down_comes_back_when_it_is_both_up_and_not_drained() {
    let mut stage = Stage::new(true);
    let _daemon = Daemon::start(&stage.program, FILE);
    let up = |table: &Table| [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(100));
    table::wait("both up", Duration::from_secs(5), up);
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    stage.says(&["drain", "web", A]);
    becomes(A, 0);
    let watch = Watch::start();
    stage.servers.remove(0).stop();
    let health = |wanted: &str| {
        let begin = Instant::now();
        loop {
            let shown = stage.shows();
            let status = &shown["services"][0]["destinations"][0]["status"];
            if status["health"] == json!(wanted) {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(8), "not {wanted}: {shown}");
        }
    };
    health("down");
    session.goes_on(10);
    // Not deleted: it is configured. Not drained any more, it is down still.
    stage.says(&["undrain", "web", A]);
    health("down");
    assert_eq!(watch.end().weights(SERVICE, A), [Some(0)]);

    stage.servers.push(Server::start(&stage.network.servers[0], 9000));
    table::wait("up, and not drained", Duration::from_secs(3), up);
    session.goes_on(3);
}
