//! That a way is what it says it is: by the counters of `ipvsadm`, of HAProxy, and of the interfaces.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::load::Load;
use super::netns::within;
use super::rig::{Rig, WAYS, Way};
use crate::process::run;

/// What the kernel and HAProxy have counted up to this moment.
pub struct Now {
    /// Packets to all services.
    ipvs: u64,
    /// Connections that HAProxy took.
    haproxy: u64,
    /// Bytes that the director received and sent.
    director: u64,
    /// Packets that came out of the server's tunnel.
    tunnel: u64,
}

impl Now {
    pub fn read(rig: &Rig) -> anyhow::Result<Self> {
        let (ipvs, director) = within("director", || Ok((total()?, interface("eth0")?.bytes)))?;
        let tunnel = within("server", || Ok(interface("tunl0")?.packets))?;
        Ok(Self { ipvs, haproxy: haproxy(&rig.haproxy_socket())?, director, tunnel })
    }
}

/// # Errors
///
/// What was asked for between the two did not go this way.
pub fn check(way: Way, load: Load, before: &Now, after: &Now) -> anyhow::Result<()> {
    let moved = |what: &str, before: u64, after: u64, least: Option<u64>| {
        let moved = after - before;
        match least {
            Some(least) => ensure!(moved >= least, "{what}: {moved}, and there must be {least}"),
            // What ends the connections of another measurement may come late.
            None => ensure!(moved < load.requests.into(), "{what}: {moved}, and there must be none"),
        }
        Ok(())
    };
    moved("packets to IPVS", before.ipvs, after.ipvs, way.is_ipvs().then(|| packets(load)))?;
    moved("packets out of the tunnel", before.tunnel, after.tunnel, (way == Way::Tunnel).then(|| packets(load)))?;
    let connections = if load.close { load.requests } else { load.connections }.into();
    moved("connections of HAProxy", before.haproxy, after.haproxy, (way == Way::Haproxy).then_some(connections))?;

    // The answers' bodies go through the director, in and out, or not at all.
    let bodies = u64::from(load.requests) * load.length as u64;
    let director = after.director - before.director;
    match way {
        Way::Nat | Way::Haproxy => {
            ensure!(director >= 2 * bodies, "the director has seen {director} bytes, and the bodies had {bodies}");
        }
        // Address resolution, and what ends other connections.
        Way::Direct => ensure!(director < 100_000, "the director has seen {director} bytes of direct traffic"),
        // The client's packets, in and out, have headers of 40 bytes at least.
        Way::Routed => {
            let least = 2 * 40 * packets(load);
            ensure!(director >= least, "the director has seen {director} bytes, and there must be {least}");
        }
        Way::Dr | Way::Tunnel if load.length > 100_000 => {
            ensure!(director < bodies / 10, "the director has seen {director} bytes, bodies of {bodies} among them");
        }
        Way::Dr | Way::Tunnel => {}
    }
    Ok(())
}

/// Packets of the client at least: SYN, request and FIN, or the request alone. Connections tell less: a client that uses a port
/// again, while the kernel still has its last connection, goes on with that one.
pub fn packets(load: Load) -> u64 {
    u64::from(load.requests) * if load.close { 3 } else { 1 }
}

/// Packets to each service, in the order of [`WAYS`], by `ipvsadm`. Zero of what is none.
pub fn services() -> anyhow::Result<[u64; WAYS.len()]> {
    within("director", settled)
}

/// The kernel adds a service's counters up every two seconds; those of all services together it has at once. Waits until the
/// one are the other.
fn settled() -> anyhow::Result<[u64; WAYS.len()]> {
    let begin = Instant::now();
    loop {
        let total = total()?;
        let services = ipvsadm()?;
        let sum: u64 = services.iter().sum();
        if sum == total {
            return Ok(services);
        }
        if begin.elapsed() > Duration::from_secs(30) {
            bail!("ipvsadm's counters add up to {sum} packets, and the kernel's are {total}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Packets to all services. The processors' lines are as of now, and the sum below them is as old as the services'
/// (`ip_vs_stats_percpu_show`).
fn total() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/net/ip_vs_stats_percpu")?;
    let processors = text.lines().skip(2).take_while(|line| !line.trim_start().starts_with('~'));
    let packets = processors.map(|line| {
        let column = line.split_whitespace().nth(2).context("too few columns")?;
        Ok(u64::from_str_radix(column, 16)?)
    });
    packets.sum()
}

/// Packets to each service.
fn ipvsadm() -> anyhow::Result<[u64; WAYS.len()]> {
    let text = run("ipvsadm", &["-Ln", "--stats", "--exact"], "")?;
    let mut services = [0; WAYS.len()];
    for (service, way) in services.iter_mut().zip(WAYS).filter(|(_, way)| way.is_ipvs()) {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("TCP  {}", way.address())));
        let line = line.with_context(|| format!("ipvsadm does not know {}:\n{text}", way.name()))?;
        *service = line.split_whitespace().nth(1).context("too few columns")?.parse()?;
    }
    Ok(services)
}

/// Connections that its frontend has taken (`stot`, the eighth column of `show stat`).
fn haproxy(socket: &Path) -> anyhow::Result<u64> {
    let mut stream = UnixStream::connect(socket).context("HAProxy's socket")?;
    stream.write_all(b"show stat\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let line = text.lines().find(|line| line.starts_with("front,FRONTEND,")).context("no frontend")?;
    Ok(line.split(',').nth(7).context("too few columns")?.parse()?)
}

struct Interface {
    bytes: u64,
    packets: u64,
}

/// What an interface has received and sent (proc(5), net/dev).
fn interface(name: &str) -> anyhow::Result<Interface> {
    let text = fs::read_to_string("/proc/thread-self/net/dev")?;
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{name}:")));
    let numbers: Result<Vec<u64>, _> =
        line.with_context(|| format!("no {name}"))?.split_whitespace().map(str::parse).collect();
    let numbers = numbers?;
    let sum = |column: usize| -> anyhow::Result<u64> {
        let both = numbers.get(column).zip(numbers.get(column + 8));
        both.map(|(received, sent)| received + sent).context("too few columns")
    };
    Ok(Interface { bytes: sum(0)?, packets: sum(1)? })
}
