//! Tables for the tests of this module: written down, and made up from few keys so that they collide.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::model::{
    DestinationKey, DestinationSettings, Family, Forward, Manage, Netmask, OwnedService, Persistence, Record,
    Scheduler, Scope, Service, ServiceFlags, ServiceKey, ServiceSettings, Table, Tunnel,
};

use super::Plan;
use super::render::operation_line;

const SERVICES: [&str; 5] =
    ["tcp://192.0.2.10:80", "tcp://[2001:db8::10]:80", "udp://192.0.2.10:53", "sctp://198.51.100.9:80", "fwmark:7"];
const DESTINATIONS: [&str; 4] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.2:81", "[2001:db8::1]:80"];

pub(super) fn service_key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(super) fn destination_key(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

pub(super) fn settings(scheduler: &str) -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new(scheduler), flags: ServiceFlags::default(), persistence: None }
}

pub(super) fn weight(weight: u32) -> DestinationSettings {
    DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 }
}

/// A table of wlc services with nat destinations: `[(service, [(destination, weight)])]`.
pub(super) fn table(services: &[(&str, &[(&str, u32)])]) -> Table {
    let services = services.iter().map(|(key, destinations)| {
        let destinations = destinations.iter().map(|(key, value)| (destination_key(key), weight(*value))).collect();
        (service_key(key), Service { settings: settings("wlc"), destinations })
    });
    Table { services: services.collect() }
}

/// The record of a pass that left all of `table`.
pub(super) fn record_of(table: &Table) -> Record {
    let services = table.services.iter().map(|(key, Service { settings, destinations })| {
        let destinations = destinations.iter().map(|(key, settings)| (*key, Some(*settings))).collect();
        (*key, OwnedService { left: Some(settings.clone()), destinations, drain: None })
    });
    Record { services: services.collect(), ..Record::default() }
}

/// The operations of a plan, a line each.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| operation_line(&step.operation)).collect()
}

fn service_settings() -> impl Strategy<Value = ServiceSettings> {
    let persistence = Persistence { timeout: 300, netmask: Netmask::Prefix(24), engine: None };
    (
        prop::sample::select(vec!["wlc", "mh"]),
        prop::sample::select(vec![0, 0x10]),
        prop::option::weighted(0.2, Just(persistence)),
    )
        .prop_map(|(scheduler, flags, persistence)| ServiceSettings {
            scheduler: Scheduler::new(scheduler),
            flags: ServiceFlags(flags),
            persistence,
        })
}

fn destination_settings() -> impl Strategy<Value = DestinationSettings> {
    (
        prop::sample::select(vec![0, 0, 1, 1, 50, 100]),
        prop::sample::select(vec![Forward::Nat, Forward::Nat, Forward::Tunnel(Tunnel::default())]),
        prop::sample::select(vec![0, 0, 0, 10]),
    )
        .prop_map(|(weight, forward, max_connections)| DestinationSettings {
            forward,
            weight,
            max_connections,
            min_connections: 0,
        })
}

fn service_keys() -> impl Strategy<Value = ServiceKey> {
    prop::sample::select(SERVICES.map(service_key).to_vec())
}

fn destinations_of<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = BTreeMap<DestinationKey, T>> {
    prop::collection::btree_map(prop::sample::select(DESTINATIONS.map(destination_key).to_vec()), value, 0..=4)
}

/// Any table of a few services and destinations.
pub(super) fn tables() -> impl Strategy<Value = Table> {
    let service = (service_settings(), destinations_of(destination_settings()))
        .prop_map(|(settings, destinations)| Service { settings, destinations });
    prop::collection::btree_map(service_keys(), service, 0..=5).prop_map(|services| Table { services })
}

/// Any record over the same keys.
pub(super) fn records() -> impl Strategy<Value = Record> {
    let owned = (prop::option::of(service_settings()), destinations_of(prop::option::of(destination_settings())))
        .prop_map(|(left, destinations)| OwnedService { left, destinations, drain: None });
    prop::collection::btree_map(service_keys(), owned, 0..=5)
        .prop_map(|services| Record { services, ..Record::default() })
}

/// Each of the policies; the list covers a part of the services.
pub(super) fn policies() -> impl Strategy<Value = Manage> {
    prop::sample::select(vec![
        Manage::Owned,
        Manage::Owned,
        Manage::All,
        Manage::Within(vec![Scope::Prefix("192.0.2.0/24".parse().unwrap()), Scope::Mark(Family::V4, 7)]),
    ])
}

/// Which steps fail or wait: more places than the largest plan has steps.
pub(super) fn misfortunes() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(prop::bool::weighted(0.35), 64)
}
