//! `[host]`, `[timeouts]` and `[sync]`, resolved.

mod known;
mod name;
mod sysctls;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Facts;
use super::decode::{At, Field};
use super::fault::{Fault, Faults};
use super::problem::Severity;
use super::services::Seen;
use super::settings::merge;
use super::{names, raw, values};
use crate::model::{self, Family, SyncRole, SyncSettings, Timeout};
use sysctls::Resolved;

/// The longest timeout: `IPVS_CMD_SET_CONFIG` refuses more than `INT_MAX / HZ` seconds, and HZ is 1000 at most.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(i32::MAX as u64 / 1000);
/// The longest name of an interface (`IFNAMSIZ` without its NUL).
const NAME_MAX: usize = 15;

/// The three tables of all files.
#[derive(Default)]
pub(super) struct Tables {
    host: raw::Host,
    timeouts: raw::Timeouts,
    sync: raw::Sync,
    /// Once they are resolved.
    sysctls: Resolved,
}

impl Tables {
    /// Takes one file's tables over; a key in two files is a fault.
    pub(super) fn merge(
        &mut self,
        host: Field<raw::Host>,
        timeouts: Field<raw::Timeouts>,
        sync: Field<raw::Sync>,
        faults: &mut Faults,
    ) {
        let mut host = host.into_value().unwrap_or_default();
        // Of sysctls each is a key of its own.
        if let (Field::Set(all), Field::Set(more)) = (&mut self.host.sysctls, &mut host.sysctls) {
            all.value.0.append(&mut more.value.0);
            host.sysctls = Field::Absent;
        }
        merge!(self.host, host, "host", faults, [addresses, sysctls, modules]);
        let timeouts = timeouts.into_value().unwrap_or_default();
        merge!(self.timeouts, timeouts, "timeouts", faults, [tcp, tcp_fin, udp]);
        let sync = sync.into_value().unwrap_or_default();
        merge!(self.sync, sync, "sync", faults, [master, backup]);
    }

    /// What the tables ask for.
    pub(super) fn resolve(&mut self, faults: &mut Faults) -> model::Host {
        if let Some(list) = self.host.sysctls.value() {
            self.sysctls = Resolved::new(list, faults);
        }
        let raw::Host { addresses, sysctls: _, modules } = &self.host;
        let raw::Timeouts { tcp, tcp_fin, udp } = &self.timeouts;
        let raw::Sync { master, backup } = &self.sync;
        let addresses = addresses.get().and_then(|at| match &at.value.interface {
            Field::Absent => {
                let fault = Fault::new(at.place, "the addresses have no interface to be put on");
                faults.push(fault.help("write addresses = { interface = \"ipvs0\" }"));
                None
            }
            field => field.get().and_then(|at| interface(at, faults)),
        });
        let timeouts = [(Timeout::Tcp, tcp), (Timeout::TcpFin, tcp_fin), (Timeout::Udp, udp)];
        let timeouts =
            timeouts.into_iter().filter_map(|(name, field)| Some((name, timeout(name, field.get()?, faults)?)));
        let timeouts: BTreeMap<Timeout, u32> = timeouts.collect();
        let sync = [(SyncRole::Master, master), (SyncRole::Backup, backup)];
        let sync = sync.into_iter().filter_map(|(role, field)| Some((role, daemon(role, field.get()?, faults)?)));
        let sync = sync.collect();
        model::Host {
            addresses,
            sysctls: self.sysctls.values(),
            modules: modules.value().copied().unwrap_or(false),
            timeouts,
            sync,
        }
    }

    /// What of the tables and the services does not go together.
    pub(super) fn check(&self, seen: &Seen, faults: &mut Faults) {
        let daemon = self.sync.master.place().or(self.sync.backup.place());
        if let (Some(daemon), Some((destination, service, place))) = (daemon, &seen.mixed) {
            let message = format!(
                "the kernel synchronises no connections while a destination is of another family than its service, as \
                 {destination} of {service} is"
            );
            let fault = Fault::new(daemon, message).related(*place, "this destination");
            faults.push(fault.help("remove `sync`, or write destinations of the families of their services"));
        }
        for family in [Family::V4, Family::V6] {
            if let (Some(place), Some(nat)) = (self.sysctls.forbids_forwarding(family), seen.nat.get(&family)) {
                let message = "this keeps the host from forwarding, which forward = \"nat\" wants";
                let fault = Fault::new(place, message).severity(Severity::Warning);
                let help = "write 1: what such destinations answer goes through this host, and would be dropped";
                faults.push(fault.related(*nat, "this destination").help(help));
            }
        }
    }
}

/// The machine as it is once a configuration has set its sysctls.
pub(super) fn settled(facts: Facts, host: &model::Host) -> Facts {
    let set = |name: &str| host.sysctls.get(&format!("net.ipv4.vs.{name}")).and_then(|value| value.parse::<u32>().ok());
    let Facts { expire_nodest_conn, expire_quiescent_template, conn_reuse_mode } = facts;
    Facts {
        expire_nodest_conn: set("expire_nodest_conn").map_or(expire_nodest_conn, |value| value != 0),
        expire_quiescent_template: set("expire_quiescent_template")
            .map_or(expire_quiescent_template, |value| value != 0),
        conn_reuse_mode: set("conn_reuse_mode").unwrap_or(conn_reuse_mode),
    }
}

/// The name of an interface.
fn interface(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let name = &at.value;
    let Err(why) = is_interface(name) else { return Some(name.clone()) };
    let fault = Fault::new(at.place, format!("`{}` cannot be the name of an interface: {why}", names::quote(name)));
    faults.push(match name.split_once(':') {
        Some((name, _)) if is_interface(name).is_ok() => {
            fault.help(format!("what `ifconfig` shows with a colon is an address of \"{name}\""))
        }
        _ => fault.help("write a name such as \"ipvs0\""),
    });
    None
}

/// What the kernel asks of the name of an interface (`dev_valid_name`, `sysctl_dev_name_is_allowed`), or what it has
/// against one.
fn is_interface(name: &str) -> Result<(), &'static str> {
    let space = |byte: u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
    Err(match name {
        "" => "it is empty",
        "." | ".." => "it stands for a folder",
        // They are folders beside those of interfaces, in net/ipv4/conf.
        "all" | "default" => "to the kernel it stands for interfaces in general",
        _ if name.len() > NAME_MAX => "it is longer than 15 bytes",
        _ if name.contains('/') => "it has a slash in it",
        _ if name.contains(':') => "it has a colon in it",
        _ if name.contains('%') => "the kernel would put a number for `%`",
        _ if name.bytes().any(space) || name.contains(char::is_whitespace) => "it has a space in it",
        // `isspace` in lib/ctype.c, which looks at bytes.
        _ if name.bytes().any(|byte| byte == 0xA0) => "it has a byte in it, 0xA0, that the kernel takes for a space",
        _ => return Ok(()),
    })
}

fn timeout(name: Timeout, at: &At<raw::Period>, faults: &mut Faults) -> Option<u32> {
    let name = name.as_str();
    let value = at.value.0;
    if value.is_zero() {
        let fault =
            Fault::new(at.place, format!("to the kernel a timeout `{name}` of 0 means that it is kept as it is"));
        faults.push(fault.help("write \"1s\" or more, or remove it"));
        return None;
    }
    if value.subsec_nanos() != 0 {
        let fault = Fault::new(at.place, format!("the kernel counts the timeout `{name}` in whole seconds"));
        let seconds = Duration::from_secs(value.as_secs().saturating_add(1));
        faults.push(fault.help(format!("write {}", values::written(seconds))));
        return None;
    }
    if value > TIMEOUT_MAX {
        let most = format!("{}s", TIMEOUT_MAX.as_secs());
        let fault = Fault::new(at.place, format!("the kernel refuses a timeout `{name}` of more than \"{most}\""));
        faults.push(fault.help(format!("write \"{most}\" or less")));
        return None;
    }
    u32::try_from(value.as_secs()).ok()
}

fn daemon(role: SyncRole, at: &At<raw::SyncDaemon>, faults: &mut Faults) -> Option<SyncSettings> {
    let raw::SyncDaemon { interface: name, id, group, port, ttl, sync_maxlen } = &at.value;
    if name.is_absent() {
        let fault = Fault::new(at.place, format!("the {} has no interface", role.as_str()));
        faults.push(fault.help("add interface = \"…\", where its messages go out or come in"));
    }
    let mut number = |field: &Field<i128>, what: &str, range: RangeInclusive<u32>, default: u32| match field.get() {
        Some(at) => values::integer(at, what, range, faults),
        None => Some(default),
    };
    let id = number(id, "an id", 0..=255, 0);
    let port = number(port, "a port", 1..=65_535, u32::from(SyncSettings::PORT));
    let ttl = number(ttl, "a ttl", 1..=255, u32::from(SyncSettings::TTL));
    let group = match group.get() {
        Some(at) => self::group(at, faults),
        None => Some(SyncSettings::GROUP),
    };
    let (maxlen, is_good) = match sync_maxlen.get() {
        Some(at) => {
            let length = values::integer(at, "a sync_maxlen", lengths(role, group), faults);
            (length, length.is_some())
        }
        None => (None, true),
    };
    let interface = name.get().and_then(|at| interface(at, faults));
    is_good.then_some(SyncSettings {
        interface: interface?,
        id: u8::try_from(id?).ok()?,
        group: group?,
        port: u16::try_from(port?).ok()?,
        ttl: u8::try_from(ttl?).ok()?,
        sync_maxlen: maxlen.map(u16::try_from).transpose().ok()?,
    })
}

/// The lengths of messages that are kept as they are: `start_sync_thread` (Linux 6.1 to 6.18) takes the nearest of them for
/// any other. A packet has 65,535 bytes at most, those of its headers included (20 or 40 of IP, 8 of udp).
fn lengths(role: SyncRole, group: Option<IpAddr>) -> RangeInclusive<u32> {
    let least = match role {
        SyncRole::Master => 1,
        SyncRole::Backup => 1024,
    };
    let headers = if group.is_some_and(|group| group.is_ipv6()) { 40 + 8 } else { 20 + 8 };
    least..=65_535 - headers
}

/// Whether a timeout in seconds can be configured.
pub(super) fn is_timeout(seconds: u32) -> bool {
    seconds > 0 && u64::from(seconds) <= TIMEOUT_MAX.as_secs()
}

/// What keeps a daemon from being configured.
pub(super) fn against(role: SyncRole, settings: &SyncSettings) -> Option<String> {
    let SyncSettings { interface, id: _, group, port, ttl, sync_maxlen } = settings;
    if let Err(why) = is_interface(interface) {
        return Some(format!("the name of its interface: {why}"));
    }
    let is_good = group.is_multicast()
        && *port != 0
        && *ttl != 0
        && sync_maxlen.is_none_or(|length| lengths(role, Some(*group)).contains(&length.into()));
    let length = sync_maxlen.map_or(String::new(), |length| format!(", sync_maxlen {length}"));
    (!is_good).then(|| format!("no configuration can have group {group}, port {port}, ttl {ttl}{length}"))
}

fn group(at: &At<String>, faults: &mut Faults) -> Option<IpAddr> {
    let group = at.value.parse::<IpAddr>().ok().filter(IpAddr::is_multicast);
    if group.is_none() {
        let fault = Fault::new(at.place, format!("`{}` is no multicast address", names::quote(&at.value)));
        faults.push(fault.help("write for example \"224.0.0.81\" or \"ff02::81\""));
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second column is what `ip link add NAME type dummy` says on Linux 6.1.
    #[test]
    fn names_of_interfaces_are_those_that_the_kernel_takes() {
        for (name, good) in [
            ("ipvs0", true),
            ("abcdefghijklmno", true),
            ("abcdefghijklmnop", false),
            ("aé", true),
            ("aà", false),
            ("eth0.100", true),
            ("a@b", true),
            ("a:b", false),
            ("a/b", false),
            ("a b", false),
            ("", false),
            (".", false),
            ("..", false),
            ("...", true),
            ("all", false),
            ("default", false),
        ] {
            assert_eq!(is_interface(name).is_ok(), good, "{name}");
        }
        // It takes these: as `a0`, and so that no terminal would show it.
        assert!(is_interface("a%d").is_err() && is_interface("a\u{1b}[2J").is_err());
    }
}
