//! What the kernel says of its memory and of its threads.

use std::fs;

use anyhow::Context;

/// Memory that only the kernel uses, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Slabs that cannot be given back.
    pub slab: f64,
    /// What each processor has a copy of, of all of them together.
    pub percpu: f64,
}

impl Memory {
    pub fn now() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/meminfo")?;
        let number = |label: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no {label}"))?;
            Ok(line.trim().trim_end_matches("kB").trim().parse()?)
        };
        Ok(Self { slab: number("SUnreclaim:")?, percpu: number("Percpu:")? })
    }

    /// Bytes for each of so many: slab, percpu.
    pub fn each_since(self, before: Self, count: u32) -> [f64; 2] {
        [self.slab - before.slab, self.percpu - before.percpu].map(|kib| kib * 1024.0 / f64::from(count))
    }
}

/// Processors that there may be: so many copies of what is percpu.
pub fn processors() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit(['-', ',']).next().context("no processors")?;
    Ok(last.parse::<f64>()? + 1.0)
}

/// The threads that estimate rates: how many, and their processor time in seconds (`ip_vs_est_kthread_start` names them).
pub fn estimators() -> anyhow::Result<(u32, f64)> {
    let (mut count, mut ticks) = (0, 0.0);
    for entry in fs::read_dir("/proc")? {
        // What ends meanwhile is none of them.
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        let Some((name, fields)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else { continue };
        if !name.starts_with("ipvs-e:") {
            continue;
        }
        let times: Result<Vec<f64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
        ticks += times?.iter().sum::<f64>();
        count += 1;
    }
    Ok((count, ticks / 100.0))
}
