//! What one change costs in a table of 100, 1,000 and 10,000 services of 10 destinations: a verdict, an override, an edit of
//! the configuration. The loop as it is, on the fake kernel, with its record in a file.
//!
//! `cargo bench --bench single -- [--runs N] [--json]`
//!
//! Sizes take turns, in one process. Prints a table in Markdown, or with `--json` one object a line. The numbers are for people
//! to judge; it fails only when a run was not valid: the weight did not come to the kernel.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for people to read")]

mod world;

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use serde_json::json;
use world::{Change, World};

const SIZES: [u32; 3] = [100, 1_000, 10_000];
const DESTINATIONS: u8 = 10;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("single: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let (mut runs, mut as_json) = (31, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--bench" => {} // cargo says so
            "--json" => as_json = true,
            "--runs" => runs = arguments.next().context("--runs wants a number")?.parse()?,
            _ => bail!("unknown option {name}"),
        }
    }
    ensure!(runs > 0, "there is nothing to measure");
    let worlds: Vec<World> = SIZES.iter().map(|size| World::begin(*size, DESTINATIONS)).collect::<Result<_, _>>()?;
    if !as_json {
        println!("| change | {} | largest to smallest |", SIZES.map(|size| format!("{size} services")).join(" | "));
        println!("|---|{}", "---|".repeat(SIZES.len() + 1));
    }
    for change in Change::ALL {
        let mut took: Vec<Vec<f64>> = vec![Vec::new(); SIZES.len()];
        // The first of a process writes the whole record.
        for run in 0..=runs {
            for (world, took) in worlds.iter().zip(&mut took) {
                let ms = world.make(change)?.as_secs_f64() * 1000.0;
                if run > 0 {
                    took.push(ms);
                }
            }
        }
        let medians: Vec<f64> = took.iter_mut().map(|took| median(took)).collect();
        let ratio = medians.last().zip(medians.first()).map_or(0.0, |(last, first)| last / first);
        if as_json {
            let figure = format!("{}, in the process, fake kernel: 10,000 x 10 to 100 x 10", change.name());
            println!(
                "{}",
                json!({ "figure": figure, "ratio": ratio, "reach": change.reach(), "ms": medians, "services": SIZES })
            );
        } else {
            let medians: Vec<String> = medians.iter().map(|ms| format!("{ms:.3} ms")).collect();
            println!("| {} | {} | {ratio:.2} |", change.name(), medians.join(" | "));
        }
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
