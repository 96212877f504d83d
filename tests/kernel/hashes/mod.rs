//! The schedulers that hash: where a client or an address belongs, and who moves when a destination leaves. As
//! [`crate::schedulers`].

mod by_address;
mod maglev;
mod source_hash;

use std::net::{IpAddr, SocketAddr};

use crate::balance::{VIP, client, service, weighted};
use crate::oracle::order;

const WEB: [&str; 2] = ["-t", "192.0.2.10:80"];
/// The places in the tables of `sh` and `dh`.
const BUCKETS: usize = 256;

/// A service at port 80 of [`VIP`]: its scheduler, its other keys, and the destinations.
fn with(scheduler: &str, keys: &str, destinations: &[String]) -> String {
    service("web", &format!("tcp://{VIP}:80"), &format!("scheduler = \"{scheduler}\"\n{keys}"), destinations)
}

/// … with these weights of servers 1, 2, …
fn web(scheduler: &str, weights: &[u32]) -> String {
    with(scheduler, "", &weighted(weights))
}

fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.parse().unwrap(), port)
}

/// One client.
fn one() -> IpAddr {
    client(0, 1)
}

/// The server of a destination, `10.2.0.21:80`.
fn number(destination: &str) -> usize {
    let address = destination.split(':').next().unwrap();
    address.rsplit('.').next().unwrap().parse::<usize>().unwrap() / 10
}

/// What `sh` and `dh` fill: each destination in turn, in the kernel's order, gets so many places, until there are none left.
fn places(service: &[&str], for_weight: impl Fn(u32) -> usize) -> Vec<usize> {
    let order = order(service);
    let round = order.iter().flat_map(|(at, weight)| std::iter::repeat_n(number(at), for_weight(*weight)));
    round.collect::<Vec<usize>>().into_iter().cycle().take(BUCKETS).collect()
}

/// The place of an address, or of an address and a port added up (`ip_vs_sh_hashkey`, `ip_vs_dh_hashkey`): the upper eight bits of
/// its product with the golden ratio (`hash_32`).
fn place(number: u32) -> usize {
    (number.wrapping_mul(0x61c8_8647) >> 24) as usize
}

/// An IPv4 address as a number.
fn number_of(address: IpAddr) -> u32 {
    let IpAddr::V4(address) = address else { panic!("{address} is no IPv4 address") };
    address.into()
}

/// The share of those whose server has not left who are at another one now, in percent.
fn moved(before: &[usize], after: &[usize], left: usize) -> usize {
    let stayed = before.iter().zip(after).filter(|(before, _)| **before != left);
    let (all, moved) =
        stayed.fold((0, 0), |(all, moved), (before, after)| (all + 1, moved + usize::from(before != after)));
    moved * 100 / all
}
