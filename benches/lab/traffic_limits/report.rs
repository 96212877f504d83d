//! On the host: what a packet costs as a multiple of one in a kernel without services, and what things take.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::run::{Cell, Runs, Spread};
use crate::section::{Details, Part};

pub fn report(runs: &Runs) -> anyhow::Result<Part> {
    Ok(Part { figures: BTreeMap::new(), details: vec![packets(runs)?, memory(runs)?, rates(runs)?], plots: Vec::new() })
}

/// What was measured, and what a packet of it is called in the table.
const PACKETS: [(&str, &str, &str); 9] = [
    ("known", "of a known connection", "services, spread evenly"),
    ("new", "of a new connection", "services, spread evenly"),
    ("other", "for no service", "services, spread evenly"),
    ("new, one bucket", "of a new connection", "services, their addresses ending alike"),
    ("other, one bucket", "for no service", "services, their addresses ending alike"),
    ("new, rr", "of a new connection", "destinations of the service, `rr`"),
    ("new, wlc", "of a new connection", "destinations of the service, `wlc`"),
    ("flow", "of a known connection", "connections, 4,096 buckets"),
    ("flow, 20 bits", "of a known connection", "connections, 1,048,576 buckets"),
];

fn packets(runs: &Runs) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for (what, packet, of) in PACKETS {
        for size in runs.sizes(what) {
            let times = runs.ratio(
                Cell { what, size, value: "microseconds" },
                Cell { what, size, value: "microseconds_without" },
            )?;
            let Spread { median, low, high, runs: _ } = times;
            lines.push(vec![
                packet.to_owned(),
                format!("{} {of}", thousands(size)),
                format!("{median:.1} ({low:.1} to {high:.1})"),
            ]);
        }
    }
    Ok(Details {
        title: "What a packet costs the director, by what the kernel's tables hold".to_owned(),
        head: ["a packet", "with", "times a packet without any service"].map(str::to_owned).to_vec(),
        lines,
        note: "A process of the director's own sends UDP packets, of 28 bytes, to services by dr; an interface drops what comes out. What is \
               compared with is the same packet in a namespace without services, so it has the system call, the route and the interface, \
               and nothing of IPVS."
            .to_owned(),
    })
}

fn memory(runs: &Runs) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for (what, many) in [("service", 10_000), ("destination", 100_000)] {
        let size = *runs.sizes(what).last().with_context(|| format!("no {what}"))?;
        let number = |value| -> anyhow::Result<f64> { Ok(runs.spread(Cell { what, size, value })?.median) };
        let [slab, percpu] = [number("slab_bytes")?, number("percpu_bytes")?];
        lines.push(vec![
            format!("a {what}"),
            format!("{slab:.0} bytes, and {percpu:.0} for each processor"),
            format!(
                "{:.0} MiB for {} with 64 processors",
                (slab + percpu * 64.0) * f64::from(many) / f64::from(1 << 20),
                thousands(many)
            ),
        ]);
    }
    for what in ["connection, flow", "connection, flow, 20 bits"] {
        let size = *runs.sizes(what).last().context("no connections")?;
        let slab = runs.spread(Cell { what, size, value: "slab_bytes" })?.median;
        let buckets = if what.ends_with("bits") { "1,048,576 buckets, which take 8 MiB" } else { "4,096 buckets" };
        let million = slab * 1e6 / f64::from(1 << 20);
        lines.push(vec![
            format!("a connection ({buckets})"),
            format!("{slab:.0} bytes"),
            format!("{million:.0} MiB for a million of them"),
        ]);
    }
    Ok(Details {
        title: "What the kernel's tables take of memory".to_owned(),
        head: ["", "each", "many"].map(str::to_owned).to_vec(),
        lines,
        note:
            "By what /proc/meminfo says of slabs and of percpu memory, before and behind; computed for more processors."
                .to_owned(),
    })
}

fn rates(runs: &Runs) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for (what, label) in [("rates", "as it is"), ("rates, off", "`net.ipv4.vs.run_estimation=0`")] {
        for size in runs.sizes(what) {
            let number = |value| -> anyhow::Result<f64> { Ok(runs.spread(Cell { what, size, value })?.median) };
            lines.push(vec![
                label.to_owned(),
                thousands(size),
                format!("{:.0}", number("threads")?),
                format!("{:.1} %", number("processor_percent")?),
            ]);
        }
    }
    Ok(Details {
        title: "What the kernel's rates take of the processors, without any traffic".to_owned(),
        head: ["", "services and destinations", "kernel threads", "of one emulated processor"].map(str::to_owned).to_vec(),
        lines,
        note: "Linux 6.12 reads each counter of each processor every two seconds, in threads of its own; this machine has two processors."
            .to_owned(),
    })
}

/// `10,000`
pub fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
