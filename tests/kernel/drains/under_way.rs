//! A destination leaves, or comes back, while the daemon runs.

use std::time::{Duration, Instant};

use super::{A, B, FILE, SERVICE, Stage};
use crate::daemon_process::Daemon;
use crate::network::VIP;
use crate::sessions::{InUse, Session, last};
use crate::table::{self, Watch};

const SOON: Duration = Duration::from_secs(2);
/// A drain is looked at once a second.
const LOOK: Duration = Duration::from_millis(2500);

#[test]
fn pain_1_a_destination_is_quiesced_and_deleted_when_its_connections_are_gone() {
    let stage = Stage::new();
    let client = &stage.network.client;
    stage.write("", &[A, B]);
    let mut daemon = Daemon::start(&stage.program, FILE);
    let session = InUse::new(Session::open_at(client, VIP, A));

    stage.write("", &[B]);
    table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
    for _ in 0..20 {
        assert_eq!(Session::open(client, VIP).unwrap().at, last(B), "new connections go elsewhere");
    }
    // For some looks at the drain.
    session.goes_on(60);
    assert_eq!(table::Table::read().weight(SERVICE, A), Some(0));

    // Ended by a reset, it is inactive for 10 s; and it counts.
    drop(session.rest());
    table::wait("an inactive connection", SOON, |table| table.row(SERVICE, A).is_some_and(|row| row.active == 0));
    let idle = table::wait("idle", Duration::from_secs(15), |table| {
        table.row(SERVICE, A).is_none_or(|row| row.connections() == 0)
    });
    assert!(idle > Duration::from_secs(5), "an inactive connection counts: {idle:?}");
    table::wait("gone", LOOK, |table| table.row(SERVICE, A).is_none());
    daemon.wait("the end of the drain", |line| line.message() == format!("{A} of tcp://{VIP} is drained"));
    assert_eq!(Session::open(client, VIP).unwrap().at, last(B));
}

#[test]
fn what_comes_back_during_its_drain_gets_its_weight_in_place() {
    let stage = Stage::new();
    stage.write("", &[A, B]);
    let _daemon = Daemon::start(&stage.program, FILE);
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    let watch = Watch::start();
    for _ in 0..2 {
        stage.write("", &[B]);
        table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
        session.goes_on(20);
        stage.write("", &[A, B]);
        table::wait("back", SOON, |table| table.weight(SERVICE, A) == Some(100));
        session.goes_on(5);
    }
    let seen = watch.end();
    assert_eq!(seen.weights(SERVICE, A), [100, 0, 100, 0, 100].map(Some), "never away, in {} reads", seen.reads);
    assert_eq!(seen.weights(SERVICE, B), [Some(100)]);
    let back: Vec<u8> = (0..4).map(|_| Session::open(&stage.network.client, VIP).unwrap().at).collect();
    assert!(back.contains(&last(A)), "{back:?}");
    session.goes_on(1);
}

#[test]
fn pain_2_what_drains_and_is_down_is_not_waited_for() {
    let mut stage = Stage::new();
    let checks = "checks = [\"port\"]";
    let text = |of: &[&str]| {
        let check =
            "[checks.port]\ntcp = {}\ninterval = \"400ms\"\ntimeout = \"300ms\"\nrise = 1\nfall = 2\n[[services]]";
        super::web(checks, of).replace("[[services]]", check)
    };
    stage.program.write(FILE, &text(&[A, B]));
    let mut daemon = Daemon::start(&stage.program, FILE);
    table::wait("both up", Duration::from_secs(5), |table| {
        [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(100))
    });
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    stage.program.write(FILE, &text(&[B]));
    table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
    session.goes_on(40);
    assert_eq!(table::Table::read().weight(SERVICE, A), Some(0));

    let killed = Instant::now();
    stage.servers.remove(0).stop();
    // fall × interval + 1 s, with the jitter of the intervals.
    table::wait("deleted", Duration::from_millis(2 * 440 + 1000), |table| table.row(SERVICE, A).is_none());
    println!("deleted {:?} after its server was gone", killed.elapsed());
    daemon.wait("the end of the drain", |line| {
        line.message() == format!("{A} of tcp://{VIP} is deleted: it drained, and is down")
    });
}
