//! The names and values of sysctls.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::names;
use crate::config::problem::Severity;
use crate::config::raw::Sysctls;
use crate::config::tree::Place;
use crate::model::{Family, Forward, Table};

/// Those of IPVS, with the numbers that make sense (`ip_vs_ctl.c`, `Documentation/networking/ipvs-sysctl.rst`). What is no
/// number has no range.
const IPVS: &[(&str, Option<RangeInclusive<i64>>)] = &[
    ("am_droprate", Some(1..=i32::MAX as i64)),
    ("amemthresh", Some(0..=i32::MAX as i64)),
    ("backup_only", Some(0..=1)),
    ("cache_bypass", Some(0..=1)),
    ("conn_reuse_mode", Some(0..=3)),
    ("conntrack", Some(0..=1)),
    ("debug_level", Some(0..=i32::MAX as i64)),
    ("drop_entry", Some(0..=3)),
    ("drop_packet", Some(0..=3)),
    ("est_cpulist", None),
    ("est_nice", Some(-20..=19)),
    ("expire_nodest_conn", Some(0..=1)),
    ("expire_quiescent_template", Some(0..=1)),
    ("ignore_tunneled", Some(0..=1)),
    ("nat_icmp_send", Some(0..=1)),
    ("pmtu_disc", Some(0..=1)),
    ("run_estimation", Some(0..=1)),
    ("schedule_icmp", Some(0..=1)),
    ("secure_tcp", Some(0..=3)),
    ("sloppy_sctp", Some(0..=1)),
    ("sloppy_tcp", Some(0..=1)),
    ("snat_reroute", Some(0..=1)),
    ("sync_persist_mode", Some(0..=1)),
    ("sync_ports", Some(1..=64)),
    ("sync_qlen_max", Some(1..=i32::MAX as i64)),
    ("sync_refresh_period", Some(0..=i32::MAX as i64)),
    ("sync_retries", Some(0..=3)),
    ("sync_sock_size", Some(0..=i32::MAX as i64)),
    ("sync_threshold", None),
    ("sync_version", Some(0..=1)),
];

/// Others that go with IPVS, by the last part of their name (`Documentation/networking/ip-sysctl.rst`).
const OTHERS: &[(&str, RangeInclusive<i64>)] = &[
    ("ip_forward", 0..=1),
    ("forwarding", 0..=2),
    ("rp_filter", 0..=2),
    ("arp_ignore", 0..=8),
    ("arp_announce", 0..=2),
    ("accept_local", 0..=1),
    ("send_redirects", 0..=1),
    ("accept_redirects", 0..=1),
    ("disable_ipv6", 0..=1),
    ("route_localnet", 0..=1),
];

const FORWARD4: &str = "net.ipv4.ip_forward";
const FORWARD6: &str = "net.ipv6.conf.all.forwarding";

/// A name in the notation with dots. The first separator says which notation it is (sysctl(8)).
pub(super) fn canonical(name: &str) -> String {
    let turn = |character| match character {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    match name.find(['.', '/']).and_then(|at| name.as_bytes().get(at)) {
        Some(b'/') => name.chars().map(turn).collect(),
        _ => name.to_owned(),
    }
}

/// The sysctls by their canonical names.
pub(super) fn resolve(list: &Sysctls, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut resolved = BTreeMap::new();
    let mut first: BTreeMap<String, Place> = BTreeMap::new();
    for (at, value) in &list.0 {
        let name = canonical(&at.value);
        if !is_good(at, &name, faults) {
            continue;
        }
        if let Some(first) = first.get(&name) {
            let fault = Fault::new(at.place, format!("the sysctl {} is set twice", names::quote(&name)));
            faults.push(fault.label("again here").related(*first, "first here").help("keep one of the two"));
            continue;
        }
        first.insert(name.clone(), at.place);
        if in_range(&name, value, faults) {
            resolved.insert(name, value.value.clone());
        }
    }
    resolved
}

/// Whether a name can be that of a sysctl below `net`, and what to say if not.
fn is_good(at: &At<String>, name: &str, faults: &mut Faults) -> bool {
    let quoted = names::quote(&at.value);
    let part_is_bad = |part: &str| part.is_empty() || part == "/" || part == "//" || part.starts_with("//");
    let odd = |character: char| character.is_whitespace() || character.is_control() || "*?[]\\\"'".contains(character);
    if name.split('.').any(part_is_bad) || name.contains(odd) || name.len() > 200 {
        let fault = Fault::new(at.place, format!("`{quoted}` cannot be the name of a sysctl"));
        faults.push(fault.help("write it out as sysctl(8) does, for example \"net.ipv4.conf.eth0.rp_filter\""));
        return false;
    }
    if let Some(name) = name.strip_prefix("net.").filter(|rest| rest.contains('.')) {
        if let Some(known) = name.strip_prefix("ipv4.vs.") {
            unknown(at, known, faults);
        }
        return true;
    }
    let fault = match full(name) {
        Some(full) => Fault::new(at.place, format!("`{quoted}` is not the whole name of a sysctl"))
            .help(format!("write \"{full}\"")),
        None => Fault::new(at.place, format!("`{quoted}` is not below `net.`"))
            .help("ipvsd takes care of the network around IPVS only; others have their place in sysctl.d"),
    };
    faults.push(fault);
    false
}

/// The whole name of what is written short.
fn full(name: &str) -> Option<String> {
    let name = name.strip_prefix("ipv4.").unwrap_or(name);
    let name = name.strip_prefix("vs.").unwrap_or(name);
    match name {
        "ip_forward" => Some(FORWARD4.to_owned()),
        name if IPVS.iter().any(|(known, _)| *known == name) => Some(format!("net.ipv4.vs.{name}")),
        _ => None,
    }
}

/// A kernel may have more than are known here.
fn unknown(at: &At<String>, name: &str, faults: &mut Faults) {
    if IPVS.iter().any(|(known, _)| *known == name) {
        return;
    }
    let message = format!("ipvsd knows no sysctl net.ipv4.vs.{}", names::quote(name));
    let help = match names::nearest(name, IPVS.iter().map(|(known, _)| *known)) {
        Some(near) => format!("there is \"net.ipv4.vs.{near}\""),
        None => "a kernel that does not have it refuses it".to_owned(),
    };
    faults.push(Fault::new(at.place, message).severity(Severity::Warning).help(help));
}

fn in_range(name: &str, value: &At<String>, faults: &mut Faults) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let range = match name.strip_prefix("net.ipv4.vs.") {
        Some(name) => IPVS.iter().find(|(known, _)| *known == name).and_then(|(_, range)| range.clone()),
        None => OTHERS.iter().find(|(known, _)| *known == last).map(|(_, range)| range.clone()),
    };
    let Some(range) = range else { return true };
    if value.value.parse::<i64>().is_ok_and(|number| range.contains(&number)) {
        return true;
    }
    let (least, most) = range.into_inner();
    let message = format!("{} is {least} to {most}, not {}", names::quote(name), names::quote(&value.value));
    faults.push(Fault::new(value.place, message).help(format!("write a number from {least} to {most}")));
    false
}

/// What the services need, and a sysctl takes away.
pub(super) fn contradictions(sysctls: Option<&Sysctls>, table: &Table, faults: &mut Faults) {
    for (family, name) in [(Family::V4, FORWARD4), (Family::V6, FORWARD6)] {
        let set = sysctls.and_then(|list| list.0.iter().find(|(at, _)| canonical(&at.value) == name));
        let Some((at, _)) = set.filter(|(_, value)| value.value == "0") else { continue };
        let needs = table.services.iter().find(|(key, service)| {
            key.family() == family && service.destinations.values().any(|settings| settings.forward == Forward::Nat)
        });
        if let Some((key, _)) = needs {
            let message = format!("the host is not to forward, and {key} has destinations with forward = \"nat\"");
            let fault = Fault::new(at.place, message).severity(Severity::Warning);
            faults.push(fault.help("write 1: without forwarding, what such destinations answer is dropped"));
        }
    }
}
