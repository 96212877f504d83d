//! The kernel: its release, its modules, and what it lets this process do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::ask;
use crate::host::doctor::facts::Module;
use crate::host::modules;

/// `/proc/self/ns/user` in the first user namespace (`PROC_USER_INIT_INO` in `include/linux/proc_ns.h`).
const FIRST_USER_NAMESPACE: &str = "user:[4026531837]";
/// As many other schedulers are worth naming.
const FEW: usize = 4;
/// Its bit in the sets of capabilities (capabilities(7)).
const CAP_NET_ADMIN: u32 = 12;

/// `uname -r`.
pub(super) fn release() -> String {
    text("/proc/sys/kernel/osrelease")
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

pub(super) fn modules_disabled() -> bool {
    text("/proc/sys/kernel/modules_disabled") == "1"
}

/// The mode in brackets: `none [integrity] confidentiality`. Without the file the kernel knows no lockdown, or does not say.
pub(super) fn lockdown() -> Option<String> {
    parse_lockdown(&text("/sys/kernel/security/lockdown"))
}

fn parse_lockdown(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (mode, _) = rest.split_once(']')?;
    (mode != "none").then(|| mode.to_owned())
}

pub(super) fn net_admin() -> bool {
    has_net_admin(&text("/proc/thread-self/status"))
}

fn has_net_admin(status: &str) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & (1 << CAP_NET_ADMIN) != 0)
}

/// If it cannot be seen, the kernel has no user namespaces.
pub(super) fn initial_user_namespace() -> bool {
    fs::read_link("/proc/self/ns/user").map_or(true, |link| link.as_os_str() == FIRST_USER_NAMESPACE)
}

/// How each of the wanted modules can be had. If a scheduler's cannot, some of those of `known` that can are among them.
pub(super) fn modules(wanted: &BTreeSet<String>, known: &[String], disabled: bool) -> BTreeMap<String, Module> {
    let mut found = have(wanted, disabled);
    let is_missing =
        |name: &String| matches!(found.get(name), Some(Module::Missing(_))) && !name.starts_with("ip_vs_pe_");
    if wanted.iter().any(|name| name.starts_with("ip_vs_") && is_missing(name)) {
        // Each takes a process or two, so not all of them are asked for.
        let one = |name: &String| have(&BTreeSet::from([name.clone()]), disabled).pop_first();
        let others = known.iter().filter(|name| !wanted.contains(*name)).filter_map(one);
        let others: Vec<_> =
            others.filter(|(_, module)| matches!(module, Module::There | Module::OnDemand)).take(FEW).collect();
        found.extend(others);
    }
    found
}

fn have(names: &BTreeSet<String>, disabled: bool) -> BTreeMap<String, Module> {
    let present = modules::present(names.iter().map(String::as_str));
    let module = |name: &String| match present.contains(name) {
        true => Module::There,
        // It may be that sysfs is not to be seen here.
        false if name == "ip_vs" && Path::new("/proc/thread-self/net/ip_vs").exists() => Module::There,
        false if disabled => Module::Missing("kernel.modules_disabled is 1".to_owned()),
        false => findable(name),
    };
    names.iter().map(|name| (name.clone(), module(name))).collect()
}

/// Whether the kernel's own loader, or modprobe, would find a module. Neither loads anything: `-n`.
pub(super) fn findable(name: &str) -> Module {
    let helper = text("/proc/sys/kernel/modprobe");
    if !helper.is_empty() && ask(&helper, &["-n", "-q", "--", name]).is_ok() {
        return Module::OnDemand;
    }
    match ask("modprobe", &["-n", "--", name]) {
        Ok(_) => Module::ByHand,
        Err(reason) => Module::Missing(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockdown_in_force_is_the_one_in_brackets() {
        assert_eq!(parse_lockdown("[none] integrity confidentiality"), None);
        assert_eq!(parse_lockdown("none [integrity] confidentiality"), Some("integrity".to_owned()));
        assert_eq!(parse_lockdown("none integrity [confidentiality]"), Some("confidentiality".to_owned()));
        assert_eq!(parse_lockdown(""), None);
    }

    #[test]
    fn capabilities_are_bits() {
        let status = |set: &str| format!("Name:\tipvsd\nCapPrm:\t0000000000000000\nCapEff:\t{set}\nCapBnd:\t1\n");
        assert!(has_net_admin(&status("000001ffffffffff")));
        assert!(has_net_admin(&status("0000000000001000")));
        assert!(!has_net_admin(&status("000001ffffffefff")));
        assert!(!has_net_admin(&status("0000000000000000")));
        assert!(!has_net_admin("odd"));
    }
}
