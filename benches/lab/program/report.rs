//! What is made of the runs.

use anyhow::Context as _;

use super::{APPLY, APPLY_AGAIN, BATCH, DUMP, KEEPALIVED, LDIRECTORD, OPERATIONS, PASS, READ, RESTORE, SINGLE};
use crate::run::{Cell, Runs};
use crate::section::{Axis, Details, Figure, Part, Plot, Series};
use crate::shape::Shape;

fn ms(what: &str, size: u32) -> Cell<'_> {
    Cell { what, size, value: "ms" }
}

pub fn report(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part::default();
    let sizes = runs.sizes(APPLY);
    let most = *sizes.last().context("no size")?;
    // The largest that ipvsadm is asked for: what it takes for more can be told from that, since it does one after the other.
    let least = *runs.sizes(RESTORE).last().context("no size")?;
    let mut figure = |id, (a, b): (&str, &str), size: u32, note: String| -> anyhow::Result<()> {
        let value = runs.ratio(ms(a, size), ms(b, size))?;
        part.figures.insert(id, Figure { value, note });
        Ok(())
    };
    figure("restore", (RESTORE, OPERATIONS), least, extrapolated(runs, OPERATIONS, (least, most))?)?;
    figure("restore-process", (RESTORE, APPLY), least, extrapolated(runs, APPLY, (least, most))?)?;
    for (id, pair) in [
        ("single", (SINGLE, OPERATIONS)),
        ("keepalived", (KEEPALIVED, APPLY)),
        ("batch", (OPERATIONS, BATCH)),
        ("converged", (PASS, DUMP)),
    ] {
        let small = runs.ratio(ms(pair.0, least), ms(pair.1, least))?;
        let note =
            if least == most { at(most) } else { format!("{}; {}: {:.2} ×", at(most), at(least), small.median) };
        figure(id, pair, most, note)?;
    }
    part.details.push(details(runs)?);
    part.plots.push(plot(runs)?);
    Ok(part)
}

/// A table with which `ipvsadm -R` was not patient enough: ten times the table takes it at least ten times as long.
fn extrapolated(runs: &Runs, what: &str, (least, most): (u32, u32)) -> anyhow::Result<String> {
    if least == most {
        return Ok(at(least));
    }
    let restore = runs.spread(ms(RESTORE, least))?.median * f64::from(most) / f64::from(least);
    let ratio = restore / runs.spread(ms(what, most))?.median;
    Ok(format!("{}; {}, with `ipvsadm -R` extrapolated from that: {ratio:.1} ×", at(least), at(most)))
}

fn at(size: u32) -> String {
    format!("{size} × 10")
}

fn details(runs: &Runs) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    let all = [RESTORE, LDIRECTORD, KEEPALIVED, SINGLE, BATCH, OPERATIONS, APPLY, DUMP, READ, PASS, APPLY_AGAIN];
    for what in all {
        for size in runs.sizes(what) {
            let spread = runs.spread(ms(what, size))?;
            let each = spread.median * 1e3 / f64::from(Shape::of(size).objects());
            lines.push(vec![
                what.to_owned(),
                at(size),
                format!("{:.0}", spread.median),
                format!("{:.0} to {:.0}", spread.low, spread.high),
                format!("{each:.1}"),
            ]);
        }
    }
    Ok(Details {
        title: "Programming a table, and looking at it".to_owned(),
        head: ["who", "table", "ms", "of the runs", "µs an object"].map(str::to_owned).to_vec(),
        lines,
        note: "ldirectord runs ipvsadm several times for each destination, and reads all that it lists: it gets a table of its own. \
               `ipvsadm -R` starts afresh with every line (its socket, the family's number, the version)."
            .to_owned(),
    })
}

fn plot(runs: &Runs) -> anyhow::Result<Plot> {
    let mut series = Vec::new();
    for (what, name, peer) in [
        (APPLY, "ipvsd apply", false),
        (OPERATIONS, "its operations", false),
        (PASS, "a converged pass", false),
        (RESTORE, "ipvsadm -R", true),
        (KEEPALIVED, "keepalived", true),
        (BATCH, "C, batched", true),
    ] {
        let point = |size: u32| Ok((f64::from(size), runs.spread(ms(what, size))?.median));
        let points = runs.sizes(what).into_iter().map(point).collect::<anyhow::Result<_>>()?;
        series.push(Series { name: name.to_owned(), points, peer });
    }
    Ok(Plot {
        name: "growth",
        title: "From nothing to a full table".to_owned(),
        x: Axis { label: "services of 10 destinations".to_owned(), logarithmic: true },
        y: Axis { label: "milliseconds, in the emulated machine".to_owned(), logarithmic: true },
        series,
    })
}
