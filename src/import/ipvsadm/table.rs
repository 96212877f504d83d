//! What the commands leave behind, one after the other.

use std::collections::{BTreeMap, HashMap};

use super::rule::{Action, Rule, Server};
use crate::config::Draft;
use crate::import::report::{Place, Report};
use crate::import::services::{self, Item};
use crate::model::{DestinationKey, ServiceKey, ServiceSettings, SyncRole, SyncSettings, Timeout};

/// The kernel's table as the commands make it.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In their order; what was deleted leaves a gap.
    services: Vec<Option<Service>>,
    index: HashMap<ServiceKey, usize>,
    timeouts: BTreeMap<Timeout, u32>,
    daemons: BTreeMap<SyncRole, SyncSettings>,
}

#[derive(Debug)]
struct Service {
    place: Place,
    key: ServiceKey,
    settings: ServiceSettings,
    servers: Vec<(Place, Server)>,
}

impl Server {
    fn key(&self) -> DestinationKey {
        DestinationKey { address: self.address, port: self.port }
    }
}

impl Table {
    /// Does it as the kernel would, and says where the kernel would refuse.
    pub(super) fn carry_out(&mut self, command: Rule, report: &mut Report) {
        let Rule { place, action } = command;
        match action {
            Action::AddService(key, settings) => {
                if self.index.contains_key(&key) {
                    let help = "ipvsadm fails here, and the service stays as it is: remove this line, or write -E";
                    report.error(&place, format!("{key} is there already"), help);
                    return;
                }
                self.index.insert(key, self.services.len());
                self.services.push(Some(Service { place, key, settings, servers: Vec::new() }));
            }
            Action::EditService(key, settings) => {
                if let Some(service) = self.service(&key, &place, report) {
                    service.settings = settings;
                    service.place = place;
                }
            }
            Action::DeleteService(key) => {
                if self.service(&key, &place, report).is_some() {
                    let gap = self.index.remove(&key).and_then(|at| self.services.get_mut(at));
                    gap.into_iter().for_each(|gap| *gap = None);
                }
            }
            Action::Clear => {
                self.services.clear();
                self.index.clear();
            }
            Action::AddServer(key, server) => {
                let Some(service) = self.service(&key, &place, report) else { return };
                if service.servers.iter().any(|(_, other)| other.key() == server.key()) {
                    let message = format!("{} of {key} is there already", server.key());
                    let help = "ipvsadm fails here, and the server stays as it is: remove this line, or write -e";
                    report.error(&place, message, help);
                    return;
                }
                service.servers.push((place, server));
            }
            Action::EditServer(key, server) => {
                let Some(service) = self.service(&key, &place, report) else { return };
                match service.servers.iter_mut().find(|(_, other)| other.key() == server.key()) {
                    Some(found) => *found = (place, server),
                    None => absent(&key, &server, &place, report),
                }
            }
            Action::DeleteServer(key, server) => {
                let Some(service) = self.service(&key, &place, report) else { return };
                match service.servers.iter().position(|(_, other)| other.key() == server.key()) {
                    Some(at) => drop(service.servers.remove(at)),
                    None => absent(&key, &server, &place, report),
                }
            }
            Action::Set([tcp, tcp_fin, udp]) => {
                for (timeout, seconds) in [(Timeout::Tcp, tcp), (Timeout::TcpFin, tcp_fin), (Timeout::Udp, udp)] {
                    if seconds > 0 {
                        self.timeouts.insert(timeout, seconds);
                    }
                }
            }
            Action::StartDaemon(role, settings) => {
                self.daemons.insert(role, settings);
            }
            Action::StopDaemon(role) => {
                if self.daemons.remove(&role).is_none() {
                    let message = format!("no {} was started before", role.as_str());
                    report.warn(&place, message, "ipvsd stops the daemons of its own that [sync] does not name");
                }
            }
        }
    }

    fn service(&mut self, key: &ServiceKey, place: &Place, report: &mut Report) -> Option<&mut Service> {
        let at = self.index.get(key).copied();
        let found = at.and_then(|at| self.services.get_mut(at)).and_then(Option::as_mut);
        if found.is_none() {
            let help = "ipvsadm fails here: add the service first, with -A";
            report.error(place, format!("{key} is not there"), help);
        }
        found
    }

    /// The services, and in the draft what is none.
    pub(super) fn finish(self, draft: &mut Draft) -> Vec<Item> {
        draft.timeouts = self.timeouts;
        draft.sync = self.daemons;
        let services = self.services.into_iter().flatten().map(|Service { place, key, settings, servers }| {
            let mut item = Item::new(place, vec![key], settings);
            item.destinations = servers
                .into_iter()
                .map(|(place, Server { address, port, forward, weight, upper, lower })| {
                    let mut destination = services::destination(address, Some(port), forward, weight);
                    destination.settings.max_connections = upper;
                    destination.settings.min_connections = lower;
                    (place, destination)
                })
                .collect();
            item
        });
        services.collect()
    }
}

fn absent(key: &ServiceKey, server: &Server, place: &Place, report: &mut Report) {
    let help = "ipvsadm fails here: add the server first, with -a";
    report.error(place, format!("{} of {key} is not there", server.key()), help);
}
