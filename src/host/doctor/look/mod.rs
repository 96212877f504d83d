//! The doctor's eyes: the edge that fills [`Facts`], and leaves everything as it is.

mod kernel;
mod network;
mod processes;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use super::facts::{Facts, NatRules, Table};
use super::scene::vip;
use crate::host::sysctl;
use crate::model::{Desired, Forward, Scheduler};

/// Sysctls that matter whatever the configuration says.
const SYSCTLS: [&str; 7] = [
    "net.ipv4.ip_forward",
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.conn_reuse_mode",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.expire_quiescent_template",
    "net.ipv4.vs.pmtu_disc",
    "net.ipv6.conf.all.forwarding",
];
/// Settings of each interface, and of all.
const IPV4: [&str; 6] = ["forwarding", "rp_filter", "accept_local", "arp_ignore", "arp_announce", "send_redirects"];
const IPV6: [&str; 2] = ["accept_ra", "proxy_ndp"];

/// Looks at the host, in the network namespace of this thread, for what matters to a configuration. The table is not among it,
/// and [`Facts::apply`] is the caller's, too. `ours` are processes that belong to this ipvsd.
///
/// # Errors
///
/// If interfaces, addresses and routes cannot be read, in words.
pub fn look(desired: &Desired, ours: &BTreeSet<i32>) -> Result<Facts, String> {
    let network = network::look(&addresses(desired)).map_err(|error| error.to_string())?;
    let modules_disabled = kernel::modules_disabled();
    let names: Vec<&str> = network.links.iter().map(|link| link.name.as_str()).collect();
    Ok(Facts {
        release: kernel::release(),
        modules: kernel::modules(&wanted(desired), &known(), modules_disabled),
        modules_disabled,
        lockdown: kernel::lockdown(),
        net_admin: kernel::net_admin(),
        initial_user_namespace: kernel::initial_user_namespace(),
        table: Table::Absent,
        sysctls: sysctls(&names, desired),
        processes: processes::look(ours, &names),
        // Only nat is about it, and there may be thousands of rules.
        nat: if uses_nat(desired) { rules::look() } else { NatRules::None },
        filters: rules::filters(),
        apply: String::new(),
        links: network.links,
        addresses: network.addresses,
        routes: network.routes,
        defaults: network.defaults,
        advertised: network.advertised,
    })
}

/// The addresses of services and of destinations.
fn addresses(desired: &Desired) -> Vec<IpAddr> {
    let services = desired.table.services.keys().filter_map(vip);
    let destinations = desired.table.services.values().flat_map(|service| service.destinations.keys());
    let all: BTreeSet<IpAddr> = services.chain(destinations.map(|destination| destination.address)).collect();
    all.into_iter().collect()
}

fn uses_nat(desired: &Desired) -> bool {
    let mut destinations = desired.table.services.values().flat_map(|service| service.destinations.values());
    destinations.any(|settings| settings.forward == Forward::Nat)
}

/// The modules that the configuration needs.
fn wanted(desired: &Desired) -> BTreeSet<String> {
    let mut wanted = desired.table.modules();
    if desired.host.sysctls.keys().any(|name| name.starts_with("net.netfilter.nf_conntrack")) {
        wanted.insert("nf_conntrack".to_owned());
    }
    wanted
}

/// The modules of all schedulers.
fn known() -> Vec<String> {
    Scheduler::KNOWN.iter().map(|name| format!("ip_vs_{name}")).collect()
}

fn sysctls(interfaces: &[&str], desired: &Desired) -> BTreeMap<String, String> {
    let mut names: BTreeSet<String> = SYSCTLS.iter().map(|name| (*name).to_owned()).collect();
    for interface in interfaces.iter().chain(&["all"]) {
        let interface = interface.replace('.', "/");
        names.extend(IPV4.iter().map(|setting| format!("net.ipv4.conf.{interface}.{setting}")));
        names.extend(IPV6.iter().map(|setting| format!("net.ipv6.conf.{interface}.{setting}")));
    }
    names.extend(desired.host.sysctls.keys().cloned());
    names.into_iter().filter_map(|name| sysctl::read(&name).map(|value| (name, value))).collect()
}

/// Runs a program that only looks: what it prints, or the first line of what it complains of.
fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let run = Command::new(program).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output();
    let output = run.map_err(|error| format!("`{program}` could not be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let first = text.lines().next().unwrap_or("no message").trim();
    // Programs mostly begin with their own name.
    let first = first.strip_prefix(program).map_or(first, |rest| rest.trim_start_matches([':', ' ']));
    Err(format!("`{program}` says \"{first}\""))
}
