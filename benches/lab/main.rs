//! Side by side with what else programs IPVS, on a real kernel: what `tests/bench` runs, which see.
//!
//! ```text
//! lab needs [SECTION…]                                 what the machine must hold, a line each, for tests/bench
//! lab guest --ipvsd FILE --minimal FILE [--runs N] [--quick] SECTION…
//!                                                      measures, inside the machine: a line of JSON per run
//! lab report --out DIR [--write] FILE…                 the table, the JSON and the plots of what was measured
//! ```
//!
//! A section is a file here and a line in [`SECTIONS`]. It fails if a run was not valid: a table that is not what it must be,
//! a program that ended badly, a number that is missing. How fast something is never fails.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is read by tests/bench, and by people")]

mod daemon;
mod day;
mod footprint;
mod guest;
mod markdown;
mod native;
mod net;
mod process;
mod program;
mod report;
mod run;
mod section;
mod shape;
mod single;
mod svg;
mod traffic;
mod traffic_limits;
mod usage;

use std::process::ExitCode;

use anyhow::{Context, bail};

use section::Section;

/// In the order of the table.
const SECTIONS: &[Section] = &[
    program::SECTION,
    program::BY_INSTRUCTIONS,
    single::SECTION,
    footprint::SECTION,
    native::SECTION,
    traffic::SECTION,
    day::SECTION,
    traffic_limits::SECTION,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let result = match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("needs", rest)) => needs(rest),
        Some(("guest", rest)) => guest::Options::parse(rest).and_then(|(options, names)| guest(&options, &names)),
        Some(("report", rest)) => report::Options::parse(rest).and_then(|options| report::report(&options, SECTIONS)),
        Some(("first-pass", rest)) => native::first_pass(rest),
        _ => {
            eprintln!("this is run by tests/bench; see there");
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Section>> {
    if names.is_empty() {
        return Ok(SECTIONS.iter().collect());
    }
    let find = |name: &String| {
        let known = || SECTIONS.iter().map(|section| section.name).collect::<Vec<_>>().join(", ");
        SECTIONS
            .iter()
            .find(|section| section.name == *name)
            .with_context(|| format!("no section is named {name}: there are {}", known()))
    };
    names.iter().map(find).collect()
}

/// `section NAME MEMORY SECONDS QUICK_SECONDS`, and behind it what that one needs.
fn needs(names: &[String]) -> anyhow::Result<()> {
    for section in chosen(names)? {
        let [seconds, quick] = section.seconds;
        println!("section {} {} {seconds} {quick}", section.name, section.memory);
        for need in section.needs {
            println!("{need}");
        }
    }
    Ok(())
}

fn guest(options: &guest::Options, names: &[String]) -> anyhow::Result<()> {
    if names.is_empty() {
        bail!("which sections?");
    }
    for section in chosen(names)? {
        let mut lab = guest::Lab::new(section.name, options.clone());
        (section.measure)(&mut lab).with_context(|| format!("section {}: not valid", section.name))?;
    }
    Ok(())
}
