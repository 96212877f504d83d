//! The article's claim: what a connection gives directly, through IPVS, and through a proxy in user space.

mod load;
pub mod netns;
mod proof;
mod report;
mod rig;

use anyhow::{Context, ensure};

use crate::guest::Lab;
use crate::section::{Need, Reach, Row, Section};
use load::Load;
use rig::{LARGE, Rig, SMALL, WAYS, Way};

pub const SECTION: Section = Section {
    name: "traffic",
    needs: &[
        Need::InstructionClock,
        Need::Program("nginx", "nginx"),
        Need::Program("ab", "apache2-utils"),
        Need::Program("haproxy", "haproxy"),
        Need::Module("bridge"),
        Need::Module("ipip"),
    ],
    memory: "1G",
    seconds: [2400, 600],
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

/// What the client does.
const LOADS: [Load; 3] = [
    Load { name: "requests", requests: 4000, connections: 16, path: "/small", length: SMALL.len(), close: false },
    Load { name: "connections", requests: 1500, connections: 16, path: "/small", length: SMALL.len(), close: true },
    Load { name: "throughput", requests: 100, connections: 1, path: "/large", length: LARGE, close: false },
];

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let rounds = if lab.options.quick { 1 } else { lab.options.runs };
    let mut rig = Rig::new(&lab.options.ipvsd)?;
    for round in 1..=rounds {
        for load in LOADS {
            let load = Load { requests: load.requests / if lab.options.quick { 10 } else { 1 }, ..load };
            let before = proof::services()?;
            // They take turns at being the first: what the one leaves behind hits another one in each round.
            for turn in 0..WAYS.len() {
                let way = WAYS[(round as usize + turn) % WAYS.len()];
                let rate = one(&mut rig, way, load).with_context(|| format!("{}, {}", way.name(), load.name))?;
                lab.say(&cell(way, load), load.connections, round, &[("requests_per_second", rate)])?;
            }
            let after = proof::services()?;
            for (index, way) in WAYS.into_iter().enumerate().filter(|(_, way)| way.is_ipvs()) {
                let (counted, least) = (after[index] - before[index], proof::packets(load));
                ensure!(counted >= least, "ipvsadm counts {counted} packets of {}, and there were {least}", way.name());
            }
        }
    }
    Ok(())
}

/// The name of what was measured.
fn cell(way: Way, load: Load) -> String {
    format!("{}, {}", way.name(), load.name)
}

fn one(rig: &mut Rig, way: Way, load: Load) -> anyhow::Result<f64> {
    let before = proof::Now::read(rig)?;
    let rate = netns::within("client", || load::ask(load, way.address()))?;
    proof::check(way, load, &before, &proof::Now::read(rig)?)?;
    rig.is_alive()?;
    Ok(rate)
}
