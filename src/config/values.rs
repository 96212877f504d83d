//! Single values: from what is written to what the model has, or a fault.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::decode::At;
use super::fault::{Fault, Faults};
use super::problem::Severity;
use super::rules::TIMEOUT_MAX;
use super::tree::Place;
use super::{names, raw};
use crate::model::{
    Checksum, DestinationKey, Family, Netmask, ParseKeyError, Persistence, Scheduler, ServiceFlags, ServiceKey, Tunnel,
    TunnelType, host_and_port,
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

/// A number of a range that does not start at 0.
pub(super) fn integer(at: &At<i128>, what: &str, range: RangeInclusive<u32>, faults: &mut Faults) -> Option<u32> {
    let number = u32::try_from(at.value).ok().filter(|number| range.contains(number));
    if number.is_none() {
        let (least, most) = range.into_inner();
        let fault = Fault::new(at.place, format!("{what} is {least} to {most}, not {}", at.value));
        let low = at.value < i128::from(least);
        faults.push(fault.help(if low { format!("write {least} or more") } else { format!("write {most} or less") }));
    }
    number
}

/// The shortest and the longest duration of a key, and how they are written.
pub(super) struct Bounds {
    pub least: (Duration, &'static str),
    pub most: (Duration, &'static str),
}

/// A second, a minute, an hour and a day.
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration within bounds.
pub(super) fn period(at: &At<raw::Period>, what: &str, bounds: &Bounds, faults: &mut Faults) -> Option<Duration> {
    let value = at.value.0;
    let Bounds { least, most } = bounds;
    let help = match value {
        value if value < least.0 => format!("write \"{}\" or more", least.1),
        value if value > most.0 => format!("write \"{}\" or less", most.1),
        _ => return Some(value),
    };
    let message = format!("{what} is \"{}\" to \"{}\", not {}", least.1, most.1, written(value));
    faults.push(Fault::new(at.place, message).help(help));
    None
}

/// A duration as the configuration spells it, in quotes.
pub(super) fn written(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    let units = [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];
    for (unit, length) in units.into_iter().chain([("ms", 1_000_000), ("us", 1000), ("ns", 1)]) {
        if rest >= length {
            text += &format!("{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "\"0s\"".to_owned() } else { format!("\"{text}\"") }
}

/// A percentage up to `most`.
pub(super) fn percent(place: Place, text: &str, what: &str, most: u8, faults: &mut Faults) -> Option<u8> {
    let digits = text.trim().strip_suffix('%').map(str::trim_end).unwrap_or_default();
    let number = digits.parse::<u128>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(percent) = number.and_then(|number| u8::try_from(number).ok()).filter(|percent| *percent <= most) {
        return Some(percent);
    }
    let (message, help) = match number {
        Some(_) => (format!("{what} is \"0%\" to \"{most}%\""), format!("write \"{most}%\" or less")),
        None => {
            let help = match text.trim().parse::<u32>() {
                Ok(number) => format!("write \"{number}%\""),
                Err(_) => format!("write \"0%\" to \"{most}%\""),
            };
            (format!("`{}` is not a percentage", names::quote(text)), help)
        }
    };
    faults.push(Fault::new(place, message).help(help));
    None
}

/// One of a few words.
pub(super) fn word<T: Copy>(at: &At<String>, what: &str, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == at.value) {
        return Some(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let lower: Vec<String> = known.iter().map(|word| word.to_lowercase()).collect();
    let near = names::nearest(&at.value, lower.iter().map(String::as_str));
    let near = known
        .iter()
        .copied()
        .find(|word| word.eq_ignore_ascii_case(&at.value) || near.is_some_and(|near| word.eq_ignore_ascii_case(near)));
    let fault = Fault::new(at.place, format!("unknown {what} `{}`", names::quote(&at.value)));
    faults.push(match near {
        Some(near) => fault.help(format!("there is \"{near}\"")),
        None => fault.help(format!("write {}", names::choice(&known))),
    });
    None
}

/// An absolute path.
pub(super) fn absolute(at: &At<String>, what: &str, why: &str, faults: &mut Faults) -> Option<PathBuf> {
    if at.value.contains('\0') {
        faults.push(Fault::new(at.place, "a path has no NUL character").help("remove it"));
        return None;
    }
    let path = PathBuf::from(&at.value);
    if !path.is_absolute() {
        let fault = Fault::new(at.place, format!("{what} has to be an absolute path"));
        faults.push(fault.help(format!("start it with `/`: {why}")));
        return None;
    }
    Some(path)
}

/// A program and its arguments.
pub(super) fn argv(at: &At<Vec<At<String>>>, what: &str, faults: &mut Faults) -> Option<Vec<String>> {
    let Some((program, arguments)) = at.value.split_first() else {
        let fault = Fault::new(at.place, format!("{what} has no program"));
        faults.push(fault.help("write its absolute path and its arguments: [\"/usr/local/bin/…\", \"…\"]"));
        return None;
    };
    let spaced = program.value.starts_with('/') && program.value.contains(' ') && arguments.is_empty();
    absolute(program, "a program", "it is not looked for in PATH", faults)?;
    if spaced {
        let message = "there is no shell: this is the name of a program with spaces in it";
        let fault = Fault::new(program.place, message).severity(Severity::Warning);
        faults.push(fault.help("if the rest are arguments, make each a string of its own: [\"/…\", \"…\"]"));
    }
    for At { place, value } in arguments {
        if value.contains('\0') {
            faults.push(Fault::new(*place, "an argument has no NUL character").help("remove it"));
            return None;
        }
    }
    Some(at.value.iter().map(|at| at.value.clone()).collect())
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

/// Where a destination is.
pub(super) enum Target {
    At(DestinationKey),
    /// Wherever that name leads to.
    Named(String, u16),
}

/// The address or the name of a destination, with the service's port if it has none.
pub(super) fn target(place: Place, text: &str, port: u16, faults: &mut Faults) -> Option<Target> {
    if let Ok(key) = DestinationKey::parse(text, port) {
        return Some(Target::At(key));
    }
    if let Some((host, of_name)) = host_and_port(text) {
        return Some(Target::Named(host.to_ascii_lowercase(), of_name.unwrap_or(port)));
    }
    destination_key(place, text, port, faults).map(Target::At)
}

/// The address of a destination, with the service's port if it has none.
pub(super) fn destination_key(place: Place, text: &str, port: u16, faults: &mut Faults) -> Option<DestinationKey> {
    let error = match DestinationKey::parse(text, port) {
        Ok(key) => return Some(key),
        Err(error) => error,
    };
    let help = match &error {
        ParseKeyError::Address(_) if host_and_port(text).is_some() => {
            "only the destinations of a service are looked up by name"
        }
        ParseKeyError::Address(_) if text.contains("://") => "a destination has no protocol: it is the service's",
        ParseKeyError::Address(_) if is_foreign_name(text) => {
            "write the name as DNS has it: \"wéb.internal\" is \"xn--wb-bja.internal\" there"
        }
        ParseKeyError::Address(_) => "write the address of one host, or its name",
        ParseKeyError::Port(_) => "write 0 to 65535, or no port for the service's",
        _ if text.contains("://") => "a destination has no protocol: it is the service's",
        _ => "write for example \"10.0.0.11:8080\", \"[2001:db8::11]:80\" or \"10.0.0.11\"",
    };
    let message = format!("`{}` is not the address of a destination", names::quote(text));
    let label = if text.contains("://") { String::new() } else { names::sentence(&error.to_string()) };
    faults.push(Fault::new(place, message).label(label).help(help));
    None
}

/// Whether it would be the name of a host if its letters were those of ASCII.
fn is_foreign_name(text: &str) -> bool {
    !text.is_ascii() && host_and_port(&text.replace(|letter: char| !letter.is_ascii(), "x")).is_some()
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
