//! The destinations of a service.

use std::collections::{BTreeMap, HashMap};

use super::defaults::{Method, method};
use super::{Gather, tell, tunnel_place};
use crate::config::decode::{At, Field};
use crate::config::fault::Fault;
use crate::config::rules::{self, Key};
use crate::config::tree::Place;
use crate::config::{raw, values};
use crate::model::{DestinationKey, DestinationSettings, Forward, ServiceKey};

impl Gather<'_, '_> {
    /// What a destination is set to, whatever the address of its service.
    pub(super) fn destination(
        &mut self,
        At { place, value: raw }: &At<raw::Destination>,
    ) -> Option<DestinationSettings> {
        let defaults = self.defaults;
        if raw.address.is_absent() {
            let fault = Fault::new(*place, "a destination has no address").label("this destination");
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

    /// The destinations of the service at one of its addresses.
    pub(super) fn destinations(
        &mut self,
        destinations: &[At<raw::Destination>],
        settings: &[Option<DestinationSettings>],
        service: &ServiceKey,
    ) -> BTreeMap<DestinationKey, DestinationSettings> {
        let mut table = BTreeMap::new();
        let mut places: HashMap<DestinationKey, Place> = HashMap::new();
        for (At { place: _, value: raw }, settings) in destinations.iter().zip(settings) {
            let Some(At { place, value }) = raw.address.get() else { continue };
            let Some(key) = values::destination_key(*place, value, service.port().unwrap_or(0), self.faults) else {
                continue;
            };
            if let Some(first) = places.insert(key, *place) {
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
            table.insert(key, *settings);
        }
        table
    }
}

fn destination_place(raw: &raw::Destination, defaults: &raw::Defaults, key: Key) -> Option<Place> {
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
