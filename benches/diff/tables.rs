//! Tables of N services with M destinations each.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipvsd::model::{
    Desired, DestinationKey, DestinationSettings, Forward, Health, Live, LiveDestination, LiveService, OwnedService,
    Policy, Protocol, Record, Scheduler, Service, ServiceFlags, ServiceKey, ServiceSettings, SharedChecks, Stats,
    Table,
};
use ipvsd::plan::Layers;

/// N and M.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub services: u32,
    pub destinations: u32,
}

impl Size {
    /// Services and destinations together.
    pub fn objects(self) -> u32 {
        self.services * (self.destinations + 1)
    }
}

pub fn table(size: Size) -> Table {
    let services = (0..size.services).map(|service| {
        let destinations = (0..size.destinations).map(|number| destination(service * size.destinations + number));
        (service_key(service), Service { settings: service_settings(), destinations: destinations.collect() })
    });
    Table { services: services.collect() }
}

pub fn service_key(number: u32) -> ServiceKey {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + number).into();
    ServiceKey::Address { protocol: Protocol::Tcp, address, port: 80 }
}

fn service_settings() -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new("wlc"), flags: ServiceFlags::default(), persistence: None }
}

fn destination(number: u32) -> (DestinationKey, DestinationSettings) {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 1)) + number).into();
    let settings = DestinationSettings { forward: Forward::Nat, weight: 100, max_connections: 0, min_connections: 0 };
    (DestinationKey { address, port: 8080 }, settings)
}

/// The table as the kernel would show it.
pub fn live(table: &Table) -> Live {
    let services = table.services.iter().map(|(key, Service { settings, destinations })| {
        let destinations = destinations.iter().map(|(key, settings)| {
            let live = LiveDestination {
                settings: *settings,
                active_connections: 0,
                inactive_connections: 0,
                persistent_connections: 0,
                stats: Stats::default(),
            };
            (*key, live)
        });
        let destinations = destinations.collect();
        (*key, LiveService { settings: settings.clone(), stats: Stats::default(), destinations })
    });
    Live { services: services.collect(), unknown: Vec::new() }
}

/// The record of a pass that left all of the table.
pub fn record(table: &Table) -> Record {
    let services = table.services.iter().map(|(key, Service { settings, destinations })| {
        let destinations = destinations.iter().map(|(key, settings)| (*key, Some(*settings))).collect();
        (*key, OwnedService { left: Some(settings.clone()), destinations, drain: None })
    });
    Record { services: services.collect(), ..Record::default() }
}

/// The table with a check for every destination, and the health that these would find.
pub fn checked(table: &Table) -> (Desired, Layers) {
    let (mut policies, mut health) = (BTreeMap::new(), BTreeMap::new());
    for (key, service) in &table.services {
        let mut policy = Policy::new(Duration::ZERO);
        for destination in service.destinations.keys() {
            policy.checks.insert(*destination, SharedChecks::default());
            health.insert((*key, *destination), Health::Up);
        }
        policies.insert(*key, policy);
    }
    (Desired { table: table.clone(), policies, ..Desired::default() }, Layers { health, ..Layers::default() })
}

/// What identifies an object: a service, or a destination of one.
type Key = (ServiceKey, Option<DestinationKey>);

/// An object as it is wanted.
#[derive(Clone, PartialEq)]
pub enum Wanted {
    Service(ServiceSettings),
    Destination(DestinationSettings),
}

/// An object as the kernel has it, destinations with their counters.
pub enum Found {
    Service(ServiceSettings),
    Destination(LiveDestination),
}

/// The objects of a table in a sorted vector.
pub fn wanted_objects(table: &Table) -> Vec<(Key, Wanted)> {
    let of_service = |(key, service): (&ServiceKey, &Service)| {
        let mut objects = vec![((*key, None), Wanted::Service(service.settings.clone()))];
        let destinations = service.destinations.iter();
        objects.extend(destinations.map(|(of, settings)| ((*key, Some(*of)), Wanted::Destination(*settings))));
        objects
    };
    table.services.iter().flat_map(of_service).collect()
}

/// The objects of a live table in a sorted vector.
pub fn found_objects(live: &Live) -> Vec<(Key, Found)> {
    let of_service = |(key, service): (&ServiceKey, &LiveService)| {
        let mut objects = vec![((*key, None), Found::Service(service.settings.clone()))];
        let destinations = service.destinations.iter();
        objects.extend(destinations.map(|(of, found)| ((*key, Some(*of)), Found::Destination(found.clone()))));
        objects
    };
    live.services.iter().flat_map(of_service).collect()
}

impl PartialEq<Wanted> for Found {
    fn eq(&self, wanted: &Wanted) -> bool {
        match (self, wanted) {
            (Found::Service(found), Wanted::Service(wanted)) => found == wanted,
            (Found::Destination(found), Wanted::Destination(wanted)) => found.settings == *wanted,
            _ => false,
        }
    }
}

/// How many objects are the same in both, by one pass.
pub fn same<T: PartialEq<Wanted>>(some: &[(Key, T)], others: &[(Key, Wanted)]) -> usize {
    let (mut some, mut others) = (some.iter().peekable(), others.iter().peekable());
    let mut count = 0;
    while let (Some((one, is)), Some((other, should_be))) = (some.peek(), others.peek()) {
        let order = one.cmp(other);
        if order.is_eq() {
            count += usize::from(is == should_be);
        }
        if order.is_le() {
            some.next();
        }
        if order.is_ge() {
            others.next();
        }
    }
    count
}
