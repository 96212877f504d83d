//! ipvsd ends, and another one takes its place, in the middle of everything: the weights do not move.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon_process::Daemon;
use crate::netns;
use crate::network::{Network, VIP};
use crate::program::{Ended, Program, end};
use crate::sessions::{InUse, Server, Session, Traffic, last};
use crate::table::{self, Table, Watch};

const FILE: &str = "ipvsd.toml";
const WEB: &str = "tcp 192.0.2.10:80";
const SORRY: &str = "tcp 192.0.2.10:81";

const PLAIN: [&str; 2] = ["10.2.0.11:9000", "10.2.0.12:9000"];
/// Nobody listens there.
const DOWN: &str = "10.2.0.13:9999";
const RAMPED: &str = "10.2.0.14:9000";
const LIGHTER: &str = "10.2.0.15:9000";
const DRAINED: &str = "10.2.0.16:9000";
const LEAVING: &str = "10.2.0.17:9000";
const ALSO_DOWN: [&str; 2] = ["10.2.0.18:9999", "10.2.0.19:9999"];
const FALLBACK: &str = "10.2.0.21:9000";

/// Longer than two restarts and the better part of the ramp take on a slow machine: the connection has to be open after them.
const DRAIN: Duration = Duration::from_secs(45);
const RAMP: Duration = Duration::from_secs(24);

fn configuration(slow_start: &str, destinations: &[&str]) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nresync = \"1h\"\n[checks.port]\ntcp = {{}}\ninterval = \"500ms\"\ntimeout = \"400ms\"\n\
         rise = 1\nfall = 2\n[defaults]\ncheck = \"port\"\nslow_start = \"{slow_start}\"\nscheduler = \"wrr\"\ndrain = \"{}s\"\n\
         [[services]]\nname = \"sorry\"\naddress = \"tcp://192.0.2.10:81\"\nfallback = {{ address = \"{FALLBACK}\", weight = 3 }}\n\
         destinations = [{{ address = \"{}\" }}, {{ address = \"{}\" }}]\n\
         [[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nmin_healthy = 3\n",
        DRAIN.as_secs(),
        ALSO_DOWN[0],
        ALSO_DOWN[1]
    );
    for address in destinations {
        writeln!(text, "[[services.destinations]]\naddress = \"{address}\"").unwrap();
    }
    text
}

/// Everything that can be under way.
struct Everything {
    network: Network,
    _servers: Vec<Server>,
    program: Program,
    /// Open at the one that leaves.
    session: InUse,
    leaves: Instant,
    ramps: Instant,
}

fn set_up() -> (Everything, Daemon) {
    drop(netns::enter());
    let network = Network::around_here(2);
    let servers: Vec<Server> = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
    fs::write("/proc/sys/net/ipv4/vs/expire_nodest_conn", "1").unwrap();
    let program = Program::new();
    let at_first = [PLAIN[0], PLAIN[1], DOWN, LIGHTER, DRAINED, LEAVING];
    program.write(FILE, &configuration("0s", &at_first));
    let daemon = Daemon::start(&program, FILE);
    program.runs(FILE, &["weight", "web", LIGHTER, "7"], 0);
    program.runs(FILE, &["drain", "web", DRAINED], 0);
    table::wait("what is up, the overrides, and the fallback", Duration::from_secs(10), |table| {
        let full = |at: &&str| table.weight(WEB, at) == Some(100);
        [PLAIN[0], PLAIN[1], LEAVING].iter().all(full)
            && table.weight(WEB, LIGHTER) == Some(7)
            && table.weight(WEB, DRAINED) == Some(0)
            && table.weight(WEB, DOWN) == Some(0)
            && table.weight(SORRY, FALLBACK) == Some(3)
    });
    let session = InUse::new(Session::open_at(&network.client, VIP, LEAVING));
    let then = [PLAIN[0], PLAIN[1], DOWN, LIGHTER, DRAINED, RAMPED];
    program.write(FILE, &configuration(&format!("{}s", RAMP.as_secs()), &then));
    table::wait("one leaves", Duration::from_secs(3), |table| table.weight(WEB, LEAVING) == Some(0));
    let leaves = Instant::now();
    table::wait("one comes", Duration::from_secs(3), |table| {
        table.weight(WEB, RAMPED).is_some_and(|weight| weight > 0)
    });
    let ramps = Instant::now();
    (Everything { network, _servers: servers, program, session, leaves, ramps }, daemon)
}

#[test]
fn pain_15_restarts_kills_and_upgrades_in_the_middle_of_everything_move_no_weight() {
    let (Everything { network, _servers, program, session, leaves, ramps }, mut daemon) = set_up();
    let watch = Watch::start();
    let traffic = Traffic::start(&network.client, VIP, 3, Duration::from_secs(20));
    table::wait("the ramp", Duration::from_secs(10), |table| {
        table.weight(WEB, RAMPED).is_some_and(|weight| weight >= 12)
    });

    // Restarted.
    let mut away = Duration::ZERO;
    let begin = Instant::now();
    assert!(daemon.end(Signal::TERM).success());
    daemon = Daemon::start(&program, FILE);
    away += begin.elapsed();
    let after = |part: u32| format!("the ramp goes on to {part}");
    let ramped = |part: u32| {
        table::wait(&after(part), Duration::from_secs(12), |table| {
            table.weight(WEB, RAMPED).is_some_and(|weight| weight >= part)
        })
    };
    ramped(30);
    traffic.tally().assert_whole();

    // Killed.
    let begin = Instant::now();
    daemon.end(Signal::KILL);
    daemon = Daemon::start(&program, FILE);
    away += begin.elapsed();
    ramped(45);
    traffic.tally().assert_whole();
    assert_eq!(Session::open(&network.client, "192.0.2.10:81").unwrap().at, last(FALLBACK), "the fallback answers");

    // Upgraded: another program on the same files. While the old one runs it may not start, and changes nothing.
    let new = program.path("ipvsd-new");
    fs::copy(env!("CARGO_BIN_EXE_ipvsd"), &new).unwrap();
    let command = || {
        let old = program.command(FILE, &["run", "--log-format", "json"]);
        let mut command = Command::new(&new);
        command.args(old.get_args());
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command
    };
    let Ended { code, err, .. } = end(command().spawn().unwrap());
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("another ipvsd is at work"), "{err}");
    let begin = Instant::now();
    daemon.end(Signal::KILL);
    daemon = Daemon::start_command(command());
    away += begin.elapsed();

    session.goes_on(5);
    let longest = DRAIN.max(RAMP + away) + Duration::from_secs(6);
    table::wait("the ends of the drain and of the ramp", longest, |table| {
        table.row(WEB, LEAVING).is_none() && table.weight(WEB, RAMPED) == Some(100)
    });
    let seen = watch.end();
    // The drain keeps its deadline, whoever is there to see it.
    let drained = seen.changed(WEB, LEAVING) - leaves;
    let (least, most) = (DRAIN - Duration::from_secs(1), DRAIN + Duration::from_millis(2500));
    assert!((least..most).contains(&drained), "deleted after {drained:?}");
    // The ramp stood still while nobody was there, and no longer; each time it may lose a step, which is 1.2 s.
    let ramp = seen.changed(WEB, RAMPED) - ramps;
    assert!(ramp >= RAMP - Duration::from_secs(2), "the ramp took {ramp:?}");
    assert!(ramp < RAMP + away + Duration::from_secs(5), "the ramp took {ramp:?}, {away:?} of them nobody was there");

    println!("{} reads; drained after {drained:?}, ramp of {ramp:?} with {away:?} without a daemon", seen.reads);
    for (at, weight) in [(PLAIN[0], 100), (PLAIN[1], 100), (DOWN, 0), (LIGHTER, 7), (DRAINED, 0)] {
        assert_eq!(seen.weights(WEB, at), [Some(weight)], "{at}");
    }
    assert_eq!(seen.weights(WEB, LEAVING), [Some(0), None]);
    for at in ALSO_DOWN {
        assert_eq!(seen.weights(SORRY, at), [Some(0)], "{at}");
    }
    assert_eq!(seen.weights(SORRY, FALLBACK), [Some(3)]);
    let climb = seen.weights(WEB, RAMPED);
    assert!(climb.is_sorted() && climb.iter().all(Option::is_some), "never back: {climb:?}");
    assert!(climb.windows(2).all(|pair| pair[1].unwrap() - pair[0].unwrap() <= 25), "and in steps: {climb:?}");
    assert!(seen.reads > 1000, "{}", seen.reads);
    let tally = traffic.end();
    tally.assert_whole();
    assert!(tally.opened > 3 && tally.exchanges > 300, "{tally:?}");

    // Nobody was told of a failure that was none.
    daemon.drain();
    let failed = daemon.log.iter().find(|line| line.message().contains("has failed"));
    assert!(failed.is_none(), "{}", failed.unwrap());
    // And it is all still in force.
    program.runs(FILE, &["undrain", "web", DRAINED], 0);
    table::wait("lifted", Duration::from_secs(1), |table| table.weight(WEB, DRAINED) == Some(100));
    assert_eq!(Table::read().weight(WEB, LIGHTER), Some(7));
}
