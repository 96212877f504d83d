//! Whether packets reach the destinations.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::host::doctor::finding::{DESTINATION_UNREACHABLE, DR_THROUGH_ROUTER, Finding};
use crate::host::doctor::scene::{Scene, Target, host_prefix, listed};
use crate::host::rtnl::{Route, RouteKind};
use crate::model::Forward;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut by_address: BTreeMap<IpAddr, Vec<Target<'_>>> = BTreeMap::new();
    for target in scene.targets() {
        by_address.entry(target.destination.address).or_default().push(target);
    }
    let of = |(address, targets): (&IpAddr, &Vec<Target<'_>>)| {
        let route = scene.facts.routes.get(address)?;
        unreachable(scene, *address, route.as_ref(), targets).or_else(|| through_router(scene, *address, route.as_ref()?, targets))
    };
    by_address.iter().filter_map(of).collect()
}

fn users(scene: Scene<'_>, targets: &[Target<'_>]) -> String {
    let names = listed(targets.iter().map(|target| scene.name(target.service)));
    format!("a destination of {names}")
}

/// Recent kernels take such a destination without a word, and answer its clients with nothing (`__ip_vs_get_out_rt`).
fn unreachable(scene: Scene<'_>, address: IpAddr, route: Option<&Route>, targets: &[Target<'_>]) -> Option<Finding> {
    let (saw, leads) = match route.map(|route| route.kind) {
        None => ("no route leads to it".to_owned(), true),
        Some(RouteKind::Unreachable) => ("its route is `unreachable`".to_owned(), true),
        Some(RouteKind::Blackhole) => ("its route is a `blackhole`".to_owned(), true),
        Some(RouteKind::Prohibit) => ("its route is `prohibit`".to_owned(), true),
        Some(RouteKind::Broadcast) => ("it is the broadcast address of a network of this host".to_owned(), false),
        Some(RouteKind::Multicast) => ("it is a multicast address".to_owned(), false),
        Some(RouteKind::Unicast | RouteKind::Local | RouteKind::Anycast | RouteKind::Other(_)) => return None,
    };
    let subject = format!("destination {address}");
    let saw = format!("{saw}; {}", users(scene, targets));
    if !leads {
        let why = "the kernel refuses it (EINVAL): no single host has that address";
        return Some(DESTINATION_UNREACHABLE.of(subject, saw, why).advice("write the address of the server"));
    }
    let why = "the kernel drops what it would send there, so clients that get this destination wait in vain, while it may \
               count as up";
    let host = host_prefix(address);
    let finding = DESTINATION_UNREACHABLE.of(subject, saw, why);
    Some(match scene.network_of(address) {
        Some((link, _)) if !link.up => finding.command(format!("ip link set {} up", link.name)),
        Some((link, _)) => finding.command(format!("ip route replace {host} dev {}", link.name)),
        None => finding.advice(format!(
            "give this host a route to it: `ip route replace {host} via ROUTER`, with the address of the router that leads \
             there"
        )),
    })
}

/// Direct routing changes nothing but the MAC address, so a router on the way gets a packet to the service's address, and
/// sends it back.
fn through_router(scene: Scene<'_>, address: IpAddr, route: &Route, targets: &[Target<'_>]) -> Option<Finding> {
    let gateway = route.gateway.filter(|gateway| route.kind == RouteKind::Unicast && *gateway != address)?;
    let direct: Vec<Target<'_>> = targets.iter().filter(|target| target.settings.forward == Forward::Dr).copied().collect();
    if direct.is_empty() {
        return None;
    }
    let saw = format!("the way to it leads through the router {gateway}, and its forward is dr; {}", users(scene, &direct));
    let why = format!(
        "dr changes only the MAC address: {gateway} gets packets to the service's address, and sends them back here or drops \
         them"
    );
    Some(DR_THROUGH_ROUTER.of(format!("destination {address}"), saw, why).advice(
        "write forward = \"tunnel\" for it, and give the server the end of the tunnel; or put it into a network that this host \
         is in as well",
    ))
}
