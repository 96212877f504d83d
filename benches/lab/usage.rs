//! What the kernel says of another process: memory, processor time, wake-ups, system calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::process;

/// Of all threads together.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    /// How often a thread went to sleep, or had to make room for another: so often it was woken.
    pub switches: u64,
    pub threads: usize,
}

/// Of its life so far.
pub fn usage(process: u32) -> anyhow::Result<Usage> {
    let mut usage = Usage { cpu: Duration::ZERO, switches: 0, threads: 0 };
    for thread in threads(process)? {
        let folder = PathBuf::from(format!("/proc/{process}/task/{thread}"));
        // One that has just ended.
        let Ok(stat) = fs::read_to_string(folder.join("schedstat")) else { continue };
        let nanoseconds = stat.split_whitespace().next().context("an empty schedstat")?.parse()?;
        usage.cpu += Duration::from_nanos(nanoseconds);
        let status = fs::read_to_string(folder.join("status"))?;
        for kind in ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
            usage.switches += number(&status, kind)?;
        }
        usage.threads += 1;
    }
    Ok(usage)
}

fn threads(process: u32) -> anyhow::Result<Vec<String>> {
    let folder = fs::read_dir(format!("/proc/{process}/task")).context("it has ended")?;
    folder.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn number(status: &str, name: &str) -> anyhow::Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().with_context(|| format!("{name} is empty"))?.parse()?)
}

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub now: u64,
    pub peak: u64,
}

/// As it is now.
pub fn memory(process: u32) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    Ok(Memory { now: number(&status, "VmRSS:")?, peak: number(&status, "VmHWM:")? })
}

/// A process at rest may still do so much in `LOOK`.
const REST: Duration = Duration::from_millis(3);
const LOOK: Duration = Duration::from_millis(300);
const REST_WITHIN: Duration = Duration::from_secs(180);

/// Waits until it has nothing to do.
pub fn rest(process: u32) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut before = usage(process)?.cpu;
    loop {
        thread::sleep(LOOK);
        let now = usage(process)?.cpu;
        if now.saturating_sub(before) <= REST {
            return Ok(());
        }
        ensure!(begin.elapsed() < REST_WITHIN, "it does not come to rest");
        before = now;
    }
}

const TRACING: &str = "/sys/kernel/tracing";

/// Counts the system calls of a process and of all threads that it starts.
pub struct Tracer {
    folder: &'static Path,
}

impl Tracer {
    pub fn start(process: u32) -> anyhow::Result<Self> {
        let folder = Path::new(TRACING);
        if !folder.join("trace").exists() {
            process::run("mount", &["-t", "tracefs", "tracefs", TRACING], "")?;
        }
        let tracer = Self { folder };
        tracer.set("tracing_on", "0")?;
        tracer.set("events/raw_syscalls/sys_enter/enable", "0")?;
        tracer.set("trace", "")?;
        tracer.set("options/event-fork", "1")?;
        tracer.set("set_event_pid", &threads(process)?.join(" "))?;
        tracer.set("events/raw_syscalls/sys_enter/enable", "1")?;
        tracer.set("tracing_on", "1")?;
        Ok(tracer)
    }

    fn set(&self, file: &str, value: &str) -> anyhow::Result<()> {
        fs::write(self.folder.join(file), value).with_context(|| format!("cannot write {value} to {TRACING}/{file}"))
    }

    /// So far. The buffer forgets what is old, and counts it all the same.
    pub fn count(&self) -> anyhow::Result<u64> {
        let mut count = 0;
        for processor in fs::read_dir(self.folder.join("per_cpu"))? {
            let stats = fs::read_to_string(processor?.path().join("stats"))?;
            for kind in ["entries:", "overrun:", "dropped events:"] {
                count += number(&stats, kind)?;
            }
        }
        Ok(count)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.set("tracing_on", "0");
        let _ = self.set("events/raw_syscalls/sys_enter/enable", "0");
    }
}
