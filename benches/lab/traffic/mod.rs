//! The article's claim: what a connection gives directly, through IPVS, and through a proxy in user space.

mod load;
mod netns;
mod proof;
mod report;
mod rig;

use anyhow::Context;

use crate::guest::Lab;
use crate::section::{Need, Reach, Row, Section};
use load::Load;
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
            id: "nat",
            what: "requests per second, IPVS by nat",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
        Row {
            id: "dr",
            what: "requests per second, IPVS by dr",
            against: "directly",
            reach: Reach::Shown("of direct"),
        },
        Row {
            id: "tunnel",
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

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let (rounds, seconds) = if lab.options.quick { (1, 1) } else { (lab.options.runs, 5) };
    let mut rig = Rig::new(&lab.options.ipvsd)?;
    for round in 0..=rounds {
        for (load, _) in LOADS {
            // Each way comes first once: what the one leaves behind hits another one in each round.
            for turn in 0..WAYS.len() {
                let way = WAYS[(turn + round as usize) % WAYS.len()];
                // In the first round everybody learns where everybody is; it does not count.
                let seconds = if round == 0 { 1 } else { seconds };
                let got =
                    one(&mut rig, way, load, seconds).with_context(|| format!("{}, {}", way.name(), load.name))?;
                if round > 0 {
                    let values = [
                        ("requests_per_second", got.requests_per_second),
                        ("bytes_per_second", got.bytes_per_second),
                        ("milliseconds", got.milliseconds),
                    ];
                    lab.say(&cell(way, load), load.connections, round, &values)?;
                }
            }
        }
    }
    Ok(())
}

/// The name of what was measured.
fn cell(way: Way, load: Load) -> String {
    format!("{}, {}", way.name(), load.name)
}

fn one(rig: &mut Rig, way: Way, load: Load, seconds: u32) -> anyhow::Result<load::Got> {
    let before = proof::Counters::read(rig)?;
    let got = netns::within("client", || load::run(load, way.address(), seconds))?;
    let after = proof::Counters::read(rig)?;
    proof::check(way, load, got, &before, &after)?;
    rig.is_alive()?;
    Ok(got)
}
