//! `real_server` and `sorry_server`.

use std::net::IpAddr;

use super::checkers::Checker;
use super::tree::Node;
use super::values::{Times, number, switch, text, unknown, without};
use super::virtual_server::{VirtualServer, no_mail};
use crate::config::DraftDestination;
use crate::import::report::{Place, Report};
use crate::import::services;
use crate::model::{Checksum, Forward, Tunnel, TunnelType};

/// What a real server says.
#[derive(Debug)]
pub(super) struct RealServer {
    pub place: Place,
    pub address: IpAddr,
    /// 0 is none.
    written_port: u16,
    pub weight: Option<u32>,
    forward: Option<Forward>,
    upper: u32,
    lower: u32,
    inhibit: Option<bool>,
    pub times: Times,
    pub virtualhost: Option<String>,
    pub name: Option<String>,
    pub comments: Vec<String>,
    pub checkers: Vec<Checker>,
    /// By name, once they are resolved.
    pub checks: Vec<String>,
}

/// `NAT`, `DR`, or `TUN` with how. What keepalived passes over is said, and `None`.
pub(super) fn forwarding(node: &Node, report: &mut Report) -> Option<Forward> {
    let place = &node.statement.place;
    let mut words = node.statement.words.iter().skip(2);
    let mut tunnel = Tunnel::default();
    while let Some(word) = words.next() {
        let is_taken = match word.text.as_str() {
            "type" => {
                let kind = match words.next().map(|word| word.text.as_str()) {
                    Some("ipip") => Some(TunnelType::Ipip),
                    Some("gue") => Some(TunnelType::Gue),
                    Some("gre") => Some(TunnelType::Gre),
                    _ => None,
                };
                tunnel.kind = kind.unwrap_or_default();
                kind.is_some()
            }
            "port" => {
                let port = words.next().and_then(|word| word.text.parse().ok()).filter(|port| *port > 0);
                tunnel.port = port.unwrap_or(0);
                port.is_some()
            }
            other => {
                let checksum = match other {
                    "nocsum" => Some(Checksum::Off),
                    "csum" => Some(Checksum::On),
                    "remcsum" => Some(Checksum::Remote),
                    _ => None,
                };
                tunnel.checksum = checksum.unwrap_or_default();
                checksum.is_some()
            }
        };
        if !is_taken {
            let message = format!("`{}` of {} is not understood", word.text, node.keyword());
            report.error(&word.place, message, "write TUN [type ipip|gue|gre] [port N] [nocsum|csum|remcsum]");
            return None;
        }
    }
    match node.word(1) {
        Some("NAT") => Some(Forward::Nat),
        Some("DR") => Some(Forward::Dr),
        Some("TUN") => Some(Forward::Tunnel(tunnel)),
        _ => {
            report.error(place, "this is no way to forward", "keepalived passes over it: write NAT, DR or TUN");
            None
        }
    }
}

/// An address and a port, of which none is 0.
fn endpoint(node: &Node, report: &mut Report) -> Option<(IpAddr, u16)> {
    let port = node.word(2).map_or(Some(0), |port| port.parse().ok());
    let found = node.word(1).and_then(|word| word.parse().ok()).zip(port);
    if found.is_none() {
        let message = format!("this is no address of a {}", node.keyword());
        report.error(&node.statement.place, message, "write ADDRESS [PORT]; it is left out");
    }
    found
}

impl RealServer {
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (address, written_port) = endpoint(node, report)?;
        let mut server = Self {
            place: node.statement.place.clone(),
            address,
            written_port,
            weight: None,
            forward: None,
            upper: 0,
            lower: 0,
            inhibit: None,
            times: Times::default(),
            virtualhost: None,
            name: None,
            comments: Vec::new(),
            checkers: Vec::new(),
            checks: Vec::new(),
        };
        for child in node.children() {
            server.word(child, report);
        }
        Some(server)
    }

    fn word(&mut self, node: &Node, report: &mut Report) {
        if self.times.take(node, report) {
            return;
        }
        match node.keyword() {
            "weight" => self.weight = number(node, 0..=u32::MAX, report).or(self.weight),
            "lvs_method" | "lb_kind" => self.forward = forwarding(node, report).or(self.forward),
            "uthreshold" => self.upper = number(node, 0..=u32::MAX, report).unwrap_or(self.upper),
            "lthreshold" => self.lower = number(node, 0..=u32::MAX, report).unwrap_or(self.lower),
            "inhibit_on_failure" => self.inhibit = switch(node, report).or(self.inhibit),
            "virtualhost" => self.virtualhost = text(node, report),
            "snmp_name" => self.name = text(node, report),
            "smtp_alert" => no_mail(node, report),
            "notify_up" | "notify_down" => {
                let help = "`on_change` under [hooks] names a program that is told destination_up and destination_down";
                self.comments.push(without(node, "ipvsd has one hook for all servers", help, report));
            }
            "alpha" => {
                let help = "`initial = \"down\"` is of a service, for all of its servers";
                self.comments.push(without(node, "of one server alone it has no equivalent", help, report));
            }
            _ => match Checker::read(node, report) {
                Some(checker) => self.checkers.push(checker),
                None => unknown(node, "of a real server", report),
            },
        }
    }

    pub(super) fn is_checked(&self) -> bool {
        !self.checkers.is_empty()
    }

    pub(super) fn is_inhibited(&self, server: &VirtualServer) -> bool {
        self.inhibit.unwrap_or(server.inhibit)
    }

    pub(super) fn forward(&self, server: &VirtualServer) -> Forward {
        self.forward.or(server.forward).unwrap_or(Forward::Nat)
    }

    /// What a checker goes to unless it says otherwise; 0 is none.
    pub(super) fn written_port(&self) -> u16 {
        self.written_port
    }

    pub(super) fn port(&self, server: &VirtualServer) -> Option<u16> {
        port(self.forward(server), self.written_port, server.is_group())
    }

    pub(super) fn destination(&self, server: &VirtualServer, weight: Option<u32>) -> DraftDestination {
        let weight = self.weight.or(weight).unwrap_or(1);
        let port = self.port(server);
        let mut destination = services::destination(self.address, port, self.forward(server), weight);
        destination.settings.max_connections = self.upper;
        destination.settings.min_connections = self.lower;
        destination.checks.clone_from(&self.checks);
        destination.comments.clone_from(&self.comments);
        let printable = |name: &&String| name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_graphic());
        destination.name = self.name.as_ref().filter(printable).cloned();
        destination
    }
}

/// The port of a destination, `None` being the service's: without masquerading it cannot be another.
fn port(forward: Forward, written: u16, in_group: bool) -> Option<u16> {
    match forward {
        Forward::Nat if written != 0 || in_group => Some(written),
        _ => None,
    }
}

/// What is used while the quorum is lost.
#[derive(Debug)]
pub(super) struct SorryServer {
    pub place: Place,
    address: IpAddr,
    port: u16,
    pub forward: Option<Forward>,
}

impl SorryServer {
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (address, port) = endpoint(node, report)?;
        Some(Self { place: node.statement.place.clone(), address, port, forward: None })
    }

    pub(super) fn destination(&self, server: &VirtualServer) -> DraftDestination {
        let forward = self.forward.or(server.forward).unwrap_or(Forward::Nat);
        let port = match port(forward, self.port, server.is_group()) {
            // keepalived gives real servers the service's port, and forgets it here.
            None if forward == Forward::Nat => Some(0),
            port => port,
        };
        services::destination(self.address, port, forward, 1)
    }
}
