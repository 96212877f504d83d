//! What is made of the runs.

use anyhow::Context as _;

use super::{
    APPLY, APPLY_AGAIN, BATCH, DUMP, KEEPALIVED, LDIRECTORD, LOAD, NARROW, OPERATIONS, PASS, READ, READ_BACK, RESTORE,
    SINGLE,
};
use crate::run::{Cell, Runs};
use crate::section::{Axis, Details, Figure, Part, Plot, Series};
use crate::shape::Shape;

fn ms(what: &str, size: u32) -> Cell<'_> {
    Cell { what, size, value: "ms" }
}

/// Everything, by an ordinary clock.
pub fn by_clock(runs: &Runs) -> anyhow::Result<Part> {
    let mut part = Part { details: vec![details(runs, "")?], ..Part::default() };
    let sizes = Sizes::of(runs)?;
    for (id, pair) in [("restore", (RESTORE, OPERATIONS)), ("restore-process", (RESTORE, APPLY))] {
        let Sizes { least, .. } = sizes;
        let value = runs.ratio(ms(pair.0, least), ms(pair.1, least))?;
        let note = format!("{}; {}", extrapolated(runs, pair.1, sizes)?, at_most(runs, RESTORE, least)?);
        part.figures.insert(id, Figure { value, note });
    }
    for (id, pair) in [("single", (SINGLE, OPERATIONS)), ("keepalived", (KEEPALIVED, APPLY))] {
        let figure = at_both(runs, sizes, pair)?;
        let note = format!("{}; {}", figure.note, at_most(runs, pair.0, sizes.most)?);
        part.figures.insert(id, Figure { note, ..figure });
    }
    for (id, pair) in [("batch", (OPERATIONS, BATCH)), ("converged", (PASS, DUMP))] {
        part.figures.insert(id, at_both(runs, sizes, pair)?);
    }
    Ok(part)
}

/// What comes near to the kernel's own cost, and how all of it grows: by instructions.
pub fn by_instructions(runs: &Runs) -> anyhow::Result<Part> {
    let mut part =
        Part { details: vec![details(runs, ", by instructions")?], plots: vec![plot(runs)?], ..Part::default() };
    let sizes = Sizes::of(runs)?;
    for (id, pair) in [
        ("batch-instructions", (OPERATIONS, BATCH)),
        ("converged-instructions", (PASS, DUMP)),
        ("converged-narrow", (PASS, NARROW)),
    ] {
        let Figure { value, note } = at_both(runs, sizes, pair)?;
        part.figures.insert(id, Figure { value, note: format!("by instructions; {note}") });
    }
    Ok(part)
}

/// The largest table that `ipvsadm -R` is asked for (what it takes for more can be told from that, since it does one after the
/// other), and the largest of all.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    least: u32,
    most: u32,
}

impl Sizes {
    fn of(runs: &Runs) -> anyhow::Result<Self> {
        let last = |what| runs.sizes(what).last().copied().context("no size");
        Ok(Self { least: last(RESTORE)?, most: last(APPLY)? })
    }
}

/// The ratio in the largest table, and in the note that in the smaller one.
fn at_both(runs: &Runs, Sizes { least, most }: Sizes, (a, b): (&str, &str)) -> anyhow::Result<Figure> {
    let small = runs.ratio(ms(a, least), ms(b, least))?;
    let note = if least == most { at(most) } else { format!("{}; {}: {:.2} ×", at(most), at(least), small.median) };
    Ok(Figure { value: runs.ratio(ms(a, most), ms(b, most))?, note })
}

/// What nobody can do better: the same messages with nothing around them.
fn at_most(runs: &Runs, peer: &str, size: u32) -> anyhow::Result<String> {
    Ok(format!("C, batched: {:.1} ×", runs.ratio(ms(peer, size), ms(BATCH, size))?.median))
}

/// A table with which `ipvsadm -R` was not patient enough: ten times the table takes it at least ten times as long.
fn extrapolated(runs: &Runs, what: &str, Sizes { least, most }: Sizes) -> anyhow::Result<String> {
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

fn details(runs: &Runs, clock: &str) -> anyhow::Result<Details> {
    let mut lines = Vec::new();
    let all = [
        RESTORE,
        LDIRECTORD,
        KEEPALIVED,
        SINGLE,
        BATCH,
        OPERATIONS,
        APPLY,
        LOAD,
        READ_BACK,
        DUMP,
        NARROW,
        READ,
        PASS,
        APPLY_AGAIN,
    ];
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
        title: format!("Programming a table, and looking at it{clock}"),
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
