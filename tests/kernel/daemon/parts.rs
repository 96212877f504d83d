//! A pass over one service reads and writes that one, in a table of any size; the rest is looked at by the resync.

use std::fmt::Write as _;

use super::saved;
use crate::daemon_process::{Daemon, Line};
use crate::netns::{self, ipvsadm};
use crate::nlmon::Tap;
use crate::program::Program;

const FILE: &str = "ipvsd.toml";

/// So many services of two destinations. The weight of the first destination of the third service is `weight`.
fn configuration(services: usize, resync: &str, weight: u32) -> String {
    let mut text = format!("version = 1\n[daemon]\nresync = \"{resync}\"\n");
    for number in 1..=services {
        let first = if number == 3 { weight } else { 10 };
        writeln!(
            text,
            "[[services]]\nname = \"s{number}\"\naddress = \"tcp://192.0.2.{number}:80\"\ndestinations = [\n  \
             {{ address = \"10.0.0.1:80\", weight = {first} }},\n  {{ address = \"10.0.0.2:80\", weight = 10 }},\n]"
        )
        .unwrap();
    }
    text
}

/// What the daemon asked of the kernel for one change, after the pass over everything at its start: commands of IPVS.
fn asked(daemon: &mut Daemon, tap: &mut Tap, act: impl FnOnce()) -> (Line, Vec<u8>) {
    daemon.skip();
    tap.commands();
    act();
    let pass = daemon.change("what is asked for the change");
    (pass, tap.commands())
}

#[test]
fn a_change_of_one_service_costs_the_same_in_a_table_of_any_size() {
    let mut costs = Vec::new();
    for services in [4, 200] {
        let _kernel = netns::enter();
        let mut tap = Tap::place();
        let program = Program::new();
        program.write(FILE, &configuration(services, "1h", 10));
        let mut daemon = Daemon::start(&program, FILE);
        tap.commands();
        assert!(tap.works());
        let table = saved();
        let (pass, edit) = asked(&mut daemon, &mut tap, || program.write(FILE, &configuration(services, "1h", 7)));
        assert_eq!((pass.text("why"), pass.number("services"), pass.number("changed")), ("files", 1, 1), "{pass}");
        let (pass, given) = asked(&mut daemon, &mut tap, || {
            program.runs(FILE, &["weight", "s3", "10.0.0.2:80", "99"], 0);
        });
        assert_eq!((pass.text("why"), pass.number("services"), pass.number("changed")), ("override", 1, 1), "{pass}");
        let edits = |line: &String| match line.as_str() {
            "-a -t 192.0.2.3:80 -r 10.0.0.1:80 -m -w 10" => "-a -t 192.0.2.3:80 -r 10.0.0.1:80 -m -w 7".to_owned(),
            "-a -t 192.0.2.3:80 -r 10.0.0.2:80 -m -w 10" => "-a -t 192.0.2.3:80 -r 10.0.0.2:80 -m -w 99".to_owned(),
            line => line.to_owned(),
        };
        let mut want: Vec<String> = table.iter().map(edits).collect();
        want.sort();
        assert_eq!(saved(), want);
        costs.push((edit, given));
    }
    assert_eq!(costs[0], costs[1], "the commands that were sent");
    assert!(costs[0].0.len() < 12, "{costs:?}");
}

#[test]
fn drift_elsewhere_is_left_by_a_change_and_found_by_the_resync() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &configuration(20, "8s", 10));
    let mut daemon = Daemon::start(&program, FILE);
    daemon.pass("a resync, after which there is time", |line| line.is_for("resync"));
    let table = saved();
    let drifted = "-a -t 192.0.2.9:80 -r 10.0.0.1:80 -m -w 5";
    ipvsadm(&["-e", "-t", "192.0.2.9:80", "-r", "10.0.0.1:80", "-m", "-w", "5"], "");
    daemon.skip();
    program.write(FILE, &configuration(20, "8s", 7));
    let pass = daemon.change("the edit");
    assert_eq!((pass.text("why"), pass.number("changed"), pass.number("drift")), ("files", 1, 0), "{pass}");
    assert!(saved().contains(&drifted.to_owned()), "nobody has looked there yet");
    let pass = daemon.change("the repair");
    assert_eq!((pass.text("why"), pass.number("changed"), pass.number("drift")), ("resync", 1, 1), "{pass}");
    let edited =
        |line: &String| line.replace("192.0.2.3:80 -r 10.0.0.1:80 -m -w 10", "192.0.2.3:80 -r 10.0.0.1:80 -m -w 7");
    let mut want: Vec<String> = table.iter().map(edited).collect();
    want.sort();
    assert_eq!(saved(), want);
}
