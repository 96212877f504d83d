//! Whether what clients send still fits once it is wrapped.

use std::collections::BTreeMap;

use crate::host::doctor::finding::{Finding, Mend, TUNNEL_MTU};
use crate::host::doctor::scene::{Scene, Target, listed};
use crate::host::rtnl::LinkInfo;
use crate::model::{Checksum, Family, Forward, TunnelType};

const PMTU_DISC: &str = "net.ipv4.vs.pmtu_disc";
/// Ethernet's, where it is not known how clients come in.
const USUAL: u32 = 1500;

/// What there is of room, and what it takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Squeeze {
    room: u32,
    overhead: u32,
    clients: u32,
    inner: Family,
}

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut tight: BTreeMap<(&str, Squeeze), (&LinkInfo, Vec<Target<'_>>)> = BTreeMap::new();
    for target in scene.targets() {
        if let Some((link, squeeze)) = squeeze(scene, &target) {
            tight.entry((&link.name, squeeze)).or_insert((link, Vec::new())).1.push(target);
        }
    }
    tight.into_iter().map(|((_, squeeze), (link, targets))| one(scene, link, squeeze, &targets)).collect()
}

/// What a tunnel puts around a packet: the outer header, and what is between the two (`__ip_vs_get_out_rt`,
/// `__ip_vs_get_out_rt_v6`; `udphdr` 8, `guehdr` 4, its remote checksum 8; `gre_calc_hlen` 4, its checksum 4).
fn overhead(target: &Target<'_>) -> Option<u32> {
    let Forward::Tunnel(tunnel) = target.settings.forward else { return None };
    let outer = match target.destination.family() {
        Family::V4 => 20,
        Family::V6 => 40,
    };
    let between = match (tunnel.kind, tunnel.checksum) {
        (TunnelType::Ipip, _) => 0,
        (TunnelType::Gue, Checksum::Remote) => 20,
        (TunnelType::Gue, _) => 12,
        (TunnelType::Gre, Checksum::On) => 8,
        (TunnelType::Gre, _) => 4,
        (TunnelType::Other(_), _) => return None,
    };
    Some(outer + between)
}

fn squeeze<'a>(scene: Scene<'a>, target: &Target<'_>) -> Option<(&'a LinkInfo, Squeeze)> {
    let overhead = overhead(target)?;
    let inner = target.service.family();
    let link = scene.device(target.destination.address)?;
    let room = scene.route(target.destination.address)?.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu));
    let clients = scene.clients_of(target.service).map_or(USUAL, |link| link.mtu);
    // The director cuts IPv4 into pieces rather than refusing it, if it is told to.
    let cuts = inner == Family::V4 && scene.number(PMTU_DISC) == Some(0);
    // A loopback interface takes anything, and nobody comes in there.
    let fits = clients.saturating_add(overhead) <= room;
    (!fits && !cuts).then_some((link, Squeeze { room, overhead, clients: clients.min(u32::from(u16::MAX)), inner }))
}

fn one(scene: Scene<'_>, link: &LinkInfo, squeeze: Squeeze, targets: &[Target<'_>]) -> Finding {
    let Squeeze { room, overhead, clients, inner } = squeeze;
    let saw = format!(
        "the way to {} over {} takes {room} bytes, of which the tunnel needs {overhead}; clients may send {clients}",
        listed(targets.iter().map(|target| target.destination)),
        link.name
    );
    let why = format!(
        "packets of more than {} bytes are refused with \"fragmentation needed\"; where a firewall drops these messages, uploads \
         hang",
        room.saturating_sub(overhead)
    );
    // The inner headers: 20 or 40, and 20 of tcp.
    let headers = if inner == Family::V4 { 40 } else { 60 };
    let segment = room.saturating_sub(overhead + headers);
    let ip = if inner == Family::V4 { "ip" } else { "ip -6" };
    let finding = TUNNEL_MTU.of(format!("interface {}", link.name), saw, why);
    let advice = format!(
        "best, let every interface between this host and the servers take {} bytes (`ip link set {} mtu {}` here, once all \
         others do); or let the servers ask for smaller segments: there, `{ip} route change default via ROUTER advmss {segment}`",
        clients.saturating_add(overhead),
        link.name,
        clients.saturating_add(overhead)
    );
    let mends = match inner {
        Family::V4 => scene.set(&[(PMTU_DISC.to_owned(), 0)]),
        Family::V6 => Vec::new(),
    };
    finding.mends(mends).mends([Mend::Advice(advice)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::testing::{Case, WEB, tunnel};

    fn at(forward: Forward, mtu: u32) -> Case {
        let mut case = Case::good();
        case.service(WEB, "web", &[("10.0.0.11:80", forward)]);
        case.at("eth1").mtu = mtu;
        case
    }

    #[test]
    fn each_tunnel_takes_its_room() {
        let gue = |checksum| Forward::Tunnel(crate::model::Tunnel { kind: TunnelType::Gue, port: 6080, checksum });
        let gre = |checksum| Forward::Tunnel(crate::model::Tunnel { kind: TunnelType::Gre, port: 0, checksum });
        for (forward, needs) in [
            (tunnel(TunnelType::Ipip), 1520),
            (gue(Checksum::Off), 1532),
            (gue(Checksum::On), 1532),
            (gue(Checksum::Remote), 1540),
            (gre(Checksum::Off), 1524),
            (gre(Checksum::On), 1528),
        ] {
            at(forward, needs).finds(&[]);
            at(forward, needs - 1).finds(&["tunnel-mtu"]);
        }
        for forward in [Forward::Nat, Forward::Dr] {
            at(forward, 1400).finds(&[]);
        }
        let mut case = at(Forward::Dr, 1539);
        case.service(WEB, "web", &[("[2001:db8:1::11]:80", tunnel(TunnelType::Ipip))]);
        case.finds(&["tunnel-mtu"]);
        case.at("eth1").mtu = 1540;
        case.finds(&[]);
    }

    #[test]
    fn a_route_may_be_narrower_than_its_interface_and_clients_as_well() {
        let mut case = at(tunnel(TunnelType::Ipip), 9000);
        case.finds(&[]);
        case.facts.routes.get_mut(&"10.0.0.11".parse().unwrap()).unwrap().as_mut().unwrap().mtu = Some(1500);
        case.finds(&["tunnel-mtu"]);
        case.at("eth0").mtu = 1480;
        case.finds(&[]);
    }

    #[test]
    fn the_director_may_cut_ipv4_instead() {
        let mut case = at(tunnel(TunnelType::Ipip), 1500);
        let found = case.finds(&["tunnel-mtu"]);
        assert_eq!(found[0].mend[0], Mend::Command("sysctl -w net.ipv4.vs.pmtu_disc=0".to_owned()));
        let Some(Mend::Advice(advice)) = found[0].mend.last() else { panic!("{found:?}") };
        assert!(advice.contains("`ip link set eth1 mtu 1520`") && advice.contains("advmss 1440"), "{advice}");
        case.sysctl(PMTU_DISC, 0);
        case.finds(&[]);
        case.service("tcp://[2001:db8::10]:80", "six", &[("[2001:db8:1::11]:80", tunnel(TunnelType::Ipip))]);
        let found = case.finds(&["tunnel-mtu"]);
        assert!(
            matches!(&found[0].mend[..], [Mend::Advice(advice)] if advice.contains("`ip -6 route") && advice.contains("advmss 1400"))
        );
    }
}
