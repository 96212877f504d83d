//! Which containers are destinations of a service.

use std::net::IpAddr;
use std::sync::Arc;

use super::Gather;
use super::defaults::{Defaults, Method, method};
use crate::config::checks::{Assigned, CheckKeys};
use crate::config::decode::At;
use crate::config::docker::{REACHES, word};
use crate::config::fault::Fault;
use crate::config::tree::Place;
use crate::config::{names, raw, rules, values};
use crate::model::{
    Auto, DestinationKey, DestinationSettings, Forward, Reach, SERVICE_LABEL, Selector, ServiceKey, ServiceSettings,
};

impl Defaults {
    fn forward_of(&self, method: Method) -> Forward {
        match method {
            Method::Nat => Forward::Nat,
            Method::Dr => Forward::Dr,
            Method::Tunnel => Forward::Tunnel(self.tunnel.as_ref().map(|at| at.value).unwrap_or_default()),
        }
    }

    /// Where nothing is written.
    fn selector(&self, reach: Reach) -> Selector {
        Selector {
            label: SERVICE_LABEL.to_owned(),
            value: None,
            port: None,
            network: None,
            reach,
            healthcheck: false,
            weight: self.weight,
            forward: self.forward_of(self.forward),
            tunnel: self.tunnel.as_ref().map(|at| at.value).unwrap_or_default(),
            checks: self.assigned.as_ref().map(|assigned| Arc::clone(&assigned.checks)),
        }
    }

    /// Services that come about by themselves, as services are.
    pub(in crate::config) fn auto(&self, addresses: Vec<IpAddr>) -> Auto {
        let settings =
            ServiceSettings { scheduler: self.scheduler.clone(), flags: self.scheduler_flags, persistence: None };
        Auto { addresses, settings, policy: self.policy.clone(), selector: self.selector(Reach::Container) }
    }
}

impl Gather<'_, '_> {
    /// The containers that a service asks for.
    pub(super) fn containers(&mut self, raw: &raw::Service, keys: &[(Place, ServiceKey)]) -> Option<Arc<Selector>> {
        let At { place, value } = raw.docker.get()?;
        self.asked.some = true;
        let raw::Containers { label, port, network, address, healthcheck, weight, forward } = &**value;
        let of_checks = CheckKeys { check: &raw.check, checks: &raw.checks, pass: &raw.check_pass };
        let assigned = self.definitions.assigned(&of_checks, self.faults).or_else(|| self.defaults.assigned.clone());
        let faults = &mut *self.faults;
        let reach = address.get().and_then(|at| values::word(at, "address of a container", &REACHES, faults));
        let reach = reach.unwrap_or(self.reach);
        let mut selector = self.defaults.selector(reach);
        selector.value = raw.name.value().cloned();
        if let Some(at) = label.get() {
            match at
                .value
                .split_once('=')
                .map_or((at.value.trim(), None), |(key, value)| (key.trim(), Some(value.trim())))
            {
                ("", _) => {
                    let fault = Fault::new(at.place, format!("`{}` is no label", names::quote(&at.value)));
                    faults.push(fault.help("write \"KEY=VALUE\", or \"KEY\" for whatever value"));
                }
                (key, value) => {
                    selector.label = key.to_owned();
                    selector.value = value.map(str::to_owned);
                }
            }
        }
        let port = port.get().and_then(|at| values::integer(at, "a port", 1..=65_535, faults));
        selector.port = port.and_then(|port| u16::try_from(port).ok());
        selector.network = network.get().and_then(|at| word(at, "network", faults)).or(self.network.clone());
        selector.healthcheck = healthcheck.value().copied().unwrap_or(false);
        if let Some(weight) = weight.get().and_then(|at| values::number(at, "a weight", rules::WEIGHT_MAX, faults)) {
            selector.weight = weight;
        }
        if let Some(method) = forward.get().and_then(|at| method(at, faults)) {
            selector.forward = self.defaults.forward_of(method);
        }
        if reach == Reach::Published {
            self.asked.published = self.asked.published.or(address.place()).or(Some(*place));
        }
        self.ports(&selector, (*place, value), keys);
        if let Some(assigned) = &assigned {
            self.checks_of_containers(assigned, &selector, *place, keys);
        }
        selector.checks = assigned.map(|assigned| Arc::clone(&assigned.checks));
        Some(Arc::new(selector))
    }

    /// dr and tunnel leave the port alone; and some services have none to give.
    fn ports(&mut self, selector: &Selector, (place, raw): (Place, &raw::Containers), keys: &[(Place, ServiceKey)]) {
        let keeps = matches!(selector.forward, Forward::Dr | Forward::Tunnel(_));
        for (_, key) in keys {
            match (key.port(), selector.port) {
                (Some(of_service), Some(port)) if keeps && port != of_service && selector.reach == Reach::Container => {
                    let name = selector.forward.name();
                    let message = format!(
                        "{name} leaves the port alone: {port} cannot be another than the service's, {of_service}"
                    );
                    let fault = Fault::new(raw.port.place().unwrap_or(place), message);
                    self.faults.push(fault.help("remove `port`, or write forward = \"nat\""));
                }
                _ => {}
            }
            if keeps && selector.reach == Reach::Published {
                let message =
                    format!("{} cannot reach a published port: only nat changes ports", selector.forward.name());
                let fault = Fault::new(raw.forward.place().unwrap_or(place), message);
                self.faults.push(fault.help("write address = \"container\", or forward = \"nat\""));
                return;
            }
        }
    }

    fn checks_of_containers(
        &mut self,
        assigned: &Assigned,
        selector: &Selector,
        place: Place,
        keys: &[(Place, ServiceKey)],
    ) {
        let settings =
            DestinationSettings { forward: selector.forward, weight: 1, max_connections: 0, min_connections: 0 };
        for (_, key) in keys {
            let port = selector.port.or(key.port()).unwrap_or(0);
            self.fits(assigned, key, (place, &DestinationKey { port, ..DestinationKey::FIRST }, &settings));
        }
    }
}
