//! What the schedulers that count promise, with real connections through a configuration of ours; those that hash are in
//! [`crate::hashes`]. Where a scheduler does something else than its description says, a test here states what the kernel does, and
//! why (`net/netfilter/ipvs/ip_vs_NAME.c`).

mod failover;
mod least;
mod round_robin;
mod twos;

use std::net::{IpAddr, SocketAddr};

use crate::balance::{Scene, VIP, client, service, weighted};

const WEB: [&str; 2] = ["-t", "192.0.2.10:80"];

/// A service of this scheduler at a port of [`VIP`], with these weights of servers 1, 2, …
fn at_port(port: u16, scheduler: &str, weights: &[u32]) -> String {
    let address = format!("tcp://{VIP}:{port}");
    service(&format!("port-{port}"), &address, &format!("scheduler = \"{scheduler}\""), &weighted(weights))
}

/// … at port 80.
fn web(scheduler: &str, weights: &[u32]) -> String {
    at_port(80, scheduler, weights)
}

fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.parse().unwrap(), port)
}

/// One client.
fn one() -> IpAddr {
    client(0, 1)
}

/// So many short connections of one client, one after another: who answered.
#[track_caller]
fn short(scene: &Scene, port: u16, count: usize) -> Vec<usize> {
    scene.answers((0..count).map(|_| one()), vip(port))
}
