//! Whether packets to the services' addresses come to this host's IPVS.

use std::net::IpAddr;

use crate::host::doctor::facts::Process;
use crate::host::doctor::finding::{ADDRESS_MISSING, ADDRESS_SILENT, Finding, Mend, Severity};
use crate::host::doctor::scene::{Scene, Stage, host_prefix, listed};
use crate::host::rtnl::LinkInfo;
use crate::model::ServiceKey;

/// What ipvsd's own interface is called in the documents.
const INTERFACE: &str = "ipvs0";

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let vips = scene.vips();
    let of = |(vip, services): (&IpAddr, &Vec<&ServiceKey>)| {
        missing(scene, *vip, services).or_else(|| silent(scene, *vip, services))
    };
    vips.iter().filter_map(of).collect()
}

fn named(scene: Scene<'_>, services: &[&ServiceKey]) -> String {
    let noun = if services.len() == 1 { "service" } else { "services" };
    format!("{noun} {}", listed(services.iter().map(|key| scene.name(key))))
}

/// An address that the kernel does not take for its own: packets to it never come to where IPVS looks (`LOCAL_IN`).
fn missing(scene: Scene<'_>, vip: IpAddr, services: &[&ServiceKey]) -> Option<Finding> {
    // What the kernel would not say is not known.
    if !scene.facts.routes.contains_key(&vip) || scene.will_be_local(vip) {
        return None;
    }
    let why = "packets to it are routed on or dropped, and never reach IPVS";
    let used = named(scene, services);
    let subject = format!("address {vip}");
    if let Some((info, link)) = scene.held(vip).next() {
        // Being down, or not confirmed yet, keeps no address from being local; being a duplicate does.
        let (state, advice) = if info.tentative {
            let advice = format!(
                "look at `ip -6 address show dev {}`: dadfailed means that another host has the address, and one of the two has \
                 to give it up",
                link.name
            );
            ("as a duplicate", advice)
        } else {
            let advice = format!("see `ip rule` and `ip route get {vip}`: a rule stands before the table local");
            ("but the routing rules lead elsewhere", advice)
        };
        let saw = format!("it is on {}, {state}; {used}", link.name);
        return Some(ADDRESS_MISSING.of(subject, saw, why).advice(advice));
    }
    let saw = format!("it is on no interface, and no route makes it local; {used}");
    let finding = ADDRESS_MISSING.of(subject, saw, why);
    let movers: Vec<&Process> = scene.facts.processes.iter().filter(|process| process.role.moves_addresses()).collect();
    if let Some(mover) = movers.first() {
        let advice = format!(
            "if {} moves it between directors, this one does not have it now, and all is well; else, put it on an interface",
            mover.name
        );
        return Some(finding.severity(Severity::Hint).advice(advice));
    }
    if scene.desired.host.addresses.is_some() {
        return Some(finding.mends([scene.apply()]));
    }
    let near = scene.network_of(vip).filter(|(link, _)| link.up).map(|(link, _)| link);
    let ours = Mend::Configuration(format!("[host]\naddresses = {{ interface = \"{INTERFACE}\" }}"));
    // On an interface of ours nobody would ask for it there, or get an answer.
    let heard = near.is_none_or(|link| answers_for_others(scene, vip, link));
    let device = near.map_or("lo", |link| link.name.as_str());
    let finding = finding.command(adding(vip, device));
    Some(if heard { finding.mends([ours]) } else { finding })
}

/// IPv6 as deprecated, as ipvsd does, so that this host does not speak from it.
fn adding(vip: IpAddr, device: &str) -> String {
    let deprecated = if vip.is_ipv6() { " preferred_lft 0" } else { "" };
    format!("ip address add {} dev {device}{deprecated}", host_prefix(vip))
}

/// Whether neighbours on an interface get an answer when they ask for an address that this host has on another interface.
/// IPv6 answers for none, but as a proxy (`ndisc_recv_ns` in `net/ipv6/ndisc.c`).
fn answers_for_others(scene: Scene<'_>, vip: IpAddr, link: &LinkInfo) -> bool {
    match vip {
        IpAddr::V4(_) => scene.answers_arp_for_others(link),
        IpAddr::V6(_) => scene.number(&format!("net.ipv6.conf.{}.proxy_ndp", link.name.replace('.', "/"))) == Some(1),
    }
}

/// An address of a director that its neighbours ask for in vain.
fn silent(scene: Scene<'_>, vip: IpAddr, services: &[&ServiceKey]) -> Option<Finding> {
    // A real server is silent with good reason.
    let balances = services.iter().any(|key| scene.balances(key) == Some(true));
    let (link, network) = scene.network_of(vip).filter(|(link, _)| link.up)?;
    let on_it = scene.held(vip).any(|(_, on)| on.index == link.index)
        || (scene.stage == Stage::OnceInForce && scene.desired.host.addresses.as_ref() == Some(&link.name));
    if !balances || on_it || answers_for_others(scene, vip, link) {
        return None;
    }
    let held = listed(scene.held(vip).map(|(_, on)| on.name.as_str()));
    let place = match (&scene.desired.host.addresses, held.as_str()) {
        (Some(interface), "") => format!("[host] puts it on {interface}"),
        (None, "") => "a route makes it local".to_owned(),
        (_, held) => format!("it is on {held}"),
    };
    let reason = match vip {
        IpAddr::V4(_) => scene.both_texts(link, "arp_ignore"),
        IpAddr::V6(_) => "IPv6 answers on an interface for that interface's own addresses only".to_owned(),
    };
    let saw = format!(
        "it lies within {network}, the network of {}, but {place}: {reason}; {}",
        link.name,
        named(scene, services)
    );
    let why = format!(
        "hosts and routers of {network} ask for it and get no answer; only what is routed to this host arrives"
    );
    let finding = ADDRESS_SILENT.of(format!("address {vip}"), saw, why).command(adding(vip, &link.name));
    Some(match &scene.desired.host.addresses {
        Some(_) => finding.configuration(format!("[host]\naddresses = {{ interface = \"{}\" }}", link.name)),
        None => finding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::facts::Role;
    use crate::host::doctor::testing::{Case, WEB};
    use crate::host::rtnl::RouteKind;
    use crate::model::Forward;

    fn command(text: &str) -> Mend {
        Mend::Command(text.to_owned())
    }

    fn ours() -> Mend {
        Mend::Configuration("[host]\naddresses = { interface = \"ipvs0\" }".to_owned())
    }

    #[test]
    fn an_address_on_no_interface() {
        let mut case = Case::good();
        case.no_address("192.0.2.10");
        let found = case.finds(&["address-missing"]);
        assert_eq!(found[0].mend, [command("ip address add 192.0.2.10/32 dev eth0"), ours()]);
        // Far from every network of this host it may be anywhere.
        let mut case = Case::good();
        case.service("tcp://203.0.113.10:80", "far", &[]);
        case.route("203.0.113.10", RouteKind::Unicast, Some("eth0"), Some("192.0.2.254"));
        let found = case.finds(&["address-missing"]);
        assert_eq!(found[0].mend, [command("ip address add 203.0.113.10/32 dev lo"), ours()]);
        case.facts.routes.insert("203.0.113.10".parse().unwrap(), None);
        case.finds(&["address-missing"]);
    }

    #[test]
    fn a_route_that_makes_it_local_is_enough() {
        let mut case = Case::good();
        case.no_address("192.0.2.10");
        case.route("192.0.2.10", RouteKind::Local, Some("lo"), None);
        case.finds(&[]);
    }

    #[test]
    fn a_mark_or_any_address_has_none_to_miss() {
        let mut case = Case::good();
        case.service("fwmark:7", "mark", &[]);
        case.service("tcp://0.0.0.0:80", "any", &[]);
        case.finds(&[]);
    }

    #[test]
    fn what_the_configuration_takes_care_of_takes_an_apply() {
        let mut case = Case::good();
        case.no_address("192.0.2.10");
        case.desired.host.addresses = Some(INTERFACE.to_owned());
        assert_eq!(case.finds(&["address-missing"])[0].mend, [command("ipvsd apply")]);
        case.will_find(&[]);
    }

    #[test]
    fn a_duplicate_is_not_taken_by_force() {
        let mut case = Case::good();
        case.service("tcp://[2001:db8::10]:80", "six", &[]);
        case.finds(&[]);
        case.route("2001:db8::10", RouteKind::Unicast, Some("eth0"), None);
        case.facts.addresses.last_mut().unwrap().tentative = true;
        let found = case.finds(&["address-missing"]);
        assert!(matches!(&found[0].mend[..], [Mend::Advice(_)]), "{found:?}");
    }

    #[test]
    fn rules_may_lead_elsewhere() {
        let mut case = Case::good();
        case.route("192.0.2.10", RouteKind::Unicast, Some("eth0"), Some("192.0.2.254"));
        let found = case.finds(&["address-missing"]);
        assert!(matches!(&found[0].mend[..], [Mend::Advice(advice)] if advice.contains("`ip rule`")), "{found:?}");
    }

    #[test]
    fn who_moves_addresses_may_have_moved_it() {
        let mut case = Case::good();
        case.no_address("192.0.2.10");
        let (pid, name, command) = (7, "keepalived".to_owned(), "keepalived --vrrp".to_owned());
        case.facts.processes.push(Process { pid, name, command, role: Role::MovesAddresses });
        assert_eq!(case.finds(&["address-missing"])[0].severity, Severity::Hint);
    }

    #[test]
    fn what_the_kernel_would_not_say_is_not_known() {
        let mut case = Case::good();
        case.service("tcp://[2001:db8::10]:80", "six", &[]);
        case.facts.routes.remove(&"2001:db8::10".parse().unwrap());
        case.finds(&[]);
    }

    /// The interface of the network does not answer for what another interface has.
    #[test]
    fn an_address_that_nobody_answers_for() {
        let mut case = Case::good();
        case.sysctl("net.ipv4.conf.eth0.arp_ignore", 1);
        case.finds(&[]);
        case.is_live(WEB);
        let found = case.finds(&["address-silent"]);
        assert_eq!(found[0].mend, [command("ip address add 192.0.2.10/32 dev eth0")]);
        case.will_find(&["address-silent"]);
        case.address("eth0", "192.0.2.10", 32);
        case.finds(&[]);

        // To put it on an interface of ours would be of no use then.
        case.no_address("192.0.2.10");
        assert_eq!(case.finds(&["address-missing"])[0].mend, [command("ip address add 192.0.2.10/32 dev eth0")]);
        case.desired.host.addresses = Some("ipvs0".to_owned());
        let found = case.will_find(&["address-silent"]);
        assert!(found[0].saw.contains("[host] puts it on ipvs0"), "{}", found[0].saw);
        assert_eq!(found[0].mend[1], Mend::Configuration("[host]\naddresses = { interface = \"eth0\" }".to_owned()));
        case.desired.host.addresses = Some("eth0".to_owned());
        case.will_find(&[]);
    }

    #[test]
    fn ipv6_answers_for_none_but_its_own() {
        let mut case = Case::good();
        let six = "tcp://[2001:db8:1::10]:80";
        case.service(six, "six", &[("[2001:db8:1::11]:80", Forward::Dr)]);
        case.address("ipvs0", "2001:db8:1::10", 128);
        case.is_live(six);
        let found = case.finds(&["address-silent"]);
        assert_eq!(found[0].mend, [command("ip address add 2001:db8:1::10/128 dev eth1 preferred_lft 0")]);
        case.sysctl("net.ipv6.conf.eth1.proxy_ndp", 1);
        case.finds(&[]);
    }
}
