//! The table that everybody programs: N services of M destinations, in everybody's own words.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

/// 198.18.0.1: of the network that is set aside for benchmarks. minimal.c has the same.
const FIRST_SERVICE: u32 = 0xc612_0001;
const FIRST_DESTINATION: u32 = 0x0a00_0001;
const SERVICE_PORT: u16 = 80;
const DESTINATION_PORT: u16 = 8080;
pub const WEIGHT: u32 = 100;

/// How large it is. All services are tcp with `wlc`, all destinations of weight 100 by nat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub services: u32,
    /// Of each service.
    pub destinations: u32,
}

impl Shape {
    /// Ten destinations each, as everywhere here.
    pub fn of(services: u32) -> Self {
        Self { services, destinations: 10 }
    }

    /// Services and destinations.
    pub fn objects(self) -> u32 {
        self.services * (1 + self.destinations)
    }

    /// Of the service at this position, counted from 0.
    pub fn service(self, index: u32) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::from(FIRST_SERVICE + index), SERVICE_PORT)
    }

    /// Of one of its destinations.
    pub fn destination(self, service: u32, index: u32) -> SocketAddrV4 {
        let address = Ipv4Addr::from(FIRST_DESTINATION + service * self.destinations + index);
        SocketAddrV4::new(address, DESTINATION_PORT)
    }

    /// What `open` makes of every service, `each` of every destination of it, and `close` behind them.
    fn written(
        self,
        head: &str,
        open: impl Fn(u32, SocketAddrV4) -> String,
        each: impl Fn(SocketAddrV4, SocketAddrV4) -> String,
        close: &str,
    ) -> String {
        let mut text = head.to_owned();
        for index in 0..self.services {
            let service = self.service(index);
            text += &open(index, service);
            for further in 0..self.destinations {
                text += &each(service, self.destination(index, further));
            }
            text += close;
        }
        text
    }

    /// For ipvsd. `head` goes behind the version: tables like `[daemon]`.
    pub fn toml(self, head: &str) -> String {
        let open = |index, at| {
            format!(
                "[[services]]\nname = \"service-{index}\"\naddress = \"tcp://{at}\"\nscheduler = \"wlc\"\ndestinations = [\n"
            )
        };
        let each = |_, at| format!("  {{ address = \"{at}\", weight = {WEIGHT} }},\n");
        self.written(&format!("version = 1\n{head}\n"), open, each, "]\n\n")
    }

    /// For `ipvsadm -R`.
    pub fn rules(self) -> String {
        let each = |of, at| format!("-a -t {of} -r {at} -m -w {WEIGHT}\n");
        self.written("", |_, at| format!("-A -t {at} -s wlc\n"), each, "")
    }

    /// For keepalived: without checks, so that it adds all of it at once.
    pub fn keepalived(self) -> String {
        let open = |_, at: SocketAddrV4| {
            let (address, port) = (at.ip(), at.port());
            format!("virtual_server {address} {port} {{\n  lvs_sched wlc\n  lvs_method NAT\n  protocol TCP\n")
        };
        let each =
            |_, at: SocketAddrV4| format!("  real_server {} {} {{\n    weight {WEIGHT}\n  }}\n", at.ip(), at.port());
        self.written("", open, each, "}\n")
    }

    /// For ldirectord: without checks as well.
    pub fn ldirectord(self) -> String {
        let head = "supervised = yes\ncheckinterval = 60\nautoreload = no\nlogfile = \"/run/ldirectord.log\"\n";
        let each = |_, at| format!("\treal = {at} masq {WEIGHT}\n");
        let close = "\tscheduler = wlc\n\tprotocol = tcp\n\tchecktype = on\n";
        self.written(head, |_, at| format!("virtual = {at}\n"), each, close)
    }

    /// What `/proc/net/ip_vs` must say of it: a line each, without the counters.
    pub fn listed(self) -> BTreeSet<String> {
        let hex = |at: SocketAddrV4| format!("{:08X}:{:04X}", u32::from(*at.ip()), at.port());
        let mut lines = BTreeSet::new();
        for index in 0..self.services {
            let service = hex(self.service(index));
            lines.insert(format!("{service} TCP wlc"));
            for further in 0..self.destinations {
                lines.insert(format!("{service} {} Masq {WEIGHT}", hex(self.destination(index, further))));
            }
        }
        lines
    }
}
