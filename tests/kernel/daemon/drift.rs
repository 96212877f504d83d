//! Somebody else changes the table behind its back.

use super::{saved, web, web_saved};
use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::network::{Long, Network, VIP, real};
use crate::program::Program;

const FILE: &str = "ipvsd.toml";
const OFTEN: &str = "resync = \"1s\"";
const SERVICE: &str = "192.0.2.10:80";

/// The next resync repairs what `ipvsadm` did, and says so, thing by thing.
#[track_caller]
fn is_repaired(daemon: &mut Daemon, arguments: &[&str], said: &[&str]) {
    let table = saved();
    daemon.skip();
    ipvsadm(arguments, "");
    for what in said {
        let line = daemon.wait(what, |line| line.message().starts_with("drift repaired: "));
        assert_eq!(line.level(), "WARN");
        let message = line.message().strip_prefix("drift repaired: ").unwrap();
        assert!(message.starts_with(what), "{what}: {message}");
    }
    let pass = daemon.change("the repair");
    assert_eq!(pass.text("why"), "resync");
    assert_eq!(pass.number("drift"), said.len() as u64, "{pass}");
    assert_eq!(pass.number("changed"), said.len() as u64, "{pass}");
    assert_eq!(saved(), table, "after {arguments:?}");
}

#[test]
fn drift_is_repaired_at_the_next_resync_and_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    let weights = [10, 20, 30];
    program.write(FILE, &web(OFTEN, &weights));
    let mut daemon = Daemon::start(&program, FILE);
    let service = ["-t", SERVICE];
    let with = |verb, rest: &[&'static str]| [&[verb], &service[..], rest].concat();
    let add = |host| format!("add destination 10.0.0.{host}:80 of tcp://{SERVICE}");
    let all = [format!("add service tcp://{SERVICE}"), add(1), add(2), add(3)];
    let all = all.each_ref().map(String::as_str);

    is_repaired(&mut daemon, &with("-d", &["-r", "10.0.0.2:80"]), &[&add(2)]);
    let edited = with("-e", &["-r", "10.0.0.3:80", "-g", "-w", "1", "-x", "9"]);
    is_repaired(&mut daemon, &edited, &[&format!("edit destination 10.0.0.3:80 of tcp://{SERVICE}: ")]);
    is_repaired(&mut daemon, &with("-E", &["-s", "lc", "-p", "60"]), &[&format!("edit service tcp://{SERVICE}: ")]);
    is_repaired(&mut daemon, &with("-D", &[]), &all);
    is_repaired(&mut daemon, &["-C"], &all);

    // What somebody else adds is theirs …
    ipvsadm(&["-R"], "-A -t 192.0.2.10:99 -s rr\n-a -t 192.0.2.10:80 -r 10.0.0.9:80 -m -w 5\n");
    daemon.skip();
    for _ in 0..2 {
        let pass = daemon.pass("a resync", |line| line.is_for("resync"));
        assert_eq!(pass.number("changed") + pass.number("failed") + pass.number("drift"), 0, "{pass}");
    }
    let mut both = web_saved(&weights);
    both.push("-A -t 192.0.2.10:99 -s rr".to_owned());
    both.push("-a -t 192.0.2.10:80 -r 10.0.0.9:80 -m -w 5".to_owned());
    both.sort();
    assert_eq!(saved(), both);

    // … unless the configuration is the whole truth.
    program.write(FILE, &web("resync = \"1s\"\nmanage = \"all\"", &weights));
    let pass = daemon.change("manage = \"all\"");
    assert_eq!(pass.number("delete"), 2, "{pass}");
    assert_eq!(saved(), web_saved(&weights));
    let guest = with("-a", &["-r", "10.0.0.9:80", "-m"]);
    is_repaired(&mut daemon, &guest, &[&format!("delete destination 10.0.0.9:80 of tcp://{SERVICE}")]);
    is_repaired(&mut daemon, &["-A", "-f", "7"], &["delete service fwmark:7"]);
}

/// `ipvsadm -C`: the connections that the kernel still remembers go on when the destinations are back.
#[test]
fn after_a_flush_connections_go_on() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let program = Program::new();
    let mut text = format!(
        "version = 1\n[daemon]\n{OFTEN}\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"rr\"\n"
    );
    for server in 1..=2 {
        text += &format!("[[services.destinations]]\naddress = \"{}\"\n", real(server, 1));
    }
    program.write(FILE, &text);
    let mut daemon = Daemon::start(&program, FILE);
    let table = saved();
    let mut connections = network.client.run(|| {
        let mut connections: Vec<Long> = (0..6).map(|_| Long::open().unwrap()).collect();
        for connection in &mut connections {
            connection.exchange().unwrap();
        }
        connections
    });
    // Without a single service the kernel does not look at packets any more, and whatever a client sent would be answered
    // by a reset. So nobody says a word until the repair.
    network.settle();
    daemon.skip();
    ipvsadm(&["-C"], "");
    let pass = daemon.change("the repair");
    assert_eq!((pass.text("why"), pass.number("drift"), pass.number("changed")), ("resync", 3, 3), "{pass}");
    assert_eq!(saved(), table);
    network.client.run(move || {
        for connection in &mut connections {
            for _ in 0..3 {
                connection.exchange().expect("a connection from before the flush");
            }
        }
        // And new ones come.
        Long::open().unwrap();
    });
}
