//! Facts and configuration side by side, and the questions that findings ask of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::{Facts, Table};
use super::finding::Mend;
use crate::host::rtnl::{AddressInfo, LinkInfo, Route, RouteKind};
use crate::model::{
    Desired, DestinationKey, DestinationSettings, Family, Forward, Policy, ServiceKey, ServiceSettings,
};

/// Values of arp_ignore with which an interface answers for its own addresses only, or for none (ip-sysctl.rst).
const ONLY_OWN: [i64; 3] = [1, 2, 8];

/// For when the findings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// For now, whatever the configuration says of the host.
    Now,
    /// For when the configuration is in force: what it takes care of itself is no finding.
    OnceInForce,
}

/// A destination of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub service: &'a ServiceKey,
    pub destination: &'a DestinationKey,
    pub settings: &'a DestinationSettings,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub facts: &'a Facts,
    pub desired: &'a Desired,
    pub stage: Stage,
}

impl<'a> Scene<'a> {
    /// All services.
    pub(super) fn services(&self) -> impl Iterator<Item = (&'a ServiceKey, &'a ServiceSettings)> {
        self.desired.table.services.iter().map(|(key, service)| (key, &service.settings))
    }

    /// All destinations.
    pub(super) fn targets(&self) -> impl Iterator<Item = Target<'a>> {
        self.desired.table.services.iter().flat_map(|(service, entry)| {
            entry.destinations.iter().map(move |(destination, settings)| Target { service, destination, settings })
        })
    }

    /// Destinations by nat that are other hosts.
    pub(super) fn nat_targets(&self) -> impl Iterator<Item = Target<'a>> {
        let scene = *self;
        let is_nat = move |target: &Target<'_>| {
            target.settings.forward == Forward::Nat && !scene.is_local(target.destination.address)
        };
        self.targets().filter(is_nat)
    }

    pub(super) fn policy(&self, service: &ServiceKey) -> Option<&'a Policy> {
        self.desired.policies.get(service)
    }

    /// The name of a service in the configuration, or its address.
    pub(super) fn name(&self, service: &ServiceKey) -> String {
        self.desired.origins.get(service).map_or_else(|| service.to_string(), |origin| origin.name.clone())
    }

    /// The addresses of services, each with the services that have it.
    pub(super) fn vips(&self) -> BTreeMap<IpAddr, Vec<&'a ServiceKey>> {
        let mut vips: BTreeMap<IpAddr, Vec<&ServiceKey>> = BTreeMap::new();
        for (key, _) in self.services() {
            if let Some(address) = vip(key) {
                vips.entry(address).or_default().push(key);
            }
        }
        vips
    }

    pub(super) fn route(&self, to: IpAddr) -> Option<&'a Route> {
        self.facts.routes.get(&to)?.as_ref()
    }

    /// Whether packets to that address are for this host.
    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        self.route(address).is_some_and(|route| route.kind == RouteKind::Local)
    }

    /// Whether it is, or will be since `[host]` puts it on an interface.
    pub(super) fn will_be_local(&self, vip: IpAddr) -> bool {
        self.is_local(vip) || (self.stage == Stage::OnceInForce && self.desired.host.addresses.is_some())
    }

    /// The interface by which packets to another host leave.
    pub(super) fn device(&self, to: IpAddr) -> Option<&'a LinkInfo> {
        let route = self.route(to).filter(|route| route.kind == RouteKind::Unicast)?;
        self.link(route.device?)
    }

    pub(super) fn link(&self, index: u32) -> Option<&'a LinkInfo> {
        self.facts.links.iter().find(|link| link.index == index)
    }

    pub(super) fn link_named(&self, name: &str) -> Option<&'a LinkInfo> {
        self.facts.links.iter().find(|link| link.name == name)
    }

    /// The entries of an address on interfaces.
    pub(super) fn held(&self, address: IpAddr) -> impl Iterator<Item = (&'a AddressInfo, &'a LinkInfo)> {
        let scene = *self;
        let entries = self.facts.addresses.iter().filter(move |info| info.address == address);
        entries.filter_map(move |info| Some((info, scene.link(info.index)?)))
    }

    /// Whether an interface has an IPv4 address.
    pub(super) fn has_ipv4(&self, link: &LinkInfo) -> bool {
        self.facts.addresses.iter().any(|info| info.index == link.index && info.address.is_ipv4())
    }

    /// The network of an interface (other than a loopback or dummy one) in which an address lies, up or not, and its prefix.
    pub(super) fn network_of(&self, address: IpAddr) -> Option<(&'a LinkInfo, IpNet)> {
        let scene = *self;
        let networks = self.facts.addresses.iter().filter_map(move |info| {
            let link = scene.link(info.index).filter(|link| !is_stub(link))?;
            let network = IpNet::new(info.peer.unwrap_or(info.address), info.prefix).ok()?.trunc();
            (network.prefix_len() < network.max_prefix_len() && network.contains(&address)).then_some((link, network))
        });
        networks.max_by_key(|(link, network)| (network.prefix_len(), link.up))
    }

    /// The interface by which the clients of a service come in, as far as that can be known: that of the network in which its
    /// address lies, else the default route's.
    pub(super) fn clients_of(&self, service: &ServiceKey) -> Option<&'a LinkInfo> {
        let near = vip(service).and_then(|vip| self.network_of(vip)).map(|(link, _)| link);
        near.or_else(|| self.link_named(self.facts.defaults.get(&service.family())?))
    }

    /// Whether this host has that service in its table; none if that is not known.
    pub(super) fn balances(&self, service: &ServiceKey) -> Option<bool> {
        match (&self.facts.table, self.stage) {
            (_, Stage::OnceInForce) => Some(true),
            (Table::Read(live), Stage::Now) => Some(live.services.contains_key(service)),
            (Table::Absent, Stage::Now) => Some(false),
            (Table::Denied(_) | Table::Failed(_), Stage::Now) => None,
        }
    }

    /// A sysctl's value: the live one, or what the configuration makes of it.
    pub(super) fn sysctl(&self, name: &str) -> Option<&'a str> {
        let live = self.facts.sysctls.get(name).map(String::as_str);
        match (self.stage, self.written(name)) {
            (Stage::OnceInForce, Some(value)) if live.is_some() => Some(value),
            _ => live,
        }
    }

    /// What the configuration asks of a sysctl.
    pub(super) fn written(&self, name: &str) -> Option<&'a str> {
        self.desired.host.sysctls.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.sysctl(name)?.parse().ok()
    }

    /// A setting of an interface that counts if it is set for all or for this one (`IN_DEV_MAXCONF`, `IN_DEV_ORCONF` in
    /// `include/linux/inetdevice.h`): the larger value.
    pub(super) fn largest(&self, link: &LinkInfo, setting: &str) -> Option<i64> {
        let all = self.number(&format!("net.ipv4.conf.all.{setting}"))?;
        Some(all.max(self.number(&ipv4_conf(link, setting))?))
    }

    /// Whether an interface answers when its neighbours ask for an IPv4 address that this host has on another one
    /// (`arp_process` in `net/ipv4/arp.c`).
    pub(super) fn answers_arp_for_others(&self, link: &LinkInfo) -> bool {
        !self.largest(link, "arp_ignore").is_some_and(|value| ONLY_OWN.contains(&value))
    }

    /// `net.ipv4.conf.all.rp_filter = 0, net.ipv4.conf.eth1.rp_filter = 1`.
    pub(super) fn both_texts(&self, link: &LinkInfo, setting: &str) -> String {
        let names = [format!("net.ipv4.conf.all.{setting}"), ipv4_conf(link, setting)];
        names.map(|name| self.assigned(&name)).join(" and ")
    }

    /// `net.ipv4.ip_forward = 0`.
    pub(super) fn assigned(&self, name: &str) -> String {
        format!("{name} = {}", self.sysctl(name).unwrap_or("(not there)"))
    }

    /// How to set sysctls: what to write, and the command for now.
    pub(super) fn set(&self, values: &[(String, i64)]) -> Vec<Mend> {
        if values.iter().all(|(name, value)| self.written(name).is_some_and(|text| text == value.to_string())) {
            return vec![self.apply()];
        }
        let words: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let lines: Vec<String> = values.iter().map(|(name, value)| format!("\"{name}\" = {value}")).collect();
        vec![
            Mend::Command(format!("sysctl -w {}", words.join(" "))),
            Mend::Configuration(format!("[host.sysctls]\n{}", lines.join("\n"))),
        ]
    }

    /// What is written already only has to be put into force.
    pub(super) fn apply(&self) -> Mend {
        Mend::Command(self.facts.apply.clone())
    }
}

/// The address that clients of a service connect to; none for marks and for any address.
pub(super) fn vip(service: &ServiceKey) -> Option<IpAddr> {
    match service {
        ServiceKey::Address { address, .. } if !address.is_unspecified() => Some(*address),
        _ => None,
    }
}

/// Whether it is there to hold addresses only: nobody is at its other end.
pub(super) fn is_stub(link: &LinkInfo) -> bool {
    link.loopback || link.kind.as_deref() == Some("dummy")
}

/// The sysctl of an interface's IPv4 setting.
pub(super) fn ipv4_conf(link: &LinkInfo, setting: &str) -> String {
    format!("net.ipv4.conf.{}.{setting}", link.name.replace('.', "/"))
}

/// An address with the prefix of one alone: `192.0.2.10/32`.
pub(super) fn host_prefix(address: IpAddr) -> String {
    format!("{address}/{}", Family::of(address).bits())
}

/// `a`, `a and b`, `a, b and c`, `a, b, c and 4 more`; each of them once.
pub(super) fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    const MOST: usize = 3;
    let mut texts: Vec<String> = Vec::new();
    for text in items.into_iter().map(|item| item.to_string()) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] if texts.len() <= MOST => format!("{} and {last}", first.join(", ")),
        _ => format!(
            "{} and {} more",
            texts.iter().take(MOST).cloned().collect::<Vec<_>>().join(", "),
            texts.len() - MOST
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sentences() {
        assert_eq!(listed::<&str>([]), "");
        assert_eq!(listed(["a"]), "a");
        assert_eq!(listed(["a", "b", "a"]), "a and b");
        assert_eq!(listed(["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
