//! A network namespace per run, so that each finds the kernel as new: no table, and none of the destinations that the kernel
//! keeps for minutes after they were deleted, through which every add of one would walk (`ip_vs_trash_get_dest`).

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use crate::process;
use crate::shape::Shape;

/// The kernel takes a destination only if a route reaches it.
const INTERFACES: &str = "\
link set lo up
link add bench0 type dummy
address add 192.0.2.254/24 dev bench0
link set bench0 up
route add default via 192.0.2.253
";

/// Runs `work` on a thread in a new network namespace, once the machine is at rest; the processes that it starts are in it, too.
pub fn fresh<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    settle()?;
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter()?;
            work()
        });
        inside.join().unwrap_or_else(|_| Err(anyhow!("the thread of a run has panicked")))
    })
}

fn enter() -> anyhow::Result<()> {
    #[expect(unsafe_code, reason = "unshare is unsafe for what it can do to descriptors")]
    // SAFETY: only the network namespace is left; descriptors stay shared with the other threads.
    let unshared = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
    unshared.context("no network namespace could be made")?;
    process::run("ip", &["-batch", "-"], INTERFACES).map(drop)
}

/// Of both processors, for a machine to be at rest.
const AT_REST: f64 = 0.95;
const REST_WITHIN: Duration = Duration::from_secs(120);

/// Waits until nothing goes on: the kernel still takes the last namespace apart when its last process is gone.
pub fn settle() -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut before = idle()?;
    loop {
        thread::sleep(Duration::from_millis(200));
        let now = idle()?;
        let (idle, all) = (now.0 - before.0, now.1 - before.1);
        if all > 0.0 && idle / all >= AT_REST {
            return Ok(());
        }
        ensure!(begin.elapsed() < REST_WITHIN, "the machine does not come to rest");
        before = now;
    }
}

/// Ticks that the processors were idle, and all of them (`/proc/stat`).
fn idle() -> anyhow::Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    Ok((ticks.get(3).context("no idle time")? + ticks.get(4).context("no waiting time")?, ticks.iter().take(8).sum()))
}

/// What the kernel itself lists in this thread's namespace: as [`Shape::listed`].
pub fn listed() -> anyhow::Result<BTreeSet<String>> {
    let text = fs::read_to_string("/proc/thread-self/net/ip_vs").context("/proc/net/ip_vs")?;
    let mut lines = BTreeSet::new();
    let mut service = "";
    for line in text.lines().skip(3) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words.as_slice() {
            ["->", address, method, weight, ..] => lines.insert(format!("{service} {address} {method} {weight}")),
            [protocol, address, scheduler, ..] => {
                service = address;
                lines.insert(format!("{service} {protocol} {scheduler}"))
            }
            _ => bail!("/proc/net/ip_vs has a line that is neither: {line}"),
        };
    }
    Ok(lines)
}

/// Fails unless the kernel's table is exactly this.
pub fn must_be(shape: Shape) -> anyhow::Result<()> {
    let (found, wanted) = (listed()?, shape.listed());
    let missing = wanted.difference(&found).next();
    let more = found.difference(&wanted).next();
    ensure!(
        missing.is_none() && more.is_none(),
        "the table has {} entries of {}: missing, for one, is {missing:?}, and too much is {more:?}",
        found.len(),
        wanted.len(),
    );
    Ok(())
}

/// The same by ipvsadm, by counting.
pub fn must_be_by_ipvsadm(shape: Shape) -> anyhow::Result<()> {
    let saved = process::run("ipvsadm", &["-Sn"], "")?;
    let count = |start: &str| saved.lines().filter(|line| line.starts_with(start)).count();
    let (services, destinations) = (count("-A "), count("-a "));
    ensure!(
        services == shape.services as usize && destinations == (shape.services * shape.destinations) as usize,
        "ipvsadm finds {services} services and {destinations} destinations",
    );
    Ok(())
}
