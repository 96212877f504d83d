//! Whole services leave: the last of a family last of all, since the kernel's hooks go with it (kernel.md 5.4).

use std::time::Duration;

use super::{A, B, FILE, NOTHING, SERVICE, Stage, web};
use crate::daemon_process::Daemon;
use crate::network::VIP;
use crate::sessions::{InUse, Session};
use crate::table::{self, Table};

const SOON: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(2500);
const IDLE: &str = "tcp 192.0.2.10:81";

#[test]
fn a_whole_service_drains_and_its_connections_go_on_even_if_it_is_the_last() {
    let stage = Stage::new();
    let client = &stage.network.client;
    let idle = "[[services]]\nname = \"idle\"\naddress = \"tcp://192.0.2.10:81\"\nscheduler = \"rr\"\n\
                destinations = [{ address = \"10.2.0.11:9000\" }]\n";
    stage.program.write(FILE, &(web("drain = \"5m\"", &[A, B]) + idle));
    let mut daemon = Daemon::start(&stage.program, FILE);
    let session = InUse::new(Session::open_at(client, VIP, A));

    // Nothing is configured any more. The one without connections is gone at once, B too; A and its service wait.
    stage.program.write(FILE, NOTHING);
    table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
    table::wait("the idle service gone", LOOK, |table| !table.services.contains_key(IDLE));
    // It is the last of its family now.
    session.goes_on(60);
    let table = Table::read();
    assert_eq!(table.services.keys().collect::<Vec<_>>(), [SERVICE]);
    assert!(table.services[SERVICE].values().all(|row| row.weight == 0), "{table:?}");
    let refused = Session::open(client, VIP).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "no new connections");
    session.goes_on(5);

    // Nobody uses it for 2 s, and the kernel forgets it.
    let session = session.rest();
    table::wait("idle", Duration::from_secs(8), |table| {
        table.services.values().flat_map(|service| service.values()).all(|row| row.connections() == 0)
    });
    table::wait("an empty table", LOOK, |table| table.services.is_empty());
    daemon.wait("the end of the drain", |line| line.message() == format!("{A} of tcp://{VIP} is drained"));
    drop(session);
}

#[test]
fn a_service_that_comes_back_during_its_drain_goes_on_as_it_was() {
    let stage = Stage::new();
    stage.write("", &[A, B]);
    let _daemon = Daemon::start(&stage.program, FILE);
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    stage.program.write(FILE, NOTHING);
    table::wait("quiesced", SOON, |table| table.weight(SERVICE, A) == Some(0));
    session.goes_on(25);
    stage.write("", &[A, B]);
    table::wait("back", SOON, |table| [A, B].iter().all(|at| table.weight(SERVICE, at) == Some(100)));
    session.goes_on(10);
    Session::open(&stage.network.client, VIP).unwrap();
}
