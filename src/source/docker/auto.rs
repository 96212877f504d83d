//! Services that come about by themselves, as GORB's link had them: one for an image, a port and a protocol, with an entry for each
//! container that publishes the port. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::facts::{Container, Port};
use super::gather::{Contributed, Destinations, Finding, Gathered, Ground, View};
use super::labels::opts_out;
use crate::model::{Auto, DestinationKey, DestinationSettings, Family, Protocol, Reach, ServiceKey};

/// The longest name of a service.
const NAME_MAX: usize = 64;

pub(super) fn gather(view: &View<'_>, ground: &Ground, gathered: &mut Gathered) {
    let Some(auto) = &view.docker.auto else { return };
    let taken: BTreeSet<&str> = ground.names.values().map(String::as_str).collect();
    for container in view.seen.containers.iter().filter(|container| !opts_out(&container.labels)) {
        for port in &container.ports {
            // What is published on loopback only is not meant for others.
            let is_open = |ip: Option<IpAddr>| ip.is_none_or(|ip| !ip.is_loopback());
            let Some((_, public)) = port.public.filter(|(ip, _)| is_open(*ip)) else { continue };
            for address in &auto.addresses {
                entry(view, (auto, ground, &taken), gathered, container, (port, public, *address));
            }
        }
    }
}

fn entry(
    view: &View<'_>,
    (auto, ground, taken): (&Auto, &Ground, &BTreeSet<&str>),
    gathered: &mut Gathered,
    container: &Container,
    (port, public, address): (&Port, u16, IpAddr),
) {
    let family = Family::of(address);
    if !port.serves(family) {
        return;
    }
    let protocol = port.protocol();
    let service = ServiceKey::Address { protocol, address, port: port.private };
    let name = name(&container.image, port.private, protocol, (auto, family));
    let mut find = |message: String| {
        gathered.findings.insert(Finding { container: container.name.clone(), message });
    };
    if let Some(written) = ground.names.get(&service) {
        find(format!("{service} would be its service, and is `{written}` as it is written: that one counts"));
        return;
    }
    if let Some((other, _)) = gathered.auto.get(&service).filter(|(other, _)| *other != name) {
        find(format!("{service} would be its service `{name}`, and is `{other}` already; it is left out"));
        return;
    }
    if taken.contains(name.as_str()) {
        find(format!("its service would be called `{name}`, as one is that is written; it is left out"));
        return;
    }
    let key = match reach(view, auto, container, (port, public, family)) {
        Ok((key, remark)) => {
            remark.into_iter().for_each(&mut find);
            key
        }
        Err(message) => return find(format!("{message}; it is left out of `{name}`")),
    };
    let selector = &auto.selector;
    let is_udp = protocol == Protocol::Udp;
    let contributed = Contributed {
        settings: DestinationSettings {
            forward: selector.forward,
            weight: selector.weight,
            max_connections: 0,
            min_connections: 0,
        },
        name: format!("{}-{public}-{protocol}", plain(&container.name)),
        id: container.id.clone(),
        checks: selector.checks.clone().filter(|checks| !checks.is_empty() && !is_udp),
        quiesced: view.quiesced(container, selector.healthcheck),
    };
    let (_, destinations) = gathered.auto.entry(service).or_insert_with(|| (name.clone(), Destinations::new()));
    if let Some(message) = view.place(destinations, (key, contributed), container, &name) {
        gathered.findings.insert(Finding { container: container.name.clone(), message });
    }
}

fn reach(
    view: &View<'_>,
    auto: &Auto,
    container: &Container,
    (port, public, family): (&Port, u16, Family),
) -> Result<(DestinationKey, Option<String>), String> {
    match auto.selector.reach {
        Reach::Container => {
            let (address, remark) = view.own(family, auto.selector.network.as_deref(), container)?;
            Ok((DestinationKey { address, port: port.private }, remark))
        }
        Reach::Published => {
            let of_port = port.public.and_then(|(ip, _)| ip);
            let address = of_port.or_else(|| view.host(family));
            let address = address.ok_or("it is published on all addresses of its host: set docker.host to one")?;
            Ok((DestinationKey { address, port: public }, None))
        }
    }
}

/// As GORB's link called it. Where services of both families come about, those of IPv6 have a name of their own.
fn name(image: &str, port: u16, protocol: Protocol, (auto, family): (&Auto, Family)) -> String {
    let both = auto.addresses.iter().any(|address| Family::of(*address) != family);
    let family = if both && family == Family::V6 { "-v6" } else { "" };
    let end = format!("-{port}-{protocol}{family}");
    let image = plain(image);
    let begins = |c: char| c.is_ascii_alphanumeric();
    let image = image.trim_start_matches(|c| !begins(c));
    let image = if image.is_empty() { "container" } else { image };
    let room = NAME_MAX.saturating_sub(end.len());
    if image.len() <= room {
        return format!("{image}{end}");
    }
    // FNV-1a: the same for ever, and two long names stay apart.
    let hash = image.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let head: String = image.chars().take(room.saturating_sub(9)).collect();
    format!("{head}-{hash:08x}{end}")
}

/// With nothing in it that a name cannot have.
fn plain(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain: String = text.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    plain.trim_matches('-').to_owned()
}
