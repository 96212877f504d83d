//! What becomes of a service whose servers fail: clients stop being sent there, soon, and come back softly.

mod deaths;
mod outages;

use std::fmt::Write as _;

use crate::frail::Frail;
use crate::network::{Network, VIP};

const FILE: &str = "ipvsd.toml";
/// The service, as `ipvsadm -Sn` says it.
const WEB: &str = "-t 192.0.2.10:80";

/// Where a frail server listens.
fn at(server: usize) -> String {
    format!("10.2.0.{server}1:8081")
}

/// A frail server on each of the hosts, from 1.
fn frail(network: &Network) -> Vec<Frail> {
    network.servers.iter().zip(1..).map(|(host, number)| Frail::start(host, number, "0.0.0.0:8081")).collect()
}

/// A service of these servers, each with weight 10.
fn service(name: &str, keys: &str, servers: &[usize]) -> String {
    let mut text = format!("[[services]]\nname = \"{name}\"\naddress = \"tcp://{VIP}\"\nscheduler = \"wrr\"\n{keys}\n");
    for server in servers {
        writeln!(text, "[[services.destinations]]\naddress = \"{}\"\nweight = 10", at(*server)).unwrap();
    }
    text
}
