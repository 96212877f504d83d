//! The article's claim: what a connection gives directly, through IPVS, and through a proxy in user space.

mod load;
pub mod netns;
mod proof;
mod report;
mod rig;

use anyhow::{Context, ensure};

use crate::guest::Lab;
use crate::section::{Need, Reach, Row, Section};
use load::{Got, Load};
use rig::{LARGE, Rig, SMALL, WAYS, Way};

pub const SECTION: Section = Section {
    name: "traffic",
    needs: &[
        Need::Program("nginx", "nginx"),
        Need::Program("wrk", "wrk"),
        Need::Program("haproxy", "haproxy"),
        Need::Module("bridge"),
        Need::Module("ipip"),
    ],
    memory: "1G",
    seconds: [1200, 240],
    rows: &[
        Row {
            id: "ipvs-nat",
            what: "requests per second, IPVS by nat",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
        Row {
            id: "ipvs-dr",
            what: "requests per second, IPVS by dr",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
        Row {
            id: "ipvs-tunnel",
            what: "requests per second, IPVS by tunnel",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
        Row {
            id: "haproxy",
            what: "requests per second, HAProxy",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
    ],
    measure,
    report: report::report,
};

/// What the client does, and the number that counts of each.
const LOADS: [(Load, &str); 3] = [
    (
        Load { name: "requests", connections: 16, path: "/small", length: SMALL.len(), close: false },
        "requests_per_second",
    ),
    (
        Load { name: "connections", connections: 16, path: "/small", length: SMALL.len(), close: true },
        "requests_per_second",
    ),
    (Load { name: "throughput", connections: 1, path: "/large", length: LARGE, close: false }, "bytes_per_second"),
];

/// Slices of a second: whatever else this machine does for some seconds hits all ways.
const SLICES: u32 = 6;

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let (rounds, slices) = if lab.options.quick { (1, 1) } else { (lab.options.runs, SLICES) };
    let mut rig = Rig::new(&lab.options.ipvsd)?;
    for (load, _) in LOADS {
        // Everybody learns where everybody is; it does not count.
        sweep(&mut rig, load, 0)?;
    }
    for round in 1..=rounds {
        for (load, _) in LOADS {
            let before = proof::services()?;
            let sweeps: anyhow::Result<Vec<_>> =
                (0..slices).map(|slice| sweep(&mut rig, load, slice as usize)).collect();
            let (sweeps, after) = (sweeps?, proof::services()?);
            for (index, way) in WAYS.into_iter().enumerate() {
                let got: Vec<Got> = sweeps.iter().map(|sweep| sweep[index]).collect();
                let counted = (after[index] - before[index]) as f64;
                let least: f64 = got.iter().map(|got| proof::packets(load, *got)).sum();
                if way.is_ipvs() {
                    ensure!(
                        counted >= least,
                        "ipvsadm counts {counted} packets of {}, and there were {least}",
                        way.name()
                    );
                }
                let mean = |number: fn(&Got) -> f64| got.iter().map(number).sum::<f64>() / got.len() as f64;
                let values = [
                    ("requests_per_second", mean(|got| got.requests_per_second)),
                    ("bytes_per_second", mean(|got| got.bytes_per_second)),
                    ("milliseconds", mean(|got| got.milliseconds)),
                ];
                lab.say(&cell(way, load), load.connections, round, &values)?;
            }
        }
    }
    Ok(())
}

/// The name of what was measured.
fn cell(way: Way, load: Load) -> String {
    format!("{}, {}", way.name(), load.name)
}

/// Each way once, for a second. They take turns at being the first: what the one leaves behind hits another one each time.
fn sweep(rig: &mut Rig, load: Load, first: usize) -> anyhow::Result<[Got; WAYS.len()]> {
    let mut all = [Got::default(); WAYS.len()];
    for turn in 0..WAYS.len() {
        let index = (first + turn) % WAYS.len();
        let way = WAYS[index];
        all[index] = one(rig, way, load).with_context(|| format!("{}, {}", way.name(), load.name))?;
    }
    Ok(all)
}

fn one(rig: &mut Rig, way: Way, load: Load) -> anyhow::Result<Got> {
    let before = proof::Now::read(rig)?;
    let got = netns::within("client", || load::ask(load, way.address(), 1))?;
    proof::check(way, load, got, &before, &proof::Now::read(rig)?)?;
    rig.is_alive()?;
    Ok(got)
}
