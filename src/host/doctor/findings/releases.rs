//! What the configuration uses, and what the kernel is too old for. Distributions port features back, so a release is a hint.

use std::collections::BTreeMap;

use crate::host::doctor::finding::{Finding, KERNEL_TOO_OLD};
use crate::host::doctor::release::Release;
use crate::host::doctor::scene::{Scene, Target, listed};
use crate::model::{Checksum, Forward, TunnelType};

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let Some(here) = Release::parse(&scene.facts.release) else { return Vec::new() };
    let mut users: BTreeMap<(&str, Release), Vec<String>> = BTreeMap::new();
    for target in scene.targets() {
        for (what, since) in uses(&target) {
            if here < since {
                users.entry((what, since)).or_default().push(target.destination.to_string());
            }
        }
    }
    let one = |((what, since), users): ((&str, Release), Vec<String>)| {
        let saw =
            format!("this is Linux {}; {} {what}, which came with {since}", scene.facts.release, listed_use(&users));
        let why = "an older kernel takes the attribute without a word and sends plain IPIP, or refuses it; some \
                   distributions have the feature in older kernels, and then this can be left as it is";
        KERNEL_TOO_OLD.of(what, saw, why).advice(format!(
            "boot a kernel of {since} or later, or write tunnel = {{ type = \"ipip\" }} for these destinations"
        ))
    };
    users.into_iter().map(one).collect()
}

fn listed_use(users: &[String]) -> String {
    format!("{} {}", listed(users), if users.len() == 1 { "uses" } else { "use" })
}

/// What a destination takes of a kernel, and since when there is such a kernel (`include/uapi/linux/ip_vs.h`).
fn uses(target: &Target<'_>) -> Vec<(&'static str, Release)> {
    let Forward::Tunnel(tunnel) = target.settings.forward else { return Vec::new() };
    let mut uses = Vec::new();
    match tunnel.kind {
        TunnelType::Gue => uses.push(("gue tunnels", Release(5, 2))),
        TunnelType::Gre => uses.push(("gre tunnels", Release(5, 3))),
        TunnelType::Ipip | TunnelType::Other(_) => {}
    }
    if tunnel.kind == TunnelType::Gue && tunnel.checksum != Checksum::Off {
        uses.push(("checksums of gue tunnels", Release(5, 3)));
    }
    if target.service.family() != target.destination.family() {
        uses.push(("destinations of another address family than their service", Release(3, 18)));
    }
    uses
}

/// The lab's kernels are new enough for all of it.
#[cfg(test)]
mod tests {
    use crate::host::doctor::testing::{Case, WEB, tunnel};
    use crate::model::{Checksum, Forward, Tunnel, TunnelType};

    #[test]
    fn tunnels_that_came_later() {
        let gue = tunnel(TunnelType::Gue);
        let checked = Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port: 6080, checksum: Checksum::On });
        for (release, forward, subjects) in [
            ("5.1.0", gue, &["gue tunnels"][..]),
            ("5.2.0", gue, &[]),
            ("5.2.0", checked, &["checksums of gue tunnels"]),
            ("5.2.0", tunnel(TunnelType::Gre), &["gre tunnels"]),
            ("5.3.0-rc1", tunnel(TunnelType::Gre), &[]),
            ("2.6.32-754.el6", tunnel(TunnelType::Ipip), &[]),
            ("strange", gue, &[]),
        ] {
            let mut case = Case::good();
            case.at("eth1").mtu = 9000;
            case.service(WEB, "web", &[("10.0.0.11:80", forward)]);
            case.facts.release = release.to_owned();
            let found = case.finds(&vec!["kernel-too-old"; subjects.len()]);
            let seen: Vec<&str> = found.iter().map(|finding| finding.subject.as_str()).collect();
            assert_eq!(seen, subjects, "{release}");
        }
    }

    #[test]
    fn another_family_behind_a_tunnel() {
        let mut case = Case::good();
        case.at("eth1").mtu = 9000;
        case.service(WEB, "web", &[("[2001:db8:1::11]:80", tunnel(TunnelType::Ipip))]);
        case.finds(&[]);
        case.facts.release = "3.16.0-4-amd64".to_owned();
        case.finds(&["kernel-too-old"]);
    }
}
