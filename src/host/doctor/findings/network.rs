//! Clients in the network of the servers.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::translation::{CONNTRACK, may_match, tracks};
use crate::host::doctor::facts::NatRules;
use crate::host::doctor::finding::{Finding, NAT_SAME_NETWORK};
use crate::host::doctor::scene::{Scene, Target, listed, vip};
use crate::model::{Family, ServiceKey};

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut near: BTreeMap<&ServiceKey, (IpNet, Vec<Target<'_>>)> = BTreeMap::new();
    for target in scene.nat_targets() {
        if let Some(network) = shared(scene, &target) {
            near.entry(target.service).or_insert((network, Vec::new())).1.push(target);
        }
    }
    near.into_iter().map(|(service, (network, targets))| one(scene, service, network, &targets)).collect()
}

/// The network in which a service's address and a destination both are, if nothing makes answers come back from there.
fn shared(scene: Scene<'_>, target: &Target<'_>) -> Option<IpNet> {
    let address = target.destination.address;
    let (link, network) = scene.network_of(vip(target.service)?)?;
    let direct = scene.route(address)?.gateway.is_none() && scene.device(address)?.index == link.index;
    if !direct || !network.contains(&address) {
        return None;
    }
    let is_met = tracks(scene)
        && match &scene.facts.nat {
            NatRules::Known(rules) => rules.iter().any(|rule| may_match(rule, address, &link.name, Some(network))),
            NatRules::Unknown(_) => true,
            NatRules::None => false,
        };
    (!is_met).then_some(network)
}

fn one(scene: Scene<'_>, service: &ServiceKey, network: IpNet, targets: &[Target<'_>]) -> Finding {
    let saw = format!(
        "its address and the nat {} {} are in one network, {network}",
        if targets.len() == 1 { "destination" } else { "destinations" },
        listed(targets.iter().map(|target| target.destination))
    );
    let why = format!(
        "a server answers a client of {network} directly, past this host and with its own address, and the client takes it for \
         no answer; clients from elsewhere are served"
    );
    NAT_SAME_NETWORK
        .of(format!("service {}", scene.name(service)), saw, why)
        .command(rewriting(scene, service, network, targets))
        .advice(format!(
            "keep it so: write \"{CONNTRACK}\" = 1 under [host.sysctls], and the rule into what sets up the packet filter. Or \
             let forward be \"dr\" or \"tunnel\", where answers go directly by intention; or leave it, if there are no clients \
             in {network}"
        ))
}

/// Lets such connections come from this host's own address, which takes conntrack. Connections that are there go on.
fn rewriting(scene: Scene<'_>, service: &ServiceKey, network: IpNet, targets: &[Target<'_>]) -> String {
    let mut lines = Vec::new();
    if !tracks(scene) {
        lines.push(format!("sysctl -w {CONNTRACK}=1"));
    }
    // The one that can name the service; and it is what others know, if there is none yet.
    if scene.facts.filters.iptables || !scene.facts.filters.nft {
        lines.push(with_iptables(service, network));
    } else {
        let family = if service.family() == Family::V4 { "ip" } else { "ip6" };
        lines.push(format!("nft add table {family} ipvsd"));
        lines.push(format!(
            "nft 'add chain {family} ipvsd postrouting {{ type nat hook postrouting priority srcnat; }}'"
        ));
        lines.extend(targets.iter().map(|target| with_nft(family, network, target)));
    }
    lines.join("\n")
}

fn with_iptables(service: &ServiceKey, network: IpNet) -> String {
    let program = if service.family() == Family::V4 { "iptables" } else { "ip6tables" };
    let about = match service {
        ServiceKey::Address { protocol, address, port } => {
            let port = if *port == 0 { String::new() } else { format!(" --vport {port}") };
            format!(" --vproto {} --vaddr {address}{port}", protocol.number())
        }
        ServiceKey::Mark { .. } => String::new(),
    };
    format!("{program} -t nat -A POSTROUTING -s {network} -m ipvs{about} -j MASQUERADE")
}

fn with_nft(family: &str, network: IpNet, target: &Target<'_>) -> String {
    let port = match (target.service, target.destination.port) {
        (ServiceKey::Address { protocol, .. }, port @ 1..) => format!(" {protocol} dport {port}"),
        _ => String::new(),
    };
    let to = target.destination.address;
    format!("nft add rule {family} ipvsd postrouting {family} saddr {network} {family} daddr {to}{port} masquerade")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::facts::{Filters, SourceNat};
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::Case;
    use crate::host::rtnl::RouteKind;
    use crate::model::Forward;

    const NEAR: &str = "tcp://10.0.0.10:80";

    fn near() -> Case {
        let mut case = Case::good();
        case.address("eth1", "10.0.0.10", 24);
        case.service(NEAR, "near", &[("10.0.0.11:8080", Forward::Nat), ("10.0.0.12:8080", Forward::Nat)]);
        case
    }

    fn rewritten(case: &mut Case) {
        case.sysctl(CONNTRACK, 1);
        let from = Some("10.0.0.0/24".parse().unwrap());
        case.facts.nat = NatRules::Known(vec![SourceNat { from, ipvs: true, ..SourceNat::default() }]);
    }

    #[test]
    fn clients_beside_the_servers() {
        let found = near().finds(&["nat-same-network"]);
        assert_eq!(found[0].subject, "service near");
        let want = "sysctl -w net.ipv4.vs.conntrack=1\n\
                    iptables -t nat -A POSTROUTING -s 10.0.0.0/24 -m ipvs --vproto 6 --vaddr 10.0.0.10 --vport 80 -j MASQUERADE";
        assert_eq!(found[0].mend[0], Mend::Command(want.to_owned()));
    }

    #[test]
    fn with_nftables_it_is_said_of_each_destination() {
        let mut case = near();
        case.sysctl(CONNTRACK, 1);
        case.facts.filters = Filters { iptables: false, nft: true };
        let found = case.finds(&["nat-same-network"]);
        let Mend::Command(command) = &found[0].mend[0] else { panic!("{found:?}") };
        let lines: Vec<&str> = command.lines().collect();
        assert_eq!(lines.len(), 4, "{command}");
        assert_eq!(
            lines[2],
            "nft add rule ip ipvsd postrouting ip saddr 10.0.0.0/24 ip daddr 10.0.0.11 tcp dport 8080 masquerade"
        );
    }

    #[test]
    fn rewritten_sources_bring_answers_back() {
        let mut case = near();
        rewritten(&mut case);
        case.finds(&[]);
        // Not without conntrack, and not by a rule about others.
        case.sysctl(CONNTRACK, 0);
        case.finds(&["nat-same-network", "conntrack-off"]);
        case.sysctl(CONNTRACK, 1);
        let from = Some("172.17.0.0/16".parse().unwrap());
        case.facts.nat = NatRules::Known(vec![SourceNat { from, ..SourceNat::default() }]);
        case.finds(&["nat-same-network"]);
    }

    #[test]
    fn other_networks_and_other_ways_are_no_matter() {
        for forward in [Forward::Dr, Forward::Nat] {
            let mut case = near();
            case.service(NEAR, "near", &[("10.0.0.11:80", forward)]);
            if forward == Forward::Nat {
                case.route("10.0.0.11", RouteKind::Unicast, Some("eth1"), Some("10.0.0.254"));
            }
            case.finds(&[]);
        }
    }
}
