//! Draining, with connections that are open.

mod apply;
mod by_deadline;
mod settings;
mod under_way;
mod whole_services;

use std::fmt::Write as _;
use std::fs;

use crate::netns::{self, ipvsadm};
use crate::network::{Network, VIP};
use crate::program::Program;
use crate::sessions::Server;

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
const A: &str = "10.2.0.11:9000";
const B: &str = "10.2.0.21:9000";

/// Two servers, and where ipvsd lives.
struct Stage {
    network: Network,
    servers: Vec<Server>,
    program: Program,
}

impl Stage {
    fn new() -> Self {
        let kernel = netns::enter();
        drop(kernel);
        let network = Network::around_here(2);
        let servers = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
        // The kernel forgets a connection that nobody uses after 2 s.
        ipvsadm(&["--set", "2", "2", "2"], "");
        Self { network, servers, program: Program::new() }
    }

    /// Writes a configuration: keys of `[daemon]`, keys of the service, destinations.
    fn write(&self, service: &str, destinations: &[&str]) {
        self.program.write(FILE, &web(service, destinations));
    }

    fn apply(&self) -> String {
        self.program.runs(FILE, &["apply"], 0)
    }
}

/// A configuration: keys of the service, and its destinations.
fn web(service: &str, destinations: &[&str]) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nresync = \"1h\"\nmax_delete = \"100%\"\n[[services]]\nname = \"web\"\n\
         address = \"tcp://{VIP}\"\nscheduler = \"rr\"\n{service}\n"
    );
    for address in destinations {
        writeln!(text, "[[services.destinations]]\naddress = \"{address}\"").unwrap();
    }
    text
}

const NOTHING: &str = "version = 1\nservices = []\n[daemon]\nresync = \"1h\"\nmax_delete = \"100%\"\n";

/// A setting of IPVS in this namespace.
fn set(name: &str, value: u32) {
    fs::write(format!("/proc/sys/net/ipv4/vs/{name}"), value.to_string()).unwrap();
}
