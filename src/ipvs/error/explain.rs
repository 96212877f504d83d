//! An errno and the operation that got it, in words, with the mend where there is one.
//!
//! After `ip_vs_genl_set_cmd`, `ip_vs_add_service`, `ip_vs_edit_service`, `ip_vs_add_dest`, `ip_vs_edit_dest` and
//! `ip_vs_new_dest` in `net/netfilter/ipvs/ip_vs_ctl.c`.

use std::net::IpAddr;

use super::Errno;
use crate::ipvs::Setting;
use crate::model::{
    DestinationKey, DestinationSettings, Forward, Netmask, ServiceKey, ServiceSettings, SyncSettings, TunnelType,
};
use crate::plan::Operation;

/// `i32::MAX`: weights beyond it are negative to the kernel, and thresholds beyond it too large for some.
const LARGEST: u32 = i32::MAX as u32;

/// Why the kernel refused `operation`.
pub(super) fn operation(operation: &Operation, errno: Errno) -> String {
    let known = match operation {
        Operation::AddService { service, settings } | Operation::EditService { service, to: settings, .. } => {
            service_settings(service, settings, errno)
        }
        Operation::AddDestination { service, destination, settings }
        | Operation::EditDestination { service, destination, to: settings, .. } => {
            destination_settings(service, destination, settings, errno)
        }
        Operation::DeleteService { .. } => None,
        Operation::DeleteDestination { service, destination, .. } => {
            (errno == Errno::NOENT).then(|| format!("the service {service} has no destination {destination} any more"))
        }
    };
    known.or_else(|| either(operation, errno)).unwrap_or_else(|| plainly(errno))
}

/// An errno without an operation.
pub(super) fn plainly(errno: Errno) -> String {
    match errno {
        Errno::PERM => "not permitted: it takes CAP_NET_ADMIN in the initial user namespace".to_owned(),
        Errno::OPNOTSUPP => "this kernel's IPVS does not know the command".to_owned(),
        Errno::NOMEM | Errno::NOBUFS => "the kernel is out of memory".to_owned(),
        other => std::io::Error::from(other).to_string(),
    }
}

/// Why the kernel refused to change a setting of its own, where that says more than the errno (`ip_vs_set_timeout`,
/// `ip_vs_genl_new_daemon`, `start_sync_thread`).
pub(super) fn setting(setting: Setting<'_>, errno: Errno) -> Option<String> {
    let text = match (setting, errno) {
        (Setting::Timeout(..), Errno::INVAL) => "it is longer than the kernel can count".to_owned(),
        (Setting::StopSync(role), Errno::SRCH) => format!("no synchronisation daemon runs as {}", role.as_str()),
        (Setting::StartSync(role, _), Errno::EXIST) => {
            format!("a synchronisation daemon runs as {} already", role.as_str())
        }
        (Setting::StartSync(_, settings), Errno::NODEV) => format!("there is no interface {}", settings.interface),
        // Of a master: it connects to the group.
        (Setting::StartSync(_, SyncSettings { interface, group, .. }), Errno::NETUNREACH) => {
            let or = if group.is_ipv4() { "" } else { ", or has no IPv6" };
            format!("the interface {interface} is down{or}; try `ip link set {interface} up`")
        }
        (Setting::StartSync(_, settings), Errno::INVAL) if settings.interface.len() > 15 => {
            format!("the interface's name `{}` is longer than 15 bytes", settings.interface)
        }
        (Setting::StartSync(_, settings), Errno::INVAL) if !settings.group.is_multicast() => {
            format!("the group {} is not a multicast address", settings.group)
        }
        (Setting::StartSync(..), Errno::INVAL) => {
            "the kernel synchronises no connections while a destination is of another address family than its service"
                .to_owned()
        }
        (Setting::StartSync(..), Errno::AFNOSUPPORT) => {
            "this kernel's IPVS does not support IPv6, so the group has to be an IPv4 one".to_owned()
        }
        _ => return None,
    };
    Some(text)
}

/// What means the same on services and destinations.
fn either(operation: &Operation, errno: Errno) -> Option<String> {
    let service = operation.service();
    let text = match errno {
        Errno::EXIST => match operation.destination() {
            Some(destination) => format!("the service {service} has a destination {destination} already"),
            None => format!("a service {service} exists already"),
        },
        Errno::SRCH => format!("there is no service {service}"),
        Errno::AFNOSUPPORT => {
            "this kernel's IPVS does not support the address family (IPv6 takes CONFIG_IP_VS_IPV6)".to_owned()
        }
        Errno::NOPROTOOPT => "the ip_vs kernel module is being unloaded".to_owned(),
        _ => return None,
    };
    Some(text)
}

fn service_settings(service: &ServiceKey, settings: &ServiceSettings, errno: Errno) -> Option<String> {
    let ServiceSettings { scheduler, flags: _, persistence } = settings;
    let engine = persistence.as_ref().and_then(|persistence| persistence.engine.as_deref());
    match errno {
        Errno::NOENT => {
            let missing = |kind, name: &str, module| {
                format!(
                    "{kind} `{name}` is not available in this kernel (its module {module}{name} could not be loaded)"
                )
            };
            let no_scheduler = missing("scheduler", scheduler.as_str(), "ip_vs_");
            Some(match engine {
                None => format!("{no_scheduler}; try `modprobe ip_vs_{scheduler}`"),
                Some(engine) => format!(
                    "{no_scheduler}, or {}; try `modprobe ip_vs_{scheduler}` and `modprobe ip_vs_pe_{engine}`",
                    missing("persistence engine", engine, "ip_vs_pe_")
                ),
            })
        }
        Errno::INVAL => {
            if scheduler.as_str().len() > 15 {
                return Some(format!("the scheduler's name `{scheduler}` is longer than 15 bytes"));
            }
            if let Some(engine) = engine.filter(|name| name.len() > 16) {
                return Some(format!("the persistence engine's name `{engine}` is longer than 16 bytes"));
            }
            if let (crate::model::Family::V6, Some(persistence)) = (service.family(), persistence) {
                match persistence.netmask {
                    Netmask::Prefix(1..=128) => {}
                    Netmask::Prefix(length) => {
                        return Some(format!("the prefix length {length} is not within 1 to 128, as IPv6 wants it"));
                    }
                    Netmask::Odd(mask) => {
                        return Some(format!(
                            "the netmask {mask} is not one for IPv6: give a prefix length of 1 to 128"
                        ));
                    }
                }
            }
            Some(format!("scheduler `{scheduler}` did not accept the service, or an attribute is out of range"))
        }
        _ => None,
    }
}

fn destination_settings(
    service: &ServiceKey,
    destination: &DestinationKey,
    settings: &DestinationSettings,
    errno: Errno,
) -> Option<String> {
    let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
    match errno {
        Errno::NOENT => Some(format!("the service {service} has no destination {destination} any more")),
        Errno::RANGE => Some(if *weight > LARGEST {
            format!("the weight {weight} is over {LARGEST}")
        } else if min_connections > max_connections {
            format!("min_connections ({min_connections}) is above max_connections ({max_connections})")
        } else {
            "a weight or a threshold is out of range".to_owned()
        }),
        Errno::INVAL => Some(why_invalid(service, destination, *forward, *max_connections)),
        _ => None,
    }
}

fn why_invalid(service: &ServiceKey, destination: &DestinationKey, forward: Forward, max_connections: u32) -> String {
    if let Forward::Tunnel(tunnel) = forward
        && tunnel.kind == TunnelType::Gue
        && tunnel.port == 0
    {
        return "a gue tunnel needs a port".to_owned();
    }
    if max_connections > LARGEST {
        return format!("max_connections ({max_connections}) is over {LARGEST}");
    }
    if service.family() != destination.family() {
        return if matches!(forward, Forward::Tunnel(_)) {
            format!(
                "{destination} is of another address family than the service {service}, and that is not possible \
                 while the connection synchronisation daemon runs; or the kernel does not take the address"
            )
        } else {
            format!(
                "{destination} is of another address family than the service {service}; only forward = \"tunnel\" can \
                 reach it"
            )
        };
    }
    let address = destination.address;
    match not_a_host(address) {
        Some(kind) => format!("{address} is {kind}, and cannot be a destination"),
        None => format!(
            "the kernel does not take {address} as a destination: it is the broadcast address of an interface, or this \
             network namespace has no interface that is up; see `ip address`"
        ),
    }
}

/// What an address is when it is not one of a host.
pub(super) fn not_a_host(address: IpAddr) -> Option<&'static str> {
    match address {
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(address) if address.is_broadcast() => Some("the broadcast address"),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Some("an IPv4 address mapped into IPv6"),
        IpAddr::V6(address) if address.is_unicast_link_local() => Some("a link-local address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Errno;
    use super::*;
    use crate::model::{Persistence, Scheduler, ServiceFlags, Tunnel};

    fn settings(scheduler: &str) -> ServiceSettings {
        ServiceSettings { scheduler: Scheduler::new(scheduler), flags: ServiceFlags::default(), persistence: None }
    }

    fn add_service(service: &str, settings: ServiceSettings) -> Operation {
        Operation::AddService { service: service.parse().unwrap(), settings }
    }

    fn add_destination(service: &str, destination: &str, change: impl FnOnce(&mut DestinationSettings)) -> Operation {
        let mut settings =
            DestinationSettings { forward: Forward::Nat, weight: 1, max_connections: 0, min_connections: 0 };
        change(&mut settings);
        Operation::AddDestination {
            service: service.parse().unwrap(),
            destination: destination.parse().unwrap(),
            settings,
        }
    }

    #[test]
    fn a_service_that_is_refused_says_why() {
        let mut sip = settings("mh");
        sip.persistence =
            Some(Persistence { timeout: 300, netmask: Netmask::Prefix(0), engine: Some("sip".to_owned()) });
        for (add, errno, want) in [
            (
                add_service("tcp://192.0.2.1:80", settings("mh")),
                Errno::NOENT,
                "scheduler `mh` is not available in this kernel (its module ip_vs_mh could not be loaded); try `modprobe ip_vs_mh`",
            ),
            (
                add_service("udp://192.0.2.1:80", sip.clone()),
                Errno::NOENT,
                "scheduler `mh` is not available in this kernel (its module ip_vs_mh could not be loaded), or persistence \
                 engine `sip` is not available in this kernel (its module ip_vs_pe_sip could not be loaded); try \
                 `modprobe ip_vs_mh` and `modprobe ip_vs_pe_sip`",
            ),
            (
                add_service("udp://[2001:db8::1]:80", sip),
                Errno::INVAL,
                "the prefix length 0 is not within 1 to 128, as IPv6 wants it",
            ),
            (
                add_service("tcp://192.0.2.1:80", settings("a-name-of-16-byt")),
                Errno::INVAL,
                "the scheduler's name `a-name-of-16-byt` is longer than 15 bytes",
            ),
            (add_service("fwmark:7", settings("rr")), Errno::EXIST, "a service fwmark:7 exists already"),
            (
                add_service("fwmark6:7", settings("rr")),
                Errno::AFNOSUPPORT,
                "this kernel's IPVS does not support the address family (IPv6 takes CONFIG_IP_VS_IPV6)",
            ),
        ] {
            assert_eq!(operation(&add, errno), want);
        }
    }

    #[test]
    fn a_destination_that_is_refused_says_why() {
        let web = "tcp://192.0.2.1:80";
        for (add, errno, want) in [
            (
                add_destination(web, "224.0.0.1:80", |_| ()),
                Errno::INVAL,
                "224.0.0.1 is a multicast address, and cannot be a destination",
            ),
            (
                add_destination(web, "10.0.0.1:80", |_| ()),
                Errno::INVAL,
                "the kernel does not take 10.0.0.1 as a destination: it is the broadcast address of an interface, or this \
                 network namespace has no interface that is up; see `ip address`",
            ),
            (
                add_destination(web, "[2001:db8::2]:80", |_| ()),
                Errno::INVAL,
                "[2001:db8::2]:80 is of another address family than the service tcp://192.0.2.1:80; only forward = \
                 \"tunnel\" can reach it",
            ),
            (
                add_destination(web, "10.0.0.1:80", |to| {
                    to.forward = Forward::Tunnel(Tunnel { kind: TunnelType::Gue, ..Tunnel::default() });
                }),
                Errno::INVAL,
                "a gue tunnel needs a port",
            ),
            (
                add_destination(web, "10.0.0.1:80", |to| to.min_connections = 5),
                Errno::RANGE,
                "min_connections (5) is above max_connections (0)",
            ),
            (
                add_destination(web, "10.0.0.1:80", |to| to.weight = u32::MAX),
                Errno::RANGE,
                "the weight 4294967295 is over 2147483647",
            ),
            (add_destination(web, "10.0.0.1:80", |_| ()), Errno::SRCH, "there is no service tcp://192.0.2.1:80"),
            (
                add_destination(web, "10.0.0.1:80", |_| ()),
                Errno::EXIST,
                "the service tcp://192.0.2.1:80 has a destination 10.0.0.1:80 already",
            ),
        ] {
            assert_eq!(operation(&add, errno), want);
        }
    }

    #[test]
    fn every_errno_has_words_for_every_operation() {
        let service: ServiceKey = "tcp://192.0.2.1:80".parse().unwrap();
        let from = settings("rr");
        let add = add_destination("tcp://192.0.2.1:80", "10.0.0.1:80", |_| ());
        let delete = Operation::DeleteService { service, from, destinations: 0 };
        for raw in 1..134 {
            let errno = Errno::from_raw_os_error(raw);
            for asked in [&add, &delete] {
                assert!(operation(asked, errno).len() > 5, "{errno:?}");
            }
        }
    }
}
