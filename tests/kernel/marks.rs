//! Firewall mark services: what the firewall marks is one service, whatever its addresses and ports.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use crate::balance::{Held, Scene, VIP, VIP6, client, counts, is_refused, real, real6, service};
use crate::marking::{self, Mark};
use crate::oracle::{connections, wait_connections};

const SERVERS: usize = 3;

/// One of the two address families.
struct Family {
    six: bool,
    /// As the configuration calls the mark.
    address: &'static str,
    /// … and `ipvsadm`.
    service: &'static [&'static str],
    marks: [Mark; 2],
}

const FOUR: Family =
    Family { six: false, address: "fwmark:7", service: &["-f", "7"], marks: [of_tcp(VIP), of_udp(VIP)] };
const SIX: Family =
    Family { six: true, address: "fwmark6:7", service: &["-f", "7", "-6"], marks: [of_tcp(VIP6), of_udp(VIP6)] };

const fn of_tcp(to: &'static str) -> Mark {
    Mark { mark: 7, to, protocol: "tcp", ports: &[80, 443] }
}

const fn of_udp(to: &'static str) -> Mark {
    Mark { mark: 7, to, protocol: "udp", ports: &[53] }
}

impl Family {
    fn vip(&self, port: u16) -> SocketAddr {
        SocketAddr::new(if self.six { VIP6 } else { VIP }.parse().unwrap(), port)
    }

    fn client(&self, host: usize) -> IpAddr {
        if self.six { format!("2001:db8:9::{host}").parse().unwrap() } else { client(0, host) }
    }

    fn real(&self, server: usize) -> String {
        if self.six { real6(server) } else { real(server) }
    }

    /// Destinations without a port: a client is sent to the port that it asked for.
    fn destinations(&self) -> Vec<String> {
        (1..=SERVERS).map(|server| format!("address = \"{}\"", self.real(server))).collect()
    }

    fn one_service(&self, keys: &str) -> String {
        service("both", self.address, &format!("scheduler = \"rr\"\n{keys}"), &self.destinations())
    }

    fn hold(&self, scene: &Scene, host: usize, port: u16) -> Held {
        let held = scene.hold(self.client(host), self.vip(port)).unwrap();
        assert_eq!(held.port, port);
        held
    }
}

#[track_caller]
fn two_ports_are_one_service(family: &Family) {
    let scene = Scene::set(SERVERS);
    marking::set(&family.marks);
    scene.apply(&family.one_service(""));
    // They take turns together, over both ports.
    let all: Vec<Held> = (0..12).map(|number| family.hold(&scene, 1, [80, 443][number % 2])).collect();
    let servers: Vec<usize> = all.iter().map(|held| held.server).collect();
    for turn in servers.windows(SERVERS) {
        assert_eq!(counts(turn, SERVERS), [1, 1, 1], "{servers:?}");
    }
    let bracketed = |address: String| if family.six { format!("[{address}]:0") } else { format!("{address}:0") };
    let expected = (1..=SERVERS).map(|server| (bracketed(family.real(server)), 4)).collect();
    wait_connections("what the client saw", family.service, &expected);
}

#[test]
fn two_ports_are_one_service_of_ipv4() {
    two_ports_are_one_service(&FOUR);
}

#[test]
fn two_ports_are_one_service_of_ipv6() {
    two_ports_are_one_service(&SIX);
}

#[track_caller]
fn a_client_is_at_one_server_for_all_ports(family: &Family) {
    let scene = Scene::set(SERVERS);
    marking::set(&family.marks);
    scene.apply(&family.one_service("persistence = { timeout = \"5m\" }"));
    let first: Vec<usize> = (1..=6).map(|host| family.hold(&scene, host, 80).server).collect();
    assert_eq!(counts(&first, SERVERS), [2, 2, 2], "clients are spread");
    // In another order, so that the servers' turns do not bring them there.
    for (host, server) in (1..7).zip(&first).rev() {
        assert_eq!(family.hold(&scene, host, 443).server, *server, "client {host}");
        assert_eq!(family.hold(&scene, host, 80).server, *server, "client {host}");
        let datagram = scene.datagrams([SocketAddr::new(family.client(host), 999)], family.vip(53));
        assert_eq!(datagram, [*server], "client {host}");
    }

    // Two services know nothing of each other.
    let of_port = |port: u16| {
        let keys = "scheduler = \"rr\"\npersistence = { timeout = \"5m\" }";
        service(&format!("port-{port}"), &format!("tcp://{}", family.vip(port)), keys, &family.destinations())
    };
    marking::set(&[]);
    scene.apply(&(of_port(80) + &of_port(443)));
    let first: Vec<usize> = (1..=3).map(|host| family.hold(&scene, host, 80).server).collect();
    let other: Vec<usize> = (1..=3).rev().map(|host| family.hold(&scene, host, 443).server).collect();
    assert_ne!(first, other.into_iter().rev().collect::<Vec<usize>>());
}

#[test]
fn a_client_is_at_one_server_for_all_ports_of_ipv4() {
    a_client_is_at_one_server_for_all_ports(&FOUR);
}

#[test]
fn a_client_is_at_one_server_for_all_ports_of_ipv6() {
    a_client_is_at_one_server_for_all_ports(&SIX);
}

/// What has no mark, or another one, is not balanced, but for the director itself; and a mark is one of its address family.
#[track_caller]
fn without_the_mark_nothing_is_balanced(family: &Family, other: &Family) {
    let scene = Scene::set(SERVERS);
    scene.apply(&(family.one_service("") + &other.one_service("").replace("\"both\"", "\"other\"")));
    let ask = |family: &Family, port| scene.hold(family.client(1), family.vip(port));
    assert!(is_refused(&ask(family, 80)), "no mark: the director has no server");
    marking::set(&[Mark { mark: 8, ..of_tcp(if family.six { VIP6 } else { VIP }) }]);
    assert!(is_refused(&ask(family, 80)), "another mark");
    marking::set(&family.marks);
    assert!(is_refused(&ask(family, 53)), "not a marked port");
    assert!(is_refused(&ask(other, 80)), "not a marked family");
    assert!(connections(family.service).values().chain(connections(other.service).values()).all(|count| *count == 0));
    assert_eq!(ask(family, 80).unwrap().port, 80);
    marking::set(&[]);
    let error = ask(family, 80).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn without_the_mark_nothing_is_balanced_of_ipv4() {
    without_the_mark_nothing_is_balanced(&FOUR, &SIX);
}

#[test]
fn without_the_mark_nothing_is_balanced_of_ipv6() {
    without_the_mark_nothing_is_balanced(&SIX, &FOUR);
}
