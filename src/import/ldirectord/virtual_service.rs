//! `virtual = ADDRESS:PORT`, and what is indented below it.

use super::check::Checking;
use super::globals::{Fallback, Globals, Usual, other};
use super::real::{self, Real};
use super::sections::{Section, Setting};
use super::values::{host, number, port, split, switch, unquoted};
use crate::import::checks::Checks;
use crate::import::report::Report;
use crate::import::services::{self, Item, flag};
use crate::import::{Surroundings, names};
use crate::model::{
    Family, Forward, Netmask, OnDown, Persistence, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings,
};

/// What a section says.
struct Service {
    family: Family,
    protocol: Option<Protocol>,
    scheduler: Option<String>,
    persistent: Option<u32>,
    netmask: Option<Netmask>,
    flags: Option<Setting>,
    one_packet: bool,
    usual: Usual,
    checkinterval: Option<u32>,
    fallback: Option<Setting>,
    name: Option<String>,
    comments: Vec<String>,
    checking: Checking,
    real: Vec<Setting>,
}

/// Where the first line says that it is.
enum At<'s> {
    Mark(u32),
    Address(&'s str, &'s str),
}

/// The service, unless it is left out, which is said.
pub(super) fn read(
    section: &Section,
    globals: &Globals,
    checks: &mut Checks,
    report: &mut Report,
    surroundings: &mut dyn Surroundings,
) -> Option<Item> {
    let head = &section.head;
    let at = match head.value.parse::<u32>() {
        Ok(mark) => At::Mark(mark),
        Err(_) => match split(&head.value) {
            (host, Some(port)) => At::Address(host, port),
            (_, None) => {
                report.error(&head.place, "this is no virtual service", "write ADDRESS:PORT or a firewall mark");
                return None;
            }
        },
    };
    let mut service = Service {
        family: if head.name.ends_with('6') { Family::V6 } else { Family::V4 },
        protocol: None,
        scheduler: None,
        persistent: None,
        netmask: None,
        flags: None,
        one_packet: false,
        usual: Usual::default(),
        checkinterval: None,
        fallback: None,
        name: None,
        comments: Vec::new(),
        checking: Checking::default(),
        real: Vec::new(),
    };
    for setting in &section.settings {
        service.take(setting, report);
    }
    let key = service.key(&at, head, report, surroundings)?;
    if service.checkinterval.is_some() && !globals.forks {
        let message = "the checkinterval of a virtual service has no effect without fork = yes";
        report.warn(&head.place, message, "ldirectord passes over it, too: it is left out");
        service.checkinterval = None;
    }
    Some(service.item(key, head, globals, checks, report, surroundings))
}

impl Service {
    fn take(&mut self, setting: &Setting, report: &mut Report) {
        if self.usual.take(setting, report) || self.checking.take(setting, report) {
            return;
        }
        if setting.name != "comment" && other(setting, &mut self.comments, report) {
            return;
        }
        let suffix = if self.family == Family::V6 { "6" } else { "" };
        match setting.name.as_str() {
            name @ ("real" | "real6" | "fallback" | "fallback6") if name.ends_with('6') != (suffix == "6") => {
                let message = format!("{name} is of the other family");
                report.error(&setting.place, message, "ldirectord refuses it, too; it is left out");
            }
            "real" | "real6" => self.real.push(setting.clone()),
            "fallback" | "fallback6" => self.fallback = Some(setting.clone()),
            "scheduler" => self.scheduler = Some(setting.value.clone()),
            "persistent" => self.persistent = number(setting, report),
            "schedflags" => self.flags = Some(setting.clone()),
            "netmask" => {
                self.netmask = match self.family {
                    Family::V4 => setting.value.parse().ok().map(Netmask::from_v4),
                    Family::V6 => {
                        setting.value.parse().ok().filter(|bits| (1..=128).contains(bits)).map(Netmask::Prefix)
                    }
                };
                if self.netmask.is_none() {
                    let message = format!("`{}` is no netmask of such a service", setting.value);
                    report.error(&setting.place, message, "write 255.255.255.0, for IPv6 a number; it is left out");
                }
            }
            "protocol" => match setting.value.as_str() {
                "tcp" => self.protocol = Some(Protocol::Tcp),
                "udp" => self.protocol = Some(Protocol::Udp),
                "fwm" => {}
                other => {
                    let message = format!("`{other}` is no protocol");
                    report.error(&setting.place, message, "write tcp, udp or fwm; it is left out");
                }
            },
            "ops" => self.one_packet = switch(setting, report).unwrap_or(false),
            "checkinterval" => self.checkinterval = number(setting, report),
            "servicename" => self.name = Some(unquoted(&setting.value).to_owned()),
            "comment" => self.comments.push(unquoted(&setting.value).to_owned()),
            name => {
                let message = format!("unknown setting `{name}` of a virtual service");
                report.error(&setting.place, message, "ldirectord refuses it, too; it is left out");
            }
        }
    }

    fn key(
        &mut self,
        at: &At<'_>,
        head: &Setting,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<ServiceKey> {
        let (name, of_port) = match at {
            At::Mark(mark) => return Some(ServiceKey::Mark { family: self.family, mark: *mark }),
            At::Address(name, of_port) => (name, of_port),
        };
        let usual = if matches!(*of_port, "53" | "domain") { Protocol::Udp } else { Protocol::Tcp };
        let protocol = self.protocol.unwrap_or(usual);
        let address = host(name, self.family, surroundings);
        let port = port(of_port, protocol, surroundings);
        let (Some(address), Some(port)) = (address, port) else {
            let what = if address.is_none() { name } else { of_port };
            let message = format!("`{what}` of the virtual service is not known here; it is left out");
            report.error(&head.place, message, "write addresses and ports as numbers, and IPv6 below virtual6");
            return None;
        };
        Some(ServiceKey::Address { protocol, address, port })
    }

    fn settings(&mut self, key: &ServiceKey, head: &Setting, report: &mut Report) -> ServiceSettings {
        let scheduler = Scheduler::new(self.scheduler.as_deref().unwrap_or("wrr"));
        let mut flags = ServiceFlags::default();
        if self.one_packet {
            if matches!(key, ServiceKey::Address { protocol: Protocol::Udp, .. }) {
                flags = flags.with(ServiceFlags::ONE_PACKET);
            } else {
                report.warn(&head.place, "ops has no effect but on udp", "ldirectord passes over it, too");
            }
        }
        if let Some(setting) = &self.flags {
            for name in setting.value.split(',').filter(|name| !name.is_empty()) {
                match flag(name) {
                    Some(flag) => flags = flags.with(flag),
                    None => {
                        let help = "there are sh-fallback, sh-port, mh-fallback, mh-port, flag-1 to 3; it is left out";
                        report.error(&setting.place, format!("`{name}` is no flag of a scheduler"), help);
                    }
                }
            }
        }
        let netmask = self.netmask.unwrap_or(Netmask::host(key.family()));
        if self.netmask.is_some() && self.persistent.is_none() {
            report.warn(&head.place, "netmask has no effect without persistent", "it is left out");
        }
        let persistence = self.persistent.map(|timeout| Persistence { timeout, netmask, engine: None });
        ServiceSettings { scheduler, flags, persistence }
    }

    fn item(
        mut self,
        key: ServiceKey,
        head: &Setting,
        globals: &Globals,
        checks: &mut Checks,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Item {
        let settings = self.settings(&key, head, report);
        let mut item = Item::new(head.place.clone(), vec![key], settings);
        item.name = self.name.take();
        item.comments = std::mem::take(&mut self.comments);
        let quiesces = self.usual.quiescent.or(globals.usual.quiescent).unwrap_or(false);
        item.on_down = Some(if quiesces { OnDown::Quiesce } else { OnDown::Delete });
        let label = item.name.clone().unwrap_or_else(|| names::of_key(&key));
        let when = self.when(globals);
        let servers: Vec<Real> =
            self.real.iter().flat_map(|setting| real::read(setting, self.family, report, surroundings)).collect();
        if self.checking.is_off() {
            let message = "checktype = off: servers get no new connections, so their weights are 0";
            let help = "write weights to have them in use; checktype = on would be check = \"none\"";
            item.comments.push(report.warn(&head.place, message, help));
        }
        for real in servers {
            if self.checking.is_off() && !quiesces {
                let message = format!("{} is left out: ldirectord has it in no table", real.address);
                report.warn(&real.place, message, "add it, with the weight that it should have");
                continue;
            }
            let weight = if self.checking.is_off() { 0 } else { real.weight };
            let mut destination = services::destination(real.address, Some(port_of(&key, &real)), real.forward, weight);
            destination.settings.max_connections = real.upper;
            destination.settings.min_connections = real.lower;
            let mut said = Vec::new();
            let wanted = self.checking.check(&key, &real, &when, report, surroundings, &mut said);
            match wanted
                .map(|(kind, check)| checks.name(&format!("{label}.{kind}"), check, said.clone(), &head.place, report))
            {
                Some(Ok(name)) => destination.checks.push(name),
                Some(Err(comment)) => destination.comments.push(comment),
                None => destination.comments.extend(said),
            }
            item.destinations.push((real.place.clone(), destination));
        }
        let of_all = globals.fallbacks.get(&self.family).cloned();
        let protocol = self.protocol.unwrap_or(Protocol::Tcp);
        let own = self.fallback.as_ref().and_then(|setting| Fallback::read(setting, protocol, report, surroundings));
        if let Some(Fallback { place, address, port, forward }) = own.map(|(_, own)| own).or(of_all) {
            let port = match forward {
                Forward::Nat => port.or(key.port()).unwrap_or(0),
                _ => key.port().or(port).unwrap_or(0),
            };
            let fallback = services::destination(address, Some(port), forward, 1);
            if item.destinations.iter().any(|(_, other)| other.address == address && other.port == Some(port)) {
                let message = "the fallback is a real server as well, and left out";
                let help = "`panic_threshold` keeps servers in use when all of them seem to be down";
                item.comments.push(report.warn(&place, message, help));
            } else {
                item.fallback = Some((place, fallback));
            }
        }
        item
    }

    /// When checks run; both timeouts stand for each other.
    fn when(&self, globals: &Globals) -> When {
        let (own, of_all) = (&self.usual, &globals.usual);
        let checktimeout =
            own.checktimeout.or(own.negotiatetimeout).or(of_all.checktimeout).or(of_all.negotiatetimeout);
        let negotiatetimeout =
            own.negotiatetimeout.or(own.checktimeout).or(of_all.negotiatetimeout).or(of_all.checktimeout);
        When {
            interval: self.checkinterval.or(globals.checkinterval).unwrap_or(10),
            checktimeout: checktimeout.unwrap_or(5),
            negotiatetimeout: negotiatetimeout.unwrap_or(30),
            failurecount: own.failurecount.or(of_all.failurecount).unwrap_or(1),
        }
    }
}

/// In seconds, and results.
pub(super) struct When {
    pub interval: u32,
    pub checktimeout: u32,
    pub negotiatetimeout: u32,
    pub failurecount: u32,
}

/// Without masquerading it is the service's, as ipvsadm has it.
pub(super) fn port_of(service: &ServiceKey, real: &Real) -> u16 {
    match service.port() {
        Some(port) if real.forward != Forward::Nat => port,
        _ => real.port,
    }
}
