//! What the kernel says of this process.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many descriptors as there may be.
pub fn raise_limits() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the limit of descriptors")
}

/// Descriptors of this process.
pub fn descriptors() -> anyhow::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// The most memory that was resident, in KiB.
pub fn peak_memory() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Of /proc, in a second: USER_HZ, which is the same wherever there is IPVS.
const TICKS: f64 = 100.0;

/// The processor time of this process.
pub struct Usage {
    pub user: Duration,
    pub system: Duration,
}

impl Usage {
    pub fn now() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut time = || -> anyhow::Result<Duration> {
            let ticks: u64 = fields.next().context("too few fields")?.parse()?;
            Ok(Duration::from_secs_f64(ticks as f64 / TICKS))
        };
        Ok(Self { user: time()?, system: time()? })
    }

    pub fn since(&self, before: &Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

/// Sockets in TIME_WAIT whose other end, and whose own end, is the servers' port.
pub fn time_wait(port: u16) -> anyhow::Result<[usize; 2]> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let mut count = [0, 0];
    let is_theirs = |end: &str| end.rsplit_once(':').is_some_and(|(_, text)| u16::from_str_radix(text, 16) == Ok(port));
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().take(4).collect();
        if let [_, own, other, "06"] = fields.as_slice() {
            count[0] += usize::from(is_theirs(other));
            count[1] += usize::from(is_theirs(own));
        }
    }
    Ok(count)
}
