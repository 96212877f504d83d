//! What becomes of connections when a port is used again, and when a destination is quiesced.
//!
//! The last three say what `ipvsd check` warns of, with the way to mend it; before a configuration is in force it is `check`
//! that says it.

use super::translation::tracks;
use crate::host::doctor::finding::{Finding, QUIESCED_PERSISTENCE, QUIESCED_REUSE, QUIESCED_UDP, REUSE_DELAY};
use crate::host::doctor::release::Release;
use crate::host::doctor::scene::{Scene, Stage, listed};
use crate::model::{OnDown, Policy, Protocol, ServiceKey, ServiceSettings};

const REUSE: &str = "net.ipv4.vs.conn_reuse_mode";
const TEMPLATES: &str = "net.ipv4.vs.expire_quiescent_template";
const NO_DESTINATION: &str = "net.ipv4.vs.expire_nodest_conn";
/// Until then a connection from a port that is used again lost its first packet, if it was tracked.
const FIXED: Release = Release(5, 9);

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = delay(scene).into_iter().collect();
    if scene.stage == Stage::Now {
        found.extend(reuse(scene));
        found.extend(templates(scene));
        found.extend(flows(scene));
    }
    found
}

/// The value of a sysctl of IPVS, or what it is until somebody sets it.
fn value(scene: Scene<'_>, name: &str, at_boot: i64) -> i64 {
    scene.number(name).unwrap_or(at_boot)
}

fn delay(scene: Scene<'_>) -> Option<Finding> {
    let old = Release::parse(&scene.facts.release).is_some_and(|here| here < FIXED);
    let connects = scene.services().any(|(key, _)| may_be_tcp(key));
    if !old || !connects || !tracks(scene) || value(scene, REUSE, 1) & 1 == 0 {
        return None;
    }
    let saw = format!(
        "this is Linux {}, {REUSE} = {} and net.ipv4.vs.conntrack = 1",
        scene.facts.release,
        value(scene, REUSE, 1)
    );
    let why = format!(
        "before Linux {FIXED} the first packet of a connection from a port that was used before is dropped then, and the client \
         waits a second; some distributions have the mend in older kernels"
    );
    let finding = REUSE_DELAY.of("connections", saw, why).advice(format!(
        "boot a kernel of {FIXED} or later; or, if nothing rewrites the source addresses of these connections, write \
         \"net.ipv4.vs.conntrack\" = 0 under [host.sysctls]; or \"{REUSE}\" = 0, with which clients that use a port again \
         stay with a destination that is quiesced"
    ));
    Some(finding)
}

/// Whether some destination of a service may get weight 0, or be on its way out.
fn is_quiesced(policy: &Policy) -> bool {
    drains(policy) || (policy.on_down == OnDown::Quiesce && policy.checks.values().any(|checks| !checks.is_empty()))
}

fn drains(policy: &Policy) -> bool {
    !policy.drain.is_zero()
}

/// The names of those services with destinations of which something is true.
fn those(scene: Scene<'_>, of: impl Fn(&ServiceKey, &ServiceSettings, &Policy) -> bool) -> Option<String> {
    let has_destinations = |key: &ServiceKey| {
        scene.desired.table.services.get(key).is_some_and(|service| !service.destinations.is_empty())
    };
    let names: Vec<String> = scene
        .services()
        .filter(|(key, settings)| {
            has_destinations(key) && scene.policy(key).is_some_and(|policy| of(key, settings, policy))
        })
        .map(|(key, _)| scene.name(key))
        .collect();
    (!names.is_empty()).then(|| listed(names))
}

fn may_be_tcp(key: &ServiceKey) -> bool {
    match key {
        ServiceKey::Address { protocol, .. } => matches!(protocol, Protocol::Tcp | Protocol::Sctp),
        ServiceKey::Mark { .. } => true,
    }
}

fn reuse(scene: Scene<'_>) -> Option<Finding> {
    if value(scene, REUSE, 1) != 0 {
        return None;
    }
    let names = those(scene, |key, _, policy| may_be_tcp(key) && is_quiesced(policy))?;
    let saw = format!("{REUSE} = 0; {names}");
    let why = "a client that uses a port again, as proxies and busy clients do, goes on to the destination that it had, also if \
               that is quiesced: a drain does not end, and one that is down keeps clients, persistence or not";
    Some(QUIESCED_REUSE.of("connections", saw, why).mends(scene.set(&[(REUSE.to_owned(), 1)])))
}

fn templates(scene: Scene<'_>) -> Option<Finding> {
    if value(scene, TEMPLATES, 0) != 0 {
        return None;
    }
    let names = those(scene, |_, settings, policy| settings.persistence.is_some() && is_quiesced(policy))?;
    let saw = format!("{TEMPLATES} = 0; persistence of {names}");
    let why = "persistence keeps sending its clients to a destination that is quiesced: a drain does not end, and one that is \
               down keeps its clients";
    Some(QUIESCED_PERSISTENCE.of("persistence", saw, why).mends(scene.set(&[(TEMPLATES.to_owned(), 1)])))
}

fn flows(scene: Scene<'_>) -> Option<Finding> {
    if value(scene, NO_DESTINATION, 0) != 0 {
        return None;
    }
    let is_udp = |key: &ServiceKey| matches!(key, ServiceKey::Address { protocol: Protocol::Udp, .. });
    let names = those(scene, |key, _, policy| is_udp(key) && drains(policy))?;
    let saw = format!("{NO_DESTINATION} = 0; udp of {names}");
    let why = "a flow stays with a quiesced destination for as long as packets come, and falls into a black hole once that is \
               deleted";
    Some(QUIESCED_UDP.of("udp flows", saw, why).mends(scene.set(&[(NO_DESTINATION.to_owned(), 1)])))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::{Case, WEB};
    use crate::model::{Forward, Via};

    fn forgotten(name: &str) -> Case {
        let mut case = Case::good();
        case.sysctl(name, 0);
        case
    }

    /// The lab's kernels are past it.
    #[test]
    fn the_lost_first_packet_of_old_kernels() {
        let mut case = Case::good();
        case.facts.release = "5.4.0-216-generic".to_owned();
        case.finds(&[]);
        case.sysctl("net.ipv4.vs.conntrack", 1);
        case.finds(&["reuse-delay"]);
        case.will_find(&["reuse-delay"]);
        for mode in [0, 2] {
            case.sysctl(REUSE, mode);
            case.finds(if mode == 0 { &["quiesced-reuse"] } else { &[] });
        }
        case.sysctl(REUSE, 1);
        case.facts.release = "5.9.0".to_owned();
        case.finds(&[]);
    }

    #[test]
    fn a_port_that_is_used_again_stays_with_what_is_quiesced() {
        let mut case = forgotten(REUSE);
        let found = case.finds(&["quiesced-reuse"]);
        assert_eq!(found[0].mend[0], Mend::Command(format!("sysctl -w {REUSE}=1")));
        // `check` says it itself.
        case.will_find(&[]);
        case.policy(WEB).drain = Duration::ZERO;
        case.finds(&[]);
        case.checked(WEB, Via::Destination);
        case.finds(&["quiesced-reuse"]);
        case.policy(WEB).on_down = OnDown::Delete;
        case.finds(&[]);
    }

    #[test]
    fn templates_lead_to_what_is_quiesced() {
        let mut case = forgotten(TEMPLATES);
        case.finds(&[]);
        case.persistent(WEB, None);
        case.finds(&["quiesced-persistence"]);
        case.write(TEMPLATES, 1);
        assert_eq!(case.finds(&["quiesced-persistence"])[0].mend, [Mend::Command("ipvsd apply".to_owned())]);
        // Before IPVS is there, its settings are as they will be then.
        case.facts.sysctls.remove(TEMPLATES);
        case.finds(&["quiesced-persistence", "sysctl-missing"]);
    }

    #[test]
    fn flows_stick() {
        let mut case = forgotten(NO_DESTINATION);
        case.finds(&[]);
        case.service("udp://192.0.2.10:53", "dns", &[("10.0.0.11:53", Forward::Nat)]);
        case.finds(&["quiesced-udp"]);
        case.policy("udp://192.0.2.10:53").drain = Duration::ZERO;
        case.finds(&[]);
        case.service("udp://192.0.2.10:53", "dns", &[]);
        case.finds(&[]);
    }
}
