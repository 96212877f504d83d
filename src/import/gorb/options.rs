//! Services and backends as they are written, and what they are here.

use std::net::IpAddr;

use super::port;
use super::pulse::Pulse;
use crate::config::DraftDestination;
use crate::import::document::Item as Value;
use crate::import::report::{Place, Report};
use crate::import::{Surroundings, services};
use crate::model::{Forward, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Tunnel};

const WEIGHT: u32 = 100;

/// A service.
#[derive(Debug, Default)]
pub(super) struct ServiceOptions {
    pub id: String,
    pub place: Place,
    pub comments: Vec<String>,
    host: Option<String>,
    port: Option<u16>,
    protocol: Option<String>,
    method: Option<String>,
    flags: Option<String>,
    /// Of all backends, in the later fork.
    forward: Option<String>,
    weight: Option<u32>,
    pub pulse: Option<Pulse>,
    /// The IDs of its backends, as the API answers them.
    pub listed: Vec<(Place, String)>,
}

/// A backend.
#[derive(Debug)]
pub(super) struct BackendOptions {
    pub id: String,
    pub service: Option<String>,
    pub place: Place,
    host: Option<String>,
    port: Option<u16>,
    weight: Option<u32>,
    method: Option<String>,
    pub pulse: Option<Pulse>,
}

/// The empty text is none.
fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The IDs that an answer of the API lists.
fn ids(value: Value<'_>, report: &mut Report) -> Vec<(Place, String)> {
    if !value.is_list() && !value.is_nothing() {
        let message = "the backends of a service are a list of their IDs here: these are left out";
        let help = "write them under `backends` beside `services`, each with its service as `vsid`";
        report.error(&value.place(), message, help);
        return Vec::new();
    }
    let ids = value.list("backends", report);
    ids.into_iter().filter_map(|id| Some((id.place(), id.text("the ID of a backend", report)?))).collect()
}

impl ServiceOptions {
    /// The service, and the backends that are written in it.
    pub(super) fn read(
        id: &str,
        place: Place,
        value: Value<'_>,
        report: &mut Report,
    ) -> (Option<Self>, Vec<BackendOptions>) {
        let entries = value.table("a service", report);
        let find = |names: &[&str]| {
            let known = |key: &str| names.iter().any(|name| key.eq_ignore_ascii_case(name));
            entries.iter().find(|(key, ..)| known(key)).map(|(_, _, value)| *value)
        };
        let mut backends = Vec::new();
        if let Some(list) = find(&["service_backends", "ServiceBackends"]) {
            for (backend, place, value) in list.table("backends", report) {
                backends.extend(BackendOptions::read(backend, Some(id), place, value, report));
            }
        }
        let listed = find(&["backends"]).map(|list| ids(list, report)).unwrap_or_default();
        let options = find(&["options", "service_options", "ServiceOptions"]);
        let entries = options.map_or_else(|| entries.clone(), |options| options.table("options", report));
        let mut service = Self { id: id.to_owned(), place, listed, ..Self::default() };
        for (key, place, value) in entries {
            service.take(key, &place, value, report);
        }
        (Some(service), backends)
    }

    fn take(&mut self, key: &str, place: &Place, value: Value<'_>, report: &mut Report) {
        match key.to_ascii_lowercase().as_str() {
            "host" => self.host = some(value.text("a host", report)),
            "port" => self.port = value.number("a port", report).and_then(port),
            "protocol" => self.protocol = some(value.text("a protocol", report)),
            "method" | "lb_method" => self.method = some(value.text("a method", report)),
            "flags" | "sh_flags" => self.flags = some(value.text("flags", report)),
            "fwd_method" => self.forward = some(value.text("a method", report)),
            "max_weight" => {
                self.weight = value.number("a weight", report).and_then(|weight| u32::try_from(weight).ok())
            }
            "pulse" => self.pulse = Some(Pulse::read(value, report)),
            "persistent" => {
                if value.is_true() {
                    let message = "persistent: GORB never tells the kernel, so clients are not kept";
                    let help = "write persistence = { timeout = \"5m\" }, if they should be";
                    self.comments.push(report.warn(place, message, help));
                }
            }
            "fallback" => {
                if value.text("a fallback", report).is_some_and(|word| word == "fb-zero-to-one") {
                    let message = "fallback: GORB keeps a server in use when all of them are down";
                    let help = "write panic_threshold = \"99%\", which does so for all that go down at once";
                    self.comments.push(report.warn(place, message, help));
                }
            }
            // What it answers besides; the backends are read already.
            "health" | "backends" | "backends_count" | "vsid" => {}
            other => drop(report.error(place, format!("unknown key `{other}` of a service"), "it is left out")),
        }
    }

    pub(super) fn settings(
        &self,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<(ServiceKey, ServiceSettings)> {
        let Self { id, place, .. } = self;
        let Some(port) = self.port else {
            report.error(place, format!("the service {id} has no port"), "GORB refuses it, too; it is left out");
            return None;
        };
        let Some(host) = &self.host else {
            let message = format!("the service {id} has no host: it is at the first address of GORB's interface");
            report.error(place, message, "write that address as `host`; the service is left out");
            return None;
        };
        let address = host.parse::<IpAddr>().ok().or_else(|| surroundings.host(host, None));
        let Some(address) = address else {
            let message = format!("`{host}` is no address, and no host that is known here");
            report.error(place, message, "write its address; the service is left out");
            return None;
        };
        let protocol = match self.protocol.as_deref().unwrap_or("tcp").to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            other => {
                report.error(place, format!("unknown protocol `{other}`"), "GORB has tcp and udp; it is left out");
                return None;
            }
        };
        let mut flags = ServiceFlags::default();
        for name in self.flags.iter().flat_map(|flags| flags.split('|')).map(str::trim).filter(|name| !name.is_empty())
        {
            match services::flag(name) {
                Some(flag) => flags = flags.with(flag),
                None => drop(report.error(place, format!("unknown flag `{name}`"), "it is left out")),
            }
        }
        let scheduler = Scheduler::new(self.method.as_deref().unwrap_or("wrr"));
        let key = ServiceKey::Address { protocol, address, port };
        Some((key, ServiceSettings { scheduler, flags, persistence: None }))
    }
}

impl BackendOptions {
    pub(super) fn read(
        id: &str,
        service: Option<&str>,
        place: Place,
        value: Value<'_>,
        report: &mut Report,
    ) -> Option<Self> {
        let mut backend = Self {
            id: id.to_owned(),
            service: service.map(str::to_owned),
            place,
            host: None,
            port: None,
            weight: None,
            method: None,
            pulse: None,
        };
        let entries = value.table("a backend", report);
        let options = entries.iter().find(|(key, ..)| key.eq_ignore_ascii_case("options")).map(|(_, _, value)| *value);
        let entries = options.map_or_else(|| entries.clone(), |options| options.table("options", report));
        for (key, place, value) in entries {
            match key.to_ascii_lowercase().as_str() {
                "host" => backend.host = some(value.text("a host", report)),
                "port" => backend.port = value.number("a port", report).and_then(port),
                // 0 and less is the usual one.
                "weight" => {
                    let weight = value.number("a weight", report).filter(|weight| *weight > 0);
                    backend.weight = weight.and_then(|weight| u32::try_from(weight).ok());
                }
                "method" => backend.method = some(value.text("a method", report)),
                "pulse" => backend.pulse = (!value.is_nothing()).then(|| Pulse::read(value, report)),
                "vsid" => backend.service = some(value.text("a service", report)).or(backend.service),
                "metrics" => {}
                other => drop(report.error(&place, format!("unknown key `{other}` of a backend"), "it is left out")),
            }
        }
        Some(backend)
    }

    pub(super) fn destination(
        &self,
        service: &ServiceOptions,
        report: &mut Report,
        surroundings: &mut dyn Surroundings,
    ) -> Option<DraftDestination> {
        let Self { id, place, .. } = self;
        let address =
            self.host.as_ref().and_then(|host| host.parse::<IpAddr>().ok().or_else(|| surroundings.host(host, None)));
        let (Some(address), Some(port)) = (address, self.port) else {
            let message = format!("the backend {id} has no host and port that are known here");
            report.error(place, message, "write its address and port; it is left out");
            return None;
        };
        let method = self.method.as_ref().or(service.forward.as_ref());
        let forward = match method.map(|method| method.to_ascii_lowercase()).as_deref() {
            None | Some("nat") => Forward::Nat,
            Some("dr") => Forward::Dr,
            Some("tunnel" | "ipip") => Forward::Tunnel(Tunnel::default()),
            Some(other) => {
                report.error(place, format!("unknown method `{other}`"), "GORB refuses it, too; it is left out");
                return None;
            }
        };
        let weight = self.weight.or(service.weight.filter(|weight| *weight > 0)).unwrap_or(WEIGHT);
        let mut destination = services::destination(address, Some(port), forward, weight);
        let printable = id.len() <= 128 && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        destination.name = printable.then(|| id.clone());
        Some(destination)
    }
}
