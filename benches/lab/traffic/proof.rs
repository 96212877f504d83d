//! That a way is what it says it is: by the counters of `ipvsadm`, of HAProxy, and of the interfaces.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::load::{Got, Load};
use super::netns::{self, within};
use super::rig::{Rig, WAYS, Way};

/// What was counted so far.
pub struct Counters {
    /// Packets to the services, in the order of [`WAYS`]. Zero of what is none.
    services: [u64; WAYS.len()],
    /// Connections that HAProxy took.
    haproxy: u64,
    /// Bytes that the director received and sent.
    director: u64,
    /// Packets that came out of the server's tunnel.
    tunnel: u64,
}

impl Counters {
    /// Reads them, once the kernel has added up all of its own.
    pub fn read(rig: &Rig) -> anyhow::Result<Self> {
        let services = within("director", settled)?;
        let haproxy = haproxy(&rig.haproxy_socket())?;
        let director = within("director", || interface("eth0").map(|eth0| eth0.bytes))?;
        let tunnel = within("server", || interface("tunl0").map(|tunnel| tunnel.packets))?;
        Ok(Self { services, haproxy, director, tunnel })
    }
}

/// # Errors
///
/// What was got between the two did not go this way, or something else went another one.
pub fn check(way: Way, load: Load, got: Got, before: &Counters, after: &Counters) -> anyhow::Result<()> {
    // SYN, request and FIN at least, or the request alone. Connections tell less: a client that uses a port again, while the
    // kernel still has its last connection, goes on with that one.
    let least = got.requests * if load.close { 3.0 } else { 1.0 };
    for (index, other) in WAYS.into_iter().enumerate() {
        let packets = (after.services[index] - before.services[index]) as f64;
        let name = other.name();
        if other == way && way.is_ipvs() {
            ensure!(packets >= least, "ipvsadm counts {packets} packets of {name}, and there were {least}");
        } else {
            // What ends the connections of the measurement before may come late.
            ensure!(
                packets < got.requests,
                "ipvsadm counts {packets} packets of {name} while {} was measured",
                way.name()
            );
        }
    }
    let haproxy = (after.haproxy - before.haproxy) as f64;
    if way == Way::Haproxy {
        let connections = if load.close { got.requests } else { f64::from(load.connections) };
        ensure!(haproxy >= connections, "HAProxy counts {haproxy} connections, and there were {connections}");
    } else {
        ensure!(haproxy == 0.0, "HAProxy counts {haproxy} connections while {} was measured", way.name());
    }
    let tunnelled = (after.tunnel - before.tunnel) as f64;
    if way == Way::Tunnel {
        ensure!(
            tunnelled >= got.requests,
            "{tunnelled} packets came out of the tunnel, and there were {}",
            got.requests
        );
    } else {
        ensure!(
            tunnelled < got.requests,
            "{tunnelled} packets came out of the tunnel while {} was measured",
            way.name()
        );
    }
    // The answers' bodies go through the director, in and out, or not at all.
    let bodies = got.requests * load.length as f64;
    let director = (after.director - before.director) as f64;
    match way {
        Way::Nat | Way::Haproxy => {
            ensure!(director >= 2.0 * bodies, "the director has seen {director} bytes, and the bodies had {bodies}");
        }
        // Address resolution, and nothing else.
        Way::Direct => ensure!(director < 100_000.0, "the director has seen {director} bytes of direct traffic"),
        Way::Dr | Way::Tunnel if load.length > 100_000 => {
            ensure!(director < bodies / 10.0, "the director has seen {director} bytes, bodies of {bodies} among them");
        }
        Way::Dr | Way::Tunnel => {}
    }
    Ok(())
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
    let text = netns::run("ipvsadm", &["-Ln", "--stats", "--exact"], "")?;
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
