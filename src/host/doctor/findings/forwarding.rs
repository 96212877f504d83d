//! Whether the answers of nat destinations come back through this host.

use std::collections::BTreeMap;

use crate::host::doctor::finding::{FORWARDING_OFF, Finding, Mend, REDIRECTS_SENT};
use crate::host::doctor::scene::{Scene, Stage, Target, ipv4_conf, listed};
use crate::host::rtnl::LinkInfo;
use crate::model::Family;

const ALL_V4: &str = "net.ipv4.ip_forward";
const ALL_V6: &str = "net.ipv6.conf.all.forwarding";

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut behind: BTreeMap<&str, (&LinkInfo, Vec<Target<'_>>)> = BTreeMap::new();
    let mut six = Vec::new();
    for target in scene.nat_targets() {
        match (target.destination.family(), scene.device(target.destination.address)) {
            (Family::V4, Some(link)) => behind.entry(&link.name).or_insert((link, Vec::new())).1.push(target),
            (Family::V6, Some(_)) => six.push(target),
            (_, None) => {}
        }
    }
    let mut found: Vec<Finding> = behind.values().filter_map(|(link, targets)| off(scene, link, targets)).collect();
    found.extend(off6(scene, &six));
    found.extend(behind.values().filter_map(|(link, targets)| redirects(scene, link, targets)));
    found
}

fn why() -> &'static str {
    "the answers of nat destinations come back through this host, which has to forward them to the clients; the kernel drops \
     them instead"
}

fn destinations(targets: &[Target<'_>]) -> String {
    let noun = if targets.len() == 1 { "the nat destination" } else { "the nat destinations" };
    format!("{noun} {}", listed(targets.iter().map(|target| target.destination)))
}

/// What counts is the setting of the interface where the answers come in (`ip_route_input_slow`).
fn off(scene: Scene<'_>, link: &LinkInfo, targets: &[Target<'_>]) -> Option<Finding> {
    let name = ipv4_conf(link, "forwarding");
    if forwards(scene, &name)? {
        return None;
    }
    let saw = format!(
        "{}, {}; behind it {} {}",
        scene.assigned(ALL_V4),
        scene.assigned(&name),
        if targets.len() == 1 { "is" } else { "are" },
        destinations(targets)
    );
    let finding = FORWARDING_OFF.of(format!("interface {}", link.name), saw, why());
    let is_written = scene.written(&name).map_or_else(|| switched(scene) == Some(true), |value| value != "0");
    Some(if is_written { finding.mends([scene.apply()]) } else { finding.mends(scene.set(&[(name, 1)])) })
}

/// What the configuration switches forwarding to for all interfaces, if it does: only a change of the value sets them.
fn switched(scene: Scene<'_>) -> Option<bool> {
    let live = scene.facts.sysctls.get(ALL_V4)? != "0";
    let wanted = scene.written(ALL_V4).or_else(|| scene.written("net.ipv4.conf.all.forwarding"))? != "0";
    (live != wanted).then_some(wanted)
}

fn forwards(scene: Scene<'_>, name: &str) -> Option<bool> {
    match switched(scene).filter(|_| scene.stage == Stage::OnceInForce && scene.written(name).is_none()) {
        Some(on) => Some(on),
        None => Some(scene.number(name)? != 0),
    }
}

/// IPv6 asks for the setting of all interfaces (`ip6_forward`).
fn off6(scene: Scene<'_>, targets: &[Target<'_>]) -> Option<Finding> {
    if targets.is_empty() || scene.number(ALL_V6)? != 0 {
        return None;
    }
    let mut values = Vec::new();
    let mut lost = Vec::new();
    for interface in &scene.facts.advertised {
        let name = format!("net.ipv6.conf.{}.accept_ra", interface.replace('.', "/"));
        if scene.number(&name).is_some_and(|value| value < 2) {
            lost.push(interface);
            values.push((name, 2));
        }
    }
    values.push((ALL_V6.to_owned(), 1));
    let mut saw = format!(
        "{}; there {} {}",
        scene.assigned(ALL_V6),
        if targets.len() == 1 { "is" } else { "are" },
        destinations(targets)
    );
    let mends = if lost.is_empty() {
        scene.set(&values)
    } else {
        let interfaces = listed(&lost);
        saw += &format!(
            "; a router advertised the default route on {interfaces}, and a host that forwards drops such a route unless \
             accept_ra is 2"
        );
        // In that order: what is written is set in another, and the route would be gone until the next advertisement.
        let commands = scene.set(&values).into_iter().filter(|mend| matches!(mend, Mend::Command(_)));
        let lines: Vec<String> = values.iter().map(|(name, value)| format!("\"{name}\" = {value}")).collect();
        let keep = format!("then, to keep it so, write {} under [host.sysctls]", lines.join(" and "));
        commands.chain([Mend::Advice(keep)]).collect()
    };
    Some(FORWARDING_OFF.of("IPv6", saw, why()).mends(mends))
}

/// With one leg, answers leave where they came in. The kernel then tells the server of the nearer way (`ip_forward`), and a
/// server that listens sends its next answers past this host.
fn redirects(scene: Scene<'_>, link: &LinkInfo, targets: &[Target<'_>]) -> Option<Finding> {
    let one_legged = scene.facts.defaults.get(&Family::V4) == Some(&link.name);
    let near: Vec<Target<'_>> = targets
        .iter()
        .filter(|target| scene.route(target.destination.address).is_some_and(|route| route.gateway.is_none()))
        .copied()
        .collect();
    if !one_legged || near.is_empty() || scene.largest(link, "send_redirects")? == 0 {
        return None;
    }
    let names = ["net.ipv4.conf.all.send_redirects".to_owned(), ipv4_conf(link, "send_redirects")];
    let on: Vec<(String, i64)> =
        names.into_iter().filter(|name| scene.number(name) != Some(0)).map(|name| (name, 0)).collect();
    let saw = format!(
        "clients and {} are on the same interface, and {}",
        destinations(&near),
        scene.both_texts(link, "send_redirects")
    );
    let why = "this host tells the servers (by ICMP redirect) that there is a nearer way to the clients; those that listen \
               send their answers past it, with their own addresses, and the clients' connections break";
    Some(REDIRECTS_SENT.of(format!("interface {}", link.name), saw, why).mends(scene.set(&on)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::testing::{Case, WEB, tunnel};
    use crate::host::rtnl::RouteKind;
    use crate::model::{Forward, TunnelType};

    const OURS: &str = "net.ipv4.conf.eth1.forwarding";

    fn set(text: &str, lines: &str) -> [Mend; 2] {
        [Mend::Command(format!("sysctl -w {text}")), Mend::Configuration(format!("[host.sysctls]\n{lines}"))]
    }

    fn off() -> Case {
        let mut case = Case::good();
        for name in [ALL_V4, "net.ipv4.conf.all.forwarding", "net.ipv4.conf.eth0.forwarding", OURS] {
            case.sysctl(name, 0);
        }
        case
    }

    #[test]
    fn answers_are_forwarded_where_they_come_in() {
        let found = off().finds(&["forwarding-off"]);
        assert_eq!(found[0].subject, "interface eth1");
        assert_eq!(found[0].mend, set("net.ipv4.conf.eth1.forwarding=1", "\"net.ipv4.conf.eth1.forwarding\" = 1"));
        let mut case = off();
        case.sysctl(OURS, 1);
        case.finds(&[]);
        // On for all, and off for the one.
        let mut case = Case::good();
        case.sysctl(OURS, 0);
        case.finds(&["forwarding-off"]);
    }

    #[test]
    fn only_nat_to_others_needs_it() {
        for (destination, forward) in [("10.0.0.11:80", Forward::Dr), ("10.0.0.11:80", tunnel(TunnelType::Ipip))] {
            let mut case = off();
            case.at("eth1").mtu = 1600;
            case.service(WEB, "web", &[(destination, forward)]);
            case.finds(&[]);
        }
        let mut case = off();
        case.route("10.0.0.11", RouteKind::Local, Some("lo"), None);
        case.finds(&[]);
    }

    #[test]
    fn the_configuration_may_switch_it_on() {
        let mut case = off();
        case.write(ALL_V4, 1);
        assert_eq!(case.finds(&["forwarding-off"])[0].mend, [Mend::Command("ipvsd apply".to_owned())]);
        case.will_find(&[]);
        // The switch for all does nothing if it is on already.
        case.sysctl(ALL_V4, 1);
        assert_eq!(case.finds(&["forwarding-off"])[0].mend.len(), 2);
        case.will_find(&["forwarding-off"]);
        case.write(OURS, 1);
        assert_eq!(case.finds(&["forwarding-off"])[0].mend, [Mend::Command("ipvsd apply".to_owned())]);
        case.will_find(&[]);
        case.write(OURS, 0);
        case.will_find(&["forwarding-off"]);
        // And off.
        let mut case = Case::good();
        case.write(ALL_V4, 0);
        case.finds(&[]);
        case.will_find(&["forwarding-off"]);
    }

    #[test]
    fn ipv6_asks_for_all_and_keeps_an_advertised_route() {
        let mut case = Case::good();
        case.service("tcp://[2001:db8::10]:80", "six", &[("[2001:db8:1::11]:80", Forward::Nat)]);
        case.finds(&[]);
        case.sysctl(ALL_V6, 0);
        let found = case.finds(&["forwarding-off"]);
        assert_eq!(found[0].mend, set("net.ipv6.conf.all.forwarding=1", "\"net.ipv6.conf.all.forwarding\" = 1"));
        case.facts.advertised.insert("eth0".to_owned());
        let found = case.finds(&["forwarding-off"]);
        assert_eq!(
            found[0].mend[0],
            Mend::Command("sysctl -w net.ipv6.conf.eth0.accept_ra=2 net.ipv6.conf.all.forwarding=1".to_owned())
        );
        case.sysctl("net.ipv6.conf.eth0.accept_ra", 2);
        assert_eq!(
            case.finds(&["forwarding-off"])[0].mend[0],
            Mend::Command("sysctl -w net.ipv6.conf.all.forwarding=1".to_owned())
        );
        case.sysctl(ALL_V4, 0);
        case.finds(&["forwarding-off"]);
    }

    /// With one leg: the servers are where the default route is.
    #[test]
    fn one_leg_and_redirects() {
        let mut case = Case::good();
        case.facts.defaults.insert(Family::V4, "eth1".to_owned());
        let found = case.finds(&["redirects-sent"]);
        assert_eq!(
            found[0].mend[0],
            Mend::Command(
                "sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth1.send_redirects=0".to_owned()
            )
        );
        case.sysctl("net.ipv4.conf.all.send_redirects", 0);
        let found = case.finds(&["redirects-sent"]);
        assert_eq!(
            found[0].mend,
            set("net.ipv4.conf.eth1.send_redirects=0", "\"net.ipv4.conf.eth1.send_redirects\" = 0")
        );
        case.sysctl("net.ipv4.conf.eth1.send_redirects", 0);
        case.finds(&[]);
        // Behind a router there is no nearer way.
        let mut case = Case::good();
        case.facts.defaults.insert(Family::V4, "eth1".to_owned());
        case.route("10.0.0.11", RouteKind::Unicast, Some("eth1"), Some("10.0.0.254"));
        case.finds(&[]);
    }
}
