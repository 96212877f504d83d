//! The sysctls that ipvsd knows, and what they take: those of IPVS (`net/netfilter/ipvs/ip_vs_ctl.c` and
//! `Documentation/networking/ipvs-sysctl.rst`), and those around it that go with IPVS
//! (`Documentation/networking/ip-sysctl.rst`). Of all others the kernel says what it takes when they are set.
//!
//! What the kernel would take and then show otherwise is refused, too: ipvsd would set it for ever.

use std::collections::BTreeSet;

use crate::config::names;

/// What a sysctl takes.
pub(super) enum Takes {
    /// A whole number within these bounds, both included.
    Number(i128, i128),
    /// A whole number that the kernel does something with.
    OneOf(&'static [i128]),
    /// A mode of defence: the kernel makes 1 and 2 of each other, by the memory that is there (`update_defense_level`).
    Defence,
    /// A power of two, up to what is used of it (`IPVS_SYNC_PORTS_MAX`).
    Ports,
    /// Two numbers, the first below the second if that is not 0 (`proc_do_sync_threshold`).
    Threshold,
    /// Processors, as the kernel lists them (`%*pbl`).
    Processors,
    /// Something that only the kernel looks at.
    Anything,
}

use Takes::{Anything, Defence, Number, OneOf, Ports, Processors, Threshold};

/// Where the kernel knows only 0 and other than 0: more than 1 is probably not meant.
const SWITCH: Takes = Number(0, 1);
const POSITIVE: Takes = Number(0, i32::MAX as i128);
/// Seconds that the kernel keeps as ticks (`proc_dointvec_jiffies`): `INT_MAX / HZ`, with HZ = 1000.
const SECONDS: Takes = Number(0, i32::MAX as i128 / 1000);

/// Below `net.ipv4.vs.`, of Linux 6.1 to 7.2.
pub(super) const IPVS: &[(&str, Takes)] = &[
    ("am_droprate", Number(1, i32::MAX as i128)),
    ("amemthresh", POSITIVE),
    ("backup_only", SWITCH),
    ("cache_bypass", SWITCH),
    ("conn_lfactor", Number(-8, 8)),
    ("conn_max", Anything),
    ("conn_reuse_mode", Number(0, 3)),
    ("conntrack", SWITCH),
    ("debug_level", POSITIVE),
    ("drop_entry", Defence),
    ("drop_packet", Defence),
    ("est_cpulist", Processors),
    ("est_nice", Number(-20, 19)),
    ("expire_nodest_conn", SWITCH),
    ("expire_quiescent_template", SWITCH),
    ("ignore_tunneled", SWITCH),
    ("lblc_expiration", SECONDS),
    ("lblcr_expiration", SECONDS),
    ("nat_icmp_send", SWITCH),
    ("pmtu_disc", SWITCH),
    ("run_estimation", SWITCH),
    ("schedule_icmp", SWITCH),
    ("secure_tcp", Defence),
    ("sloppy_sctp", SWITCH),
    ("sloppy_tcp", SWITCH),
    ("snat_reroute", SWITCH),
    ("svc_lfactor", Number(-8, 8)),
    ("sync_persist_mode", SWITCH),
    ("sync_ports", Ports),
    ("sync_qlen_max", Number(0, u64::MAX as i128)),
    ("sync_refresh_period", SECONDS),
    ("sync_retries", Number(0, 3)),
    ("sync_sock_size", POSITIVE),
    ("sync_threshold", Threshold),
    ("sync_version", SWITCH),
];

/// Those of an interface, below `net.ipv4.conf.NAME.` or `net.ipv6.conf.NAME.`.
const INTERFACE: &[(&str, Takes)] = &[
    ("accept_local", SWITCH),
    ("accept_redirects", SWITCH),
    ("arp_announce", Number(0, 2)),
    ("arp_filter", SWITCH),
    ("arp_ignore", OneOf(&[0, 1, 2, 3, 8])),
    ("disable_ipv6", SWITCH),
    ("forwarding", SWITCH),
    ("proxy_arp", SWITCH),
    ("proxy_ndp", SWITCH),
    ("route_localnet", SWITCH),
    ("rp_filter", Number(0, 2)),
    ("send_redirects", SWITCH),
    ("src_valid_mark", SWITCH),
];

/// Those of IPv6 only, of [`INTERFACE`].
const SIX: &[&str] = &["disable_ipv6", "proxy_ndp"];

/// Further ones, by their whole names.
const OTHERS: &[(&str, Takes)] = &[("net.ipv4.ip_forward", SWITCH), ("net.ipv4.ip_nonlocal_bind", SWITCH)];

fn find<'k>(known: &'k [(&str, Takes)], name: &str) -> Option<&'k Takes> {
    known.iter().find(|(known, _)| *known == name).map(|(_, takes)| takes)
}

/// What a sysctl of that canonical name takes, if it is known.
fn takes(name: &str) -> Option<&'static Takes> {
    let mut parts = name.split('.');
    match (parts.next()?, parts.next()?, parts.next()?, parts.next(), parts.next()) {
        ("net", "ipv4", "vs", Some(name), None) => find(IPVS, name),
        ("net", "ipv4" | "ipv6", "conf", Some(_), Some(name)) => find(INTERFACE, name),
        _ => find(OTHERS, name),
    }
}

/// The whole name of a sysctl that is called by the end of it.
pub(super) fn whole(short: &str) -> Option<String> {
    if let Some((_, name)) = OTHERS.iter().map(|(name, _)| (name, *name)).find(|(name, _)| ends_with(name, short)) {
        return Some(name.to_owned());
    }
    let of_ipvs = IPVS.iter().map(|(name, _)| format!("net.ipv4.vs.{name}"));
    let of_interface = INTERFACE.iter().map(|(name, _)| {
        let family = if SIX.contains(name) { "ipv6" } else { "ipv4" };
        format!("net.{family}.conf.all.{name}")
    });
    if let Some(name) = of_ipvs.chain(of_interface).find(|name| ends_with(name, short)) {
        return Some(name);
    }
    match short.split('.').next() {
        Some("ipv4" | "ipv6" | "netfilter" | "core") => Some(format!("net.{short}")),
        Some("conf" | "neigh" | "vs") => Some(format!("net.ipv4.{short}")),
        _ => None,
    }
    .filter(|name| name.split('.').count() > 2 && !name.ends_with('.'))
}

fn ends_with(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|before| before.ends_with('.'))
}

/// What is wrong with a value of a sysctl, and how to mend it.
pub(super) fn fault(name: &str, value: &str) -> Option<(String, String)> {
    match takes(name)? {
        Anything => None,
        Threshold => threshold(name, value),
        Processors => processors(name, value),
        takes => number(takes, name, value),
    }
}

fn threshold(name: &str, value: &str) -> Option<(String, String)> {
    let number = |word: &str| word.parse::<i32>().ok().filter(|number| is_plain(word, number));
    let numbers: Option<Vec<i32>> = value.split(' ').map(number).collect();
    match numbers.as_deref() {
        Some([first, period]) if *first >= 0 && (first < period || *period == 0) => None,
        _ => {
            let value = names::quote(value);
            let message =
                format!("{name} is two numbers, a threshold and a longer period (or 0 for none), not {value}");
            Some((message, "write for example \"3 50\"".to_owned()))
        }
    }
}

/// As many as a kernel can be made for (`NR_CPUS`).
const MOST_PROCESSORS: u16 = 8192;

fn processors(name: &str, value: &str) -> Option<(String, String)> {
    let message = format!("{name} is numbers of processors as the kernel lists them, not {}", names::quote(value));
    let mut all = BTreeSet::new();
    for word in value.split(',') {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first <= last && last <= MOST_PROCESSORS => all.extend(first..=last),
            _ => return Some((message, "write numbers and ranges, for example \"0-3,8\"".to_owned())),
        }
    }
    let mut listed = String::new();
    let mut rest = all.into_iter().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| *next == last + 1) {
            last = next;
        }
        let comma = if listed.is_empty() { "" } else { "," };
        let range = if first == last { format!("{first}") } else { format!("{first}-{last}") };
        listed = listed + comma + &range;
    }
    (listed != value).then(|| (message, format!("write \"{listed}\"")))
}

fn number(takes: &Takes, name: &str, value: &str) -> Option<(String, String)> {
    let Ok(number) = value.parse::<i128>() else {
        return Some((format!("{name} is a number, not {}", names::quote(value)), range(takes)));
    };
    let is_good = match takes {
        Number(least, most) => (least..=most).contains(&&number),
        OneOf(values) => values.contains(&number),
        Defence => matches!(number, 0 | 1 | 3),
        Ports => (1..=64).contains(&number) && number.count_ones() == 1,
        Threshold | Processors | Anything => true,
    };
    let message = match takes {
        _ if is_good && is_plain(value, number) => return None,
        // The kernel takes 010 for eight.
        _ if is_good => format!("{name} is a number in decimal, without sign or leading zeros, not {value}"),
        Number(least, most) => format!("{name} is {least} to {most}, not {number}"),
        Defence if number == 2 => {
            format!("{name} does not stay 2: the kernel makes 1 of it, and 2 again when memory is short")
        }
        _ => format!("{name} cannot be {number}"),
    };
    Some((message, if is_good { format!("write {number}") } else { range(takes) }))
}

/// Whether a number is written as the kernel shows it.
fn is_plain(text: &str, number: impl ToString) -> bool {
    number.to_string() == text
}

fn range(takes: &Takes) -> String {
    match takes {
        Number(0, 1) => "write 0 or 1".to_owned(),
        Number(least, most) => format!("write a number from {least} to {most}"),
        OneOf(values) => {
            let values: Vec<String> = values.iter().map(i128::to_string).collect();
            format!("write one of {}", values.join(", "))
        }
        Defence => "write 0 (never), 1 (when memory is short) or 3 (always)".to_owned(),
        Ports => "write 1, 2, 4, 8, 16, 32 or 64".to_owned(),
        Threshold | Processors | Anything => String::new(),
    }
}
