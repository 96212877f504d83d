//! The destinations of a service.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::defaults::{Method, method};
use super::{Gather, tell, tunnel_place};
use crate::config::checks::{Assigned, CheckKeys};
use crate::config::decode::{At, Field};
use crate::config::fault::Fault;
use crate::config::rules::{self, Key};
use crate::config::tree::Place;
use crate::config::values::Target;
use crate::config::{names, raw, values};
use crate::model::{
    DestinationKey, DestinationSettings, Family, Forward, Named, NamedCheck, Offer, Probe, ServiceKey, SharedChecks,
    Via,
};

/// A destination as it is listed, and what is known of it whatever the address of its service.
pub(super) struct Listed<'r> {
    pub place: Place,
    pub raw: &'r raw::Destination,
    /// `None` if that is not to be understood.
    pub settings: Option<DestinationSettings>,
    /// The nearest checks that are named.
    pub assigned: Option<Arc<Assigned>>,
}

impl Listed<'_> {
    /// Whether it is checked, as far as that is known.
    pub(super) fn is_checked(&self) -> bool {
        self.assigned.as_ref().is_some_and(|assigned| assigned.is_some())
    }
}

/// The destinations of a service.
#[derive(Default)]
pub(super) struct Destinations {
    pub table: BTreeMap<DestinationKey, DestinationSettings>,
    pub checks: BTreeMap<DestinationKey, SharedChecks>,
    pub places: BTreeMap<DestinationKey, Place>,
    pub names: BTreeMap<DestinationKey, String>,
    pub named: Vec<Named>,
    /// Where each of these stands.
    pub named_at: Vec<Place>,
}

/// What destinations there are that want something of the host, the first of each; fallbacks are among them.
#[derive(Debug, Default)]
pub(in crate::config) struct Seen {
    /// Of another family than its service, which stands beside it.
    pub mixed: Option<(DestinationKey, ServiceKey, Place)>,
    /// Forwarded by nat, and not to this host itself, by family.
    pub nat: BTreeMap<Family, Place>,
}

impl Seen {
    pub(super) fn note(&mut self, place: Place, service: &ServiceKey, key: &DestinationKey, forward: Forward) {
        if key.family() != service.family() {
            self.mixed.get_or_insert((*key, *service, place));
        } else if forward == Forward::Nat && !key.address.is_loopback() {
            self.nat.entry(key.family()).or_insert(place);
        }
    }
}

impl Gather<'_, '_> {
    /// All that are listed, with the checks of their service where they name none.
    pub(super) fn list<'r>(&mut self, raw: &'r raw::Service) -> Vec<Listed<'r>> {
        let keys = CheckKeys { check: &raw.check, checks: &raw.checks, pass: &raw.check_pass };
        let of_service = self.definitions.assigned(&keys, self.faults).or_else(|| self.defaults.assigned.clone());
        let mut listed = Vec::new();
        let mut names: HashMap<&str, Place> = HashMap::new();
        for At { place, value: raw } in raw.destinations.value().into_iter().flatten() {
            if let Some(At { place, value }) = raw.name.get() {
                self.destination_name(*place, value, names.insert(value, *place));
            }
            let keys = CheckKeys { check: &raw.check, checks: &raw.checks, pass: &raw.check_pass };
            let assigned = self.definitions.assigned(&keys, self.faults).or_else(|| of_service.clone());
            listed.push(Listed { place: *place, raw, settings: self.destination(*place, raw), assigned });
        }
        listed
    }

    fn destination_name(&mut self, place: Place, name: &str, other: Option<Place>) {
        if name.is_empty() || name.len() > Offer::MAX_ID || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("`{}` cannot be the name of a destination", names::quote(name));
            let help = format!("a name is 1 to {} printable ASCII characters without blanks", Offer::MAX_ID);
            self.faults.push(Fault::new(place, message).help(help));
        }
        if let Some(first) = other {
            let message = format!("two destinations of one service are called `{}`", names::quote(name));
            let fault = Fault::new(place, message).label("again here").related(first, "first here");
            self.faults.push(fault.help("give one of them another name, or none"));
        }
    }

    /// What a destination is set to, whatever the address of its service.
    pub(super) fn destination(&mut self, place: Place, raw: &raw::Destination) -> Option<DestinationSettings> {
        let defaults = self.defaults;
        if raw.address.is_absent() {
            let fault = Fault::new(place, "a destination has no address").label("this destination");
            self.faults.push(fault.help("add `address`, for example \"10.0.0.11:8080\""));
        }
        let faults = &mut *self.faults;
        let method = match raw.forward.get() {
            Some(at) => method(at, faults),
            None if raw.forward.is_absent() => Some(defaults.forward),
            None => None,
        };
        let tunnel = raw.tunnel.get().map(|at| (at.place, values::tunnel(&at.value, faults)));
        if let (Some(method), Some((place, _))) = (method, &tunnel)
            && method != Method::Tunnel
        {
            let fault = Fault::new(*place, "`tunnel` has no meaning without forward = \"tunnel\"");
            faults.push(fault.help("add forward = \"tunnel\", or remove `tunnel`"));
        }
        let forward = match method {
            Some(Method::Nat) | None => Forward::Nat,
            Some(Method::Dr) => Forward::Dr,
            Some(Method::Tunnel) => {
                let default = defaults.tunnel.as_ref().map(|at| at.value).unwrap_or_default();
                Forward::Tunnel(tunnel.map_or(Some(default), |(_, tunnel)| tunnel)?)
            }
        };
        let mut threshold = |field: &Field<i128>| {
            let broken = if field.is_absent() { Some(0) } else { None };
            field.get().map_or(broken, |at| values::number(at, "a threshold", rules::THRESHOLD_MAX, faults))
        };
        let (mut max_connections, mut min_connections) =
            (threshold(&raw.max_connections), threshold(&raw.min_connections));
        if max_connections.is_none() || min_connections.is_none() {
            // Said already; comparing what is left would only confuse.
            (max_connections, min_connections) = (Some(0), Some(0));
        }
        let weight = raw.weight.get().and_then(|at| values::number(at, "a weight", rules::WEIGHT_MAX, faults));
        method.map(|_| DestinationSettings {
            forward,
            weight: weight.unwrap_or(defaults.weight),
            max_connections: max_connections.unwrap_or(0),
            min_connections: min_connections.unwrap_or(0),
        })
    }

    /// The destinations of the service at one of its addresses, and the checks of those that have some.
    pub(super) fn destinations(&mut self, listed: &[Listed<'_>], service: &ServiceKey) -> Destinations {
        let mut found = Destinations::default();
        for Listed { place: _, raw, settings, assigned } in listed {
            let Some(At { place, value }) = raw.address.get() else { continue };
            let key = match values::target(*place, value, service.port().unwrap_or(0), self.faults) {
                None => continue,
                Some(Target::At(key)) => key,
                Some(Target::Named(host, port)) => {
                    self.named(
                        (*place, host, port),
                        (raw, settings.as_ref(), assigned.as_deref()),
                        service,
                        &mut found,
                    );
                    continue;
                }
            };
            if let Some(place) = raw.resolve.place() {
                let fault = Fault::new(place, "`resolve` has no meaning with an address");
                self.faults.push(fault.help("remove it, or write a name in the place of the address"));
            }
            if let Some(first) = found.places.insert(key, *place) {
                let fault = Fault::new(*place, format!("the destination {key} stands twice in its service"));
                self.faults.push(
                    fault
                        .label("again here")
                        .related(first, "first here")
                        .help("keep one of the two, and add up the weights"),
                );
                continue;
            }
            let Some(settings) = settings else { continue };
            let defaults = &self.defaults.raw;
            tell(rules::destination(service, &key, settings), self.faults, |key| {
                Some(destination_place(raw, defaults, key).unwrap_or(*place))
            });
            self.seen.note(*place, service, &key, settings.forward);
            found.table.insert(key, *settings);
            if let Some(name) = raw.name.value() {
                found.names.insert(key, name.clone());
            }
            if let Some(assigned) = assigned.as_deref().filter(|assigned| !assigned.checks.is_empty()) {
                self.fits(assigned, service, (*place, &key, settings));
                found.checks.insert(key, Arc::clone(&assigned.checks));
            }
        }
        found
    }

    /// Whether checks can be made of a destination.
    pub(super) fn fits(
        &mut self,
        assigned: &Assigned,
        service: &ServiceKey,
        (at, key, settings): (Place, &DestinationKey, &DestinationSettings),
    ) {
        for (named, place) in assigned.checks.list.iter().zip(&assigned.places) {
            let NamedCheck { name, check } = named;
            let connects = !matches!(check.probe, Probe::Exec { .. } | Probe::None);
            if connects && key.port == 0 && check.port.is_none() {
                let message = format!("the check `{name}` has no port to go to where a destination has none");
                let fault = Fault::new(*place, message).related(at, "this one keeps the packet's");
                self.faults.push(fault.help("add `port` to the check, or a port to the destination"));
            }
            if check.via != Via::Vip {
                continue;
            }
            self.vip = true;
            let forward = settings.forward;
            if matches!(service, ServiceKey::Mark { .. }) {
                let message = format!("the check `{name}` goes via the vip, and {service} has no address");
                self.not_via(
                    Fault::new(*place, message),
                    name,
                    "write via = \"destination\" there, or another check here",
                );
            } else if !matches!(forward, Forward::Dr | Forward::Tunnel(_)) {
                let message =
                    format!("the check `{name}` goes via the vip, which {} destinations lack", forward.name());
                let help =
                    "write forward = \"dr\" or \"tunnel\" for the destination, or via = \"destination\" for the check";
                self.not_via(Fault::new(*place, message).related(at, "this one"), name, help);
            }
        }
    }

    fn not_via(&mut self, mut fault: Fault, name: &str, help: &str) {
        if let Some(via) = self.definitions.via(name) {
            fault = fault.related(via, "defined here");
        }
        self.faults.push(fault.help(help));
    }
}

pub(super) fn destination_place(raw: &raw::Destination, defaults: &raw::Defaults, key: Key) -> Option<Place> {
    match key {
        Key::Forward => raw.forward.place().or(defaults.forward.place()),
        Key::Weight => raw.weight.place().or(defaults.weight.place()),
        Key::MaxConnections => raw.max_connections.place(),
        Key::MinConnections => raw.min_connections.place(),
        Key::TunnelType | Key::TunnelPort | Key::TunnelChecksum => match raw.tunnel.get() {
            Some(at) => tunnel_place(&at.value, key).or(Some(at.place)),
            None => defaults.tunnel.get().and_then(|at| tunnel_place(&at.value, key).or(Some(at.place))),
        },
        _ => None,
    }
}
