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
        unreachable(scene, *address, route.as_ref(), targets)
            .or_else(|| through_router(scene, *address, route.as_ref()?, targets))
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
    let direct: Vec<Target<'_>> =
        targets.iter().filter(|target| target.settings.forward == Forward::Dr).copied().collect();
    if direct.is_empty() {
        return None;
    }
    let saw =
        format!("the way to it leads through the router {gateway}, and its forward is dr; {}", users(scene, &direct));
    let why = format!(
        "dr changes only the MAC address: {gateway} gets packets to the service's address, and sends them back here or drops \
         them"
    );
    Some(DR_THROUGH_ROUTER.of(format!("destination {address}"), saw, why).advice(
        "write forward = \"tunnel\" for it, and give the server the end of the tunnel; or put it into a network that this host \
         is in as well",
    ))
}

#[cfg(test)]
mod tests {
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::{Case, WEB, tunnel};
    use crate::host::rtnl::RouteKind;
    use crate::model::{Forward, TunnelType};

    fn command(text: &str) -> Mend {
        Mend::Command(text.to_owned())
    }

    #[test]
    fn what_leads_nowhere() {
        for kind in [RouteKind::Unreachable, RouteKind::Blackhole, RouteKind::Prohibit] {
            let mut case = Case::good();
            case.service(WEB, "web", &[("10.9.0.11:80", Forward::Nat)]);
            case.route("10.9.0.11", kind, None, None);
            let found = case.finds(&["destination-unreachable"]);
            assert!(matches!(&found[0].mend[..], [Mend::Advice(advice)] if advice.contains("10.9.0.11/32 via ROUTER")));
            // Within a network of ours it can be said where it is.
            let mut case = Case::good();
            case.route("10.0.0.11", kind, None, None);
            let found = case.finds(&["destination-unreachable"]);
            assert_eq!(found[0].mend, [command("ip route replace 10.0.0.11/32 dev eth1")]);
        }
        let mut case = Case::good();
        case.facts.routes.insert("10.0.0.11".parse().unwrap(), None);
        case.at("eth1").up = false;
        assert_eq!(case.finds(&["destination-unreachable"])[0].mend, [command("ip link set eth1 up")]);
    }

    #[test]
    fn what_is_no_host() {
        let mut case = Case::good();
        case.route("10.0.0.11", RouteKind::Broadcast, Some("eth1"), None);
        case.finds(&["destination-unreachable"]);
    }

    #[test]
    fn a_destination_that_is_this_host_is_fine() {
        for forward in [Forward::Nat, Forward::Dr, tunnel(TunnelType::Ipip)] {
            let mut case = Case::good();
            case.service(WEB, "web", &[("10.0.0.1:80", forward)]);
            case.route("10.0.0.1", RouteKind::Local, Some("lo"), None);
            case.is_live(WEB);
            case.finds(&[]);
        }
    }

    #[test]
    fn one_destination_of_many_services_is_told_once() {
        let mut case = Case::good();
        case.service("tcp://192.0.2.10:443", "tls", &[("10.0.0.11:443", Forward::Nat)]);
        case.facts.routes.insert("10.0.0.11".parse().unwrap(), None);
        let found = case.finds(&["destination-unreachable"]);
        assert!(found[0].saw.ends_with("a destination of web and tls"), "{}", found[0].saw);
    }

    #[test]
    fn direct_routing_passes_no_router() {
        let mut case = Case::good();
        case.service(WEB, "web", &[("10.9.0.11:80", Forward::Dr)]);
        case.route("10.9.0.11", RouteKind::Unicast, Some("eth1"), Some("10.0.0.254"));
        case.finds(&["dr-through-router"]);
        for forward in [Forward::Nat, tunnel(TunnelType::Ipip)] {
            case.at("eth1").mtu = 1600;
            case.service(WEB, "web", &[("10.9.0.11:80", forward)]);
            case.route("10.9.0.11", RouteKind::Unicast, Some("eth1"), Some("10.0.0.254"));
            case.finds(&[]);
        }
    }
}
