//! Persistence: a client stays with the server that it was given first.
//!
//! The scheduler is `rr` here, so that a client that is new gets the next server for certain.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::balance::{Scene, VIP, VIP6, client, counts, real, real6, service, weighted};
use crate::netns::ipvsadm;
use crate::oracle::wait_connections;

const WEB: [&str; 2] = ["-t", "192.0.2.10:80"];
const TIMEOUT: Duration = Duration::from_secs(2);

fn web(keys: &str) -> String {
    service("web", "tcp://192.0.2.10:80", &format!("scheduler = \"rr\"\n{keys}"), &weighted(&[1, 1, 1]))
}

fn vip() -> SocketAddr {
    "192.0.2.10:80".parse().unwrap()
}

/// Many connections of each of the clients, which take turns: the server of each client, which has to be one.
#[track_caller]
fn servers(scene: &Scene, clients: &[IpAddr], to: SocketAddr) -> Vec<usize> {
    let answers = scene.answers(clients.iter().copied().cycle().take(10 * clients.len()), to);
    for round in answers.chunks(clients.len()) {
        assert_eq!(round, &answers[..clients.len()], "{clients:?}");
    }
    answers[..clients.len()].to_vec()
}

/// The templates in the kernel's table, which lead clients to their servers: their client addresses, IPv4. They have no client port.
fn templates() -> BTreeSet<Ipv4Addr> {
    let text = fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap();
    let lines = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let templates = lines.filter(|words| words[2] == "0000");
    templates.map(|words| u32::from_str_radix(words[1], 16).unwrap().into()).collect()
}

#[test]
fn a_client_stays_with_its_server() {
    let scene = Scene::set(3);
    let clients: Vec<IpAddr> = (1..=6).map(|host| client(1, host)).collect();
    scene.apply(&web("persistence = { timeout = \"5m\" }"));
    let at = servers(&scene, &clients, vip());
    assert_eq!(counts(&at, 3), [2, 2, 2], "clients are spread");
    assert_eq!(templates().len(), 6);
    let expected = (1..=3).map(|server| (format!("{}:80", real(server)), 20)).collect();
    wait_connections("the connections of two clients each", &WEB, &expected);

    // Without it they go round, at once.
    scene.apply(&web(""));
    for turn in scene.answers([clients[0]; 9], vip()).windows(3) {
        assert_eq!(counts(turn, 3), [1, 1, 1]);
    }
}

/// A service at a port of the address, that takes clients which agree in so many bits for one.
fn masked(port: u16, address: &str, netmask: u8, destinations: &[String]) -> String {
    let keys = format!("scheduler = \"rr\"\npersistence = {{ timeout = \"5m\", netmask = {netmask} }}");
    service(&format!("port-{port}"), &format!("tcp://{address}:{port}"), &keys, destinations)
}

#[test]
fn a_netmask_makes_one_client_of_a_network() {
    let scene = Scene::set(3);
    let weighted = weighted(&[1, 1, 1]);
    scene.apply(&(masked(80, VIP, 24, &weighted) + &masked(443, VIP, 23, &weighted) + &masked(53, VIP, 32, &weighted)));
    let clients = [client(1, 1), client(1, 200), client(2, 1), client(2, 77), client(3, 1)];
    let at = |port| servers(&scene, &clients, SocketAddr::new(VIP.parse().unwrap(), port));
    let by_24 = at(80);
    assert_eq!((by_24[0], by_24[2]), (by_24[1], by_24[3]));
    assert_eq!(counts(&[by_24[0], by_24[2], by_24[4]], 3), [1, 1, 1], "each network has a server of its own");
    let networks = [[10, 9, 1, 0], [10, 9, 2, 0], [10, 9, 3, 0]].map(Ipv4Addr::from);
    assert_eq!(templates(), BTreeSet::from(networks));
    // 10.9.2.0 and 10.9.3.0 are the same /23.
    let by_23 = at(443);
    assert!(by_23[0] == by_23[1] && by_23[2..] == [by_23[2]; 3] && by_23[0] != by_23[2], "{by_23:?}");
    let by_32 = at(53);
    assert_eq!((counts(&by_32[..3], 3), by_32[0], by_32[1]), (vec![1, 1, 1], by_32[3], by_32[4]));
}

#[test]
fn a_netmask_of_ipv6_is_a_prefix() {
    let scene = Scene::set(3);
    let destinations: Vec<String> = (1..=3).map(|server| format!("address = \"{}\"", real6(server))).collect();
    let vip = format!("[{VIP6}]");
    let services = [(80, 64), (443, 56), (53, 128)].map(|(port, mask)| masked(port, &vip, mask, &destinations));
    scene.apply(&services.concat());
    let clients = ["2001:db8:9:100::1", "2001:db8:9:100:ffff::2", "2001:db8:9:1ff::1", "2001:db8:9:200::1"];
    let clients = clients.map(|text| text.parse().unwrap());
    let at = |port| servers(&scene, &clients, SocketAddr::new(VIP6.parse().unwrap(), port));
    let by_64 = at(80);
    assert_eq!((counts(&by_64[1..], 3), by_64[0]), (vec![1, 1, 1], by_64[1]), "each /64 has a server of its own");
    let by_56 = at(443);
    assert!(by_56[..3] == [by_56[0]; 3] && by_56[2] != by_56[3], "{by_56:?}");
    let by_128 = at(53);
    assert_eq!((counts(&by_128[..3], 3), by_128[0]), (vec![1, 1, 1], by_128[3]), "each address by itself");
}

/// The time begins anew with each connection, and ends after the last of them has been forgotten.
#[test]
fn after_the_timeout_a_client_may_move() {
    let scene = Scene::set(3);
    // The kernel forgets a flow of datagrams after 1 s.
    ipvsadm(&["--set", "0", "0", "1"], "");
    let keys = format!("scheduler = \"rr\"\npersistence = {{ timeout = \"{}s\" }}", TIMEOUT.as_secs());
    scene.apply(&service("dns", "udp://192.0.2.10:53", &keys, &weighted(&[1, 1, 1])));
    let mut port = 2000;
    let mut ask = || {
        port += 1;
        scene.datagrams([SocketAddr::new(client(1, 1), port)], "192.0.2.10:53".parse().unwrap())[0]
    };
    let begin = Instant::now();
    let (mut first, mut before) = (ask(), begin);
    while begin.elapsed() < TIMEOUT * 3 {
        sleep(Duration::from_millis(300));
        let now = Instant::now();
        let server = ask();
        // If the machine stood still for so long, it is a new beginning.
        if before.elapsed() < TIMEOUT {
            assert_eq!(server, first, "after {:?}", begin.elapsed());
        }
        (first, before) = (server, now);
    }
    let last = Instant::now();
    first = ask();
    while !templates().is_empty() {
        assert!(last.elapsed() < TIMEOUT * 10, "{:?}", templates());
        sleep(Duration::from_millis(20));
    }
    let forgotten = last.elapsed();
    assert!(forgotten >= TIMEOUT, "{forgotten:?}");
    assert_ne!(ask(), first, "forgotten after {forgotten:?}");
}

/// Port 0 stands for every port of an address.
#[test]
fn a_service_of_every_port_has_a_client_at_one_server() {
    let scene = Scene::set(3);
    let keys = "scheduler = \"rr\"\npersistence = { timeout = \"5m\" }";
    scene.apply(&service("all", "tcp://192.0.2.10:0", keys, &weighted(&[1, 1, 1])));
    let clients: Vec<IpAddr> = (1..=3).map(|host| client(1, host)).collect();
    let at = servers(&scene, &clients, vip());
    assert_eq!(counts(&at, 3), [1, 1, 1]);
    for (from, server) in clients.iter().rev().zip(at.iter().rev()) {
        let held = scene.hold(*from, "192.0.2.10:443".parse().unwrap()).unwrap();
        assert_eq!((held.server, held.port), (*server, 443));
    }
}
