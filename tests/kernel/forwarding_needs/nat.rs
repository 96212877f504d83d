//! NAT: every answer has to pass the director, and to be forwarded by it.

use super::{LONG, SHORT, fails_for, serves, serves_to, sh, sh_at, sh_servers, silent, times_out};
use crate::forwarding::{Family, Forward, Mode, Protocol, Rig, Stage, Wiring, counted, counter, shell};
use crate::netns::{self, ip};

/// NAT with one leg: director and servers in one network. With `route` the servers' way out leads through the director, without
/// it to the router.
fn one_armed(family: Family, protocol: Protocol, route: Option<&str>) -> Stage {
    let rig = Rig::new(Wiring::Lan, 2);
    let mode = Mode::new(Forward::Nat, family);
    for host in &rig.servers {
        if let Some(route) = route {
            sh_at(host, route);
        }
    }
    shell(&mode.director());
    Stage::open(rig, mode, protocol)
}

const THROUGH_THE_DIRECTOR: &str = "ip route replace default via 192.0.2.1";
const NO_REDIRECTS: &str = "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0";

/// The servers get the requests, and the director drops their answers: they are for the client, and not for itself.
#[test]
fn without_forwarding_the_answers_end_at_the_director() {
    for (family, sysctl, dropped) in [
        (Family::V4, "net.ipv4.ip_forward", "Ip:InAddrErrors"),
        (Family::V6, "net.ipv6.conf.all.forwarding", "Ip6InAddrErrors"),
    ] {
        let stage = Stage::set(Mode::new(Forward::Nat, family), Protocol::Tcp);
        serves(&stage);
        sh(&format!("sysctl -qw {sysctl}=0"));
        let (before, errors) = (counted().connections, counter(dropped));
        times_out(&stage);
        assert_eq!(counted().connections, before + 1, "the request was sent on");
        assert!(counter(dropped) > errors, "{dropped}");
        sh(&format!("sysctl -qw {sysctl}=1"));
        serves(&stage);
    }
}

/// A server that has no route to the client does not even take the request; one with a route past the director answers from
/// its own address, and the client, which never spoke to that, resets it.
#[test]
fn a_server_whose_way_back_is_another_one_is_not_heard() {
    let stage = Stage::set(Mode::new(Forward::Nat, Family::V4), Protocol::Tcp);
    sh_at(&stage.rig.servers[0], "ip route delete default");
    let filtered = || stage.rig.servers[0].run(|| counter("TcpExt:IPReversePathFilter"));
    let before = filtered();
    times_out(&stage);
    // The reverse path filter asks for the way back first.
    assert!(filtered() > before);
    sh_at(&stage.rig.servers[0], "ip route add default via 10.0.0.1");
    serves(&stage);

    let stage = one_armed(Family::V4, Protocol::Tcp, None);
    sh(NO_REDIRECTS);
    let resets = || stage.rig.client.run(|| counter("Tcp:OutRsts"));
    let before = resets();
    times_out(&stage);
    assert!(resets() > before, "the client has refused an answer from nobody it knows");
    sh_servers(&stage, THROUGH_THE_DIRECTOR);
    serves(&stage);
}

/// With one leg the director tells the servers of the shorter way to the client, and they take it: past the director. TCP is
/// hit now and then only, since a redirect is not taken while a program is in a call on the socket (`tcp_v4_err`).
#[test]
fn redirects_of_a_director_with_one_leg_lead_answers_past_it() {
    let stage = one_armed(Family::V4, Protocol::Udp, Some(THROUGH_THE_DIRECTOR));
    serves(&stage);
    let mut failed = None;
    // The second redirect counts, once the router's MAC address is known, and they come 20 ms apart, 40 ms, and so on.
    for _ in 0..50 {
        failed = stage.ask(2, SHORT).err();
        if failed.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    silent(&failed.expect("a redirected answer does not arrive"));
    assert!(counter("Icmp:OutRedirects") >= 2);
    let routes = [0, 1].map(|server| stage.rig.servers[server].run(|| ip(&["route", "get", "198.51.100.2"])));
    assert!(
        routes.iter().any(|route| route.contains("via 192.0.2.254") && route.contains("<redirected>")),
        "{routes:?}"
    );

    sh(NO_REDIRECTS);
    sh_servers(&stage, "ip route flush cache");
    let sent = counter("Icmp:OutRedirects");
    for _ in 0..20 {
        serves(&stage);
    }
    assert_eq!(counter("Icmp:OutRedirects"), sent);
}

/// A client in the servers' own network gets their answers directly, and from the wrong address.
#[test]
fn a_client_beside_the_servers_is_answered_past_the_director() {
    let stage = one_armed(Family::V4, Protocol::Tcp, Some(THROUGH_THE_DIRECTOR));
    sh(NO_REDIRECTS);
    let client = &stage.rig.router;
    silent(&fails_for(&stage, client));
    // For them it has to be behind the director as well.
    sh_servers(&stage, "ip route add 192.0.2.254 via 192.0.2.1");
    serves_to(&stage, client);

    let route = "ip -6 route replace default via 2001:db8:2::1";
    let stage = one_armed(Family::V6, Protocol::Tcp, Some(route));
    let client = &stage.rig.router;
    silent(&fails_for(&stage, client));
    // IPv6 has no send_redirects: it is for the servers not to listen to them.
    sh_servers(&stage, "ip -6 route add 2001:db8:2::fe via 2001:db8:2::1");
    let failed = (0..10).find_map(|_| stage.ask_from(client, 2, SHORT).err());
    silent(&failed.expect("redirected to the client itself"));
    assert!(counter("Icmp6OutRedirects") > 0);
    sh_servers(
        &stage,
        "sysctl -qw net.ipv6.conf.eth0.accept_redirects=0\nip -6 route flush cache\n\
         ip -6 route replace 2001:db8:2::fe via 2001:db8:2::1",
    );
    stage.ask_from(client, 4, LONG).unwrap();
}

/// A director that rewrites the source as well gets every answer, whoever the client is; but netfilter sees connections of
/// IPVS only with `net.ipv4.vs.conntrack` (`ip_vs_nat_send_or_cont`).
#[test]
fn a_source_is_rewritten_with_conntrack_only() {
    let stage = one_armed(Family::V4, Protocol::Tcp, None);
    netns::run("iptables-legacy-restore", &[], "*nat\n-A POSTROUTING -d 192.0.2.0/24 -j MASQUERADE\nCOMMIT\n");
    times_out(&stage);
    sh("sysctl -qw net.ipv4.vs.conntrack=1");
    serves(&stage);
    serves_to(&stage, &stage.rig.router);
    sh("sysctl -qw net.ipv4.vs.conntrack=0");
    times_out(&stage);
}
