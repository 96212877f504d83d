//! Kernel modules that the configuration needs.

use std::collections::BTreeMap;

use crate::host::doctor::facts::Module;
use crate::host::doctor::finding::{
    ENGINE_MISSING, Finding, IPVS_MISSING, KERNEL_LOCKED_DOWN, MODULES_LOCKED, Mend, SCHEDULER_MISSING,
};
use crate::host::doctor::release::{self, Release};
use crate::host::doctor::scene::{Scene, Stage, listed};
use crate::model::{Scheduler, ServiceSettings};

/// The module without which there is nothing.
const IPVS: &str = "ip_vs";

pub(super) fn findings(scene: Scene<'_>) -> Vec<Finding> {
    let wanted = scene.desired.table.modules();
    let absent: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| !is_there(scene, name)).collect();
    if absent.is_empty() {
        return Vec::new();
    }
    if scene.facts.modules_disabled {
        return vec![locked(&absent)];
    }
    let mut found: Vec<Finding> = ipvs(scene).into_iter().chain(schedulers(scene)).chain(engines(scene)).collect();
    if let Some(mode) = &scene.facts.lockdown {
        found.push(locked_down(mode, &absent));
    }
    found
}

fn is_there(scene: Scene<'_>, name: &str) -> bool {
    scene.facts.modules.get(name).is_none_or(|module| *module == Module::There)
}

fn locked(absent: &[&str]) -> Finding {
    let saw = format!("kernel.modules_disabled = 1, and {} not loaded", listed_are(absent));
    let why = "the kernel loads no module until the next boot, so what needs them is refused";
    let words = absent.join(" ");
    MODULES_LOCKED
        .of("kernel modules", saw, why)
        .command(format!("printf '%s\\n' {words} > /etc/modules-load.d/ipvsd.conf"))
        .advice("boot after that command: the modules are loaded before the kernel is told to load no more")
}

fn listed_are(names: &[&str]) -> String {
    format!("{} {}", listed(names.iter()), if names.len() == 1 { "is" } else { "are" })
}

/// Distributions sign their modules, so this is nothing but a hint.
fn locked_down(mode: &str, absent: &[&str]) -> Finding {
    let saw = format!("the kernel is locked down ({mode}), and {} not loaded yet", listed_are(absent));
    let why = "it loads only modules that are signed with a key that it knows: those of the distribution are, those that were \
               built on this machine mostly are not";
    KERNEL_LOCKED_DOWN.of("kernel modules", saw, why).command(format!("modprobe -a {}", absent.join(" "))).advice(
        "if modprobe says \"Key was rejected\" or \"Operation not permitted\", sign the module, or use the \
                 distribution's",
    )
}

fn ipvs(scene: Scene<'_>) -> Option<Finding> {
    // One that only modprobe finds is no finding: ipvsd calls it by itself.
    let Module::Missing(reason) = scene.facts.modules.get(IPVS)? else { return None };
    let saw = format!("the module is neither loaded nor built in, and cannot be found: {reason}");
    let finding = IPVS_MISSING.of(format!("module {IPVS}"), saw, "without it the kernel has no load balancer");
    Some(finding.advice(install(scene)))
}

fn install(scene: Scene<'_>) -> String {
    let release = &scene.facts.release;
    format!(
        "install the modules of this kernel, {release}: they are in linux-image-{release} (Debian), \
         linux-modules-extra-{release} (Ubuntu) or kernel-modules-{release} (Fedora, RHEL); after an upgrade of the kernel, \
         boot into it; in a container, load them on the host"
    )
}

/// Names of services by what they use.
fn users<'a>(scene: Scene<'a>, of: impl Fn(&'a ServiceSettings) -> Option<&'a str>) -> BTreeMap<&'a str, Vec<String>> {
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, settings) in scene.services() {
        if let Some(name) = of(settings) {
            users.entry(name).or_default().push(scene.name(key));
        }
    }
    users
}

fn schedulers(scene: Scene<'_>) -> Vec<Finding> {
    let here = Release::parse(&scene.facts.release);
    let one = |(name, services): (&str, Vec<String>)| {
        let too_old = release::scheduler(name).filter(|since| here.is_some_and(|here| here < *since));
        let age = too_old.map_or_else(String::new, |since| format!("; it came with Linux {since}"));
        let finding = SCHEDULER_MISSING.of(
            format!("scheduler {name}"),
            String::new(),
            format!("the kernel refuses {} (\"No such file or directory\")", services_named(&services)),
        );
        lacking(scene, finding, &format!("ip_vs_{name}"), &age, &others(scene, name))
    };
    users(scene, |settings| Some(settings.scheduler.as_str())).into_iter().filter_map(one).collect()
}

/// Which schedulers there are instead.
fn others(scene: Scene<'_>, missing: &str) -> String {
    let has = |name: &&str| {
        let module = scene.facts.modules.get(&format!("ip_vs_{name}"));
        *name != missing && matches!(module, Some(Module::There | Module::OnDemand))
    };
    let names: Vec<&str> = Scheduler::KNOWN.into_iter().filter(has).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; or write another scheduler: there is {}", names.join(", "))
    }
}

fn engines<'a>(scene: Scene<'a>) -> Vec<Finding> {
    let one = |(name, services): (&str, Vec<String>)| {
        let finding = ENGINE_MISSING.of(
            format!("persistence engine {name}"),
            String::new(),
            format!("the kernel refuses {} (\"No such file or directory\")", services_named(&services)),
        );
        lacking(scene, finding, &format!("ip_vs_pe_{name}"), "", "; or leave the engine out")
    };
    let engine = |settings: &'a ServiceSettings| settings.persistence.as_ref()?.engine.as_deref();
    users(scene, engine).into_iter().filter_map(one).collect()
}

fn services_named(names: &[String]) -> String {
    let noun = if names.len() == 1 { "the service" } else { "the services" };
    format!("{noun} {}", listed(names))
}

/// Puts what is seen of a module, and how to have it, into a finding; nothing if the module can be had.
fn lacking(scene: Scene<'_>, finding: Finding, module: &str, age: &str, instead: &str) -> Option<Finding> {
    match scene.facts.modules.get(module)? {
        Module::There | Module::OnDemand => None,
        Module::ByHand if scene.desired.host.modules => match scene.stage {
            Stage::OnceInForce => None,
            Stage::Now => {
                let saw = format!("its module {module} is not loaded, and the kernel does not find it by itself");
                Some(Finding { saw, ..finding }.mends([scene.apply()]))
            }
        },
        Module::ByHand => {
            let saw = format!(
                "its module {module} is not loaded, and the kernel does not find it by itself (the sysctl kernel.modprobe)"
            );
            let mends =
                [Mend::Command(format!("modprobe {module}")), Mend::Configuration("[host]\nmodules = true".to_owned())];
            Some(Finding { saw, ..finding }.mends(mends))
        }
        Module::Missing(reason) => {
            let saw = format!("its module {module} is neither loaded nor built in, and cannot be found: {reason}{age}");
            Some(Finding { saw, ..finding }.advice(install(scene) + instead))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::doctor::facts::Table;
    use crate::host::doctor::testing::{Case, WEB};

    fn with(scheduler: &str, module: Module) -> Case {
        let mut case = Case::good();
        case.settings_of(WEB).scheduler = Scheduler::new(scheduler);
        case.facts.modules.insert(format!("ip_vs_{scheduler}"), module);
        case
    }

    fn missing() -> Module {
        Module::Missing("modprobe: not found".to_owned())
    }

    #[test]
    fn what_the_kernel_loads_by_itself_is_not_missing() {
        with("mh", Module::There).finds(&[]);
        with("mh", Module::OnDemand).finds(&[]);
        with("none", missing()).finds(&[]);
    }

    #[test]
    fn a_scheduler_that_is_not_there() {
        let mut case = with("mh", missing());
        case.facts.modules.insert("ip_vs_wrr".to_owned(), Module::OnDemand);
        case.facts.modules.insert("ip_vs_twos".to_owned(), missing());
        let found = case.finds(&["scheduler-missing"]);
        assert_eq!(found[0].subject, "scheduler mh");
        let Mend::Advice(advice) = &found[0].mend[0] else { panic!("{found:?}") };
        assert!(advice.contains("there is rr, wrr") && advice.contains("linux-image-6.1.0"), "{advice}");
        assert!(!found[0].saw.contains("it came with"), "{}", found[0].saw);
        case.facts.release = "3.10.0-1160.el7.x86_64".to_owned();
        assert!(case.finds(&["scheduler-missing"])[0].saw.ends_with("; it came with Linux 4.18"));
    }

    #[test]
    fn one_that_only_modprobe_finds_takes_a_word() {
        let mut case = with("mh", Module::ByHand);
        let mends =
            [Mend::Command("modprobe ip_vs_mh".to_owned()), Mend::Configuration("[host]\nmodules = true".to_owned())];
        assert_eq!(case.finds(&["scheduler-missing"])[0].mend, mends);
        assert_eq!(case.will_find(&["scheduler-missing"])[0].mend, mends);
        case.desired.host.modules = true;
        assert_eq!(case.finds(&["scheduler-missing"])[0].mend, [Mend::Command("ipvsd apply".to_owned())]);
        case.will_find(&[]);
    }

    #[test]
    fn an_engine_that_is_not_there() {
        let mut case = Case::good();
        case.persistent(WEB, Some("sip"));
        case.facts.modules.insert("ip_vs_pe_sip".to_owned(), missing());
        case.finds(&["engine-missing"]);
        case.facts.modules.insert("ip_vs_pe_sip".to_owned(), Module::ByHand);
        let found = case.finds(&["engine-missing"]);
        assert_eq!(found[0].mend[0], Mend::Command("modprobe ip_vs_pe_sip".to_owned()));
        case.persistent(WEB, None);
        case.finds(&[]);
    }

    #[test]
    fn without_ipvs_there_is_nothing() {
        let mut case = Case::good();
        case.facts.table = Table::Absent;
        case.facts.modules.insert(IPVS.to_owned(), missing());
        case.finds(&["ipvs-missing"]);
        // ipvsd loads it by itself.
        case.facts.modules.insert(IPVS.to_owned(), Module::ByHand);
        case.finds(&[]);
    }

    /// User Mode Linux has no lockdown, and only a boot takes `modules_disabled` back, so these two are tested here only.
    #[test]
    fn a_kernel_that_loads_nothing_more() {
        let mut case = with("mh", missing());
        case.facts.modules_disabled = true;
        let found = case.finds(&["modules-locked"]);
        let Mend::Command(command) = &found[0].mend[0] else { panic!("{found:?}") };
        assert_eq!(command, "printf '%s\\n' ip_vs_mh > /etc/modules-load.d/ipvsd.conf");
        with("mh", Module::There).finds(&[]);
        let mut case = with("mh", Module::There);
        case.facts.modules_disabled = true;
        case.finds(&[]);
    }

    #[test]
    fn a_kernel_that_is_locked_down_is_a_hint_where_something_is_still_to_be_loaded() {
        let mut case = with("mh", Module::OnDemand);
        case.facts.lockdown = Some("integrity".to_owned());
        case.finds(&["kernel-locked-down"]);
        let mut case = with("mh", Module::There);
        case.facts.lockdown = Some("integrity".to_owned());
        case.finds(&[]);
    }
}
