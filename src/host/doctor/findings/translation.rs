//! Rewriting of source addresses, which IPVS goes past unless it keeps connection tracking.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::host::doctor::facts::{NatRules, SourceNat};
use crate::host::doctor::finding::{CONNTRACK_OFF, Finding, Severity};
use crate::host::doctor::scene::{Scene, listed};

/// Whether IPVS keeps connection tracking (`ip_vs_conntrack_enabled`).
pub(super) const CONNTRACK: &str = "net.ipv4.vs.conntrack";

/// Whether IPVS keeps connection tracking, which it does not at first.
pub(super) fn tracks(scene: Scene<'_>) -> bool {
    scene.number(CONNTRACK).is_some_and(|value| value != 0)
}

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let targets: Vec<_> = scene.nat_targets().collect();
    if tracks(scene) || targets.is_empty() {
        return Vec::new();
    }
    let (saw, severity) = match &scene.facts.nat {
        NatRules::None => return Vec::new(),
        NatRules::Unknown(hint) => {
            (format!("{hint}, but the rules could not be read; they may be about other traffic"), Severity::Hint)
        }
        NatRules::Known(rules) => {
            let is_meant = |rule: &&SourceNat| {
                let about =
                    |address: IpAddr| scene.device(address).is_some_and(|link| is_meant_for(rule, address, &link.name));
                rule.ipvs || targets.iter().any(|target| about(target.destination.address))
            };
            let meant: Vec<&SourceNat> = rules.iter().filter(is_meant).collect();
            if meant.is_empty() {
                return Vec::new();
            }
            let certain = meant.iter().any(|rule| !rule.more);
            let verb = if certain { "is" } else { "may be" };
            (
                format!(
                    "the rule `{}` {verb} about connections to nat destinations",
                    listed(meant.iter().map(|rule| &rule.text))
                ),
                CONNTRACK_OFF.severity,
            )
        }
    };
    let saw = format!("{CONNTRACK} = 0; {saw}");
    let why = "IPVS takes its packets past connection tracking then, and no rule that rewrites their source address applies: \
               servers see the clients' addresses, and their answers may go another way";
    let mends = scene.set(&[(CONNTRACK.to_owned(), 1)]);
    vec![CONNTRACK_OFF.of("source NAT", saw, why).severity(severity).mends(mends)]
}

/// Whether a rule can apply to packets to that destination, out of that interface, from clients of that network.
pub(super) fn may_match(rule: &SourceNat, to: IpAddr, out: &str, from: Option<IpNet>) -> bool {
    let overlaps = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
    rule.to.as_ref().is_none_or(|network| network.contains(&to))
        && rule.out.as_ref().is_none_or(|name| name == out)
        && match (&rule.from, &from) {
            (Some(a), Some(b)) => overlaps(a, b),
            _ => true,
        }
}

/// Whether a rule is there for packets to that destination: it names it, or the interface to it, or everything. One that only
/// says from where packets come is there for something else, such as a container's way out.
fn is_meant_for(rule: &SourceNat, to: IpAddr, out: &str) -> bool {
    let names_it = rule.to.is_some() || rule.out.is_some();
    may_match(rule, to, out, None) && (names_it || rule.from.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::testing::{Case, WEB};
    use crate::model::Forward;

    fn net(text: &str) -> Option<IpNet> {
        Some(text.parse().unwrap())
    }

    fn with(rule: SourceNat) -> Case {
        let mut case = Case::good();
        case.facts.nat = NatRules::Known(vec![SourceNat { text: "rule".to_owned(), ..rule }]);
        case
    }

    #[test]
    fn rules_about_destinations_need_conntrack() {
        let rule = SourceNat::default();
        for meant in [
            SourceNat { to: net("10.0.0.0/24"), ..rule.clone() },
            SourceNat { out: Some("eth1".to_owned()), ..rule.clone() },
            SourceNat { from: net("10.0.0.0/24"), to: net("10.0.0.11/32"), ..rule.clone() },
            SourceNat { from: net("172.16.0.0/12"), ipvs: true, ..rule.clone() },
            rule.clone(),
        ] {
            let mut case = with(meant);
            let found = case.finds(&["conntrack-off"]);
            assert!(found[0].saw.contains("`rule` is about"), "{}", found[0].saw);
            case.sysctl(CONNTRACK, 1);
            case.finds(&[]);
        }
        let found = with(SourceNat { more: true, ..rule }).finds(&["conntrack-off"]);
        assert!(found[0].saw.contains("`rule` may be about"), "{}", found[0].saw);
    }

    #[test]
    fn rules_about_others_do_not() {
        let rule = SourceNat::default();
        for other in [
            SourceNat { to: net("10.1.0.0/24"), ..rule.clone() },
            SourceNat { out: Some("eth0".to_owned()), ..rule.clone() },
            SourceNat { from: net("172.17.0.0/16"), more: true, ..rule.clone() },
        ] {
            with(other).finds(&[]);
        }
        let mut case = with(rule);
        case.service(WEB, "web", &[("10.0.0.11:80", Forward::Dr)]);
        case.finds(&[]);
    }

    #[test]
    fn what_cannot_be_read_is_a_hint() {
        let mut case = Case::good();
        case.facts.nat = NatRules::Unknown("nftables has rules that rewrite addresses".to_owned());
        assert_eq!(case.finds(&["conntrack-off"])[0].severity, Severity::Hint);
    }
}
