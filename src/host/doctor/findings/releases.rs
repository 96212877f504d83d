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
        let saw = format!("this is Linux {}; {} {what}, which came with {since}", scene.facts.release, listed_use(&users));
        let why = "an older kernel takes the attribute without a word and sends plain IPIP, or refuses it; some \
                   distributions have the feature in older kernels, and then this can be left as it is";
        KERNEL_TOO_OLD
            .of(what, saw, why)
            .advice(format!("boot a kernel of {since} or later, or write tunnel = {{ type = \"ipip\" }} for these destinations"))
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
