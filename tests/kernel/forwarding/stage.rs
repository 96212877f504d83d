//! A rig that is made ready for a way of forwarding, with servers that run and a table that ipvsd applied.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{fs, io};

use socket2::Protocol as Ip;

use super::client;
use super::modes::{Forward, Mode};
use super::rig::{Rig, shell, vip};
use super::servers::{self, Dns, Streams};
use crate::network::Host;
use crate::program::Program;
use crate::rules::Rules;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// The port of the service, and of the destinations of another port.
    fn ports(self) -> (u16, u16) {
        match self {
            Self::Tcp | Self::Sctp => (80, 8080),
            Self::Udp => (53, 5353),
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Tcp => "-t",
            Self::Udp => "-u",
            Self::Sctp => "--sctp-service",
        }
    }
}

const CONFIG: &str = "ipvsd.toml";

/// What runs on a real server.
pub(crate) enum Running {
    Streams(Streams),
    Dns(Dns),
}

/// All is ready, but for what was left out.
pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) mode: Mode,
    pub(crate) protocol: Protocol,
    pub(crate) running: Vec<Running>,
}

impl Stage {
    /// Two servers, and everything on them and on the director that the mode needs.
    pub(crate) fn set(mode: Mode, protocol: Protocol) -> Self {
        let rig = Rig::new(mode.wiring(), 2);
        rig.prepare(mode);
        shell(&mode.director());
        Self::open(rig, mode, protocol)
    }

    /// Starts servers in a rig, and gives the director its table.
    pub(crate) fn open(rig: Rig, mode: Mode, protocol: Protocol) -> Self {
        let this = Self::serve(rig, mode, protocol);
        let program = Program::new();
        program.write(CONFIG, &this.configuration());
        program.runs(CONFIG, &["apply"], 0);
        Rules::live().assert_are(&this.rules(), &"what ipvsd applied");
        this
    }

    /// Starts servers in a rig. The director has no table.
    pub(crate) fn serve(rig: Rig, mode: Mode, protocol: Protocol) -> Self {
        let mut this = Self { rig, mode, protocol, running: Vec::new() };
        if protocol == Protocol::Sctp {
            // A receiver waits 200 ms for a second packet to acknowledge, and a sender may wait for that. The first socket loads
            // the module, and later ones begin with what is set then.
            for host in this.rig.servers.iter().chain([&this.rig.client]) {
                host.run(|| {
                    drop(servers::socket(Ip::SCTP, Ipv4Addr::LOCALHOST.into()).expect("this kernel has SCTP"));
                    fs::write("/proc/sys/net/sctp/sack_timeout", "1").unwrap();
                });
            }
        }
        this.running = this.numbers().map(|number| this.start(number)).collect();
        this
    }

    fn start(&self, number: usize) -> Running {
        let host = &self.rig.servers[number - 1];
        let at = self.listens(number);
        match self.protocol {
            Protocol::Tcp => Running::Streams(Streams::start(host, number as u64, Ip::TCP, at)),
            Protocol::Sctp => Running::Streams(Streams::start(host, number as u64, Ip::SCTP, at)),
            Protocol::Udp => Running::Dns(Dns::start(host, number as u8, at)),
        }
    }

    /// The service.
    pub(crate) fn service(&self) -> SocketAddr {
        (vip(self.mode.family), self.protocol.ports().0).into()
    }

    /// A destination, from 1.
    pub(crate) fn destination(&self, number: usize) -> SocketAddr {
        let (service, other) = self.protocol.ports();
        let port = if self.mode.forward == Forward::Nat { other } else { service };
        (self.rig.real(number, self.mode.underlay), port).into()
    }

    /// Where a server has to be reached in the end: only NAT changes that.
    pub(crate) fn listens(&self, number: usize) -> SocketAddr {
        if self.mode.forward == Forward::Nat { self.destination(number) } else { self.service() }
    }

    fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.rig.servers.len()
    }

    fn configuration(&self) -> String {
        let mut text = format!(
            "version = 1\n[[services]]\nname = \"proof\"\naddress = \"{}://{}\"\nscheduler = \"rr\"\n",
            self.protocol.scheme(),
            self.service()
        );
        for number in self.numbers() {
            let (address, keys) = (self.destination(number), self.mode.keys());
            text += &format!("[[services.destinations]]\naddress = \"{address}\"\n{keys}\n");
        }
        text
    }

    /// The table as the kernel is to have it.
    fn rules(&self) -> Rules {
        let service = format!("{} {}", self.protocol.option(), self.service());
        let mut text = format!("-A {service} -s rr\n");
        for number in self.numbers() {
            let (how, tunnel) = self.mode.saved();
            text += &format!("-a {service} -r {} {how} -w 100{tunnel}\n", self.destination(number));
        }
        Rules::parse(&text)
    }

    /// So many whole exchanges or queries of the client, one after the other: who answered each.
    pub(crate) fn ask(&self, count: usize, patience: Duration) -> io::Result<Vec<usize>> {
        self.ask_from(&self.rig.client, count, patience)
    }

    /// The same from another host.
    pub(crate) fn ask_from(&self, host: &Host, count: usize, patience: Duration) -> io::Result<Vec<usize>> {
        let (protocol, service) = (self.protocol, self.service());
        host.run(move || {
            let ask = |seed: usize| match protocol {
                Protocol::Tcp => client::exchange(Ip::TCP, service, seed as u64, patience),
                Protocol::Sctp => client::exchange(Ip::SCTP, service, seed as u64, patience),
                Protocol::Udp => client::ask(service, patience),
            };
            (0..count).map(|seed| ask(seed).map(|number| number as usize)).collect()
        })
    }
}
