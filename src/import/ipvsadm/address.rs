//! `host[:port]`, as ipvsadm reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::shell::Word;
use crate::import::Surroundings;
use crate::import::report::Report;
use crate::model::{Family, Netmask, Protocol};

/// An address and the port behind it, if there is one. What is wrong is said.
pub(super) fn endpoint(
    word: &Word,
    protocol: Protocol,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) -> Option<(IpAddr, Option<u16>)> {
    let text = word.text.as_str();
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some((address.into(), None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) if port.starts_with(':') => (host, port.strip_prefix(':')),
            _ => {
                let help = "write [ADDRESS]:PORT";
                report.error(&word.place, format!("`{text}` is not an address in brackets"), help);
                return None;
            }
        },
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let address = host.parse::<IpAddr>().ok().or_else(|| {
        let name = !host.is_empty() && !host.bytes().all(|byte| byte.is_ascii_digit());
        name.then(|| surroundings.host(host, None))?
    });
    let Some(address) = address else {
        let help = "write the address itself: ipvsd looks no names up";
        report.error(&word.place, format!("`{host}` is not an address, and no host of that name is known here"), help);
        return None;
    };
    let port = match port {
        None => None,
        Some(port) => Some(self::port(word, port, protocol, report, surroundings)?),
    };
    Some((address, port))
}

fn port(
    word: &Word,
    port: &str,
    protocol: Protocol,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) -> Option<u16> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let found = if digits { port.parse().ok() } else { surroundings.port(port, protocol) };
    if found.is_none() {
        let message = format!("`{port}` is not a port, and no service of that name is known here");
        report.error(&word.place, message, "write its number, 0 to 65535");
    }
    found
}

/// A mask of IPv4, or the length of a prefix of IPv6.
pub(super) fn netmask(word: &Word, family: Family, report: &mut Report) -> Option<Netmask> {
    let mask = match family {
        Family::V4 => word.text.parse::<Ipv4Addr>().ok().map(Netmask::from_v4),
        Family::V6 => word.text.parse::<u32>().ok().filter(|bits| (1..=128).contains(bits)).map(Netmask::Prefix),
    };
    if mask.is_none() {
        let help = "a mask of IPv4 is as 255.255.255.0, one of IPv6 the length of a prefix, 1 to 128";
        report.error(&word.place, format!("`{}` is not a netmask of such a service", word.text), help);
    }
    mask
}
