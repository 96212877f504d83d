//! One cell of the matrix: proves that a way of forwarding works, with packets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client;
use super::counters::{counted, counter, passed};
use super::modes::{Forward, Mode};
use super::rig::{self, Family};
use super::servers::{ANSWER, REQUEST, Seen};
use super::stage::{Protocol, Running, Stage};
use crate::netns::{ip, ip_batch, ipvsadm};

/// Exchanges of a cell, half of them for each server.
const COUNT: usize = 6;
const PATIENCE: Duration = Duration::from_secs(4);

/// What works works like this.
pub(crate) fn works(forward: Forward, family: Family, underlay: Family, protocol: Protocol) {
    let mode = Mode { forward, family, underlay };
    let stage = Stage::set(mode, protocol);
    // As on a wire: each packet is one that fits, so that a tunnel that makes it larger has to say so.
    stage.rig.client.run(|| ip_batch("link set eth0 gso_max_segs 1\n"));

    let answered = stage.ask(COUNT, PATIENCE).unwrap_or_else(|error| panic!("{error}: {}", picture(&stage)));
    let mut shares = BTreeMap::new();
    for server in answered {
        *shares.entry(server).or_insert(0) += 1;
    }
    assert_eq!(shares, BTreeMap::from([(1, COUNT / 2), (2, COUNT / 2)]), "what the client saw");
    assert_eq!(connections(), BTreeMap::from(shares_of(&stage)), "{}", ipvsadm(&["-Ln"], ""));
    check_servers(&stage);
    check_way_back(&stage);
    if let Some(device) = mode.device() {
        check_tunnel(&stage, device);
    }
    if matches!(forward, Forward::Dr | Forward::Macvlan) {
        check_neighbours(&stage);
    }
    if protocol == Protocol::Udp {
        // Last: fragments have no ports, and no share.
        let service = stage.service();
        stage.rig.client.run(move || client::ask_long(service, PATIENCE)).expect("an answer of more than a packet");
    }
}

fn shares_of(stage: &Stage) -> [(String, usize); 2] {
    [1, 2].map(|number| (stage.destination(number).to_string(), COUNT / 2))
}

/// Connections, active or not, by destination: `ipvsadm -Ln`.
fn connections() -> BTreeMap<String, usize> {
    let listed = ipvsadm(&["-Ln"], "");
    let lines = listed.lines().filter_map(|line| line.trim_start().strip_prefix("-> "));
    lines
        .filter(|line| !line.starts_with("RemoteAddress"))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [address, _forward, _weight, active, inactive] = words[..] else { panic!("{line}") };
            (address.to_owned(), active.parse::<usize>().unwrap() + inactive.parse::<usize>().unwrap())
        })
        .collect()
}

/// Each server saw its share, from the client itself, at the address that its program listens on.
fn check_servers(stage: &Stage) {
    let peer = rig::client(stage.mode.family);
    for (running, number) in stage.running.iter().zip(1..) {
        match running {
            Running::Streams(streams) => {
                let expected = Seen { local: stage.listens(number), peer };
                assert_eq!(streams.seen(), vec![expected; COUNT / 2], "server {number}");
            }
            Running::Dns(dns) => assert_eq!(dns.seen(), vec![peer; COUNT / 2], "server {number}"),
        }
    }
}

/// Answers passed the director with NAT, and only then.
fn check_way_back(stage: &Stage) {
    let counted = counted();
    assert_eq!(counted.connections, COUNT as u64);
    assert!(counted.packets_in >= COUNT as u64, "{counted:?}");
    let outside = passed("eth0");
    let answers = (COUNT * ANSWER) as u64;
    if stage.mode.forward == Forward::Nat {
        assert!(counted.packets_out >= COUNT as u64, "{counted:?}");
        if stage.protocol != Protocol::Udp {
            assert!(outside.sent > answers, "{outside:?}");
        }
    } else {
        // What the director itself says about packets that do not fit into a tunnel counts as an answer, too.
        let too_large = match stage.mode.family {
            Family::V4 => counter("Icmp:OutDestUnreachs"),
            Family::V6 => counter("Icmp6OutPktTooBigs"),
        };
        assert_eq!(counted.packets_out, too_large, "{counted:?}");
        if stage.protocol != Protocol::Udp {
            let requests = (COUNT * REQUEST) as u64;
            assert!(outside.received > requests && outside.received < requests + answers / 2, "{outside:?}");
        }
    }
}

/// The packets came out of the tunnel's end, and the client was told what fits into it.
fn check_tunnel(stage: &Stage, device: &'static str) {
    for host in &stage.rig.servers {
        let passed = host.run(move || passed(device));
        assert!(passed.received_packets >= (COUNT / 2) as u64, "{device}: {passed:?}");
        if stage.protocol != Protocol::Udp {
            assert!(passed.received > (COUNT / 2 * REQUEST) as u64, "{device}: {passed:?}");
        }
    }
    if stage.protocol != Protocol::Udp {
        let vip = stage.service().ip().to_string();
        let route = stage.rig.client.run(move || ip(&["route", "get", &vip]));
        // Where a packet's checksum is left to the server, GUE says where it goes, in 8 bytes. SCTP's never is.
        let remote = stage.mode.forward == Forward::GueRemote && stage.protocol == Protocol::Tcp;
        let fits = format!(" mtu {} ", 1500 - stage.mode.overhead() - if remote { 8 } else { 0 });
        assert!(route.contains(&fits), "no{fits}in {route}");
    }
}

/// The director sends to each server by its MAC address, and each has one of its own.
fn check_neighbours(stage: &Stage) {
    let mut seen = Vec::new();
    for (host, number) in stage.rig.servers.iter().zip(1..) {
        let kind = if stage.mode.forward == Forward::Macvlan { "macvlan mode bridge" } else { "veth" };
        let link = host.run(|| ip(&["-d", "link", "show", "eth0"]));
        assert!(link.contains(kind), "{link}");
        let mac = link.split_once("link/ether ").unwrap().1.split(' ').next().unwrap().to_owned();
        let address = stage.destination(number).ip().to_string();
        let neighbour = ip(&["neighbour", "show", &address]);
        assert!(neighbour.contains(&format!("lladdr {mac} ")), "{mac} is not in {neighbour}");
        seen.push(mac);
    }
    assert_ne!(seen[0], seen[1]);
}

/// What there is to see when a cell fails.
fn picture(stage: &Stage) -> String {
    let mut text = ipvsadm(&["-Lnc"], "") + &format!("{:?}", counted());
    for host in stage.rig.servers.iter().chain([&stage.rig.client]) {
        text += &host.run(|| ip(&["-s", "address"]) + &ip(&["route"]) + &ip(&["-6", "route"]) + &ip(&["neighbour"]));
    }
    text
}
