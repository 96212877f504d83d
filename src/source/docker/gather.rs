//! From containers to destinations: a pure function of what was seen and of what the configuration asks for.
//!
//! Whatever is wrong with one container is a finding, and nothing else goes by it. Containers are taken in the order in which
//! they were made: of two that want the same the older one has it, every time, and one that comes takes nothing away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::facts::{Container, Health, Snapshot};
use super::labels::{self, Wishes, named, quoted, selects, wishes};
use crate::model::{
    DestinationKey, DestinationSettings, Docker, Family, Forward, Protocol, Quiesced, Reach, SERVICE_LABEL, Selector,
    ServiceKey, SharedChecks,
};

/// A service that is written, and asks for containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub name: String,
    pub selector: Arc<Selector>,
    /// The destinations that are written; they have their addresses first.
    pub written: BTreeSet<DestinationKey>,
}

/// What containers are put beside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// Services that ask for containers.
    pub bases: BTreeMap<ServiceKey, Base>,
    /// All services that are written, and their names.
    pub names: BTreeMap<ServiceKey, String>,
}

/// A container as a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    pub settings: DestinationSettings,
    /// What reports call it.
    pub name: String,
    /// The container's ID.
    pub id: String,
    pub checks: Option<SharedChecks>,
    pub quiesced: Option<Quiesced>,
}

/// The destinations of each service.
pub type Destinations = BTreeMap<DestinationKey, Contributed>;

/// What is wrong with a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub container: String,
    /// A sentence, without a full stop.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "container {}: {}", quoted(&self.container), self.message)
    }
}

/// All that follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Of every service that asks for containers.
    pub services: BTreeMap<ServiceKey, Destinations>,
    /// Services that come about by themselves, with their names.
    pub auto: BTreeMap<ServiceKey, (String, Destinations)>,
    pub findings: BTreeSet<Finding>,
}

/// See the module.
pub fn gather(docker: &Docker, ground: &Ground, seen: &Snapshot) -> Gathered {
    let mut gathered = Gathered::default();
    let view = View { docker, seen };
    for (key, base) in &ground.bases {
        let mut destinations = Destinations::new();
        for container in seen.containers.iter().filter(|container| selects(&base.selector, &container.labels)) {
            let mut find = |message: String| {
                gathered.findings.insert(Finding { container: container.name.clone(), message });
            };
            let Some((destination, contributed)) = view.destination(key, base, container, &mut find) else { continue };
            if base.written.contains(&destination) {
                find(format!("{destination} is a destination of `{}` as it is written: that one counts", base.name));
                continue;
            }
            if let Some(message) = view.place(&mut destinations, (destination, contributed), container, &base.name) {
                find(message);
            }
        }
        gathered.services.insert(*key, destinations);
    }
    for container in &seen.containers {
        let mut find = |message: String| {
            gathered.findings.insert(Finding { container: container.name.clone(), message });
        };
        labels::unknown(&container.labels).for_each(&mut find);
        for name in container.labels.get(SERVICE_LABEL).into_iter().flat_map(|list| named(list)) {
            if let Some(message) = nobody(name, ground) {
                find(message);
            }
        }
    }
    if docker.auto.is_some() {
        super::auto::gather(&view, ground, &mut gathered);
    }
    gathered
}

/// Why the name in a label leads nowhere.
fn nobody(name: &str, ground: &Ground) -> Option<String> {
    let asks = |base: &Base| {
        base.selector.label == SERVICE_LABEL && base.selector.value.as_deref().is_none_or(|value| value == name)
    };
    if ground.bases.values().any(asks) {
        return None;
    }
    let said = format!("its label {SERVICE_LABEL} says `{}`", quoted(name));
    if ground.names.values().any(|known| known == name) {
        return Some(format!("{said}, a service that asks for no such containers: add `docker = {{}}` to it"));
    }
    let near = labels::nearest(name, ground.names.values().map(String::as_str));
    let near = near.map(|near| format!("; there is `{near}`")).unwrap_or_default();
    Some(format!("{said}, and there is no such service{near}"))
}

/// What containers are looked at with.
pub(super) struct View<'a> {
    pub(super) docker: &'a Docker,
    pub(super) seen: &'a Snapshot,
}

impl View<'_> {
    fn destination(
        &self,
        service: &ServiceKey,
        base: &Base,
        container: &Container,
        find: &mut dyn FnMut(String),
    ) -> Option<(DestinationKey, Contributed)> {
        let wishes = match wishes(&container.labels, &base.selector, self.docker) {
            Ok(wishes) => wishes,
            Err(wrong) => {
                wrong.into_iter().for_each(|message| find(format!("{message}; it is left out")));
                return None;
            }
        };
        let key = match self.reach(service, &base.selector, &wishes, container) {
            Ok((key, remark)) => {
                if let Some(remark) = remark {
                    find(remark);
                }
                key
            }
            Err(message) => {
                // One that has died loses its networks before it is gone.
                if self.quiesced(container, false).is_none() {
                    find(format!("{message}; it is left out of `{}`", base.name));
                }
                return None;
            }
        };
        let Wishes { weight, forward, checks, .. } = wishes;
        if let (Forward::Dr | Forward::Tunnel(_), Some(port)) = (forward, service.port())
            && port != key.port
        {
            let name = forward.name();
            find(format!(
                "{name} leaves the port alone, and {} is not that of `{}`, {port}; it is left out",
                key.port, base.name
            ));
            return None;
        }
        let contributed = Contributed {
            settings: DestinationSettings { forward, weight, max_connections: 0, min_connections: 0 },
            name: container.name.clone(),
            id: container.id.clone(),
            checks: checks.filter(|checks| !checks.is_empty()),
            quiesced: self.quiesced(container, base.selector.healthcheck),
        };
        Some((key, contributed))
    }

    /// Where it is reached, and what to say of that.
    fn reach(
        &self,
        service: &ServiceKey,
        selector: &Selector,
        wishes: &Wishes,
        container: &Container,
    ) -> Result<(DestinationKey, Option<String>), String> {
        // A firewall mark has no port to give: 0 keeps the packet's.
        let port = wishes.port.or(service.port()).unwrap_or(0);
        let family = service.family();
        if container.on_host {
            let address = self.host(family).ok_or_else(|| {
                format!(
                    "it has the network of its host, of which no {} address is known: set docker.host",
                    word(family)
                )
            })?;
            return Ok((DestinationKey { address, port }, None));
        }
        match selector.reach {
            Reach::Published => self.published(service, port, container).map(|key| (key, None)),
            Reach::Container => {
                let (address, remark) = self.own(family, wishes.network.as_deref(), container)?;
                Ok((DestinationKey { address, port }, remark))
            }
        }
    }

    /// Its own address of a family, on that network or on the only one.
    pub(super) fn own(
        &self,
        family: Family,
        network: Option<&str>,
        container: &Container,
    ) -> Result<(IpAddr, Option<String>), String> {
        let networks = &self.host_of(container).networks;
        let word = word(family);
        if let Some(name) = network {
            let addresses = networks.get(name).ok_or_else(|| format!("it is not on the network `{}`", quoted(name)))?;
            let address = addresses.of(family).filter(usable);
            return address
                .map(|address| (address, None))
                .ok_or_else(|| format!("it has no {word} address on the network `{}`", quoted(name)));
        }
        let with = networks.iter().filter_map(|(name, of)| Some((name, of.of(family).filter(usable)?)));
        let with: Vec<(&String, IpAddr)> = with.collect();
        match with[..] {
            [] => Err(format!("it has no {word} address")),
            [(_, address)] => Ok((address, None)),
            [(name, address), ..] => {
                let names: Vec<&str> = with.iter().map(|(name, _)| name.as_str()).collect();
                let remark = format!(
                    "it is on the networks {}; its address on {name} is taken: say with `network` or the label \
                     ipvsd.network which one",
                    names.join(", ")
                );
                Ok((address, Some(remark)))
            }
        }
    }

    /// Whose network it has: its own, or another container's.
    fn host_of<'c>(&'c self, container: &'c Container) -> &'c Container {
        let shared = container.shares.as_ref();
        let shared = shared.and_then(|id| self.seen.containers.iter().find(|other| other.id == *id));
        shared.unwrap_or(container)
    }

    /// Where its host has a port of it.
    fn published(&self, service: &ServiceKey, port: u16, container: &Container) -> Result<DestinationKey, String> {
        let (family, protocol) = (service.family(), protocol_of(service));
        let mut fitting = self
            .host_of(container)
            .ports
            .iter()
            .filter(|of| of.private == port && protocol.is_none_or(|protocol| of.protocol() == protocol))
            .filter(|of| of.serves(family))
            .filter_map(|of| of.public);
        let is_open = |(ip, _): &(Option<IpAddr>, u16)| ip.is_none_or(|ip| !ip.is_loopback());
        let Some((ip, public)) = fitting.clone().find(is_open) else {
            return Err(match fitting.next() {
                Some(_) => format!("its port {port} is published on loopback only"),
                None => format!("its port {port} is not published"),
            });
        };
        let address = ip.or_else(|| self.host(family)).ok_or_else(|| {
            format!(
                "its port {port} is published on all addresses of its host: set docker.host to one ({})",
                word(family)
            )
        })?;
        Ok(DestinationKey { address, port: public })
    }

    pub(super) fn host(&self, family: Family) -> Option<IpAddr> {
        self.docker.hosts.iter().copied().find(|ip| Family::of(*ip) == family)
    }

    pub(super) fn quiesced(&self, container: &Container, healthcheck: bool) -> Option<Quiesced> {
        if container.ending || self.seen.stopping.contains(&container.id) {
            return Some(Quiesced::Stopping);
        }
        if container.paused {
            return Some(Quiesced::Paused);
        }
        match container.health {
            Health::Unhealthy if healthcheck => Some(Quiesced::Unhealthy),
            Health::Starting if healthcheck => Some(Quiesced::Starting),
            _ => None,
        }
    }

    /// Puts it among the others, unless one has its address; says so then.
    pub(super) fn place(
        &self,
        destinations: &mut Destinations,
        (key, contributed): (DestinationKey, Contributed),
        container: &Container,
        service: &str,
    ) -> Option<String> {
        let Some(first) = destinations.get(&key) else {
            destinations.insert(key, contributed);
            return None;
        };
        if first.id == container.id {
            // It may be seen twice.
            return None;
        }
        let of_first = self.seen.containers.iter().find(|other| other.id == first.id);
        if of_first.is_some_and(|other| other.swarm.is_some() && other.swarm == container.swarm) {
            // A swarm has one port on a node for all of a service's tasks: one that takes new connections is enough.
            if first.quiesced.is_some() && contributed.quiesced.is_none() {
                destinations.insert(key, contributed);
            }
            return None;
        }
        Some(format!("{key} of `{service}` is the container {} already; it is left out", quoted(&first.name)))
    }
}

/// The kernel takes no others: `ip_vs_new_dest`.
fn usable(address: &IpAddr) -> bool {
    let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_unspecified() && !address.is_multicast() && !is_link_local
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

fn protocol_of(service: &ServiceKey) -> Option<Protocol> {
    match service {
        ServiceKey::Address { protocol, .. } => Some(*protocol),
        ServiceKey::Mark { .. } => None,
    }
}
