//! This host as a real server of another director: it has the services' addresses to take their packets, and must not be found
//! by them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::host::doctor::finding::{Finding, SERVER_ANSWERS_ARP, SERVER_DROPS_TUNNELLED};
use crate::host::doctor::scene::{Scene, Stage, Target, host_prefix, ipv4_conf, listed, vip};
use crate::host::rtnl::LinkInfo;
use crate::model::{Family, Forward, TunnelType};

/// Always the best local address (ip-sysctl.rst).
const BEST: i64 = 2;
/// `[host]` is a director's.
const KEEP: &str = "to keep it over a boot, write it where this host keeps such things, as in /etc/sysctl.d: [host] in ipvsd's \
                    configuration is for directors";

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let targets: Vec<Target<'_>> = scene.targets().filter(|target| is_served_here(scene, target)).collect();
    let mut found = arp(scene, &targets);
    found.extend(tunnels(scene, &targets));
    found
}

/// Whether this host is that destination of an IPv4 service by dr or tunnel, has the service's address, and is not the one that
/// balances it: the table would have the service then.
fn is_served_here(scene: Scene<'_>, target: &Target<'_>) -> bool {
    let by_address = matches!(target.settings.forward, Forward::Dr | Forward::Tunnel(_));
    let is_here = vip(target.service).is_some_and(|vip| vip.is_ipv4() && scene.is_local(vip));
    by_address
        && is_here
        && scene.stage == Stage::Now
        && scene.is_local(target.destination.address)
        && scene.balances(target.service) == Some(false)
}

fn services(scene: Scene<'_>, targets: &[&Target<'_>]) -> String {
    let names = listed(targets.iter().map(|target| scene.name(target.service)));
    let addresses = listed(targets.iter().filter_map(|target| vip(target.service)));
    format!("this host is a destination of {names}, does not balance it, and has its address {addresses}")
}

/// By the interface that has the destination's address: there its neighbours ask.
fn arp(scene: Scene<'_>, targets: &[Target<'_>]) -> Vec<Finding> {
    let mut on: BTreeMap<&str, (&LinkInfo, Vec<&Target<'_>>)> = BTreeMap::new();
    for target in targets {
        for (_, link) in scene.held(target.destination.address).filter(|(_, link)| link.up && !link.loopback) {
            on.entry(&link.name).or_insert((link, Vec::new())).1.push(target);
        }
    }
    on.values().filter_map(|(link, targets)| answers(scene, link, targets)).collect()
}

fn answers(scene: Scene<'_>, link: &LinkInfo, targets: &[&Target<'_>]) -> Option<Finding> {
    let loud = scene.answers_arp_for_others(link);
    let tells = scene.largest(link, "arp_announce")? < BEST;
    let own: Vec<(IpAddr, u8)> = targets
        .iter()
        .filter_map(|target| vip(target.service))
        .flat_map(|vip| {
            scene.held(vip).filter(|(_, on)| on.index == link.index).map(|(info, _)| (info.address, info.prefix))
        })
        .collect();
    if !loud && !tells && own.is_empty() {
        return None;
    }
    let (mut saw, mut values, mut lines) = (vec![services(scene, targets)], Vec::new(), Vec::new());
    for (setting, wanted, wrong) in [("arp_ignore", 1, loud), ("arp_announce", BEST, tells)] {
        if wrong {
            saw.push(scene.both_texts(link, setting));
            values.push((ipv4_conf(link, setting), wanted));
        }
    }
    for (address, prefix) in &own {
        saw.push(format!("{address} is on {} itself", link.name));
        lines.push(format!("ip address add {} dev lo", host_prefix(*address)));
        lines.push(format!("ip address delete {address}/{prefix} dev {}", link.name));
    }
    lines.dedup();
    let why = "it answers when its neighbours ask who has the service's address, so clients come here, past the director, or to \
               now the one and now the other";
    let finding = SERVER_ANSWERS_ARP.of(format!("interface {}", link.name), saw.join("; "), why);
    let commands: Vec<String> = setting(&values).into_iter().chain(lines).collect();
    Some(finding.command(commands.join("\n")).advice(KEEP))
}

/// Not by ipvsd, which would balance here as well.
fn setting(values: &[(String, i64)]) -> Option<String> {
    let words: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!words.is_empty()).then(|| format!("sysctl -w {}", words.join(" ")))
}

/// The kind of the interface at the end of a tunnel that carries IPv4 (rtnetlink's IFLA_INFO_KIND).
fn end_of(target: &Target<'_>) -> Option<&'static str> {
    let Forward::Tunnel(tunnel) = target.settings.forward else { return None };
    match (tunnel.kind, target.destination.family()) {
        (TunnelType::Ipip | TunnelType::Gue, Family::V4) => Some("ipip"),
        (TunnelType::Ipip | TunnelType::Gue, Family::V6) => Some("ip6tnl"),
        (TunnelType::Gre, Family::V4) => Some("gre"),
        (TunnelType::Gre, Family::V6) => Some("ip6gre"),
        (TunnelType::Other(_), _) => None,
    }
}

fn tunnels(scene: Scene<'_>, targets: &[Target<'_>]) -> Vec<Finding> {
    let ends = scene.facts.links.iter().filter(|link| link.up);
    let of = |link: &LinkInfo| {
        let mine = |target: &&Target<'_>| end_of(target).is_some_and(|kind| link.kind.as_deref() == Some(kind));
        let targets: Vec<&Target<'_>> = targets.iter().filter(mine).collect();
        if targets.is_empty() { None } else { drops(scene, link, &targets) }
    };
    ends.filter_map(of).collect()
}

/// What comes out of a tunnel comes from a client, whose way back is another one. An interface without an address fails even
/// the loose test (`fib_validate_source`).
fn drops(scene: Scene<'_>, link: &LinkInfo, targets: &[&Target<'_>]) -> Option<Finding> {
    let filter = scene.largest(link, "rp_filter")?;
    let bare = !scene.has_ipv4(link);
    if filter == 0 || (filter == 2 && !bare) {
        return None;
    }
    let name = ipv4_conf(link, "rp_filter");
    let without = if bare { format!(", and {} has no IPv4 address", link.name) } else { String::new() };
    let saw = format!("{}; {}{without}", services(scene, targets), scene.both_texts(link, "rp_filter"));
    let why = "what comes out of the tunnel is from clients whose way back leads through another interface, and the kernel \
               drops it as forged";
    let finding = SERVER_DROPS_TUNNELLED.of(format!("interface {}", link.name), saw, why);
    // With the filter on for all, one interface cannot have it off. With an address it can have it loose.
    let off = bare && scene.number("net.ipv4.conf.all.rp_filter") == Some(0);
    let missing = targets.iter().filter_map(|target| vip(target.service)).take(usize::from(bare && !off));
    let adds = missing.map(|vip| format!("ip address add {} dev {}", host_prefix(vip), link.name));
    let lines: Vec<String> = adds.chain(setting(&[(name, if off { 0 } else { 2 })])).collect();
    Some(finding.command(lines.join("\n")).advice(KEEP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::facts::Table;
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::{Case, WEB, tunnel};

    /// This host is the real server 10.0.0.1.
    fn server(forward: Forward) -> Case {
        let mut case = Case::good();
        case.service(WEB, "web", &[("10.0.0.1:80", forward)]);
        case.address("eth1", "10.0.0.1", 24);
        case.facts.addresses.remove(1);
        case
    }

    fn silent(forward: Forward) -> Case {
        let mut case = server(forward);
        case.sysctl("net.ipv4.conf.eth1.arp_ignore", 1);
        case.sysctl("net.ipv4.conf.eth1.arp_announce", 2);
        case
    }

    fn command(text: &str) -> Mend {
        Mend::Command(text.to_owned())
    }

    #[test]
    fn a_server_keeps_silent() {
        let found = server(Forward::Dr).finds(&["server-answers-arp"]);
        assert_eq!(
            found[0].mend[0],
            command("sysctl -w net.ipv4.conf.eth1.arp_ignore=1 net.ipv4.conf.eth1.arp_announce=2")
        );
        silent(Forward::Dr).finds(&[]);
        let mut case = server(Forward::Dr);
        case.sysctl("net.ipv4.conf.all.arp_ignore", 2);
        let found = case.finds(&["server-answers-arp"]);
        assert_eq!(found[0].mend[0], command("sysctl -w net.ipv4.conf.eth1.arp_announce=2"));
    }

    #[test]
    fn an_address_on_the_network_itself_has_to_move() {
        let mut case = silent(Forward::Dr);
        case.address("eth1", "192.0.2.10", 24);
        let found = case.finds(&["server-answers-arp"]);
        let lines = "ip address add 192.0.2.10/32 dev lo\nip address delete 192.0.2.10/24 dev eth1";
        assert_eq!(found[0].mend[0], command(lines));
        case.sysctl("net.ipv4.conf.eth1.arp_ignore", 0);
        let found = case.finds(&["server-answers-arp"]);
        assert_eq!(found[0].mend[0], command(&format!("sysctl -w net.ipv4.conf.eth1.arp_ignore=1\n{lines}")));
    }

    #[test]
    fn a_director_has_to_answer() {
        let mut case = server(Forward::Dr);
        case.is_live(WEB);
        case.finds(&[]);
        // Not for when this configuration is in force here: then it is the director.
        server(Forward::Dr).will_find(&[]);
        // Nor where it is not known.
        let mut case = server(Forward::Dr);
        case.facts.table = Table::Denied("no".to_owned());
        case.facts.net_admin = false;
        case.finds(&["not-permitted"]);
        // A server without IPVS is none.
        let mut case = server(Forward::Dr);
        case.facts.table = Table::Absent;
        case.finds(&["server-answers-arp"]);
    }

    #[test]
    fn nat_needs_no_address_and_none_needs_no_silence() {
        server(Forward::Nat).finds(&[]);
        let mut case = server(Forward::Dr);
        case.no_address("192.0.2.10");
        case.finds(&["address-missing"]);
    }

    #[test]
    fn what_comes_out_of_a_tunnel() {
        let mut case = silent(tunnel(TunnelType::Ipip));
        case.link("tunl0", Some("ipip"));
        case.finds(&[]);
        let name = "net.ipv4.conf.tunl0.rp_filter";
        case.sysctl(name, 1);
        assert_eq!(
            case.finds(&["server-drops-tunnelled"])[0].mend[0],
            command("sysctl -w net.ipv4.conf.tunl0.rp_filter=0")
        );
        // Loose is not loose enough for an interface without an address, and off is not off if it is on for all.
        case.sysctl(name, 2);
        case.finds(&["server-drops-tunnelled"]);
        case.sysctl(name, 0);
        case.sysctl("net.ipv4.conf.all.rp_filter", 1);
        assert_eq!(
            case.finds(&["server-drops-tunnelled"])[0].mend[0],
            command("ip address add 192.0.2.10/32 dev tunl0\nsysctl -w net.ipv4.conf.tunl0.rp_filter=2")
        );
        case.address("tunl0", "192.0.2.10", 32);
        assert_eq!(
            case.finds(&["server-drops-tunnelled"])[0].mend[0],
            command("sysctl -w net.ipv4.conf.tunl0.rp_filter=2")
        );
        case.sysctl(name, 2);
        case.finds(&[]);
        case.sysctl(name, 0);
        case.at("tunl0").up = false;
        case.finds(&[]);
    }

    #[test]
    fn each_tunnel_has_its_own_end() {
        for (kind, end) in [(TunnelType::Gue, "ipip"), (TunnelType::Gre, "gre")] {
            for present in ["ipip", "gre", "sit"] {
                let mut case = silent(tunnel(kind));
                case.link("end0", Some(present));
                case.sysctl("net.ipv4.conf.end0.rp_filter", 1);
                case.finds(if present == end { &["server-drops-tunnelled"] } else { &[] });
            }
        }
    }
}
