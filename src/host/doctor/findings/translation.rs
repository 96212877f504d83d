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
                let about = |address: IpAddr| {
                    scene.device(address).is_some_and(|link| is_meant_for(rule, address, &link.name))
                };
                rule.ipvs || targets.iter().any(|target| about(target.destination.address))
            };
            let meant: Vec<&SourceNat> = rules.iter().filter(is_meant).collect();
            if meant.is_empty() {
                return Vec::new();
            }
            let certain = meant.iter().any(|rule| !rule.more);
            let verb = if certain { "is" } else { "may be" };
            (format!("the rule `{}` {verb} about connections to nat destinations", listed(meant.iter().map(|rule| &rule.text))), CONNTRACK_OFF.severity)
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
