//! Whether the answers to checks that go through IPVS (`via = "vip"`) come in.

use std::collections::BTreeMap;

use crate::host::doctor::finding::{CHECK_ANSWERS_DROPPED, Finding};
use crate::host::doctor::scene::{Scene, Target, ipv4_conf, listed, vip};
use crate::host::rtnl::LinkInfo;
use crate::model::{Family, Via};

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut behind: BTreeMap<&str, (&LinkInfo, Vec<Target<'_>>)> = BTreeMap::new();
    for target in scene.targets().filter(|target| through_ipvs(scene, target)) {
        if let Some(link) = scene.device(target.destination.address) {
            behind.entry(&link.name).or_insert((link, Vec::new())).1.push(target);
        }
    }
    behind.values().filter_map(|(link, targets)| dropped(scene, link, targets)).collect()
}

/// Whether a destination is checked at its service's address, which is this host's own. IPv6 knows no such filters.
fn through_ipvs(scene: Scene<'_>, target: &Target<'_>) -> bool {
    let checks = scene.policy(target.service).and_then(|policy| policy.checks.get(target.destination));
    let of_ours = vip(target.service).is_some_and(|vip| scene.will_be_local(vip));
    target.service.family() == Family::V4
        && of_ours
        && checks.is_some_and(|checks| checks.list.iter().any(|named| named.check.via == Via::Vip))
}

/// Such answers come from an address that is local: `fib_validate_source` takes that for a forgery, unless accept_local is on
/// and the reverse path is not looked at strictly.
fn dropped(scene: Scene<'_>, link: &LinkInfo, targets: &[Target<'_>]) -> Option<Finding> {
    let (local, strict) = (scene.largest(link, "accept_local")? == 0, scene.largest(link, "rp_filter")? == 1);
    if !local && !strict {
        return None;
    }
    let mut values = Vec::new();
    let mut saw = Vec::new();
    if local {
        values.push((ipv4_conf(link, "accept_local"), 1));
        saw.push(scene.both_texts(link, "accept_local"));
    }
    if strict {
        // The larger of the two counts, so 2 (loose) here is enough, whatever it is for all.
        values.push((ipv4_conf(link, "rp_filter"), 2));
        saw.push(scene.both_texts(link, "rp_filter"));
    }
    let saw = format!(
        "checks via = \"vip\" of {}, behind {}: {}",
        listed(targets.iter().map(|target| target.destination)),
        link.name,
        saw.join("; ")
    );
    let why = "their answers come from the service's address, which is this host's own, and the kernel drops them as forged: \
               the destinations count as down";
    Some(CHECK_ANSWERS_DROPPED.of(format!("interface {}", link.name), saw, why).mends(scene.set(&values)))
}

#[cfg(test)]
mod tests {
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::{Case, WEB};
    use crate::model::{Forward, Via};

    fn through() -> Case {
        let mut case = Case::good();
        case.service(WEB, "web", &[("10.0.0.11:80", Forward::Dr)]);
        case.checked(WEB, Via::Vip);
        case
    }

    fn command(case: &Case) -> Mend {
        case.finds(&["check-answers-dropped"])[0].mend[0].clone()
    }

    #[test]
    fn answers_come_from_an_address_of_our_own() {
        let mut case = through();
        assert_eq!(command(&case), Mend::Command("sysctl -w net.ipv4.conf.eth1.accept_local=1".to_owned()));
        case.sysctl("net.ipv4.conf.eth1.accept_local", 1);
        case.finds(&[]);
        for (all, own, good) in [(0, 1, false), (1, 0, false), (1, 1, false), (1, 2, true), (2, 1, true), (0, 2, true)]
        {
            case.sysctl("net.ipv4.conf.all.rp_filter", all);
            case.sysctl("net.ipv4.conf.eth1.rp_filter", own);
            if good {
                case.finds(&[]);
            } else {
                assert_eq!(command(&case), Mend::Command("sysctl -w net.ipv4.conf.eth1.rp_filter=2".to_owned()));
            }
        }
        case.sysctl("net.ipv4.conf.eth1.accept_local", 0);
        case.sysctl("net.ipv4.conf.all.accept_local", 1);
        case.finds(&[]);
    }

    #[test]
    fn checks_of_the_destinations_own_address_need_nothing() {
        let mut case = through();
        case.checked(WEB, Via::Destination);
        case.finds(&[]);
    }

    #[test]
    fn what_is_written_takes_an_apply() {
        let mut case = through();
        case.write("net.ipv4.conf.eth1.accept_local", 1);
        assert_eq!(command(&case), Mend::Command("ipvsd apply".to_owned()));
        case.will_find(&[]);
    }
}
