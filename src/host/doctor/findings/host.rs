//! What the configuration asks for of the host, and the host does not have.

use crate::host::doctor::facts::{Module, Table};
use crate::host::doctor::finding::{Finding, SYNC_INTERFACE_MISSING, SYSCTL_MISSING};
use crate::host::doctor::scene::{Scene, Stage, listed};
use crate::host::sysctl;

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = scene.desired.host.sysctls.keys().filter_map(|name| absent(scene, name)).collect();
    for (role, settings) in &scene.desired.host.sync {
        if scene.link_named(&settings.interface).is_some() {
            continue;
        }
        let others = listed(scene.facts.links.iter().filter(|link| !link.loopback).map(|link| link.name.as_str()));
        let saw = format!("[sync] names the interface {}, and there is none", settings.interface);
        let why = "the kernel starts no synchronisation without it";
        let advice = format!("name one that is there ({others}), or make it");
        let subject = format!("synchronisation {}", role.as_str());
        found.push(SYNC_INTERFACE_MISSING.of(subject, saw, why).advice(advice));
    }
    found
}

fn absent(scene: Scene<'_>, name: &str) -> Option<Finding> {
    // Those of IPVS come with its module, which ipvsd loads.
    let comes = name.starts_with("net.ipv4.vs.") && scene.facts.table == Table::Absent;
    // An interface of ours comes with its addresses.
    let ours = scene.desired.host.addresses.as_ref().is_some_and(|interface| {
        scene.stage == Stage::OnceInForce && name.contains(&format!(".{}.", interface.replace('.', "/")))
    });
    if scene.facts.sysctls.contains_key(name) || comes || ours {
        return None;
    }
    let why = "it cannot be set: every pass fails on it, and tries again";
    let finding = SYSCTL_MISSING.of(format!("sysctl {name}"), sysctl::missing(name), why);
    let loads = name.starts_with("net.netfilter.nf_conntrack")
        && scene.facts.modules.get("nf_conntrack").is_some_and(|module| *module != Module::There);
    Some(if loads {
        finding.command("modprobe nf_conntrack")
    } else {
        finding.advice("take it out of [host.sysctls], or make what it belongs to")
    })
}

#[cfg(test)]
mod tests {
    use crate::host::doctor::facts::{Module, Table};
    use crate::host::doctor::finding::Mend;
    use crate::host::doctor::testing::Case;
    use crate::model::{SyncRole, SyncSettings};

    #[test]
    fn a_sysctl_that_the_kernel_does_not_have() {
        let mut case = Case::good();
        case.write("net.ipv4.vs.conn_max", 1);
        let found = case.finds(&["sysctl-missing"]);
        assert!(found[0].saw.starts_with("there is no sysctl net.ipv4.vs.conn_max: "), "{}", found[0].saw);
        case.will_find(&["sysctl-missing"]);
        case.sysctl("net.ipv4.vs.conn_max", 1);
        case.finds(&[]);
        // It may come with the module, which ipvsd loads.
        case.facts.sysctls.remove("net.ipv4.vs.conn_max");
        case.facts.table = Table::Absent;
        case.finds(&[]);
    }

    #[test]
    fn one_that_comes_with_a_module_or_an_interface() {
        let mut case = Case::good();
        case.write("net.netfilter.nf_conntrack_max", 1);
        case.facts.modules.insert("nf_conntrack".to_owned(), Module::OnDemand);
        assert_eq!(case.finds(&["sysctl-missing"])[0].mend, [Mend::Command("modprobe nf_conntrack".to_owned())]);

        let mut case = Case::good();
        case.write("net.ipv4.conf.ipvs1.rp_filter", 0);
        case.will_find(&["sysctl-missing"]);
        case.desired.host.addresses = Some("ipvs1".to_owned());
        case.will_find(&[]);
        case.finds(&["sysctl-missing"]);
    }

    #[test]
    fn synchronisation_needs_its_interface() {
        let mut case = Case::good();
        let settings = SyncSettings {
            interface: "eth7".to_owned(),
            id: 1,
            group: SyncSettings::GROUP,
            port: SyncSettings::PORT,
            ttl: SyncSettings::TTL,
            sync_maxlen: None,
        };
        case.desired.host.sync.insert(SyncRole::Master, settings);
        case.finds(&["sync-interface-missing"]);
        case.link("eth7", None);
        case.finds(&[]);
    }
}
