//! The services of all files: defaults laid under, names and addresses claimed once, every rule looked at.

mod containers;
mod defaults;
mod destinations;
mod named;
mod policy;
mod schedulers;
mod warnings;

use std::collections::{BTreeMap, HashMap};

use super::checks::Definitions;
use super::decode::{At, Field};
use super::docker::Asked;
use super::fault::{Fault, Faults};
use super::problem::Atlas;
use super::rules::{self, Breach, Breaches, Key};
use super::settings::MARKS_MORE;
use super::tree::Place;
use super::{Facts, names, raw, values};
use crate::model::{
    Family, Manage, Policy, Reach, Scheduler, Service, ServiceFlags, ServiceKey, ServiceOrigin, ServiceSettings, Table,
};

pub(super) use defaults::Defaults;
pub(super) use policy::DRAIN;

pub(super) use destinations::Seen;
use destinations::{Destinations, destination_place};
use policy::PolicyKeys;
use warnings::Outlook;

/// Gathers the services of all files.
pub(super) struct Gather<'g, 's> {
    pub defaults: &'g Defaults,
    pub manage: &'g Manage,
    pub manage_place: Option<Place>,
    pub atlas: &'g mut Atlas<'s>,
    pub faults: &'g mut Faults,
    pub table: Table,
    pub origins: BTreeMap<ServiceKey, ServiceOrigin>,
    pub names: HashMap<String, Place>,
    pub claims: HashMap<ServiceKey, Place>,
    pub definitions: &'g mut Definitions,
    pub policies: BTreeMap<ServiceKey, Policy>,
    /// What is known of the machine, if that is wanted.
    pub facts: Option<&'g Facts>,
    /// Whether a check goes via the vip.
    pub vip: bool,
    pub seen: Seen,
    /// How containers are reached, and on which network, where a service does not say.
    pub reach: Reach,
    pub network: Option<String>,
    pub asked: Asked,
    /// So many of the sources are files.
    pub files: u32,
}

impl Gather<'_, '_> {
    /// One service, at all its addresses.
    pub(super) fn add(&mut self, At { place, value: raw }: &At<raw::Service>) {
        self.name(*place, raw);
        let keys = self.keys(*place, raw);
        let settings = self.settings(raw);
        let persistence = match &raw.persistence {
            Field::Absent => None,
            // Said already; without it, port 0 would seem to have none.
            Field::Broken => Some(values::persistence(&raw::Persistence::default(), self.faults)),
            Field::Set(at) => Some(values::persistence(&at.value, self.faults)),
        };
        let listed = self.list(raw);
        let policy = PolicyKeys::of_service(raw).over(&self.defaults.policy, self.faults);
        let containers = self.containers(raw, &keys);
        let fallback = self.fallback_settings(raw);
        self.warn(&Outlook { raw, keys: &keys, settings: &settings, listed: &listed, policy: &policy });
        if keys.is_empty() {
            for At { place, value } in listed.iter().filter_map(|listed| listed.raw.address.get()) {
                values::target(*place, value, 0, self.faults);
            }
        }
        for (place, key) in keys {
            let mut settings = settings.clone();
            if let Some(persistence) = &persistence {
                settings.persistence = Some(persistence.for_family(key.family()));
                self.dotted(raw, &key);
            }
            let defaults = &self.defaults.raw;
            tell(rules::service(&key, &settings), self.faults, |key| {
                Some(service_place(raw, defaults, key).unwrap_or(place))
            });
            self.covered(place, &key);
            let Destinations { table, checks, places, names, named, named_at: _ } = self.destinations(&listed, &key);
            let name = raw.name.value().cloned().unwrap_or_default();
            let (file, line) = (self.atlas.file(place), self.atlas.line(place));
            let origin = ServiceOrigin { name, file, line, destinations: names };
            let fallback = self.fallback(raw, fallback, &key, &places);
            let containers = containers.clone();
            self.policies.insert(key, Policy { checks, fallback, containers, named, ..policy.clone() });
            self.origins.insert(key, origin);
            self.table.services.insert(key, Service { settings, destinations: table });
        }
    }

    /// With checks that go via the vip, some firewall marks are not for services.
    pub(super) fn marks_of_ours(&mut self, first: u32, place: Option<Place>) {
        if !self.vip {
            return;
        }
        let last = first.saturating_add(MARKS_MORE);
        for key in self.table.services.keys() {
            let (ServiceKey::Mark { mark, .. }, Some(claim)) = (key, self.claims.get(key)) else { continue };
            if (first..=last).contains(mark) {
                let message = format!("the marks {first} to {last} are ipvsd's own, for checks via the vip");
                let mut fault = Fault::new(*claim, message);
                if let Some(place) = place {
                    fault = fault.related(place, "from here on");
                }
                self.faults.push(fault.help("use another mark, or move `check_marks` in `[daemon]`"));
            }
        }
    }

    fn name(&mut self, service: Place, raw: &raw::Service) {
        let Some(At { place, value }) = raw.name.get() else {
            if raw.name.is_absent() {
                let fault = Fault::new(service, "a service has no name").label("this service");
                self.faults.push(fault.help("add `name`: reports, logs and metrics call the service by it"));
            }
            return;
        };
        if !names::is_name(value) {
            let message = format!("`{}` cannot be the name of a service", names::quote(value));
            self.faults.push(Fault::new(*place, message).help(names::names_are()));
        }
        if let Some(first) = self.names.get(value) {
            let message = format!("the name `{}` is claimed twice", names::quote(value));
            self.faults.push(Fault::new(*place, message).label("again here").related(*first, "first here").help(
                "give one of them another name; one service can have several addresses: address = [\"…\", \"…\"]",
            ));
        } else {
            self.names.insert(value.clone(), *place);
        }
    }

    /// The addresses that this service is the first to claim.
    fn keys(&mut self, service: Place, raw: &raw::Service) -> Vec<(Place, ServiceKey)> {
        let Some(At { place, value }) = raw.address.get() else {
            if raw.address.is_absent() {
                let fault = Fault::new(raw.name.place().unwrap_or(service), "a service has no address");
                self.faults
                    .push(fault.label("this service").help("add `address`, for example \"tcp://192.0.2.10:80\""));
            }
            return Vec::new();
        };
        if value.0.is_empty() {
            let fault = Fault::new(*place, "a service has an empty list of addresses");
            self.faults
                .push(fault.help("write at least one, for example \"tcp://192.0.2.10:80\", or remove the service"));
        }
        let mut keys = Vec::new();
        for At { place, value } in &value.0 {
            let Some(key) = values::service_key(*place, value, self.faults) else { continue };
            if let Some(first) = self.claims.get(&key) {
                let fault = Fault::new(*place, format!("the address {key} is claimed twice"));
                self.faults.push(
                    fault
                        .label("again here")
                        .related(*first, "first here")
                        .help("the kernel has one service per address: keep one of the two"),
                );
                continue;
            }
            self.claims.insert(key, *place);
            keys.push((*place, key));
        }
        keys
    }

    /// All but persistence, whose netmask depends on the family.
    fn settings(&mut self, raw: &raw::Service) -> ServiceSettings {
        let (scheduler, default_flags) = match raw.scheduler.value() {
            Some(name) => (Scheduler::new(name.as_str()), ServiceFlags::default()),
            None => (self.defaults.scheduler.clone(), self.defaults.scheduler_flags),
        };
        let unknown = matches!(raw.scheduler, Field::Broken);
        let mut flags = match raw.scheduler_flags.get() {
            Some(_) if unknown => default_flags,
            Some(at) => values::scheduler_flags(&at.value, &scheduler, self.faults),
            None => default_flags,
        };
        if raw.one_packet.value() == Some(&true) {
            flags = flags.with(ServiceFlags::ONE_PACKET);
        }
        ServiceSettings { scheduler, flags, persistence: None }
    }

    /// A mask in dots fits IPv4 only.
    fn dotted(&mut self, raw: &raw::Service, key: &ServiceKey) {
        if let Some(At { place, value: raw::Netmask::Dotted(_) }) =
            raw.persistence.value().and_then(|raw| raw.netmask.get())
            && key.family() == Family::V6
        {
            let fault = Fault::new(*place, format!("an IPv4 mask does not fit {key}"));
            self.faults.push(fault.help("write a prefix length, for IPv6 for example 64"));
        }
    }

    fn covered(&mut self, place: Place, key: &ServiceKey) {
        if matches!(self.manage, Manage::Within(_)) && !self.manage.covers(key) {
            let mut fault = Fault::new(place, format!("{key} lies outside of what `manage` lets ipvsd touch"));
            if let Some(manage) = self.manage_place {
                fault = fault.related(manage, "not in this list");
            }
            self.faults.push(fault.help("add it to `manage`, or remove the service"));
        }
    }
}

fn service_place(raw: &raw::Service, defaults: &raw::Defaults, key: Key) -> Option<Place> {
    let persistence = raw.persistence.get();
    let of =
        |pick: fn(&raw::Persistence) -> Option<Place>| persistence.and_then(|at| pick(&at.value).or(Some(at.place)));
    match key {
        Key::Scheduler => raw.scheduler.place().or(defaults.scheduler.place()),
        Key::SchedulerFlags => raw.scheduler_flags.place().or(defaults.scheduler_flags.place()),
        Key::Timeout => of(|raw| raw.timeout.place()),
        Key::Netmask => of(|raw| raw.netmask.place()),
        Key::Engine => of(|raw| raw.engine.place()),
        Key::OnePacket => raw.one_packet.place(),
        _ => None,
    }
}

fn tunnel_place(raw: &raw::Tunnel, key: Key) -> Option<Place> {
    match key {
        Key::TunnelType => raw.kind.place(),
        Key::TunnelPort => raw.port.place().or(raw.kind.place()),
        Key::TunnelChecksum => raw.checksum.place(),
        _ => None,
    }
}

/// Puts breaches into faults, at the places of their keys.
fn tell(breaches: Breaches, faults: &mut Faults, place: impl Fn(Key) -> Option<Place>) {
    for Breach { severity, key, message, help } in breaches.0 {
        let fault = place(key).map_or_else(|| Fault::nowhere(&*message), |place| Fault::new(place, &*message));
        faults.push(fault.severity(severity).help(help));
    }
}
