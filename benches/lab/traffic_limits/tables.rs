//! Tables of a certain size, each in a namespace of its own.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::process::run;
use crate::traffic::netns::{self, within};

/// What is in it. Services are udp, and schedule each packet, so that what is sent to them leaves nothing behind.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Addresses one after the other: the kernel's hash of services takes their last eight bits.
    Spread,
    /// Addresses that end alike.
    OneBucket,
    /// As `Spread`, with this scheduler instead of `rr`.
    Scheduler(&'static str),
}

pub struct Table {
    pub namespace: String,
    services: Vec<SocketAddrV4>,
    others: Vec<SocketAddrV4>,
}

/// Keeps connections, which the others do not.
const LASTING: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 79, 0, 1), 80);
/// So many addresses at most that are no service.
const OTHERS: u32 = 256;

impl Table {
    /// A namespace without services. All that is sent in it is dropped by its interface, after all has been done with it.
    pub fn empty(name: &str) -> anyhow::Result<Self> {
        netns::add(name)?;
        within(name, || {
            netns::ip(
                "link add d0 type dummy\nlink set d0 up\naddress add 10.9.0.1/16 dev d0\nroute add default dev d0\n",
            )
        })?;
        Ok(Self { namespace: name.to_owned(), services: Vec::new(), others: Vec::new() })
    }

    /// So many services of so many destinations, made by `ipvsd apply`, and a further one that keeps connections.
    pub fn new(name: &str, kind: Kind, services: u32, destinations: u32, ipvsd: &Path) -> anyhow::Result<Self> {
        let mut table = Self::empty(name)?;
        table.apply(kind, services, destinations, ipvsd)?;
        table.services = (0..services).map(|number| address(kind, Ipv4Addr::new(10, 80, 0, 1), number)).collect();
        table.others =
            (0..services.min(OTHERS)).map(|number| address(kind, Ipv4Addr::new(11, 80, 0, 1), number)).collect();
        Ok(table)
    }

    pub fn apply(&self, kind: Kind, services: u32, destinations: u32, ipvsd: &Path) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("ipvsd.toml");
        fs::write(&config, configuration(kind, services, destinations))?;
        let [ipvsd, config, state] = [ipvsd, &config, folder.path()].map(|path| path.to_str().unwrap_or_default());
        within(&self.namespace, || run(ipvsd, &["--config", config, "--state-dir", state, "apply"], ""))?;
        let listed = within(&self.namespace, || run("ipvsadm", &["-Ln"], ""))?;
        let found = listed.lines().filter(|line| line.starts_with("UDP ")).count();
        ensure!(found == services as usize + 1, "ipvsadm lists {found} services");
        Ok(())
    }

    pub fn services(&self) -> Vec<SocketAddrV4> {
        self.services.clone()
    }

    /// Addresses that are no service, spread over the kernel's hash as the services are.
    pub fn others(&self) -> Vec<SocketAddrV4> {
        self.others.clone()
    }

    /// What the service that keeps connections has of them, by `ipvsadm`.
    pub fn connections(&self) -> anyhow::Result<f64> {
        let text = within(&self.namespace, || run("ipvsadm", &["-Ln", "-u", &LASTING.to_string()], ""))?;
        let row = text.lines().filter_map(|line| line.trim_start().strip_prefix("-> ")).nth(1);
        let columns: Vec<&str> = row.context("no destination")?.split_whitespace().collect();
        let [_, _, _, active, inactive] = columns[..] else { anyhow::bail!("odd columns: {columns:?}") };
        Ok(active.parse::<f64>()? + inactive.parse::<f64>()?)
    }

    /// The service that keeps connections.
    pub fn lasting(&self) -> Vec<SocketAddrV4> {
        vec![LASTING]
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _ = netns::ip(&format!("netns delete {}\n", self.namespace));
    }
}

fn address(kind: Kind, first: Ipv4Addr, number: u32) -> SocketAddrV4 {
    let step = match kind {
        Kind::Spread | Kind::Scheduler(_) => 1,
        Kind::OneBucket => 256,
    };
    SocketAddrV4::new((u32::from(first) + number * step).into(), 80)
}

fn configuration(kind: Kind, services: u32, destinations: u32) -> String {
    let scheduler = match kind {
        Kind::Spread | Kind::OneBucket => "rr",
        Kind::Scheduler(name) => name,
    };
    let mut text = format!(
        "version = 1\n\n[defaults]\nscheduler = \"{scheduler}\"\nforward = \"dr\"\n\n\
         [[services]]\nname = \"lasting\"\naddress = \"udp://{LASTING}\"\ndestinations = [{{ address = \"10.9.0.2\" }}]\n"
    );
    let first = u32::from(Ipv4Addr::new(10, 9, 1, 0));
    for number in 0..services {
        let service = address(kind, Ipv4Addr::new(10, 80, 0, 1), number);
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n[[services]]\nname = \"s{number}\"\naddress = \"udp://{service}\"\none_packet = true\ndestinations = [\n"
        );
        for index in 0..destinations {
            let destination = Ipv4Addr::from(first + (number * destinations + index) % 60_000);
            let _ = writeln!(text, "  {{ address = \"{destination}\" }},");
        }
        text += "]\n";
    }
    text
}

/// Waits until the kernel has given back what it gives back later: its memory does not change for two seconds.
pub fn at_rest() -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut last = super::Memory::now()?;
    let mut same = 0;
    while same < 4 {
        ensure!(begin.elapsed() < Duration::from_secs(120), "the kernel's memory does not come to rest");
        sleep(Duration::from_millis(500));
        let now = super::Memory::now()?;
        let moved = (now.slab - last.slab).abs() + (now.percpu - last.percpu).abs();
        same = if moved < 256.0 { same + 1 } else { 0 };
        last = now;
    }
    Ok(())
}

/// Takes IPVS out of the kernel, when the last namespace with a table is gone, and loads it again with an option.
pub fn reload_module(option: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let loaded = fs::read_to_string("/proc/modules")?;
        let mut parts: Vec<&str> = loaded.lines().filter_map(|line| line.split_whitespace().next()).collect();
        parts.retain(|name| *name == "ip_vs" || name.starts_with("ip_vs_"));
        if parts.is_empty() {
            break;
        }
        // The others before that which they all use. The kernel takes namespaces apart in its own time.
        parts.sort_by_key(|name| *name == "ip_vs");
        let gone = parts.iter().try_for_each(|name| run("rmmod", &[name], "").map(drop));
        if let Err(error) = gone {
            ensure!(begin.elapsed() < Duration::from_secs(120), "ip_vs stays: {error:#}");
            sleep(Duration::from_millis(500));
        }
    }
    run("modprobe", &["ip_vs", option], "").map(drop)?;
    let (name, value) = option.split_once('=').context("an option is NAME=VALUE")?;
    let found = fs::read_to_string(Path::new("/sys/module/ip_vs/parameters").join(name))?;
    ensure!(found.trim() == value, "{name} is {found} instead of {value}");
    Ok(())
}
