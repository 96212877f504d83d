//! What a virtual server is set to once everything is read: what keepalived mends by itself, and its defaults.

use super::groups::At;
use super::real_server::RealServer;
use super::virtual_server::{PERSISTENT, VirtualServer};
use crate::import::report::{Place, Report};
use crate::model::{
    Family, Forward, Netmask, Persistence, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings,
};

impl VirtualServer {
    /// What keepalived mends by itself when it has read everything.
    pub(super) fn repair(&mut self, place: &Place, report: &mut Report) {
        let addresses = self.members.iter().any(|member| matches!(member.at, At::Address(..)));
        if addresses && self.protocol.is_none() {
            let message = "no protocol is written: keepalived takes UDP";
            let comment = report.warn(place, message, "write `protocol TCP` there, or tcp:// here, if that is meant");
            self.comments.push(comment);
            self.protocol = Some(Protocol::Udp);
        }
        if addresses && self.flags.contains(ServiceFlags::ONE_PACKET) && self.protocol != Some(Protocol::Udp) {
            report.warn(place, "ops has no effect but on UDP, and is left out", "keepalived leaves it out, too");
            self.flags.0 &= !ServiceFlags::ONE_PACKET.0;
        }
        if !addresses && self.protocol.is_some() {
            report.warn(place, "a firewall mark has no protocol", "keepalived leaves it out, too");
        }
        if self.family.is_none() {
            let own = |real: &&RealServer| !matches!(real.forward(self), Forward::Tunnel(_));
            let first = self.servers.iter().find(own).or(self.servers.first());
            let first = first.map(|real| Family::of(real.address));
            let families = self.servers.iter().map(|real| Family::of(real.address));
            let mixed =
                families.clone().any(|family| Some(family) != first) && !self.servers.iter().any(|real| own(&real));
            self.family = if mixed { Some(Family::V4) } else { first };
        }
        if self.granularity.is_some() && self.persistence.is_none() {
            self.persistence = Some(PERSISTENT);
        }
        if self.engine.is_some() && self.persistence.is_none() {
            report.warn(place, "persistence_engine has no effect without persistence", "it is left out");
        }
        let every_port = self.members.iter().any(|member| matches!(member.at, At::Address(_, 0)));
        if every_port && self.persistence.is_none() {
            let message =
                format!("a service of every port has to be persistent: keepalived makes it {PERSISTENT} seconds");
            self.comments.push(report.warn(place, message, "write the port, if one is meant"));
            self.persistence = Some(PERSISTENT);
        }
    }

    pub(super) fn key(&self, at: At) -> ServiceKey {
        match at {
            At::Address(address, port) => {
                ServiceKey::Address { protocol: self.protocol.unwrap_or(Protocol::Udp), address, port }
            }
            At::Mark(mark, family) => ServiceKey::Mark { family: family.or(self.family).unwrap_or(Family::V4), mark },
        }
    }

    pub(super) fn settings(&self, key: &ServiceKey, place: &Place, report: &mut Report) -> Option<ServiceSettings> {
        let host = Netmask::host(key.family());
        let in_group = matches!(key, ServiceKey::Mark { .. }) && self.is_group;
        let netmask = match &self.granularity {
            // keepalived forgets it for the marks of a group.
            Some(_) if in_group => host,
            None => host,
            Some(text) => {
                let mask = match key.family() {
                    Family::V4 => text.parse().ok().map(Netmask::from_v4),
                    Family::V6 => text.parse().ok().filter(|bits| (1..=128).contains(bits)).map(Netmask::Prefix),
                };
                let Some(mask) = mask else {
                    let message = format!("`{text}` is no persistence_granularity of {key}");
                    report.error(place, message, "write a mask for IPv4, 1 to 128 for IPv6; the service is left out");
                    return None;
                };
                mask
            }
        };
        let engine = self.engine.clone();
        let persistence = self.persistence.map(|timeout| Persistence { timeout, netmask, engine });
        let scheduler = Scheduler::new(self.scheduler.as_deref().unwrap_or("wlc"));
        Some(ServiceSettings { scheduler, flags: self.flags, persistence })
    }

    pub(super) fn is_group(&self) -> bool {
        self.is_group
    }
}
