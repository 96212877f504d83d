//! What a daemon that runs takes: memory, and wake-ups while nothing happens.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::daemon::{self, Place};
use crate::guest::Lab;
use crate::net;
use crate::run::{Cell, Runs};
use crate::section::{Axis, Details, Figure, Need, Part, Plot, Reach, Row, Section, Series};
use crate::shape::Shape;
use crate::usage;

pub const SECTION: Section = Section {
    name: "daemon",
    needs: &[Need::InstructionClock],
    memory: "3G",
    seconds: [3000, 240],
    rows: &[
        Row {
            id: "memory-large",
            what: "resident memory of `run` at 10,000 × 10 with TOML, the most of it",
            against: "–",
            reach: Reach::Below(150.0, "MB"),
        },
        Row {
            id: "memory-small",
            what: "resident memory of `run` at 100 × 10, the most of it",
            against: "–",
            reach: Reach::Below(15.0, "MB"),
        },
        Row {
            id: "idle-wakes",
            what: "wake-ups of an idle `run` without checks, in a minute without a resync",
            against: "–",
            reach: Reach::Below(0.0, ""),
        },
        Row {
            id: "idle-cpu",
            what: "processor time of an idle `run` over that minute",
            against: "–",
            reach: Reach::Below(0.0, "%"),
        },
    ],
    measure,
    report,
};

const START: &str = "after the first pass";
pub const RELOAD: &str = "after a reload";
const IDLE: &str = "idle";
/// Of nothing.
const MINUTE: Duration = Duration::from_secs(60);
const HEAD: &str = "[daemon]\nresync = \"1d\"\n";

fn measure(lab: &mut Lab) -> anyhow::Result<()> {
    let sizes: &[u32] = if lab.options.quick { &[10, 100] } else { &[10, 100, 1000, 10_000] };
    for round in 0..lab.options.runs {
        for size in sizes {
            net::fresh(|| one_size(lab, round, Shape::of(*size))).with_context(|| format!("{size} × 10"))?;
        }
    }
    Ok(())
}

fn one_size(lab: &Lab, round: u32, shape: Shape) -> anyhow::Result<()> {
    let place = Place::new(&format!("daemon-{}", shape.services))?;
    place.rename_into(&shape.toml(HEAD))?;
    let file = fs::metadata(&place.config)?.len() as f64 / 1e6;
    let mut daemon = daemon::start(lab, &place, shape)?;
    let say = |what: &str| -> anyhow::Result<()> {
        let memory = usage::memory(daemon.id())?;
        let (now, peak) = (memory.now as f64 * 1024.0 / 1e6, memory.peak as f64 * 1024.0 / 1e6);
        eprintln!("{what}, {} × 10: {now:.1} MB, at most {peak:.1} MB", shape.services);
        lab.say(what, shape.services, round, &[("rss_mb", now), ("peak_mb", peak), ("file_mb", file)])
    };
    say(START)?;
    // Every weight is another one, so that the whole file is read and carried out again.
    place.rename_into(&shape.toml(HEAD).replace("weight = 100", "weight = 90"))?;
    let weight = |weight: u32| {
        let found = net::listed()?;
        Ok(found.iter().filter(|line| line.ends_with(&format!(" Masq {weight}"))).count()
            == (shape.services * shape.destinations) as usize)
    };
    daemon::wait_slowly("all weights", Duration::from_secs(180), || weight(90))?;
    usage::rest(daemon.id())?;
    say(RELOAD)?;
    if round == 0 {
        let minute = if lab.options.quick { MINUTE / 10 } else { MINUTE };
        let before = usage::usage(daemon.id())?;
        thread::sleep(minute);
        let after = usage::usage(daemon.id())?;
        ensure!(before.threads == after.threads, "threads came or went");
        let wakes = (after.switches - before.switches) as f64;
        let percent = (after.cpu - before.cpu).as_secs_f64() / minute.as_secs_f64() * 100.0;
        eprintln!("idle, {} × 10: {wakes} wake-ups, {percent:.3} % of a processor", shape.services);
        let values = [("wakes", wakes), ("cpu_percent", percent), ("threads", after.threads as f64)];
        lab.say(IDLE, shape.services, round, &values)?;
    }
    daemon.must_run()?;
    daemon.kill()
}

fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part::default();
    let sizes = runs.sizes(START);
    let most = *sizes.last().context("no size")?;
    let small = sizes.iter().copied().find(|size| *size >= 100 || *size == most).context("no size")?;
    for (id, size) in [("memory-large", most), ("memory-small", small)] {
        let value = runs.spread(Cell { what: RELOAD, size, value: "peak_mb" })?;
        let start = runs.spread(Cell { what: START, size, value: "rss_mb" })?;
        let reload = runs.spread(Cell { what: RELOAD, size, value: "rss_mb" })?;
        let file = runs.spread(Cell { what: START, size, value: "file_mb" })?;
        let note = format!(
            "{size} × 10; resident {:.0} MB after the first pass, {:.0} MB after a reload that changes every weight; the file has {:.1} MB",
            start.median, reload.median, file.median
        );
        part.figures.insert(id, Figure { value, note });
    }
    for (id, value) in [("idle-wakes", "wakes"), ("idle-cpu", "cpu_percent")] {
        let mut value = runs.spread(Cell { what: IDLE, size: most, value })?;
        if id == "idle-cpu" {
            // As it is asked for: to a tenth of a percent.
            for number in [&mut value.median, &mut value.low, &mut value.high] {
                *number = (*number * 10.0).round() / 10.0;
            }
        }
        part.figures.insert(id, Figure { value, note: format!("{most} × 10") });
    }
    part.details.push(details(runs, &sizes)?);
    part.plots.push(plot(runs, &sizes)?);
    Ok(part)
}

fn details(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for &size in sizes {
        let cell = |what, value| -> anyhow::Result<String> {
            Ok(format!("{:.1}", runs.spread(Cell { what, size, value })?.median))
        };
        lines.push(vec![
            format!("{size} × 10"),
            cell(START, "file_mb")?,
            cell(START, "rss_mb")?,
            cell(START, "peak_mb")?,
            cell(RELOAD, "rss_mb")?,
            cell(RELOAD, "peak_mb")?,
            format!("{:.0}", runs.spread(Cell { what: IDLE, size, value: "wakes" })?.median),
            format!("{:.3}", runs.spread(Cell { what: IDLE, size, value: "cpu_percent" })?.median),
        ]);
    }
    let head = ["table", "file", "first pass", "its peak", "reload", "its peak", "wake-ups a minute", "% CPU"];
    Ok(Details {
        title: "A daemon that runs, in MB".to_owned(),
        head: head.map(str::to_owned).to_vec(),
        lines,
        note: String::new(),
    })
}

fn plot(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Plot> {
    let line = |name: &str, what: &str, value: &str, peer| -> anyhow::Result<Series> {
        let points = sizes.iter().map(|&size| Ok((f64::from(size), runs.spread(Cell { what, size, value })?.median)));
        Ok(Series { name: name.to_owned(), points: points.collect::<anyhow::Result<_>>()?, peer })
    };
    Ok(Plot {
        name: "growth",
        title: "Memory of ipvsd run".to_owned(),
        x: Axis { label: "services of 10 destinations".to_owned(), logarithmic: true },
        y: Axis { label: "MB".to_owned(), logarithmic: true },
        series: vec![
            line("resident", RELOAD, "rss_mb", false)?,
            line("at most", RELOAD, "peak_mb", false)?,
            line("the file", START, "file_mb", true)?,
        ],
    })
}
