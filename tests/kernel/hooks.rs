//! Hooks of a real daemon: what they are told, and that nobody waits for them.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::network::{Network, VIP};
use crate::program::Program;
use crate::sessions::Server;
use crate::table;

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
const ADDRESS: &str = "tcp://192.0.2.10:80";
const A: &str = "10.2.0.11:9000";
const B: &str = "10.2.0.21:9000";

fn configuration(hooks: &str, weight: u32, destinations: &[&str]) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nresync = \"1s\"\n[hooks]\n{hooks}\n[checks.port]\ntcp = {{}}\ninterval = \"400ms\"\n\
         timeout = \"300ms\"\nrise = 1\nfall = 2\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\n\
         scheduler = \"wrr\"\nmin_healthy = 2\ncheck = \"port\"\n"
    );
    for address in destinations {
        writeln!(text, "[[services.destinations]]\naddress = \"{address}\"\nweight = {weight}").unwrap();
    }
    text
}

/// Two servers and a daemon with these hooks, `$` standing for a file beside the configuration. Both are up.
fn stage(program: &Program, hooks: &str) -> (Network, Vec<Server>, Daemon) {
    drop(netns::enter());
    let network = Network::around_here(2);
    let servers = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
    program.write(FILE, &configuration(hooks, 100, &[A, B]));
    let daemon = Daemon::start(program, FILE);
    table::wait("both up", Duration::from_secs(5), |table| {
        [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(100))
    });
    (network, servers, daemon)
}

/// A shell script for the hook: what it is told goes to the end of a file, a line each.
fn appending(program: &Program) -> String {
    program.write("hook.sh", "cat >> \"$1\"\n");
    let path = |name: &str| program.path(name).display().to_string();
    format!("on_change = {:?}", ["/bin/sh", &path("hook.sh"), &path("told")])
}

/// What the hook was told, once there is a line of which `is_it` is true.
#[track_caller]
fn told(program: &Program, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(program.path("told")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines: Vec<Value> =
            whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
        if let Some(found) = lines.into_iter().find(&is_it) {
            return found;
        }
        // The kernel takes 10 s to forget a connection that was reset.
        assert!(begin.elapsed() < Duration::from_secs(20), "nobody was told of {what}:\n{text}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The document of an event, without what each has.
#[track_caller]
fn event(program: &Program, event: &str) -> Value {
    let mut document = told(program, event, |line| line["event"] == event);
    let object = document.as_object_mut().unwrap();
    assert_eq!(object.remove("version"), Some(json!(1)));
    let time = object.remove("time").and_then(|time| time.as_u64()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 60..=now).contains(&time), "{time}, now {now}");
    assert!(object.remove("timestamp").is_some_and(|text| text.as_str().is_some_and(|text| text.ends_with('Z'))));
    assert!(object.remove("host").is_some_and(|host| host.is_string()));
    document
}

#[test]
fn a_hook_is_told_of_everything_that_happens() {
    let program = Program::new();
    let hooks = appending(&program);
    let (network, mut servers, _daemon) = stage(&program, &hooks);

    // A server is gone, and comes back.
    servers.remove(0).stop();
    let mut down = event(&program, "destination_down");
    let reason = down.as_object_mut().unwrap().remove("reason").unwrap();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("refused")), "{reason}");
    assert_eq!(down, json!({ "event": "destination_down", "service": ADDRESS, "name": "web", "destination": A }));
    assert_eq!(
        event(&program, "service_failed"),
        json!({ "event": "service_failed", "service": ADDRESS, "name": "web", "up": 1, "of": 2 })
    );
    servers.push(Server::start(&network.servers[0], 9000));
    assert_eq!(
        event(&program, "destination_up"),
        json!({ "event": "destination_up", "service": ADDRESS, "name": "web", "destination": A })
    );
    assert_eq!(
        event(&program, "service_restored"),
        json!({ "event": "service_restored", "service": ADDRESS, "name": "web", "up": 2, "of": 2 })
    );

    // Somebody else changes the table.
    ipvsadm(&["-e", "-t", VIP, "-r", A, "-m", "-w", "5"], "");
    let mut drift = event(&program, "drift_repaired");
    let repair = drift.as_object_mut().unwrap().remove("repair").unwrap();
    assert_eq!(repair, json!(format!("edit destination {A} of {ADDRESS}: weight 5 → 100")));
    assert_eq!(drift, json!({ "event": "drift_repaired", "service": ADDRESS, "name": "web" }));

    // A mistake.
    program.write(FILE, &configuration(&hooks, 100, &[A, B]).replace("scheduler", "schedular"));
    let refused = event(&program, "configuration_refused");
    assert_eq!(refused.as_object().unwrap().len(), 2, "{refused}");
    let problems = refused["problems"].as_str().unwrap();
    assert!(problems.contains("unknown key `schedular`") && problems.contains(FILE), "{problems}");
    assert!(!problems.contains('\u{1b}'), "{problems:?}");

    // A drain.
    let before = netns_sessions(&network);
    program.write(FILE, &configuration(&hooks, 100, &[B]));
    table::wait("quiesced", Duration::from_secs(2), |table| table.weight(SERVICE, A) == Some(0));
    drop(before);
    let done = told(&program, "drain_done", |line| line["event"] == "drain_done" && line["destination"] == A);
    assert_eq!(
        (&done["why"], &done["connections"], &done["name"]),
        (&json!("idle"), &json!(0), &json!("web")),
        "{done}"
    );
    assert_eq!(done["service"], json!(ADDRESS));
}

/// Connections at both.
fn netns_sessions(network: &Network) -> Vec<crate::sessions::Session> {
    [A, B].map(|at| crate::sessions::Session::open_at(&network.client, VIP, at)).into()
}

/// Processes with this among their arguments, but for the daemon.
fn processes(argument: &str) -> usize {
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let has = |id: &String| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    };
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())).filter(has).count()
}

fn wait_for_processes(argument: &str, what: &str, is_it: impl Fn(usize) -> bool) {
    let begin = Instant::now();
    while !is_it(processes(argument)) {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}: {} processes", processes(argument));
        thread::sleep(Duration::from_millis(20));
    }
}

/// Edits and drift land at once, whatever the hook does.
fn nobody_waits(program: &Program, hooks: &str, daemon: &mut Daemon) {
    for weight in [50, 60, 70] {
        program.write(FILE, &configuration(hooks, weight, &[A, B]));
        table::wait("an edit", Duration::from_millis(1500), |table| {
            [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(weight))
        });
        ipvsadm(&["-e", "-t", VIP, "-r", A, "-m", "-w", "5"], "");
        table::wait("a repair", Duration::from_millis(2500), |table| table.weight(SERVICE, A) == Some(weight));
    }
    daemon.drain();
}

#[test]
fn a_hook_that_hangs_holds_up_nobody_and_leaves_nothing_behind() {
    let program = Program::new();
    // It starts another process, and both hang.
    program.write("hang.sh", "sleep 98765 & sleep 98765\n");
    let script = program.path("hang.sh").display().to_string();
    let hooks = format!("on_change = {:?}\ntimeout = \"2m\"\nat_once = 2", ["/bin/sh", &script]);
    let (_network, mut servers, mut daemon) = stage(&program, &hooks);
    servers.remove(0).stop();
    wait_for_processes("98765", "the hook runs", |count| count == 2);
    servers.clear();
    let hanging = processes("98765");
    assert!(hanging <= 4, "{hanging}");
    drop(servers);
    ipvsadm(&["-A", "-t", "192.0.2.10:99"], "");

    // Health has a say in weights now; without the checks it has none.
    let unchecked = |text: String| text.replace("check = \"port\"\n", "");
    for weight in [50, 60, 70] {
        program.write(FILE, &unchecked(configuration(&hooks, weight, &[A, B])));
        table::wait("an edit", Duration::from_millis(1500), |table| {
            [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(weight))
        });
        ipvsadm(&["-e", "-t", VIP, "-r", B, "-m", "-w", "5"], "");
        table::wait("a repair", Duration::from_millis(2500), |table| table.weight(SERVICE, B) == Some(weight));
    }
    assert!(processes("98765") <= 4, "events of a service wait for the run before");

    // One that takes too long is ended with all that it has started.
    let short = hooks.replace("2m", "500ms");
    let begin = Instant::now();
    assert!(daemon.end(Signal::TERM).success());
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    wait_for_processes("98765", "nothing is left behind by the end", |count| count == 0);
    program.write(FILE, &unchecked(configuration(&short, 70, &[A, B])));
    let mut daemon = Daemon::start(&program, FILE);
    ipvsadm(&["-e", "-t", VIP, "-r", B, "-m", "-w", "5"], "");
    wait_for_processes("98765", "it runs again", |count| count > 0);
    wait_for_processes("98765", "it was ended", |count| count == 0);
    daemon.wait("a word about it", |line| line.level() == "WARN" && line.message().contains("hook"));
}

#[test]
fn a_hook_that_fails_or_is_not_there_holds_up_nobody() {
    for hook in ["[\"/bin/false\"]", "[\"/nowhere/to/be/found\"]", "[\"/bin/sh\", \"-c\", \"kill -9 $$\"]"] {
        let program = Program::new();
        let hooks = format!("on_change = {hook}");
        let (_network, _servers, mut daemon) = stage(&program, &hooks);
        nobody_waits(&program, &hooks, &mut daemon);
        let warned = daemon.log.iter().any(|line| line.level() == "WARN" && line.message().contains("hook"));
        assert!(warned, "{hook}: the log says so");
        assert!(daemon.end(Signal::TERM).success(), "{hook}");
    }
}
