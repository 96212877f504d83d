//! Drains that end because their time is up.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::{A, B, FILE, SERVICE, Stage, set, web};
use crate::daemon_process::Daemon;
use crate::network::VIP;
use crate::sessions::{Flow, InUse, Session, is_silence, last, serve_udp};
use crate::table;

const SOON: Duration = Duration::from_secs(2);

/// At its time, and at the next look after it: times are whole seconds.
fn at_its_time(took: Duration, drain: u64) {
    let (least, most) = (Duration::from_millis(drain * 1000 - 1000), Duration::from_millis(drain * 1000 + 2500));
    assert!((least..most).contains(&took), "a drain of {drain} s ended after {took:?}");
}

#[test]
fn pain_2_a_drain_ends_in_time_and_the_client_sees_what_the_kernel_was_told_to_show() {
    let stage = Stage::new();
    let client = &stage.network.client;
    let drain = "drain = \"3s\"";
    stage.write(drain, &[A, B]);
    let mut daemon = Daemon::start(&stage.program, FILE);
    for nodest in [0, 1] {
        set("expire_nodest_conn", nodest);
        stage.write(drain, &[A, B]);
        table::wait("A", SOON, |table| table.weight(SERVICE, A) == Some(100));
        let session = Session::open_at(client, VIP, A);
        session.patience(Duration::from_secs(1));
        let session = InUse::new(session);
        stage.write(drain, &[B]);
        table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
        let begin = Instant::now();
        session.goes_on(10);
        table::wait("deleted", Duration::from_secs(8), |table| table.row(SERVICE, A).is_none());
        at_its_time(begin.elapsed(), 3);
        let end = daemon.wait("the end of the drain", |line| {
            line.message() == format!("{A} of tcp://{VIP} is deleted: the time for its drain is up")
        });
        assert!(end.level() == "WARN" && end.number("connections") >= 1, "{end}");

        let begin = Instant::now();
        while session.failure().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(5), "the connection goes on without its destination");
            std::thread::sleep(Duration::from_millis(10));
        }
        let failure = session.rest().exchange().unwrap_err();
        if nodest == 0 {
            assert!(is_silence(&failure), "{failure:?}");
        } else {
            assert!(matches!(failure.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{failure:?}");
        }
        assert_eq!(Session::open(client, VIP).unwrap().at, last(B));
    }
}

#[test]
fn pain_2_what_was_drained_by_hand_and_is_removed_then_ends_in_time_as_well() {
    let stage = Stage::new();
    let drain = "drain = \"3s\"";
    stage.write(drain, &[A, B]);
    let mut daemon = Daemon::start(&stage.program, FILE);
    table::wait("A", SOON, |table| table.weight(SERVICE, A) == Some(100));
    let session = Session::open_at(&stage.network.client, VIP, A);
    session.patience(Duration::from_secs(1));
    let session = InUse::new(session);
    stage.program.runs(FILE, &["drain", "web", A], 0);
    table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
    // What is ordered by hand has no end, whatever the time for drains is.
    std::thread::sleep(Duration::from_secs(4));
    session.goes_on(10);
    stage.write(drain, &[B]);
    let begin = Instant::now();
    table::wait("deleted", Duration::from_secs(8), |table| table.row(SERVICE, A).is_none());
    at_its_time(begin.elapsed(), 3);
    let end = daemon.wait("the end of the drain", |line| {
        line.message() == format!("{A} of tcp://{VIP} is deleted: the time for its drain is up")
    });
    assert!(end.number("connections") >= 1, "{end}");
    assert_eq!(Session::open(&stage.network.client, VIP).unwrap().at, last(B));
}

#[test]
fn pain_4_a_udp_flow_sticks_until_its_time_is_up_and_check_says_so() {
    const FLOWS: &str = "udp 192.0.2.10:5300";
    const TO: &str = "192.0.2.10:5300";
    let (a, b) = ("10.2.0.11:5300", "10.2.0.21:5300");
    let stage = Stage::new();
    let client = &stage.network.client;
    serve_udp(&stage.network.servers[0], vec![a.to_owned()]);
    serve_udp(&stage.network.servers[1], vec![b.to_owned()]);
    let text = |of: &[&str]| web("drain = \"3s\"", of).replace("tcp://192.0.2.10:80", "udp://192.0.2.10:5300");
    stage.program.write(FILE, &text(&[a, b]));
    let _daemon = Daemon::start(&stage.program, FILE);
    for nodest in [0, 1] {
        set("expire_nodest_conn", nodest);
        stage.program.write(FILE, &text(&[a, b]));
        let said = stage.program.run(FILE, &["check"]);
        assert_eq!(said.code, Some(0));
        assert_eq!(said.err.contains("black hole"), nodest == 0, "{}", said.err);
        assert_eq!(said.err.contains("\"net.ipv4.vs.expire_nodest_conn\" = 1"), nodest == 0, "{}", said.err);

        table::wait("A", SOON, |table| table.weight(FLOWS, a) == Some(100));
        let flow = std::iter::repeat_with(|| Flow::open(client, TO)).take(20).find(|flow| flow.ask() == Some(last(a)));
        let flow = flow.unwrap();
        stage.program.write(FILE, &text(&[b]));
        table::wait("quiesced", SOON, |table| table.weight(FLOWS, a) == Some(0));
        let begin = Instant::now();
        let other = Flow::open(client, TO);
        let mut asked = 0;
        while table::Table::read().row(FLOWS, a).is_some() {
            let answer = flow.ask();
            // It may have been deleted in between.
            if table::Table::read().row(FLOWS, a).is_some() {
                assert_eq!(answer, Some(last(a)), "packets stick to it while they flow");
            }
            assert_eq!(other.ask(), Some(last(b)), "new flows go elsewhere");
            asked += 1;
            std::thread::sleep(Duration::from_millis(50));
            assert!(begin.elapsed() < Duration::from_secs(8), "a flow does not hold it up for ever");
        }
        at_its_time(begin.elapsed(), 3);
        assert!(asked > 10, "{asked}");
        if nodest == 0 {
            assert_eq!((flow.ask(), flow.ask()), (None, None), "a black hole");
        } else {
            // The packet that finds the destination gone may be lost.
            let answers: Vec<_> = (0..3).map(|_| flow.ask()).collect();
            assert_eq!(answers[2], Some(last(b)), "the flow goes on elsewhere: {answers:?}");
        }
    }
}
