//! What the labels of a container say, and what is wrong with them. Pure.

use std::collections::BTreeMap;

use crate::model::{Docker, Forward, SERVICE_LABEL, Selector, SharedChecks, Via};

/// Labels with this before them are ipvsd's.
const OURS: &str = "ipvsd.";
/// All of them.
const KNOWN: [&str; 7] =
    [SERVICE_LABEL, "ipvsd.port", "ipvsd.weight", "ipvsd.forward", "ipvsd.check", "ipvsd.network", "ipvsd.auto"];
/// The largest weight; the same as in files.
const WEIGHT_MAX: u32 = 65_535;
/// How much of somebody's text a sentence repeats, in characters.
const MOST_QUOTED: usize = 60;

/// What a container wants to be as a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    pub port: Option<u16>,
    pub weight: u32,
    pub forward: Forward,
    pub network: Option<String>,
    pub checks: Option<SharedChecks>,
}

/// What its labels say, over what the service says; or what is wrong with them, one sentence each.
pub fn wishes(labels: &BTreeMap<String, String>, selector: &Selector, docker: &Docker) -> Result<Wishes, Vec<String>> {
    let mut wrong = Vec::new();
    let said = |key: &str| labels.get(key).map(|value| value.trim());
    let port = said("ipvsd.port").and_then(|text| match text.parse::<u16>() {
        Ok(port) if port > 0 => Some(port),
        _ => {
            wrong.push(format!("its label ipvsd.port says `{}`: a port is 1 to 65535", quoted(text)));
            None
        }
    });
    let weight = said("ipvsd.weight").and_then(|text| match text.parse::<u32>() {
        Ok(weight) if weight <= WEIGHT_MAX => Some(weight),
        _ => {
            wrong.push(format!("its label ipvsd.weight says `{}`: a weight is 0 to {WEIGHT_MAX}", quoted(text)));
            None
        }
    });
    let forward = said("ipvsd.forward").and_then(|text| match text {
        "nat" => Some(Forward::Nat),
        "dr" => Some(Forward::Dr),
        "tunnel" => Some(Forward::Tunnel(selector.tunnel)),
        _ => {
            wrong.push(format!("its label ipvsd.forward says `{}`: there are nat, dr and tunnel", quoted(text)));
            None
        }
    });
    let checks = said("ipvsd.check").and_then(|text| {
        let found = docker.checks.get(text).cloned();
        if found.is_none() {
            let known: Vec<&str> = docker.checks.keys().map(String::as_str).collect();
            let near = match nearest(text, known.iter().copied()) {
                Some(near) => format!("; there is `{near}`"),
                None if known.len() <= 10 => format!("; there are {}", known.join(", ")),
                None => String::new(),
            };
            wrong.push(format!("its label ipvsd.check says `{}`, and there is no such check{near}", quoted(text)));
        }
        found
    });
    let forward = forward.unwrap_or(selector.forward);
    let checks = checks.or_else(|| selector.checks.clone());
    if let Some(named) = checks.iter().flat_map(|checks| &checks.list).find(|named| named.check.via == Via::Vip)
        && !matches!(forward, Forward::Dr | Forward::Tunnel(_))
    {
        wrong.push(format!("its check `{}` goes via the vip, which takes dr or tunnel", named.name));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let network = said("ipvsd.network").filter(|network| !network.is_empty()).map(str::to_owned);
    Ok(Wishes {
        port: port.or(selector.port),
        weight: weight.unwrap_or(selector.weight),
        forward,
        network: network.or_else(|| selector.network.clone()),
        checks,
    })
}

/// Whether it has the label that a service goes by.
pub fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let Selector { label, value, .. } = selector;
    match (labels.get(label), value) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(said), Some(wanted)) => said == wanted || named(said).any(|name| name == wanted),
    }
}

/// The names in a list with commas.
pub fn named(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// A label of ours that there is not, and the one that was meant.
pub fn unknown(labels: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let ours = labels.keys().filter(|key| key.starts_with(OURS) && !KNOWN.contains(&key.as_str()));
    ours.map(|key| {
        let near = nearest(key, KNOWN).map(|near| format!("; there is {near}")).unwrap_or_default();
        format!("its label {} means nothing{near}", quoted(key))
    })
}

/// Whether it does not want a service that comes about by itself.
pub fn opts_out(labels: &BTreeMap<String, String>) -> bool {
    labels.contains_key(SERVICE_LABEL)
        || labels.get("ipvsd.auto").is_some_and(|value| matches!(value.trim(), "false" | "no" | "0" | "off"))
}

/// Somebody's text in a sentence: short, and on one line.
pub fn quoted(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut short: String = plain.take(MOST_QUOTED).collect();
    if text.chars().nth(MOST_QUOTED).is_some() {
        short.push('…');
    }
    short
}

/// What was probably meant.
pub fn nearest<'c>(text: &str, known: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if text.len() > MOST_QUOTED {
        return None;
    }
    let limit = (text.chars().count() / 3).max(1);
    let far = |known: &str| strsim::damerau_levenshtein(text, known);
    known.into_iter().map(|known| (far(known), known)).filter(|(far, _)| *far <= limit).min().map(|(_, known)| known)
}
