//! What cannot be done now, or must not be done at all.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{saved, web, web_saved};
use crate::daemon_process::Daemon;
use crate::netns;
use crate::program::Program;

const FILE: &str = "ipvsd.toml";

/// A scheduler that no kernel has, and a destination that the kernel refuses for as long as it is the broadcast address of
/// an interface.
const HARD: &str = "\
[[services]]
name = \"nowhere\"
address = \"tcp://192.0.2.10:81\"
scheduler = \"nowhere\"
destinations = [{ address = \"10.0.0.1:81\" }]
[[services]]
name = \"late\"
address = \"tcp://192.0.2.10:82\"
scheduler = \"rr\"
destinations = [{ address = \"10.0.0.1:82\", weight = 1 }, { address = \"192.0.2.255:82\", weight = 1 }]
";

#[test]
fn what_failed_is_tried_again_and_stops_nothing_else() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &(web("resync = \"1h\"", &[1]) + HARD));
    let mut daemon = Daemon::start(&program, FILE);
    let mut tried = Instant::now();
    let failures = |daemon: &Daemon, what: &str| {
        daemon.log.iter().filter(|line| line.message().starts_with(&format!("failed: add {what}"))).count()
    };
    let pass = daemon.log.last().unwrap();
    assert_eq!((pass.number("changed"), pass.number("failed")), (4, 3), "{pass}");
    assert_eq!(failures(&daemon, "service tcp://192.0.2.10:81: "), 1);
    assert_eq!(failures(&daemon, "destination 192.0.2.255:82 "), 1);
    assert!(daemon.log.iter().any(|line| line.message().contains("scheduler nowhere")), "the reason in words");
    let mut wanted = web_saved(&[1]);
    wanted.push("-A -t 192.0.2.10:82 -s rr".to_owned());
    wanted.push("-a -t 192.0.2.10:82 -r 10.0.0.1:82 -m -w 1".to_owned());
    wanted.sort();
    assert_eq!(saved(), wanted);

    // Each object has waits of its own: after about a second, after about two more, and so on, give or take a fifth.
    let mut waits = Vec::new();
    for attempt in 2..=3 {
        daemon.pass("another attempt", |line| line.is_for("retry"));
        while failures(&daemon, "destination 192.0.2.255:82 ") < attempt {
            daemon.pass("the other object's turn", |line| line.is_for("retry"));
        }
        waits.push(tried.elapsed());
        tried = Instant::now();
    }
    assert!(waits[0] > Duration::from_millis(700) && waits[1] > Duration::from_millis(1500), "{waits:?}");
    assert_eq!(saved(), wanted);

    // Mended without an edit of the configuration.
    netns::ip_batch("address del 192.0.2.254/24 dev v0\naddress add 192.0.2.254/32 dev v0\n");
    let pass = daemon.pass("success", |line| line.number("changed") > 0);
    // The other object may have its turn in the same pass.
    assert_eq!((pass.text("why"), pass.number("changed")), ("retry", 1), "{pass}");
    wanted.push("-a -t 192.0.2.10:82 -r 192.0.2.255:82 -m -w 1".to_owned());
    wanted.sort();
    assert_eq!(saved(), wanted);

    // A hangup does not wait.
    daemon.skip();
    let before = failures(&daemon, "service tcp://192.0.2.10:81: ");
    daemon.signal(Signal::HUP);
    let pass = daemon.pass("an attempt", |line| line.text("why").contains("reload"));
    assert_eq!((pass.number("failed"), pass.number("waiting")), (2, 0), "{pass}");
    assert_eq!(failures(&daemon, "service tcp://192.0.2.10:81: "), before + 1);

    // And an edit ends it all.
    program.write(FILE, &web("resync = \"1h\"\nmax_delete = \"100%\"", &[1]));
    daemon.change("the edit");
    assert_eq!(saved(), web_saved(&[1]));
}

#[test]
fn an_edit_that_deletes_too_much_is_refused() {
    let _kernel = netns::enter();
    let program = Program::new();
    let daemon_table = "resync = \"1s\"\nmax_delete = 2";
    program.write(FILE, &web(daemon_table, &[1, 2, 3, 4]));
    let mut daemon = Daemon::start(&program, FILE);
    let wanted = web_saved(&[1, 2, 3, 4]);
    assert_eq!(saved(), wanted);

    // The weight is not changed either: nothing of such a pass is applied.
    program.write(FILE, &web(daemon_table, &[9]));
    let refusal = daemon.wait("the refusal", |line| line.message().starts_with("pass refused, nothing applied: "));
    assert_eq!(refusal.level(), "ERROR");
    assert!(refusal.message().contains("would delete 3 of 5 owned entries"), "{refusal}");
    daemon.wait("the next resync", |line| line.message() == "pass refused, as before");
    assert_eq!(saved(), wanted);

    program.write(FILE, &web(daemon_table, &[9, 2]));
    daemon.change("an edit that deletes less");
    assert_eq!(saved(), web_saved(&[9, 2]));
}
