//! TCP connections.

use super::rig::{Director, Forward, Pair, wait};
use crate::sessions::{InUse, Server, Session};

const WEB: &str = "10.1.0.100:80";
const SERVICE: [(&str, &str); 1] = [("tcp://10.1.0.100:80", "")];

/// A connection in use through A, of which A's table says `line`.
fn connect(pair: &Pair) -> (InUse, String) {
    for server in &pair.servers {
        Server::start(server, 80);
    }
    let session = InUse::new(Session::open(&pair.client, WEB).unwrap());
    session.goes_on(3);
    let known = pair.a.connections();
    assert_eq!(known.len(), 1, "{known:?}");
    assert!(known[0].starts_with("TCP ESTABLISHED 10.1.0.2:"), "{known:?}");
    (session, known[0].clone())
}

fn goes_on_at_the_other_director(forward: Forward, tables: [&str; 2]) {
    let pair = Pair::new(forward, tables, &SERVICE);
    let running = |director: &Director, role: &str| director.ipvsadm(&["-L", "--daemon"]).contains(role);
    let both = || running(&pair.a, "master") && running(&pair.b, "backup");
    wait("both daemons", both, || pair.a.ipvsadm(&["-L", "--daemon"]) + &pair.b.ipvsadm(&["-L", "--daemon"]));

    let (session, line) = connect(&pair);
    wait("what A knows at B", || pair.b.connections() == [&*line], || format!("{:?}", pair.b.connections()));
    assert_eq!(pair.b.packets(), 0);
    session.goes_on(5);

    pair.a_dies();
    session.goes_on(30);
    wait("B to have counted packets", || pair.b.packets() >= 30, || pair.b.ipvsadm(&["-Ln", "--stats"]));
    assert_eq!(pair.b.connections(), [line], "it is the same one, at the same server");
    session.rest().exchange().unwrap();
    // New ones do as well.
    let new = Session::open(&pair.client, WEB).unwrap();
    assert_eq!(pair.b.connections().len(), 2);
    drop(new);
}

#[test]
fn of_direct_routing_go_on_at_the_other_director() {
    goes_on_at_the_other_director(
        Forward::Dr,
        ["[sync]\nmaster = { interface = \"eth0\", id = 7 }", "[sync]\nbackup = { interface = \"eth0\", id = 7 }"],
    );
}

/// Each director has both roles here, with an IPv6 group, and B takes what masters of any id say.
#[test]
fn of_nat_go_on_at_the_other_director() {
    let daemon = "interface = \"eth0\", group = \"ff02::81\", port = 8850";
    goes_on_at_the_other_director(
        Forward::Nat,
        [
            &format!("[sync]\nmaster = {{ {daemon}, id = 1 }}\nbackup = {{ {daemon}, id = 2 }}"),
            &format!("[sync]\nmaster = {{ {daemon}, id = 2 }}\nbackup = {{ {daemon}, id = 0 }}"),
        ],
    );
}

fn is_cut(pair: &Pair, session: &InUse) {
    pair.a_dies();
    wait("the end of the connection", || session.failure().is_some(), || format!("{:?}", pair.b.connections()));
    let failure = session.failure().unwrap();
    assert!(failure.starts_with("ConnectionReset") || failure.starts_with("BrokenPipe"), "{failure}");
    assert_eq!(pair.b.connections(), [""; 0]);
    // The way is there, though.
    Session::open(&pair.client, WEB).unwrap();
    wait("B to have counted packets", || pair.b.packets() > 0, || pair.b.ipvsadm(&["-Ln", "--stats"]));
}

/// The control: it is synchronisation that does it.
#[test]
fn are_cut_without_synchronisation() {
    let pair = Pair::new(Forward::Dr, ["", ""], &SERVICE);
    let (session, _) = connect(&pair);
    is_cut(&pair, &session);
}

#[test]
fn are_cut_if_the_backup_is_of_another_id() {
    let tables =
        ["[sync]\nmaster = { interface = \"eth0\", id = 7 }", "[sync]\nbackup = { interface = \"eth0\", id = 8 }"];
    let pair = Pair::new(Forward::Dr, tables, &SERVICE);
    let witness = pair.witness();
    let (session, _) = connect(&pair);
    let message = witness.hears();
    assert_eq!(message[1], 7, "the id of the master");
    is_cut(&pair, &session);
}
