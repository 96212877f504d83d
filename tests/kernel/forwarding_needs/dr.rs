//! Direct routing: a server has the service's address without saying so, and the director sends to its MAC address.

use std::io::ErrorKind;

use super::{is_told, serves, sh, sh_at, sh_servers, times_out, wait};
use crate::forwarding::{Family, Forward, Mode, Protocol, Stage, counted, counter, vip};
use crate::netns::ip;
use crate::network::Host;

fn stage(forward: Forward, family: Family) -> Stage {
    Stage::set(Mode::new(forward, family), Protocol::Tcp)
}

/// The MAC address of a host's interface.
fn mac(link: &str) -> String {
    link.split_whitespace().find(|word| word.len() == 17 && word.matches(':').count() == 5).unwrap().to_owned()
}

fn mac_at(host: &Host) -> String {
    mac(&host.run(|| ip(&["-br", "link", "show", "eth0"])))
}

/// Where the router sends what is for the service; nothing if nobody has told it.
fn service_is_at(stage: &Stage) -> Option<String> {
    let vip = vip(stage.mode.family).to_string();
    let entry = stage.rig.router.run(move || ip(&["neighbour", "show", &vip]));
    entry.contains("lladdr").then(|| mac(&entry))
}

/// A server takes no packet for an address that it does not have, and says nothing.
#[test]
fn a_server_without_the_services_address_drops_requests() {
    for (family, address, dropped) in
        [(Family::V4, "192.0.2.10/32", "Ip:InAddrErrors"), (Family::V6, "2001:db8:2::10/128", "Ip6InAddrErrors")]
    {
        let stage = stage(Forward::Dr, family);
        serves(&stage);
        let server = &stage.rig.servers[0];
        let before = server.run(move || counter(dropped));
        sh_at(server, &format!("ip address delete {address} dev lo"));
        times_out(&stage);
        assert!(server.run(move || counter(dropped)) > before, "{dropped}");
        sh_at(server, &format!("ip address add {address} dev lo"));
        serves(&stage);
    }
}

/// A server that asks for the router's MAC address in the name of the service (arp_announce = 0) is where the router sends
/// all requests from then on.
#[test]
fn without_arp_announce_a_server_takes_all_requests() {
    for forward in [Forward::Dr, Forward::Macvlan, Forward::Ipip] {
        let stage = stage(forward, Family::V4);
        serves(&stage);
        let (router, server) = (&stage.rig.router, &stage.rig.servers[0]);
        let director = mac(&ip(&["-br", "link", "show", "eth0"]));
        assert_eq!(service_is_at(&stage), Some(director.clone()));
        sh_at(server, "sysctl -qw net.ipv4.conf.all.arp_announce=0\nip neighbour flush all");
        stage.ask(2, super::LONG).unwrap();
        assert_eq!(service_is_at(&stage), Some(mac_at(server)));
        let before = counted().connections;
        assert_eq!(stage.ask(4, super::LONG).unwrap(), [1; 4], "they go past the director");
        assert_eq!(counted().connections, before);
        sh_at(server, "sysctl -qw net.ipv4.conf.all.arp_announce=2\nip neighbour flush all");
        sh_at(router, "ip neighbour flush all");
        serves(&stage);
        assert_eq!(service_is_at(&stage), Some(director));
    }
}

/// Servers answer for the service's address if they are let (arp_ignore = 0), and the router takes any. Shown without a
/// director, so that no chance decides who is first.
#[test]
fn without_arp_ignore_servers_answer_for_the_services_address() {
    for forward in [Forward::Dr, Forward::Macvlan, Forward::Ipip] {
        let stage = stage(forward, Family::V4);
        serves(&stage);
        sh("ip link set eth0 down");
        let (router, server) = (&stage.rig.router, &stage.rig.servers[0]);
        sh_at(router, "ip neighbour flush all");
        times_out(&stage);
        assert_eq!(service_is_at(&stage), None);
        sh_at(server, "sysctl -qw net.ipv4.conf.all.arp_ignore=0");
        sh_at(router, "ip neighbour flush all");
        assert_eq!(stage.ask(2, super::LONG).unwrap(), [1; 2]);
        assert_eq!(service_is_at(&stage), Some(mac_at(server)));
        assert_eq!(counted().connections, 2);
    }
}

/// IPv6 answers for addresses of the interface only (`ndisc_recv_ns`), so what is on `lo` needs no such care. On a server's
/// `eth0` the address is found to be the director's, and stays unusable.
#[test]
fn an_ipv6_address_of_a_service_belongs_on_a_servers_lo() {
    let stage = stage(Forward::Dr, Family::V6);
    serves(&stage);
    let server = &stage.rig.servers[0];
    sh_at(
        server,
        "sysctl -qw net.ipv6.conf.eth0.accept_dad=1\nip address delete 2001:db8:2::10/128 dev lo\n\
         ip address add 2001:db8:2::10/128 dev eth0",
    );
    wait("the search for others with the address", || {
        server.run(|| ip(&["-6", "address", "show", "dev", "eth0"])).contains("dadfailed")
    });
    times_out(&stage);
    sh_at(server, "ip address delete 2001:db8:2::10/128 dev eth0\nip address add 2001:db8:2::10/128 dev lo");
    serves(&stage);
}

/// A destination behind a gateway: the gateway gets the packet by its MAC address, sees the service's address in it, and sends
/// it back to the director, until the packet has lived its time.
#[test]
fn a_destination_behind_a_gateway_is_a_loop() {
    for (family, route) in
        [(Family::V4, "192.0.2.11 via 192.0.2.254"), (Family::V6, "2001:db8:2::11 via 2001:db8:2::fe")]
    {
        let stage = stage(Forward::Dr, family);
        serves(&stage);
        // A strict router would drop it at once.
        sh_at(&stage.rig.router, "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lan.rp_filter=0");
        sh(&format!("ip route add {route}"));
        let before = counted();
        assert_eq!(is_told(&stage), ErrorKind::HostUnreachable);
        let packets = counted().packets_in - before.packets_in;
        assert!(packets >= 30, "{packets}");
        sh(&format!("ip route delete {route}"));
        // The router has told the client that the service is its neighbour.
        sh_at(&stage.rig.client, "ip -6 route flush cache\nip neighbour flush all");
        serves(&stage);
    }
}

/// A host cannot reach the macvlan interfaces on its own interface: the director's leg has to be one of them.
#[test]
fn a_parent_does_not_reach_its_macvlans() {
    let stage = stage(Forward::Macvlan, Family::V4);
    serves(&stage);
    let connect = || {
        stage.rig.router.run(|| {
            let server = "192.0.2.11:81".parse().unwrap();
            std::net::TcpStream::connect_timeout(&server, std::time::Duration::from_secs(5)).unwrap_err().kind()
        })
    };
    assert_eq!(connect(), ErrorKind::ConnectionRefused, "from the bridge: there, nobody listens");
    // `nic` is the parent; the router is the host that it is in.
    sh_at(&stage.rig.router, "ip address add 192.0.2.77/32 dev nic\nip route add 192.0.2.11 dev nic src 192.0.2.77");
    assert_eq!(connect(), ErrorKind::HostUnreachable, "from the parent");
    sh_servers(&stage, "ip -d link show eth0 | grep -q macvlan");
}
