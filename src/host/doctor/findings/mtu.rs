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
