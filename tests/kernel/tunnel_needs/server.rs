//! Tunnels: what a real server needs to take a packet out of one.

use std::io::ErrorKind;

use crate::forwarding::{Family, Forward, Mode, Protocol, Rig, Stage, counter, shell, works};
use crate::forwarding_needs::{is_told, serves, sh, sh_servers, times_out};
use crate::netns::{ip, ipvsadm};
use crate::network::Host;

fn mode(forward: Forward, family: Family, underlay: Family) -> Mode {
    Mode { forward, family, underlay }
}

fn set(forward: Forward, family: Family, underlay: Family) -> Stage {
    let stage = Stage::set(mode(forward, family, underlay), Protocol::Tcp);
    serves(&stage);
    stage
}

/// A packet out of a tunnel is from a client to whom no route leads through the tunnel. The filter of an interface is the
/// larger value of its own and of `all`: 1 asks for a route back through the interface itself; 2 for any, but takes nothing at
/// all on an interface without an address (`__fib_validate_source`); 0 for none.
#[test]
fn a_reverse_path_filter_drops_what_comes_out_of_a_tunnel() {
    for (forward, underlay, device) in [(Forward::Ipip, Family::V4, "tunl0"), (Forward::Gre, Family::V6, "ip6gre0")] {
        let stage = set(forward, Family::V4, underlay);
        let filtered = || -> u64 {
            let count = |host: &Host| host.run(|| counter("TcpExt:IPReversePathFilter"));
            stage.rig.servers.iter().map(count).sum()
        };
        let filter = |all: u8, own: u8| {
            sh_servers(
                &stage,
                &format!("sysctl -qw net.ipv4.conf.all.rp_filter={all} net.ipv4.conf.{device}.rp_filter={own}"),
            );
        };
        let dropped = || {
            let before = filtered();
            times_out(&stage);
            assert!(filtered() > before, "the filter has counted it");
        };
        filter(1, 0);
        dropped();
        filter(0, 1);
        dropped();
        filter(1, 2);
        serves(&stage);

        sh_servers(
            &stage,
            &format!("ip address delete 192.0.2.10/32 dev {device}\nip address add 192.0.2.10/32 dev lo"),
        );
        dropped();
        filter(0, 2);
        dropped();
        filter(0, 0);
        serves(&stage);
    }
}

/// Without an end for the tunnel a server says so. The director passes that on to an IPv4 client if the tunnel is an IPv4 one,
/// who is refused at once; of IPv6 tunnels nobody hears (`ip_vs_in_icmp` looks into IPIP, GUE and GRE, `ip_vs_in_icmp_v6` does
/// not).
#[test]
fn a_server_without_the_tunnels_end_refuses_or_is_silent() {
    for (forward, family, underlay, heard) in [
        (Forward::Ipip, Family::V4, Family::V4, true),
        (Forward::Gue, Family::V4, Family::V4, true),
        (Forward::Ipip, Family::V6, Family::V4, false),
        (Forward::Gre, Family::V4, Family::V6, false),
        (Forward::Gue, Family::V4, Family::V6, false),
    ] {
        let mode = mode(forward, family, underlay);
        let stage = set(forward, family, underlay);
        let (break_it, mend_it) = match (forward, underlay) {
            (Forward::Gue, Family::V4) => ("ip fou del port 6080".to_owned(), "ip fou add port 6080 gue".to_owned()),
            (Forward::Gue, Family::V6) => {
                ("ip fou del port 6080 -6".to_owned(), "ip fou add port 6080 gue -6".to_owned())
            }
            _ => {
                let device = mode.device().unwrap();
                let address = if family == Family::V4 { "192.0.2.10/32" } else { "2001:db8:2::10/128" };
                // IPv6 addresses go when an interface goes down.
                let mend = format!("ip link set {device} up\nip address replace {address} dev {device}");
                (format!("ip link set {device} down"), mend)
            }
        };
        sh_servers(&stage, &break_it);
        if heard {
            assert_eq!(is_told(&stage), ErrorKind::ConnectionRefused, "{mode:?}");
        } else {
            times_out(&stage);
            // GUE has no checksum, and UDP over IPv6 does not take that from anybody whom it does not know.
            let dropped = || stage.rig.servers.iter().map(|host| host.run(|| counter("Udp6InErrors"))).sum::<u64>();
            let noticed = match (forward, underlay) {
                (Forward::Gue, Family::V6) => dropped(),
                (_, Family::V4) => counter("Icmp:InDestUnreachs"),
                (_, Family::V6) => counter("Icmp6InDestUnreachs"),
            };
            assert!(noticed > 0, "{mode:?}: the director is told, or the server has an error");
        }
        sh_servers(&stage, &mend_it);
        serves(&stage);
    }
}

/// `ip6tnl0` takes IPv6 out of its packets when it is new; IPv4 only in mode `ip4ip6` or `any`.
#[test]
fn an_ipv6_tunnel_has_a_mode() {
    let stage = set(Forward::Ipip, Family::V4, Family::V6);
    for (mode, works) in [("ip6ip6", false), ("ip4ip6", true), ("any", true)] {
        sh_servers(&stage, &format!("ip -6 tunnel change ip6tnl0 mode {mode}"));
        if works { serves(&stage) } else { times_out(&stage) }
    }
}

/// The service's address is nearest to the servers', so IPv6 takes it for the tunnel's source, and a server takes no packet
/// from an address of its own (`ip6_tnl_rcv_ctl`). GRE does not look. A deprecated address is no source.
#[test]
fn an_ipv6_address_of_a_service_is_not_the_source_of_a_tunnel() {
    for (forward, takes_it) in [(Forward::Ipip, false), (Forward::Gre, true)] {
        let mode = mode(forward, Family::V6, Family::V6);
        let rig = Rig::new(mode.wiring(), 2);
        rig.prepare(mode);
        sh("ip address add 2001:db8:2::10/128 dev eth0");
        let stage = Stage::open(rig, mode, Protocol::Tcp);
        let source = || ip(&["route", "get", "2001:db8:2::11"]);
        assert!(source().contains(" src 2001:db8:2::10 "), "{}", source());
        if takes_it {
            serves(&stage);
            continue;
        }
        times_out(&stage);
        sh("ip address change 2001:db8:2::10/128 dev eth0 preferred_lft 0");
        assert!(source().contains(" src 2001:db8:2::1 "), "{}", source());
        // IPVS keeps the source with its route to a destination, until the destination is edited.
        times_out(&stage);
        let saved = ipvsadm(&["-Sn"], "");
        for line in saved.lines().filter_map(|line| line.strip_prefix("-a ")) {
            ipvsadm(&format!("-e {line}").split_whitespace().collect::<Vec<_>>(), "");
        }
        serves(&stage);
    }
}

/// Checksums of the tunnel's own header.
#[test]
fn tunnels_with_checksums() {
    for forward in [Forward::GueChecksum, Forward::GueRemote, Forward::GreChecksum] {
        works(forward, Family::V4, Family::V4, Protocol::Tcp);
    }
}

/// A GRE interface takes packets with a checksum only with `icsum`, and then no others; what is dropped is counted there.
#[test]
fn both_ends_of_gre_agree_on_a_checksum() {
    let with = mode(Forward::GreChecksum, Family::V4, Family::V4);
    let without = mode(Forward::Gre, Family::V4, Family::V4);
    for (server, director, device) in [(with, without, "gre1"), (without, with, "gre0")] {
        let rig = Rig::new(with.wiring(), 2);
        rig.prepare(server);
        shell(&director.director());
        let stage = Stage::open(rig, director, Protocol::Tcp);
        times_out(&stage);
        let errors = |host: &Host| host.run(move || ip(&["-s", "-s", "link", "show", device]));
        let said: Vec<String> = stage.rig.servers.iter().map(errors).collect();
        let crc = |text: &String| {
            let numbers = text.split_once("RX errors:").unwrap().1.lines().nth(1).unwrap();
            numbers.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        assert!(said.iter().map(crc).sum::<u64>() > 0, "{said:?}");
    }
}
