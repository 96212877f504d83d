//! `virtual_server_group`: addresses with ports, ranges of them, prefixes, and firewall marks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::tree::Node;
use crate::import::report::{Place, Report};
use crate::model::Family;

/// Addresses that one line may stand for.
const MOST: u128 = 65_536;

/// What a group consists of.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub members: Vec<Member>,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub place: Place,
    pub at: At,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    /// Port 0 is every port.
    Address(IpAddr, u16),
    /// Without a family it is as the servers are.
    Mark(u32, Option<Family>),
}

/// The members of a group; what is wrong with a line is said.
pub(super) fn read(node: &Node, report: &mut Report) -> Group {
    let mut group = Group::default();
    for line in node.children() {
        let place = &line.statement.place;
        let found = if line.keyword() == "fwmark" { mark(line).map(|at| vec![at]) } else { addresses(line) };
        match found {
            Ok(list) => group.members.extend(list.into_iter().map(|at| Member { place: place.clone(), at })),
            Err(why) => {
                let help =
                    "write ADDRESS [PORT], FIRST-LAST [PORT], ADDRESS/LENGTH [PORT] or fwmark N; the line is left out";
                report.error(place, why, help);
            }
        }
    }
    if group.members.is_empty() {
        report.error(&node.statement.place, "the group has no members", "keepalived leaves it out, too");
    }
    group
}

fn mark(line: &Node) -> Result<At, String> {
    let mark = line.word(1).and_then(|word| word.parse().ok()).ok_or("this is no firewall mark")?;
    let family = match line.word(2) {
        None => None,
        Some("inet") => Some(Family::V4),
        Some("inet6") => Some(Family::V6),
        Some(other) => return Err(format!("unknown family `{other}`")),
    };
    Ok(At::Mark(mark, family))
}

fn addresses(line: &Node) -> Result<Vec<At>, String> {
    let text = line.keyword();
    let ports = ports(line.word(1))?;
    let (first, last) = if let Some((first, length)) = text.split_once('/') {
        prefix(address(first)?, length)?
    } else if let Some((first, last)) = text.split_once('-') {
        let first = address(first)?;
        (first, end(first, last)?)
    } else {
        let address = address(text)?;
        (address, address)
    };
    let (from, to) = (number(first), number(last));
    if from > to {
        return Err(format!("the range ends before it begins: {first} to {last}"));
    }
    let count = (to - from).saturating_add(1).saturating_mul(ports.clone().count() as u128);
    if count > MOST {
        return Err(format!("more than {MOST} addresses in one line"));
    }
    let all = (from..=to).flat_map(|number| ports.clone().map(move |port| At::Address(of_number(first, number), port)));
    Ok(all.collect())
}

/// No port, or 0, is every port.
fn ports(word: Option<&str>) -> Result<std::ops::RangeInclusive<u16>, String> {
    let Some(word) = word else { return Ok(0..=0) };
    let port = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is not a port"));
    match word.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (port(first)?, port(last)?);
            if first > last {
                Err(format!("the range of ports {word} ends before it begins"))
            } else {
                Ok(first..=last)
            }
        }
        None => port(word).map(|port| port..=port),
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address"))
}

/// The end of a range: an address, or its last part: decimal for IPv4, hexadecimal for IPv6.
fn end(first: IpAddr, text: &str) -> Result<IpAddr, String> {
    if let Ok(last) = text.parse::<IpAddr>() {
        return if last.is_ipv4() == first.is_ipv4() { Ok(last) } else { Err("the range has two families".to_owned()) };
    }
    let wrong = || format!("`{text}` cannot end a range that begins with {first}");
    match first {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let last = text.parse::<u8>().map_err(|_| wrong())?;
            Ok(Ipv4Addr::new(a, b, c, last).into())
        }
        IpAddr::V6(v6) => {
            let mut parts = v6.segments();
            parts[7] = u16::from_str_radix(text, 16).map_err(|_| wrong())?;
            Ok(Ipv6Addr::from(parts).into())
        }
    }
}

fn prefix(first: IpAddr, length: &str) -> Result<(IpAddr, IpAddr), String> {
    let bits = Family::of(first).bits();
    let length = length.parse::<u32>().ok().filter(|length| (1..=bits).contains(length));
    let length = length.ok_or_else(|| format!("a prefix of {first} is 1 to {bits} bits long"))?;
    let host = if length == bits { 0 } else { u128::MAX >> (128 - (bits - length)) };
    let number = number(first);
    if number & host != 0 {
        return Err(format!("{first} is not the first address of its prefix"));
    }
    Ok((first, of_number(first, number | host)))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// An address of the same family as another.
fn of_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    }
}
