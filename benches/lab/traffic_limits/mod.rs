//! What limits one director: what a packet costs by the size of the kernel's tables, what they take of memory, and what their
//! rates take of the processors. All of it is the kernel's; ipvsd only makes the tables.

mod kernel;
mod packets;
mod report;
mod scaling;
mod tables;

use std::net::SocketAddrV4;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::guest::Lab;
use crate::section::{Need, Section};
use crate::traffic::netns::within;
use kernel::Memory;
use packets::Sender;
pub use scaling::page;
use tables::{Kind, Table};

pub const SECTION: Section = Section {
    name: "limits",
    needs: &[Need::InstructionClock],
    memory: "3G",
    seconds: [3600, 300],
    rows: &[],
    measure,
    report: report::report,
};

/// Behind each service where only the number of services matters.
const FEW: u32 = 1;

struct Shape {
    services: &'static [u32],
    /// Of the largest number of services.
    destinations: u32,
    /// Of one service.
    crowds: &'static [u32],
    flows: &'static [u32],
    packets: u32,
    /// How long the threads that estimate rates are watched.
    watch: Duration,
}

const FULL: Shape = Shape {
    services: &[100, 1000, 10_000],
    destinations: 10,
    crowds: &[10, 100, 1000],
    flows: &[1000, 10_000, 100_000, 400_000],
    packets: 20_000,
    watch: Duration::from_secs(20),
};
const QUICK: Shape = Shape {
    services: &[100, 1000],
    destinations: 10,
    crowds: &[10, 100],
    flows: &[1000, 10_000],
    packets: 2000,
    watch: Duration::from_secs(4),
};

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let (shape, rounds) = if lab.options.quick { (QUICK, 1) } else { (FULL, lab.options.runs) };
    let nothing = Table::empty("nothing")?;
    let most = shape.services[shape.services.len() - 1];

    memory_and_rates(lab, &shape, most)?;
    for services in shape.services {
        let table = Table::new("services", Kind::Spread, *services, FEW, &lab.options.ipvsd)?;
        for round in 1..=rounds {
            for (what, to) in [("new", table.services()), ("other", table.others()), ("known", table.lasting())] {
                let values = beside(&nothing, &table, shape.packets, 1, &to)?;
                lab.say(what, *services, round, &values)?;
            }
        }
    }
    // All of them in one of the kernel's 256 buckets: their addresses end alike.
    let table = Table::new("bucket", Kind::OneBucket, most, FEW, &lab.options.ipvsd)?;
    for round in 1..=rounds {
        for (what, to) in [("new, one bucket", table.services()), ("other, one bucket", table.others())] {
            let values = beside(&nothing, &table, shape.packets / 10, 1, &to)?;
            lab.say(what, most, round, &values)?;
        }
    }
    drop(table);
    for scheduler in ["wlc", "rr"] {
        for destinations in shape.crowds {
            let table = Table::new("crowd", Kind::Scheduler(scheduler), 1, *destinations, &lab.options.ipvsd)?;
            for round in 1..=rounds {
                let values = beside(&nothing, &table, shape.packets, 1, &table.services())?;
                lab.say(&format!("new, {scheduler}"), *destinations, round, &values)?;
            }
        }
    }
    flows(lab, &shape, rounds, &nothing, "flow")?;
    drop(nothing);
    tables::reload_module("conn_tab_bits=20")?;
    let nothing = Table::empty("nothing")?;
    flows(lab, &shape, rounds, &nothing, "flow, 20 bits")
}

/// Parts of a measurement: so often do the two that are compared take turns.
const TURNS: u32 = 100;

/// What a packet costs in the namespace of the table, and in one without any service. What disturbs only makes it slower, and not each
/// time: the quickest turn counts.
fn beside(
    nothing: &Table,
    table: &Table,
    packets: u32,
    flows: u32,
    to: &[SocketAddrV4],
) -> anyhow::Result<[(&'static str, f64); 2]> {
    let mut least = [f64::MAX; 2];
    for _ in 0..TURNS {
        for (least, table) in least.iter_mut().zip([table, nothing]) {
            let time = within(&table.namespace, || Sender::new()?.time(packets / TURNS, flows, to))?;
            *least = least.min(time.as_secs_f64() * 1e6);
        }
    }
    Ok([("microseconds", least[0]), ("microseconds_without", least[1])])
}

/// The memory of services and destinations, and what it takes to estimate their rates.
fn memory_and_rates(lab: &mut Lab, shape: &Shape, services: u32) -> anyhow::Result<()> {
    let table = Table::empty("memory")?;
    // What comes with the first of its kind is there before.
    table.apply(Kind::Spread, 1, 1, &lab.options.ipvsd)?;
    tables::at_rest()?;
    let before = Memory::now()?;
    table.apply(Kind::Spread, services, 0, &lab.options.ipvsd)?;
    tables::at_rest()?;
    let with_services = Memory::now()?;
    table.apply(Kind::Spread, services, shape.destinations, &lab.options.ipvsd)?;
    tables::at_rest()?;
    let with_destinations = Memory::now()?;
    let processors = kernel::processors()?;
    for (what, [slab, percpu], count) in [
        ("service", with_services.each_since(before, services), services),
        (
            "destination",
            with_destinations.each_since(with_services, services * shape.destinations),
            services * shape.destinations,
        ),
    ] {
        lab.say(
            what,
            count,
            1,
            &[("slab_bytes", slab), ("percpu_bytes", percpu / processors), ("processors", processors)],
        )?;
    }

    let estimators = services * (1 + shape.destinations);
    let watch = || -> anyhow::Result<[(&str, f64); 2]> {
        let (begin, before) = (Instant::now(), kernel::estimators()?.1);
        sleep(shape.watch);
        let (threads, after) = kernel::estimators()?;
        let percent = (after - before).max(0.0) / begin.elapsed().as_secs_f64() * 100.0;
        Ok([("threads", f64::from(threads)), ("processor_percent", percent)])
    };
    lab.say("rates", estimators, 1, &watch()?)?;
    within(&table.namespace, || crate::traffic::netns::sysctls(&[("net/ipv4/vs/run_estimation", "0")]))?;
    tables::at_rest()?;
    lab.say("rates, off", estimators, 1, &watch()?)
}

/// What a packet of a known connection costs by how many there are, and what each takes of memory.
fn flows(lab: &mut Lab, shape: &Shape, rounds: u32, nothing: &Table, what: &str) -> anyhow::Result<()> {
    let table = Table::new("flows", Kind::Spread, 1, FEW, &lab.options.ipvsd)?;
    let to = table.lasting();
    let mut before = (Memory::now()?, 0.0);
    for flows in shape.flows {
        within(&table.namespace, || Sender::new()?.open(*flows, to[0]))?;
        let (memory, connections) = (Memory::now()?, table.connections()?);
        ensure!(connections == f64::from(*flows), "ipvsadm counts {connections} connections, and there were {flows}");
        let slab = (memory.slab - before.0.slab) * 1024.0 / (connections - before.1);
        lab.say(&format!("connection, {what}"), *flows, 1, &[("slab_bytes", slab)])?;
        before = (memory, connections);
        for round in 1..=rounds {
            lab.say(what, *flows, round, &beside(nothing, &table, shape.packets, *flows, &to)?)?;
        }
    }
    Ok(())
}
