//! What the pure part of a pass costs over a table of 10,000 services with 10 destinations each, beside the plainest way
//! to do the same.
//!
//! `cargo bench --bench diff [-- --json]`
//!
//! Prints a line for each figure, or the same as JSON: `ratio` is the median over pairs of runs, one right after the
//! other. It fails only when a run was not valid: a diff that found differences.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for people to read")]

mod allocations;
mod tables;
mod wire;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ipvsd::model::{Manage, Table};
use ipvsd::plan::{self, Operation};
use serde_json::json;
use tables::Size;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const SIZE: Size = Size { services: 10_000, destinations: 10 };
/// So often each is measured, in turns.
const ROUNDS: usize = 15;
/// So many runs in a row are a measurement, and the fastest counts: the one that found its data where the one before left it.
const RUNS: usize = 5;

fn main() -> ExitCode {
    let as_json = std::env::args().any(|argument| argument == "--json");
    match figures() {
        Ok(figures) => {
            for figure in figures {
                println!("{}", if as_json { figure.json().to_string() } else { figure.text() });
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Something measured, next to something else.
struct Figure {
    name: &'static str,
    against: &'static str,
    /// The most that is aimed at.
    reach: Option<f64>,
    /// Nanoseconds for each object: what is measured, and what it is measured against.
    nanoseconds: (f64, f64),
    ratio: f64,
    /// In one run.
    allocations: u64,
}

impl Figure {
    fn text(&self) -> String {
        let Self { name, against, reach, nanoseconds: (ours, theirs), ratio, allocations } = self;
        let reach = reach.map(|reach| format!(", to reach: {reach}")).unwrap_or_default();
        format!(
            "{name}: {ratio:.2} times {against}{reach} ({ours:.1} and {theirs:.1} ns an object, {allocations} allocations)"
        )
    }

    fn json(&self) -> serde_json::Value {
        let Self { name, against, reach, nanoseconds: (ours, theirs), ratio, allocations } = self;
        json!({
            "figure": name,
            "against": against,
            "ratio": ratio,
            "reach": reach,
            "objects": SIZE.objects(),
            "ns_per_object": ours,
            "ns_per_object_against": theirs,
            "allocations": allocations,
        })
    }
}

/// Measures `ours` against `theirs`, in turns.
fn measure<T, U>(
    name: &'static str,
    (against, reach): (&'static str, Option<f64>),
    mut ours: impl FnMut() -> T,
    mut theirs: impl FnMut() -> U,
) -> Figure {
    let (first, allocations) = allocations::during(&mut ours);
    drop(black_box(first));
    let mut pairs: Vec<(Duration, Duration)> =
        (0..ROUNDS).map(|_| (fastest(&mut ours), fastest(&mut theirs))).collect();
    let objects = f64::from(SIZE.objects());
    let mut median = |value: fn(&(Duration, Duration)) -> f64| {
        pairs.sort_by(|a, b| value(a).total_cmp(&value(b)));
        value(&pairs[ROUNDS / 2])
    };
    let ratio = median(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64());
    let nanoseconds =
        (median(|pair| pair.0.as_secs_f64()) * 1e9 / objects, median(|pair| pair.1.as_secs_f64()) * 1e9 / objects);
    Figure { name, against, reach, nanoseconds, ratio, allocations }
}

fn fastest<T>(work: &mut impl FnMut() -> T) -> Duration {
    (0..RUNS).map(|_| time(work)).min().unwrap_or_default()
}

/// What is made is given back to the allocator outside of what is measured.
fn time<T>(work: &mut impl FnMut() -> T) -> Duration {
    let start = Instant::now();
    let made = black_box(work());
    let took = start.elapsed();
    drop(made);
    took
}

fn figures() -> anyhow::Result<Vec<Figure>> {
    let wanted = tables::table(SIZE);
    let (before, live, record) = (wanted.clone(), tables::live(&wanted), tables::record(&wanted));
    let objects = usize::try_from(SIZE.objects())?;
    let unchanged = plan::diff(&live, &wanted, &Manage::Owned, &record);
    ensure!(unchanged.is_empty() && unchanged.unchanged == objects, "not valid: a diff of equal tables is not empty");

    let wanted_objects = tables::wanted_objects(&wanted);
    let (objects_before, found_objects) = (wanted_objects.clone(), tables::found_objects(&live));
    let same = || tables::same(&objects_before, &wanted_objects);
    let same_found = || tables::same(&found_objects, &wanted_objects);
    ensure!(
        (same(), same_found()) == (objects, objects),
        "not valid: a pass over the vectors does not see all of them"
    );

    let (checked, all_up) = tables::checked(&wanted);
    ensure!(
        *plan::overlay(&checked, &all_up).table == wanted,
        "not valid: an overlay of all that is up changes something"
    );

    let cold = plan::diff(&Table::default(), &wanted, &Manage::Owned, &record);
    let adds: Vec<&Operation> = cold.steps.iter().map(|step| &step.operation).collect();
    let (sent, mut copied) = (wire::encoded(&adds), Vec::new());
    let dumps = wire::Dumps::new(&wanted);
    ensure!(adds.len() == objects && dumps.decode() == objects, "not valid: what is sent or read is not everything");

    let vectors = "a pass over two sorted vectors";
    Ok(vec![
        measure(
            "diff of two converged tables",
            (vectors, Some(3.0)),
            || plan::diff(&before, &wanted, &Manage::Owned, &record),
            same,
        ),
        measure(
            "diff of a live table with its counters",
            (vectors, Some(3.0)),
            || plan::diff(&live, &wanted, &Manage::Owned, &record),
            same_found,
        ),
        measure("overlay of checks, all up", (vectors, None), || plan::overlay(&checked, &all_up), same),
        measure("adds as bytes", ("copying them", None), || wire::encode(&adds), || wire::copy(&sent, &mut copied)),
        measure("dumps as entries", ("walking over their attributes", None), || dumps.decode(), || dumps.walk()),
    ])
}
