//! `virtual_server`: from its words to services, one for each set of addresses that have the same settings.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::Reading;
use super::groups::{At, Member};
use super::real_server::{RealServer, SorryServer, forwarding};
use super::tree::Node;
use super::values::{Times, number, switch, text, unknown, without};
use crate::import::report::{Place, Report};
use crate::import::services::{Item, flag};
use crate::model::{Family, Forward, Initial, OnDown, Protocol, ServiceFlags, ServiceKey, ServiceSettings, Share};

/// What keepalived takes for the persistence of a service that does not say how long.
pub(super) const PERSISTENT: u32 = 360;
const MAX_TIMEOUT: u32 = 86_400 * 31;
/// The schedulers that keepalived knows; it passes over others.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];

/// Checks of a virtual server that says nothing of them.
pub(super) const TIMES: Times = Times {
    delay_loop: Some(Duration::from_secs(60)),
    connect_timeout: Some(Duration::from_secs(5)),
    retry: None,
    before_retry: None,
};

/// What a virtual server says.
#[derive(Debug, Default)]
pub(super) struct VirtualServer {
    pub place: Option<Place>,
    pub name: Option<String>,
    pub comments: Vec<String>,
    pub members: Vec<Member>,
    pub is_group: bool,
    /// Of an address that stands alone.
    pub port: Option<u16>,
    pub family: Option<Family>,
    pub scheduler: Option<String>,
    pub flags: ServiceFlags,
    pub forward: Option<Forward>,
    pub persistence: Option<u32>,
    pub engine: Option<String>,
    pub granularity: Option<String>,
    pub protocol: Option<Protocol>,
    pub times: Times,
    pub alpha: bool,
    pub inhibit: bool,
    pub quorum: Option<u32>,
    pub is_watched: bool,
    pub virtualhost: Option<String>,
    pub weight: Option<u32>,
    pub sorry: Option<SorryServer>,
    pub servers: Vec<RealServer>,
}

impl Reading<'_> {
    pub(super) fn virtual_server(&mut self, node: &Node) {
        let mut server = VirtualServer { place: Some(node.statement.place.clone()), ..VirtualServer::default() };
        if !self.addresses(node, &mut server) {
            return;
        }
        for child in node.children() {
            self.word(child, &mut server);
        }
        if server.servers.is_empty() {
            let message = "a virtual server without real servers is left out";
            self.report.warn(&node.statement.place, message, "keepalived leaves it out, too");
            return;
        }
        self.finish_virtual_server(server);
    }

    fn addresses(&mut self, node: &Node, server: &mut VirtualServer) -> bool {
        let place = &node.statement.place;
        let wrong = "write ADDRESS [PORT], fwmark N, or group NAME; it is left out";
        let at = match (node.word(1), node.word(2)) {
            (Some("group"), Some(name)) => {
                let Some(group) = self.groups.get(name) else {
                    self.report.error(place, format!("there is no group {name}"), "write it; the server is left out");
                    return false;
                };
                server.members.clone_from(&group.members);
                server.is_group = true;
                server.name = Some(name.to_owned());
                return true;
            }
            (Some("fwmark"), Some(mark)) => mark.parse().ok().map(|mark| At::Mark(mark, None)),
            (Some(address), port) => {
                let port = port.map_or(Some(0), |port| port.parse::<u16>().ok());
                address.parse::<IpAddr>().ok().zip(port).map(|(address, port)| At::Address(address, port))
            }
            (None, _) => None,
        };
        let Some(at) = at else {
            self.report.error(place, "this is no address of a virtual server", wrong);
            return false;
        };
        if let At::Address(address, port) = at {
            server.family = Some(Family::of(address));
            server.port = Some(port);
        }
        server.members.push(Member { place: place.clone(), at });
        true
    }

    fn word(&mut self, node: &Node, server: &mut VirtualServer) {
        let report = &mut *self.report;
        if server.times.take(node, report) {
            return;
        }
        match node.keyword() {
            "ip_family" => {
                let family = match node.word(1) {
                    Some("inet") => Some(Family::V4),
                    Some("inet6") => Some(Family::V6),
                    _ => None,
                };
                if family.is_none() || server.family.is_some_and(|known| Some(known) != family) {
                    let message = "this is no family of such a server";
                    report.error(&node.statement.place, message, "write inet or inet6, as its address is");
                } else {
                    server.family = family;
                }
            }
            "lb_algo" | "lvs_sched" => {
                let Some(name) = text(node, report) else { return };
                if SCHEDULERS.contains(&name.as_str()) {
                    server.scheduler = Some(name);
                } else {
                    let help = "keepalived passes over it, and takes wlc: write the one that is meant";
                    server.comments.push(report.error(
                        &node.statement.place,
                        format!("unknown scheduler `{name}`"),
                        help,
                    ));
                }
            }
            "hashed" => {
                without(node, "the kernel says so of every service", "nothing has to be done", report);
            }
            "ops" => server.flags = server.flags.with(ServiceFlags::ONE_PACKET),
            "flag-1" | "flag-2" | "flag-3" | "sh-port" | "sh-fallback" | "mh-port" | "mh-fallback" => {
                let of = node.keyword().split('-').next().filter(|of| *of != "flag");
                let scheduler = server.scheduler.as_deref();
                match flag(node.keyword()) {
                    Some(flag) if of.is_none_or(|of| Some(of) == scheduler) => server.flags = server.flags.with(flag),
                    _ => {
                        let help = "keepalived passes over it where the scheduler is another, or stands behind it";
                        report.error(&node.statement.place, format!("{} has no effect here", node.keyword()), help);
                    }
                }
            }
            "lb_kind" | "lvs_method" => server.forward = forwarding(node, report).or(server.forward),
            "persistence_engine" => server.engine = text(node, report),
            "persistence_timeout" => {
                server.persistence = match node.word(1) {
                    None => Some(PERSISTENT),
                    Some(_) => number(node, 1..=MAX_TIMEOUT, report),
                }
            }
            "persistence_granularity" => server.granularity = text(node, report),
            "protocol" => match node.word(1).map(str::to_ascii_uppercase).as_deref() {
                Some("TCP") => server.protocol = Some(Protocol::Tcp),
                Some("UDP") => server.protocol = Some(Protocol::Udp),
                Some("SCTP") => server.protocol = Some(Protocol::Sctp),
                _ => {
                    let help = "keepalived passes over it, and takes UDP: write TCP, UDP or SCTP";
                    report.error(&node.statement.place, "this is no protocol", help);
                }
            },
            "virtualhost" => server.virtualhost = text(node, report),
            "snmp_name" => server.name = text(node, report).or(server.name.take()),
            "alpha" => server.alpha = switch(node, report).unwrap_or(server.alpha),
            "inhibit_on_failure" => server.inhibit = true,
            "weight" => server.weight = number(node, 1..=u32::MAX, report),
            "quorum" => server.quorum = number(node, 1..=u32::MAX, report),
            "hysteresis" => {
                let help = "`min_healthy` has one number for both; `rise` and `fall` of the checks keep it calm";
                server.comments.push(without(node, "ipvsd has no hysteresis of a quorum", help, report));
            }
            "quorum_up" | "quorum_down" => {
                let help = "`on_change` under [hooks] names a program that is told service_failed and service_restored";
                server.comments.push(without(node, "ipvsd has one hook for all services", help, report));
                server.is_watched = true;
            }
            "omega" => {
                without(node, "ipvsd leaves all as it is when it stops", "nothing has to be done", report);
            }
            "ha_suspend" => {
                let what = "ipvsd checks servers whether this machine has the address or not";
                server.comments.push(without(
                    node,
                    what,
                    "nothing has to be done: the other director does, too",
                    report,
                ));
            }
            "smtp_alert" => no_mail(node, report),
            "sorry_server" => server.sorry = SorryServer::read(node, report).or(server.sorry.take()),
            "sorry_server_inhibit" => {
                let what = "ipvsd has the fallback in the table only while it is used";
                server.comments.push(without(node, what, "nothing has to be done", report));
            }
            "sorry_server_lvs_method" => {
                let forward = forwarding(node, report);
                if let Some(sorry) = &mut server.sorry {
                    sorry.forward = forward;
                }
            }
            "real_server" => server.servers.extend(RealServer::read(node, report)),
            "nat_mask" | "persistence_granularity6" => {
                without(node, "it has had no effect for long", "nothing has to be done", report);
            }
            _ => unknown(node, "of a virtual server", report),
        }
    }

    /// One item for each set of addresses that are set alike, and of one family.
    fn finish_virtual_server(&mut self, mut server: VirtualServer) {
        let Some(place) = server.place.clone() else { return };
        server.repair(&place, self.report);
        let mut sets: Vec<(ServiceSettings, Family, Vec<ServiceKey>)> = Vec::new();
        for Member { place, at } in std::mem::take(&mut server.members) {
            let key = server.key(at);
            let Some(settings) = server.settings(&key, &place, self.report) else { continue };
            match sets.iter_mut().find(|(other, family, _)| *other == settings && *family == key.family()) {
                Some((.., keys)) => keys.push(key),
                None => sets.push((settings, key.family(), vec![key])),
            }
        }
        let label = server.name.clone().or_else(|| {
            let (.., keys) = sets.first()?;
            Some(crate::import::names::of_key(keys.first()?))
        });
        let label = label.unwrap_or_default();
        let on_down =
            if server.servers.iter().any(|real| real.is_inhibited(&server)) { OnDown::Quiesce } else { OnDown::Delete };
        let mut comments = std::mem::take(&mut server.comments);
        if server.servers.iter().any(|real| real.is_inhibited(&server) != (on_down == OnDown::Quiesce)) {
            let message = "inhibit_on_failure of some servers only: here it is of all, as a service has one on_down";
            let help = "write on_down = \"delete\", if servers that are down have to leave the table";
            comments.push(self.report.warn(&place, message, help));
        }
        let initial = if server.alpha { Initial::Down } else { Initial::Up };
        self.remarks.deletes |= on_down == OnDown::Delete && server.servers.iter().any(RealServer::is_checked);
        self.remarks.optimistic |= initial == Initial::Up && server.servers.iter().any(RealServer::is_checked);
        let min_healthy = self.min_healthy(&server, &place, &mut comments);
        let mut servers = std::mem::take(&mut server.servers);
        for real in &mut servers {
            self.resolve_checks(&server, real, &label);
            self.keeps_port(&server, real, sets.iter().flat_map(|(.., keys)| keys));
        }
        let several = sets.len() > 1;
        for (settings, family, keys) in sets {
            let mut item = Item::new(place.clone(), keys, settings);
            item.name = server.name.clone().map(|name| match (several, family) {
                (true, Family::V6) => format!("{name}-v6"),
                _ => name,
            });
            item.comments.clone_from(&comments);
            item.on_down = Some(on_down);
            item.initial = Some(initial);
            item.min_healthy = min_healthy;
            for real in &servers {
                if item
                    .destinations
                    .iter()
                    .any(|(_, other)| other.address == real.address && other.port == real.port(&server))
                {
                    let message = format!("the real server {} is written twice", real.address);
                    self.report.error(&real.place, message, "keepalived takes the first: remove this one");
                    continue;
                }
                if several && real.forward(&server).name() != "tunnel" && Family::of(real.address) != family {
                    continue;
                }
                item.destinations.push((real.place.clone(), real.destination(&server, server.weight)));
            }
            if item.destinations.is_empty() {
                let message = format!("no real server of the group is reached from its addresses of {}", family.word());
                let help =
                    "write real servers of that family, or `lvs_method TUN`: the service is without destinations";
                item.comments.push(self.report.warn(&place, message, help));
            }
            if let Some(sorry) = &server.sorry {
                let fallback = sorry.destination(&server);
                let same = |(_, other): &(Place, crate::config::DraftDestination)| {
                    other.address == fallback.address && other.port == fallback.port
                };
                if item.destinations.iter().any(same) {
                    let message = "the sorry server is a real server as well, and left out";
                    let help = "`panic_threshold` keeps servers in use when all of them seem to be down";
                    item.comments.push(self.report.warn(&sorry.place, message, help));
                } else {
                    item.fallback = Some((sorry.place.clone(), fallback));
                }
            }
            self.items.push(item);
        }
    }

    /// Says where the port of a real server is not where clients go.
    fn keeps_port<'k>(
        &mut self,
        server: &VirtualServer,
        real: &mut RealServer,
        keys: impl Iterator<Item = &'k ServiceKey>,
    ) {
        let written = real.written_port();
        let others: BTreeSet<u16> =
            keys.filter_map(ServiceKey::port).filter(|port| *port != 0 && *port != written).collect();
        if real.forward(server) == Forward::Nat || written == 0 || others.is_empty() {
            return;
        }
        let ports: Vec<String> = others.iter().map(ToString::to_string).collect();
        let message = format!("the port {written} of {} becomes the service's: {}", real.address, ports.join(", "));
        let help = "with DR and TUN the kernel, and so keepalived, leaves the port as clients wrote it";
        real.comments.push(self.report.warn(&real.place, message, help));
    }

    fn min_healthy(&mut self, server: &VirtualServer, place: &Place, comments: &mut Vec<String>) -> Option<Share> {
        let quorum = server.quorum.or(server.is_watched.then_some(1))?;
        let weights: Vec<u32> = server.servers.iter().map(|real| real.weight.or(server.weight).unwrap_or(1)).collect();
        let sum = weights.iter().fold(0u32, |sum, weight| sum.saturating_add(*weight));
        let quorum = quorum.min(sum);
        let alike = weights.iter().all(|weight| Some(weight) == weights.first());
        let least = weights.iter().copied().max().unwrap_or(1).max(1);
        let count = quorum.div_ceil(least);
        if !alike {
            let message =
                format!("a quorum of {quorum} counts weights, min_healthy counts servers: it is written as {count}");
            comments.push(self.report.warn(place, message, "write how many servers it takes"));
        }
        if count > 1 && server.sorry.is_some() {
            let message = "the fallback is used once no server is up, not once fewer than min_healthy are";
            let help = "below min_healthy hooks are told service_failed";
            comments.push(self.report.warn(place, message, help));
        }
        Some(Share::Count(count))
    }
}

pub(super) fn no_mail(node: &Node, report: &mut Report) {
    let help = "`on_change` under [hooks] names a program that is told what happens";
    without(node, "ipvsd sends no mail", help, report);
}
