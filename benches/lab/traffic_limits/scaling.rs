//! What a director of any size would have to bear: straight lines through what was measured, for the page about scaling.

use super::report::thousands;
use crate::footprint;
use crate::program;
use crate::run::{Cell, Run, Runs};
use crate::single;

/// Services, of ten destinations each.
const SIZES: [u32; 4] = [1000, 10_000, 30_000, 100_000];
const EACH: u32 = 10;
/// Buckets of the kernel's hash of services (`IP_VS_SVC_TAB_BITS`).
const BUCKETS: f64 = 256.0;
/// Of a large director; the emulated one has two.
const PROCESSORS: f64 = 64.0;

/// A table for those sections that were measured, or nothing.
pub fn page(runs: &[Run]) -> Option<String> {
    let of = |section: &str| Runs(runs.iter().filter(|run| run.section == section).cloned().collect());
    let (limits, programs, footprints, singles) = (of("limits"), of("instructions"), of("footprint"), of("single"));
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    let each = |text: &dyn Fn(u32) -> String| SIZES.iter().map(|size| text(*size)).collect::<Vec<String>>();

    let memory = |what| {
        let size = *limits.sizes(what).last()?;
        let number = |value| limits.spread(Cell { what, size, value }).ok().map(|spread| spread.median);
        Some(number("slab_bytes")? + number("percpu_bytes")? * PROCESSORS)
    };
    rows.push(("services in a bucket of the kernel's hash", each(&|size| format!("{:.0}", f64::from(size) / BUCKETS))));
    if let Some((service, destination)) = memory("service").zip(memory("destination")) {
        let of = |size: u32| f64::from(size) * (service + f64::from(EACH) * destination) / f64::from(1 << 20);
        rows.push(("kernel memory with 64 processors", each(&|size| format!("{:.0} MiB", of(size)))));
    }
    if let Some(line) = Line::through(&limits, "new", |runs, what, size| {
        let cell = |value| Cell { what, size, value };
        runs.ratio(cell("microseconds"), cell("microseconds_without")).ok().map(|spread| spread.median)
    }) {
        let times = |size: u32| line.at(size) / line.at(100);
        rows.push(("a new connection, times one among 100 services", each(&|size| format!("{:.1}", times(size)))));
    }
    let median = |value: &'static str| {
        move |runs: &Runs, what: &str, size: u32| {
            runs.spread(Cell { what, size, value }).ok().map(|spread| spread.median)
        }
    };
    if let Some(size) = limits.sizes("rates").last()
        && let Some(percent) = median("processor_percent")(&limits, "rates", *size)
    {
        let of = |services: u32| percent / f64::from(*size) * f64::from(services * (1 + EACH));
        rows.push(("the kernel's rates, of an emulated processor", each(&|size| format!("{:.0} %", of(size)))));
    }
    for (label, runs, what, value, unit) in [
        ("`ipvsd run`: resident, at its peak", &footprints, footprint::RELOAD, "peak_mb", "MB"),
        ("`ipvsd apply` of all of it, emulated", &programs, program::APPLY, "ms", "ms"),
        ("reading all of it and comparing, emulated", &programs, program::PASS, "ms", "ms"),
        ("the same by a C program, without comparing", &programs, program::DUMP, "ms", "ms"),
        ("one health flip, emulated", &singles, single::FLIP, "ms", "ms"),
    ] {
        if let Some(line) = Line::through(runs, what, median(value)) {
            rows.push((label, each(&|size| quantity(line.at(size), unit))));
        }
    }
    if rows.len() == 1 {
        return None;
    }
    let head: Vec<String> = SIZES.iter().map(|size| format!("{} × {EACH}", thousands(*size))).collect();
    let mut text = format!("| | {} |\n|---|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for (label, cells) in rows {
        text += &format!("| {label} | {} |\n", cells.join(" | "));
    }
    Some(text)
}

fn quantity(number: f64, unit: &str) -> String {
    match unit {
        "ms" if number >= 1000.0 => format!("{:.1} s", number / 1000.0),
        _ if number >= 10.0 => format!("{number:.0} {unit}"),
        _ => format!("{number:.1} {unit}"),
    }
}

/// Through the second largest and the largest size that was measured.
struct Line {
    size: f64,
    number: f64,
    slope: f64,
}

impl Line {
    fn through(runs: &Runs, what: &str, number: impl Fn(&Runs, &str, u32) -> Option<f64>) -> Option<Self> {
        let sizes = runs.sizes(what);
        let [.., less, most] = sizes[..] else { return None };
        let (low, high) = (number(runs, what, less)?, number(runs, what, most)?);
        let slope = (high - low) / f64::from(most - less);
        // What does not grow does not shrink either: that is noise.
        Some(Self { size: most.into(), number: high, slope: slope.max(0.0) })
    }

    fn at(&self, size: u32) -> f64 {
        (self.number + (f64::from(size) - self.size) * self.slope).max(0.0)
    }
}
