//! Many services of ten destinations each: what the file says of them, and what `ipvsadm` must show.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Who changes a service. Each has services of its own, so that what must be in the table is never a matter of who came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Somebody with `ipvsadm`.
    Meddler,
    /// Whoever writes the file.
    Editor,
    /// Listeners that close and open again.
    Health,
    /// `ipvsd weight` and `ipvsd drain`.
    Operator,
}

pub struct Destination {
    pub address: SocketAddrV4,
    /// In the file.
    pub is_there: bool,
    pub weight: u32,
    /// Somebody listens.
    pub is_open: bool,
}

pub struct Service {
    pub name: String,
    pub address: SocketAddrV4,
    /// In the file.
    pub is_there: bool,
    pub destinations: Vec<Destination>,
}

pub struct Town {
    pub services: Vec<Service>,
    /// Of the checks, in seconds.
    pub interval: u32,
}

/// Destinations of a service.
pub const EACH: usize = 10;
const WEIGHT: u32 = 100;

impl Town {
    pub fn new(services: u32, interval: u32) -> Self {
        let [virtual_ones, real_ones] = [Ipv4Addr::new(10, 80, 0, 1), Ipv4Addr::new(127, 80, 0, 1)].map(u32::from);
        let service = |number: u32| Service {
            name: format!("s{number}"),
            address: SocketAddrV4::new((virtual_ones + number).into(), 80),
            is_there: true,
            destinations: (0..EACH as u32)
                .map(|index| Destination {
                    address: SocketAddrV4::new((real_ones + number * EACH as u32 + index).into(), 8080),
                    is_there: true,
                    weight: WEIGHT,
                    is_open: true,
                })
                .collect(),
        };
        Self { services: (0..services).map(service).collect(), interval }
    }

    /// The numbers of the services that somebody changes.
    pub fn of(&self, role: Role) -> Vec<usize> {
        let whose = |number: usize| match number % 10 {
            0 => Role::Meddler,
            1..=5 => Role::Editor,
            6 | 7 => Role::Health,
            _ => Role::Operator,
        };
        (0..self.services.len()).filter(|number| whose(*number) == role).collect()
    }

    pub fn destinations(&self) -> usize {
        self.services.iter().map(|service| service.destinations.len()).sum()
    }

    /// The file.
    pub fn configuration(&self) -> String {
        let mut text = format!(
            "version = 1\n\n[daemon]\nmanage = \"all\"\n\n[checks.port]\ntcp = {{}}\ninterval = \"{}s\"\nfast_interval = \"1s\"\n\
             timeout = \"1s\"\nrise = 2\nfall = 3\n\n[defaults]\ncheck = \"port\"\n",
            self.interval
        );
        for service in self.services.iter().filter(|service| service.is_there) {
            let Service { name, address, destinations, is_there: _ } = service;
            // Writing to a String does not fail.
            let _ =
                write!(text, "\n[[services]]\nname = \"{name}\"\naddress = \"tcp://{address}\"\ndestinations = [\n");
            for Destination { address, weight, .. } in destinations.iter().filter(|destination| destination.is_there) {
                let _ = writeln!(text, "  {{ address = \"{address}\", weight = {weight} }},");
            }
            text += "]\n";
        }
        text
    }

    /// The lines of `ipvsadm -Sn` when all has come to rest.
    pub fn table(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for service in self.services.iter().filter(|service| service.is_there) {
            lines.insert(format!("-A -t {} -s wlc", service.address));
            for (destination, weight) in service.table() {
                lines.insert(format!("-a -t {} -r {destination} -m -w {weight}", service.address));
            }
        }
        lines
    }
}

impl Service {
    /// Its destinations and their weights when all has come to rest.
    pub fn table(&self) -> BTreeSet<(String, u32)> {
        let here = self.destinations.iter().filter(|destination| destination.is_there);
        here.map(|it| (it.address.to_string(), if it.is_open { it.weight } else { 0 })).collect()
    }
}
