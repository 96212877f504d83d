//! `one_packet`: each datagram is scheduled by itself.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::balance::{Greeting, PORTS, Scene, client, counts, exchange, real, service, weighted};
use crate::oracle::wait_connections;

const DNS: [&str; 2] = ["-u", "192.0.2.10:53"];
const VIP: &str = "192.0.2.10:53";

fn dns(keys: &str) -> String {
    service("dns", &format!("udp://{VIP}"), &format!("scheduler = \"rr\"\n{keys}"), &weighted(&[1, 1, 1]))
}

/// So many datagrams of one flow: who answered, and from where.
fn flow(scene: &Scene, port: u16, count: usize) -> Vec<(Greeting, SocketAddr)> {
    let from = SocketAddr::new(client(0, 1), port);
    scene.network.client.run(move || {
        let socket = UdpSocket::bind(from).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (0..count).map(|_| exchange(&socket, VIP.parse().unwrap()).unwrap()).collect()
    })
}

/// Connections that the kernel keeps in this thread's namespace.
fn kept() -> usize {
    fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap().lines().skip(1).count()
}

#[test]
fn consecutive_datagrams_of_a_flow_go_to_different_servers() {
    let scene = Scene::set(3);
    scene.apply(&dns("one_packet = true"));
    let answers = flow(&scene, 5353, 60);
    let servers: Vec<usize> = answers.iter().map(|(greeting, _)| greeting.server).collect();
    for turn in servers.windows(3) {
        assert_eq!(counts(turn, 3), [1, 1, 1], "{servers:?}");
    }
    assert!(answers.iter().all(|(greeting, _)| greeting.port == PORTS[0]));
    assert_eq!(kept(), 0, "none is remembered");
    let expected = (1..=3).map(|server| (format!("{}:53", real(server)), 20)).collect();
    wait_connections("each datagram counted as a connection", &DNS, &expected);

    // With no memory of the datagram there is none by which the address of its answer could be translated back: answers of NAT
    // destinations come from the destination's own address (`ip_vs_conn_put` ends a one-packet connection at once, and `ip_vs_out_hook`
    // finds none). A client that connects its socket, as most resolvers do, takes no such answer.
    for (greeting, from) in &answers {
        assert_eq!(from.to_string(), format!("{}:53", real(greeting.server)));
    }
    let heard = scene.network.client.run(|| {
        let socket = UdpSocket::bind(SocketAddr::new(client(0, 1), 5354)).unwrap();
        socket.connect(VIP).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        socket.send(b"?").unwrap();
        socket.recv(&mut [0; 3]).map_err(|error| error.kind())
    });
    assert_eq!(heard, Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn without_it_a_flow_stays_with_one_server() {
    let scene = Scene::set(3);
    scene.apply(&dns(""));
    let flows: Vec<Vec<(Greeting, SocketAddr)>> = (0..6).map(|number| flow(&scene, 6000 + number, 10)).collect();
    let mut servers = Vec::new();
    for flow in &flows {
        let (first, _) = flow[0];
        assert!(flow.iter().all(|(greeting, from)| *greeting == first && from.to_string() == VIP), "{flow:?}");
        servers.push(first.server);
    }
    assert_eq!(counts(&servers, 3), [2, 2, 2], "flows take turns");
    assert_eq!(kept(), 6);
    let expected = (1..=3).map(|server| (format!("{}:53", real(server)), 2)).collect();
    wait_connections("each flow counted as a connection", &DNS, &expected);
}
