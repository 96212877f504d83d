//! Values of settings. What is wrong is said.

use std::net::IpAddr;

use super::sections::Setting;
use crate::import::Surroundings;
use crate::import::report::Report;
use crate::model::{Family, Forward, Protocol, Tunnel};

/// A number of seconds, or of something else, from 1.
pub(super) fn number(setting: &Setting, report: &mut Report) -> Option<u32> {
    let found = setting.value.parse().ok().filter(|number| *number > 0);
    if found.is_none() {
        let message = format!("`{}` is no number for {}", setting.value, setting.name);
        report.error(&setting.place, message, "write 1 or more; it is left out");
    }
    found
}

/// yes or no.
pub(super) fn switch(setting: &Setting, report: &mut Report) -> Option<bool> {
    match setting.value.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => {
            let message = format!("{} is yes or no, not `{}`", setting.name, setting.value);
            report.error(&setting.place, message, "it is left out");
            None
        }
    }
}

/// What stands in double quotes, or all of it.
pub(super) fn unquoted(text: &str) -> &str {
    match text.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')) {
        Some((inner, _)) => inner,
        None => text,
    }
}

/// The way to forward.
pub(super) fn forward(word: &str) -> Option<Forward> {
    match word {
        "gate" => Some(Forward::Dr),
        "masq" => Some(Forward::Nat),
        "ipip" => Some(Forward::Tunnel(Tunnel::default())),
        _ => None,
    }
}

/// An address, or a host whose address is known.
pub(super) fn host(text: &str, family: Family, surroundings: &mut dyn Surroundings) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(address).filter(|address| Family::of(*address) == family),
        Err(_) if bare.is_empty() => None,
        Err(_) => surroundings.host(bare, Some(family)),
    }
}

/// A port by its number or its name.
pub(super) fn port(text: &str, protocol: Protocol, surroundings: &mut dyn Surroundings) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { surroundings.port(text, protocol) }
}

/// `HOST[:PORT]`, in brackets if it is of IPv6.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}
