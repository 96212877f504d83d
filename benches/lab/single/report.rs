//! What is made of the runs.

use anyhow::Context as _;

use super::{API, BURST, CHANGES, COMMAND, EDIT, FLIP, OVERRIDE, PARSE, QUIET};
use crate::run::{Cell, Runs};
use crate::section::{Axis, Details, Figure, Part, Plot, Series};

pub fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part::default();
    let sizes = runs.sizes(EDIT);
    let most = *sizes.last().context("no size")?;
    // Small ones are in the plot only: what stays the same is said of tables that are some size.
    let least = sizes.iter().copied().find(|size| *size >= 100 || *size == most).context("no size")?;
    let mut figure = |id, (what, value): (&str, &str), further: &str| -> anyhow::Result<()> {
        let cell = |size| Cell { what, size, value };
        let ratio = runs.ratio(cell(most), cell(least))?;
        part.figures.insert(id, Figure { value: ratio, note: further.to_owned() });
        Ok(())
    };
    for (id, change) in [("flip", FLIP), ("override", OVERRIDE), ("api", API), ("command", COMMAND)] {
        let cpu = |size| runs.spread(Cell { what: change, size, value: "cpu_ms" });
        let cpu = format!("of the processor's time {:.1} ×", cpu(most)?.median / cpu(least)?.median);
        match id {
            "flip" => {
                figure("flip-time", (change, "ms"), &cpu)?;
                figure("flip-calls", ("health flip, counted", "syscalls"), "")?;
            }
            "override" => {
                figure("override-time", (change, "ms"), &cpu)?;
                figure("override-calls", ("weight override, counted", "syscalls"), "")?;
            }
            "api" => {
                figure("api-time", (change, "ms"), &cpu)?;
                figure("api-calls", ("API change, counted", "syscalls"), "")?;
            }
            _ => figure("command-time", (change, "ms"), &format!("it reads the configuration first; {cpu}"))?,
        }
    }
    let edit =
        runs.ratio(Cell { what: EDIT, size: most, value: "ms" }, Cell { what: PARSE, size: most, value: "ms" })?;
    part.figures.insert("edit", Figure { value: edit, note: format!("{most} × 10") });
    part.details.push(details(runs, &sizes)?);
    part.plots.push(plot(runs, &sizes)?);
    Ok(part)
}

fn details(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    for what in CHANGES.into_iter().chain([PARSE]) {
        for &size in sizes {
            let ms = runs.spread(Cell { what, size, value: "ms" })?;
            let (mut cpu, mut calls) = (String::new(), String::new());
            if what != PARSE {
                cpu = format!("{:.1}", runs.spread(Cell { what, size, value: "cpu_ms" })?.median);
                let counted = format!("{what}, counted");
                calls = format!("{:.0}", runs.spread(Cell { what: &counted, size, value: "syscalls" })?.median);
            }
            let spread = format!("{:.1} to {:.1}", ms.low, ms.high);
            lines.push(vec![what.to_owned(), format!("{size} × 10"), format!("{:.1}", ms.median), spread, cpu, calls]);
        }
    }
    Ok(Details {
        title: "One change".to_owned(),
        head: [
            "what",
            "table",
            "ms to the kernel",
            "of the runs",
            "ms of the daemon's processor time",
            "its system calls",
        ]
        .map(str::to_owned)
        .to_vec(),
        lines,
        note: format!(
            "A flip is counted from the moment when the server goes away in the midst of a check, less the {} ms in which verdicts are \
             gathered; an override from the moment when the daemon is told, a change over the API from the request, `ipvsd weight` from the start of the command; an edit from the \
             rename, less the {} ms for which a file has to be still. Each is late by a two-hundredth at most. One destination is checked once a second, which is in the system calls.",
            BURST.as_millis(),
            QUIET.as_millis()
        ),
    })
}

fn plot(runs: &Runs, sizes: &[u32]) -> anyhow::Result<Plot> {
    let mut series = Vec::new();
    for (what, name, peer) in [
        (FLIP, "health flip", false),
        (OVERRIDE, "weight override", false),
        (API, "API change", false),
        (COMMAND, "ipvsd weight", false),
        (EDIT, "edited file", false),
        (PARSE, "parsing that file", true),
    ] {
        let points =
            sizes.iter().map(|&size| Ok((f64::from(size), runs.spread(Cell { what, size, value: "ms" })?.median)));
        series.push(Series { name: name.to_owned(), points: points.collect::<anyhow::Result<_>>()?, peer });
    }
    Ok(Plot {
        name: "growth",
        title: "One change".to_owned(),
        x: Axis { label: "services of 10 destinations".to_owned(), logarithmic: true },
        y: Axis { label: "milliseconds, in the emulated machine".to_owned(), logarithmic: true },
        series,
    })
}
