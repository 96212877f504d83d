//! Destinations by name: what a name stands for is followed, connections outlive it, and no error takes anything away.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::daemon_process::Daemon;
use crate::netns;
use crate::network::{Network, VIP};
use crate::program::{Ended, Program, end};
use crate::sessions::{InUse, Server, Session, last};
use crate::table::{self, Table};

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
const A: &str = "10.2.0.11:9000";
const B: &str = "10.2.0.21:9000";
const SOON: Duration = Duration::from_secs(30);

/// Two servers, and an ipvsd that has a file of hosts of its own, and nobody to ask besides.
struct Stage {
    network: Network,
    _servers: Vec<Server>,
    program: Program,
}

impl Stage {
    fn new() -> Self {
        drop(netns::enter());
        let network = Network::around_here(2);
        let servers = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
        let stage = Self { network, _servers: servers, program: Program::new() };
        stage.program.write(
            FILE,
            &format!(
                "version = 1\n[daemon]\nresolve = \"1s\"\nresync = \"1h\"\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\n\
                 scheduler = \"rr\"\ndestinations = [{{ address = \"web.internal:9000\", weight = 5 }}]\n"
            ),
        );
        fs::write(stage.file("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
        stage
    }

    fn file(&self, name: &str) -> PathBuf {
        self.program.state().with_file_name(name)
    }

    /// In place: it is mounted over another.
    fn stands_for(&self, addresses: &[&str]) {
        let line = |address: &&str| format!("{} web.internal\n", address.split(':').next().unwrap());
        fs::write(self.file("hosts"), addresses.iter().map(line).collect::<String>()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = self.program.command(FILE, arguments);
        let mount = "mount --bind \"$1\" /etc/hosts && mount --bind \"$2\" /etc/resolv.conf && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", mount, "sh"]).arg(self.file("hosts")).arg(self.file("resolv.conf"));
        command.arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        end(self.command(arguments).spawn().unwrap())
    }

    fn start(&self) -> Daemon {
        Daemon::start_command(self.command(&["run", "--log-format", "json"]))
    }

    /// What the daemon says of the name.
    fn name(&self) -> Value {
        let shown = self.run(&["show", "--output", "json"]);
        let shown: Value = serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error}: {}", shown.out));
        shown["daemon"]["names"][0].clone()
    }
}

fn weights(table: &Table) -> [Option<u32>; 2] {
    [A, B].map(|destination| table.weight(SERVICE, destination))
}

#[test]
fn what_a_name_stands_for_is_followed_and_the_last_good_stays() {
    let stage = Stage::new();
    stage.stands_for(&[A, B]);
    let mut daemon = stage.start();
    table::wait("both", SOON, |table| weights(table) == [Some(5), Some(5)]);
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));

    // One leaves: it drains, as what leaves a file does.
    stage.stands_for(&[B]);
    daemon.pass("a pass for it", |line| line.is_for("names"));
    table::wait("it is quiesced", SOON, |table| weights(table) == [Some(0), Some(5)]);
    session.goes_on(10);
    assert_eq!(Session::open(&stage.network.client, VIP).unwrap().at, last(B));

    // Nobody answers any more.
    stage.stands_for(&[]);
    let line =
        daemon.wait("the trouble", |line| line.message().contains("cannot be looked up, what it stood for stays"));
    assert_eq!((line.level(), line.text("name")), ("WARN", "web.internal"));
    assert_eq!(weights(&Table::read()), [Some(0), Some(5)]);
    let name = stage.name();
    assert_eq!((&name["name"], name["addresses"][0].as_str()), (&"web.internal".into(), Some("10.2.0.21")), "{name}");
    assert!(name["trouble"].is_string() && name["away_since"].is_u64(), "{name}");
    let shown = stage.run(&["show"]);
    assert!(
        format!("{}{}", shown.out, shown.err).contains("the name web.internal is not as it should be"),
        "{shown:?}"
    );

    // Neither does a reload, a restart, or a plan take anything away.
    daemon.signal(Signal::HUP);
    daemon.pass("the reload", |line| line.is_for("reload"));
    assert!(daemon.end(Signal::TERM).success());
    let plan = stage.run(&["plan"]);
    assert!(plan.err.contains("cannot be looked up now") && !plan.out.contains(B), "{plan:?}");
    let mut daemon = stage.start();
    assert_eq!(weights(&Table::read()), [Some(0), Some(5)]);
    session.goes_on(10);
    assert_eq!(stage.run(&["check"]).code, Some(0), "a name that cannot be looked up now may be right");

    // And back: the drain is over.
    stage.stands_for(&[A, B]);
    table::wait("both again", SOON, |table| weights(table) == [Some(5), Some(5)]);
    session.goes_on(10);
    assert!(daemon.end(Signal::TERM).success());
}

#[test]
fn one_pass_by_hand_looks_names_up_and_holds_what_it_cannot() {
    let stage = Stage::new();
    stage.stands_for(&[A, B]);
    let applied = stage.run(&["apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(weights(&Table::read()), [Some(5), Some(5)]);
    stage.stands_for(&[]);
    let applied = stage.run(&["apply"]);
    assert!(applied.out.contains("changed=0 failed=0 unchanged=3"), "{applied:?}");
    assert!(applied.err.contains("`web.internal` cannot be looked up now"), "{applied:?}");
    stage.stands_for(&[B]);
    assert_eq!(stage.run(&["apply"]).code, Some(0));
    assert_eq!(weights(&Table::read()), [None, Some(5)]);
}

/// All of a service is somewhere else now: it goes over when that is known to work, whatever `max_delete` says of mistakes in files,
/// and health goes on to count.
#[test]
fn a_name_that_moves_altogether_takes_its_service_along() {
    let stage = Stage::new();
    let text = fs::read_to_string(stage.program.path(FILE)).unwrap();
    let text = text
        .replace("[daemon]\n", "[daemon]\nmax_delete = 0\n")
        .replace("weight = 5 }", "weight = 5, check = \"ours\" }")
        + "[checks.ours]\ntcp = {}\ninterval = \"200ms\"\nrise = 1\nfall = 1\n";
    stage.program.write(FILE, &text);
    stage.stands_for(&[A]);
    let mut daemon = stage.start();
    table::wait("the first", SOON, |table| weights(table) == [Some(5), None]);
    stage.stands_for(&[B]);
    daemon.pass("it waits for the first check", |line| line.is_for("names"));
    table::wait("it has moved", SOON, |table| weights(table) == [None, Some(5)]);
    assert!(daemon.end(Signal::TERM).success());
    // Its last pass is over now, and the table is seen before that.
    assert!(!stage.program.state().join("moved").exists(), "that is done");
}
