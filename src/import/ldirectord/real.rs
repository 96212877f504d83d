//! `real = ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`

use std::net::{IpAddr, Ipv4Addr};

use super::sections::Setting;
use super::values::{forward, host, port, split};
use crate::import::Surroundings;
use crate::import::report::{Place, Report};
use crate::model::{Family, Forward, Protocol};

/// Servers that one line may stand for.
const MOST: u32 = 65_536;

/// A real server.
#[derive(Debug, Clone)]
pub(super) struct Real {
    pub place: Place,
    pub address: IpAddr,
    /// 0 where none is written.
    pub port: u16,
    pub forward: Forward,
    pub weight: u32,
    pub upper: u32,
    pub lower: u32,
    pub request: Option<String>,
    pub receive: Option<String>,
}

/// The servers that a line stands for; what is wrong with it is said.
pub(super) fn read(
    setting: &Setting,
    family: Family,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) -> Vec<Real> {
    match servers(setting, family, surroundings) {
        Ok(list) => list,
        Err(why) => {
            let help =
                "write ADDRESS[:PORT] gate|masq|ipip [WEIGHT] [\"REQUEST\", \"RECEIVE\"] [l:N] [u:N]; it is left out";
            report.error(&setting.place, why, help);
            Vec::new()
        }
    }
}

fn servers(setting: &Setting, family: Family, surroundings: &mut dyn Surroundings) -> Result<Vec<Real>, String> {
    let (endpoint, rest) = setting.value.split_once([' ', '\t']).ok_or("a real server says how it is forwarded")?;
    let (hosts, of_port) = split(endpoint);
    let (first, last) = match hosts.split_once("->") {
        Some((first, last)) => (first, Some(last)),
        None => (hosts, None),
    };
    let mut address = |text: &str| {
        host(text, family, surroundings)
            .ok_or_else(|| format!("`{text}` is no address of the family, and no host that is known"))
    };
    let first = address(first)?;
    let last = last.map(address).transpose()?.unwrap_or(first);
    let port = match of_port {
        Some(text) => port(text, Protocol::Tcp, surroundings).ok_or_else(|| format!("`{text}` is no port"))?,
        None => 0,
    };
    let (way, rest) = rest.trim_start().split_once([' ', '\t']).unwrap_or((rest.trim(), ""));
    let forward = forward(way).ok_or_else(|| format!("`{way}` is none of gate, masq and ipip"))?;
    let mut real = Real {
        place: setting.place.clone(),
        address: first,
        port,
        forward,
        weight: 1,
        upper: 0,
        lower: 0,
        request: None,
        receive: None,
    };
    details(&mut real, rest.trim())?;
    let list = range(first, last)?;
    Ok(list.into_iter().map(|address| Real { address, ..real.clone() }).collect())
}

fn details(real: &mut Real, text: &str) -> Result<(), String> {
    let mut rest = text;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        real.weight = rest[..digits].parse().map_err(|_| "the weight is too large".to_owned())?;
        rest = rest[digits..].trim_start();
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (request, behind) = quoted.split_once('"').ok_or("a quote is not closed")?;
        let behind = behind.trim_start_matches([' ', '\t', ',']);
        let (receive, behind) = behind
            .strip_prefix('"')
            .and_then(|quoted| quoted.split_once('"'))
            .ok_or("a request has what is received behind it, in quotes of its own")?;
        real.request = Some(request.to_owned());
        real.receive = Some(receive.to_owned());
        rest = behind.trim_start();
    }
    for word in rest.split_whitespace() {
        // The manual page has them in brackets and quotes.
        let bare = word.trim_matches(['"', '<', '>']);
        let number = |text: &str| text.parse().map_err(|_| format!("`{word}` is no threshold"));
        match bare.split_once(':') {
            Some(("l", value)) => real.lower = number(value)?,
            Some(("u", value)) => real.upper = number(value)?,
            _ => return Err(format!("`{word}` is not understood")),
        }
    }
    Ok(())
}

fn range(first: IpAddr, last: IpAddr) -> Result<Vec<IpAddr>, String> {
    match (first, last) {
        _ if first == last => Ok(vec![first]),
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (from, to) = (u32::from(first), u32::from(last));
            if from > to {
                return Err(format!("the range ends before it begins: {first} to {last}"));
            }
            if to - from >= MOST {
                return Err(format!("more than {MOST} servers in one line"));
            }
            Ok((from..=to).map(|number| Ipv4Addr::from(number).into()).collect())
        }
        _ => Err("ldirectord has no ranges of IPv6".to_owned()),
    }
}
