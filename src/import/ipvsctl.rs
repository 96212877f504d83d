//! ipvsctl: its model in YAML, with defaults. Read in its documentation and source (0.3).

use super::document::{Item as Value, with_tree};
use super::report::{Place, Report};
use super::services::{self, Item};
use super::{Surroundings, names};
use crate::config::Draft;
use crate::model::{
    DestinationKey, Family, Forward, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Tunnel,
};

/// What stands for what is not written.
#[derive(Default)]
struct Defaults {
    port: Option<u16>,
    weight: Option<u32>,
    scheduler: Option<String>,
    forward: Option<Forward>,
}

pub(super) fn read(report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
    let mut items = Vec::new();
    with_tree(0, report, |root, report| {
        let entries = root.table("the model", report);
        let mut defaults = Defaults::default();
        for (key, place, value) in &entries {
            match *key {
                "defaults" => defaults.read(*value, report),
                "services" => {}
                other => unknown(other, "of the model", place, report),
            }
        }
        for (_, _, value) in entries.iter().filter(|(key, ..)| *key == "services") {
            for service in value.list("services", report) {
                items.extend(read_service(service, &defaults, report, surroundings));
            }
        }
    });
    let mut draft = Draft::default();
    services::put(items, &mut draft, report);
    draft
}

fn unknown(key: &str, wherever: &str, place: &Place, report: &mut Report) {
    report.error(place, format!("unknown key `{key}` {wherever}"), "ipvsctl passes over it; it is left out");
}

impl Defaults {
    fn read(&mut self, value: Value<'_>, report: &mut Report) {
        for (key, place, value) in value.table("defaults", report) {
            match key {
                "port" => self.port = number(value, "a port", report),
                "weight" => self.weight = number(value, "a weight", report),
                "sched" => self.scheduler = value.text("a scheduler", report),
                "forward" => self.forward = forward(value, report),
                other => unknown(other, "of defaults", &place, report),
            }
        }
    }
}

fn number<N: TryFrom<i128>>(value: Value<'_>, what: &str, report: &mut Report) -> Option<N> {
    let number = value.number(what, report)?;
    let found = N::try_from(number).ok();
    if found.is_none() {
        report.error(&value.place(), format!("{number} is not {what}"), "it is left out");
    }
    found
}

fn forward(value: Value<'_>, report: &mut Report) -> Option<Forward> {
    let word = value.text("a way to forward", report)?;
    match word.as_str() {
        "nat" => Some(Forward::Nat),
        "direct" => Some(Forward::Dr),
        "tunnel" => Some(Forward::Tunnel(Tunnel::default())),
        _ => {
            let message = format!("`{word}` is no way to forward");
            report.error(&value.place(), message, "ipvsctl refuses it, too: write nat, direct or tunnel");
            None
        }
    }
}

fn read_service(
    value: Value<'_>,
    defaults: &Defaults,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) -> Option<Item> {
    let mut address = None;
    let mut scheduler = None;
    let mut destinations = Vec::new();
    for (key, place, value) in value.table("a service", report) {
        match key {
            "address" => address = Some((value.text("an address", report)?, value.place())),
            "sched" => scheduler = value.text("a scheduler", report),
            "destinations" => destinations = value.list("destinations", report),
            other => unknown(other, "of a service", &place, report),
        }
    }
    let Some((written, place)) = address else {
        report.error(&value.place(), "a service has no address", "write PROTOCOL://ADDRESS:PORT; it is left out");
        return None;
    };
    let text = parameters(&written, &place, report, surroundings)?;
    let Some(key) = service_key(&text, defaults.port) else {
        let message = format!("`{text}` is no address of a service");
        report.error(&place, message, "write tcp, udp or sctp://ADDRESS:PORT, or fwmark:N; it is left out");
        return None;
    };
    let name = scheduler.filter(|name| !name.is_empty()).or_else(|| defaults.scheduler.clone());
    let scheduler = Scheduler::new(name.as_deref().unwrap_or("rr"));
    let settings = ServiceSettings { scheduler, flags: ServiceFlags::default(), persistence: None };
    let mut item = Item::new(place, vec![key], settings);
    item.name = Some(names::of_key(&key));
    for destination in destinations {
        read_destination(destination, &key, defaults, &mut item, report, surroundings);
    }
    Some(item)
}

fn service_key(text: &str, default_port: Option<u16>) -> Option<ServiceKey> {
    if let Some(mark) = text.strip_prefix("fwmark:") {
        return mark.parse().ok().filter(|mark| *mark > 0).map(|mark| ServiceKey::Mark { family: Family::V4, mark });
    }
    let (protocol, rest) = text.trim_end_matches(['/', ' ']).split_once("://")?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    let DestinationKey { address, port } = DestinationKey::parse(rest, default_port.unwrap_or(0)).ok()?;
    let port = if port == 0 { default_port.unwrap_or(0) } else { port };
    Some(ServiceKey::Address { protocol, address, port })
}

fn read_destination(
    value: Value<'_>,
    service: &ServiceKey,
    defaults: &Defaults,
    item: &mut Item,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) {
    let (mut address, mut weight, mut way) = (None, None, None);
    for (key, place, value) in value.table("a destination", report) {
        match key {
            "address" => address = value.text("an address", report).map(|text| (text, value.place())),
            "weight" => weight = number::<u32>(value, "a weight", report),
            "forward" => {
                way = forward(value, report);
                if way.is_none() {
                    return;
                }
            }
            other => unknown(other, "of a destination", &place, report),
        }
    }
    let Some((written, place)) = address else {
        report.error(&value.place(), "a destination has no address", "write ADDRESS[:PORT]; it is left out");
        return;
    };
    let Some(text) = parameters(&written, &place, report, surroundings) else { return };
    let usual = defaults.port.or(service.port()).unwrap_or(0);
    let Ok(key) = DestinationKey::parse(&text, usual) else {
        report.error(
            &place,
            format!("`{text}` is no address of a destination"),
            "write ADDRESS[:PORT]; it is left out",
        );
        return;
    };
    // 0 is "not written" to ipvsctl.
    let weight = weight.filter(|weight| *weight != 0).or(defaults.weight).unwrap_or(0);
    let forward = way.or(defaults.forward).unwrap_or(Forward::Dr);
    let mut destination = services::destination(key.address, Some(key.port), forward, weight);
    if weight == 0 {
        let message = "no weight is written, so it is 0: the destination gets no new connections";
        let help = "write the weight that it should have; ipvsctl says nothing of that";
        destination.comments.push(report.warn(&place, message, help));
    }
    item.destinations.push((place, destination));
}

/// The text with `${env.NAME}` replaced; other parameters cannot be known here.
fn parameters(text: &str, place: &Place, report: &mut Report, surroundings: &mut dyn Surroundings) -> Option<String> {
    let mut text = text.to_owned();
    // Parameters may be in parameters: the innermost goes first.
    for _ in 0..100 {
        let Some(start) = text.rfind("${") else { return Some(text) };
        let Some(end) = text[start..].find('}').map(|end| start + end) else { return Some(text) };
        let name = text[start + 2..end].to_owned();
        let value = surroundings.variable(name.strip_prefix("env.").unwrap_or(&name));
        let Some(value) = value else {
            let message = format!("the parameter {name} is not known here");
            let help = "set it in the environment for the import, by its name without env.; it is left out";
            report.error(place, message, help);
            return None;
        };
        text.replace_range(start..=end, &value);
    }
    report.error(place, "parameters name each other without end", "write the value itself; it is left out");
    None
}
