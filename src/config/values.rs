//! Single values: from what is written to what the model has, or a fault.

use std::net::Ipv4Addr;

use super::decode::At;
use super::fault::{Fault, Faults};
use super::rules::TIMEOUT_MAX;
use super::tree::Place;
use super::{names, raw};
use crate::model::{
    Checksum, DestinationKey, Family, Netmask, ParseKeyError, Persistence, Scheduler, ServiceFlags, ServiceKey, Tunnel,
    TunnelType,
};

/// ipvsadm's, too.
const DEFAULT_TIMEOUT: u32 = 300;

/// A number from 0 to `max`.
pub(super) fn number(at: &At<i128>, what: &str, max: u32, faults: &mut Faults) -> Option<u32> {
    let number = u32::try_from(at.value).ok().filter(|number| *number <= max);
    if number.is_none() {
        let message = format!("{what} is 0 to {max}, not {}", at.value);
        faults.push(Fault::new(at.place, message).help(if at.value < 0 {
            "write 0 or more".to_owned()
        } else {
            format!("write {max} or less")
        }));
    }
    number
}

/// The address of a service.
pub(super) fn service_key(place: Place, text: &str, faults: &mut Faults) -> Option<ServiceKey> {
    let error = match text.parse() {
        Ok(key) => return Some(key),
        Err(error) => error,
    };
    let example = "write for example \"tcp://192.0.2.10:80\", \"udp://[2001:db8::1]:53\" or \"fwmark:7\"";
    let help = match &error {
        ParseKeyError::Shape if !text.contains("://") && DestinationKey::parse(text, 0).is_ok() => {
            format!("write the protocol before it: \"tcp://{text}\"")
        }
        ParseKeyError::Protocol(word) => match names::nearest(word, ["tcp", "udp", "sctp"]) {
            Some(near) => format!("write \"{near}://…\""),
            None => "IPVS balances tcp, udp and sctp".to_owned(),
        },
        ParseKeyError::Address(_) => "names are not looked up: write the address itself".to_owned(),
        ParseKeyError::Port(_) => "write 1 to 65535, or 0 for every port (with persistence)".to_owned(),
        ParseKeyError::Mark(mark) if mark == "0" => {
            "0 is no mark: the kernel would make a service of TCP 0.0.0.0:0 of it".to_owned()
        }
        ParseKeyError::Mark(_) => "write for example \"fwmark:7\", or \"fwmark6:7\" for IPv6".to_owned(),
        ParseKeyError::PortMissing(text)
            if text.contains("://") && !text.contains('[') && text.matches(':').count() > 2 =>
        {
            "an IPv6 address stands in brackets, and the port after them: \"tcp://[2001:db8::1]:80\"".to_owned()
        }
        ParseKeyError::Shape | ParseKeyError::Brackets(_) | ParseKeyError::PortMissing(_) => example.to_owned(),
    };
    let label = match &error {
        ParseKeyError::PortMissing(_) => "the port is missing".to_owned(),
        other => names::sentence(&other.to_string()),
    };
    let message = format!("`{}` is not the address of a service", names::quote(text));
    faults.push(Fault::new(place, message).label(label).help(help));
    None
}

/// The address of a destination, with the service's port if it has none.
pub(super) fn destination_key(place: Place, text: &str, port: u16, faults: &mut Faults) -> Option<DestinationKey> {
    let error = match DestinationKey::parse(text, port) {
        Ok(key) => return Some(key),
        Err(error) => error,
    };
    let help = match &error {
        ParseKeyError::Address(_) if text.contains("://") => "a destination has no protocol: it is the service's",
        ParseKeyError::Address(_) => "names are not looked up: write the address itself",
        ParseKeyError::Port(_) => "write 0 to 65535, or no port for the service's",
        _ if text.contains("://") => "a destination has no protocol: it is the service's",
        _ => "write for example \"10.0.0.11:8080\", \"[2001:db8::11]:80\" or \"10.0.0.11\"",
    };
    let message = format!("`{}` is not the address of a destination", names::quote(text));
    let label = if text.contains("://") { String::new() } else { names::sentence(&error.to_string()) };
    faults.push(Fault::new(place, message).label(label).help(help));
    None
}

/// The flags of a scheduler, by name. `flag-1` to `flag-3` are the bare bits, of any scheduler.
pub(super) fn scheduler_flags(list: &[At<String>], scheduler: &Scheduler, faults: &mut Faults) -> ServiceFlags {
    const BARE: [(ServiceFlags, &str); 3] =
        [(ServiceFlags::SCHED1, "flag-1"), (ServiceFlags::SCHED2, "flag-2"), (ServiceFlags::SCHED3, "flag-3")];
    const NAMED: [(&str, &str); 4] =
        [("sh-fallback", "sh"), ("sh-port", "sh"), ("mh-fallback", "mh"), ("mh-port", "mh")];
    let mut flags = ServiceFlags::default();
    let mut seen: Vec<(ServiceFlags, Place)> = Vec::new();
    for At { place, value } in list {
        let known = || scheduler.flags().iter().chain(&BARE);
        if let Some((flag, _)) = known().find(|(_, name)| name == value) {
            if let Some((_, first)) = seen.iter().find(|(other, _)| other == flag) {
                let fault = Fault::new(*place, "the same flag is given twice").label("again here");
                faults.push(fault.related(*first, "first here").help("keep one of the two"));
            }
            seen.push((*flag, *place));
            flags = flags.with(*flag);
            continue;
        }
        let scheduler = names::quote(scheduler.as_str());
        if let Some((name, owner)) = NAMED.iter().find(|(name, _)| name == value) {
            let fault = Fault::new(*place, format!("the scheduler `{scheduler}` has no flag `{name}`"));
            faults.push(fault.help(format!("it belongs to scheduler = \"{owner}\"")));
            continue;
        }
        let fault = Fault::new(*place, format!("unknown scheduler flag `{}`", names::quote(value)));
        faults.push(match names::nearest(value, known().map(|(_, name)| *name)) {
            Some(near) => fault.help(format!("there is `{near}`")),
            None => {
                let mut all: Vec<&str> = known().map(|(_, name)| *name).collect();
                all.sort_unstable();
                all.dedup();
                fault.help(format!("`{scheduler}` has {}", names::list(&all)))
            }
        });
    }
    flags
}

/// Persistence whose netmask waits for the family of a service.
pub(super) struct Sticky {
    timeout: u32,
    netmask: Option<Netmask>,
    engine: Option<String>,
}

impl Sticky {
    /// For a service of that family: without a netmask each address stands for itself.
    pub(super) fn for_family(&self, family: Family) -> Persistence {
        let Self { timeout, netmask, engine } = self;
        Persistence { timeout: *timeout, netmask: netmask.unwrap_or(Netmask::host(family)), engine: engine.clone() }
    }
}

/// The `persistence` of a service; what is wrong in it is its default here, and a fault.
pub(super) fn persistence(raw: &raw::Persistence, faults: &mut Faults) -> Sticky {
    let timeout = raw.timeout.get().and_then(|at| seconds(at, faults)).unwrap_or(DEFAULT_TIMEOUT);
    let netmask = raw.netmask.get().and_then(|at| netmask(at, faults));
    Sticky { timeout, netmask, engine: raw.engine.value().cloned() }
}

fn seconds(at: &At<raw::Period>, faults: &mut Faults) -> Option<u32> {
    let duration = at.value.0;
    if duration.subsec_nanos() != 0 {
        let fault = Fault::new(at.place, "a persistence timeout is in whole seconds: the kernel counts no less");
        let rounded = duration.as_secs().saturating_add(1);
        faults.push(fault.help(format!("write for example \"{rounded}s\"")));
        return None;
    }
    // What is beyond 32 bits is beyond the rule's bound, too.
    Some(u32::try_from(duration.as_secs()).unwrap_or(TIMEOUT_MAX + 1))
}

fn netmask(at: &At<raw::Netmask>, faults: &mut Faults) -> Option<Netmask> {
    match &at.value {
        raw::Netmask::Length(length) => {
            let length = number(&At { place: at.place, value: *length }, "a prefix length", 128, faults)?;
            Some(Netmask::Prefix(length))
        }
        raw::Netmask::Dotted(text) => match text.parse::<Ipv4Addr>() {
            Ok(mask) => Some(Netmask::from_v4(mask)),
            Err(_) => {
                let message = format!("`{}` is not an IPv4 mask", names::quote(text));
                let help = match text.trim_start_matches('/').parse::<u8>() {
                    Ok(length) => format!("write {length}, without quotes"),
                    Err(_) => "write for example 24 or \"255.255.255.0\"; for IPv6 a length such as 64".to_owned(),
                };
                faults.push(Fault::new(at.place, message).help(help));
                None
            }
        },
    }
}

/// A `tunnel` table; nothing if a part of it cannot be understood.
pub(super) fn tunnel(raw: &raw::Tunnel, faults: &mut Faults) -> Option<Tunnel> {
    let kind = match raw.kind.get() {
        None if raw.kind.is_absent() => Some(TunnelType::Ipip),
        None => None,
        Some(at) => match at.value.as_str() {
            "ipip" => Some(TunnelType::Ipip),
            "gue" => Some(TunnelType::Gue),
            "gre" => Some(TunnelType::Gre),
            other => {
                let fault = Fault::new(at.place, format!("unknown type of tunnel `{}`", names::quote(other)));
                faults.push(fault.help("write \"ipip\", \"gue\" or \"gre\""));
                None
            }
        },
    };
    let port = match raw.port.get() {
        None if raw.port.is_absent() => Some(0),
        None => None,
        Some(at) => match u16::try_from(at.value) {
            Ok(port) if port > 0 => Some(port),
            _ => {
                let fault = Fault::new(at.place, format!("the port of a tunnel is 1 to 65535, not {}", at.value));
                faults.push(
                    fault.help("write the UDP port that gue is received on (often 6080); ipip and gre have none"),
                );
                None
            }
        },
    };
    let checksum = match raw.checksum.get() {
        None if raw.checksum.is_absent() => Some(Checksum::Off),
        None => None,
        Some(at) => match &at.value {
            raw::Checksum::Flag(false) => Some(Checksum::Off),
            raw::Checksum::Flag(true) => Some(Checksum::On),
            raw::Checksum::Word(word) if word == "remote" => Some(Checksum::Remote),
            raw::Checksum::Word(word) => {
                let fault = Fault::new(at.place, format!("unknown checksum `{}`", names::quote(word)));
                faults.push(fault.help("write true or false without quotes, or \"remote\""));
                None
            }
        },
    };
    Some(Tunnel { kind: kind?, port: port?, checksum: checksum? })
}
