//! What it costs to read a large configuration: text to `Desired`, against the parser's own way into plain structs.
//!
//! `cargo bench --bench parse -- [--services N] [--destinations N] [--runs N] [--json]`
//!
//! Both are measured in turn, in one process, in processor time; a ratio is the median of those of all runs. Memory is that of a process of
//! its own for each. Prints a table in Markdown, or with `--json` one object a line. The numbers are for people to judge;
//! it fails only when the run was not valid: what was read was not what was written.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is for people to read")]

mod memory;
mod plain;
mod text;

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use ipvsd::config::{self, Source};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use text::{Form, Shape};

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
struct Options {
    services: u32,
    destinations: u32,
    runs: u32,
    json: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self { services: 10_000, destinations: 10, runs: 11, json: false };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--bench" => continue, // cargo says so
                "--json" => options.json = true,
                _ => {
                    let value = arguments.next().with_context(|| format!("{name} wants a number"))?.parse()?;
                    match name.as_str() {
                        "--services" => options.services = value,
                        "--destinations" => options.destinations = value,
                        "--runs" => options.runs = value,
                        _ => bail!("unknown option {name}"),
                    }
                }
            }
        }
        ensure!(options.services > 0 && options.runs > 0, "there is nothing to measure");
        Ok(options)
    }

    fn shape(&self) -> Shape {
        Shape::new(self.services, self.destinations)
    }
}

/// Times of the two sides, run by run.
struct Sides {
    ours: Vec<Duration>,
    against: Vec<Duration>,
}

impl Sides {
    /// Each side once to warm up, then in turn.
    fn measure(
        runs: u32,
        mut ours: impl FnMut() -> anyhow::Result<Duration>,
        mut against: impl FnMut() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<Self> {
        ours()?;
        against()?;
        let mut sides = Self { ours: Vec::new(), against: Vec::new() };
        for _ in 0..runs {
            sides.ours.push(ours()?);
            sides.against.push(against()?);
        }
        Ok(sides)
    }

    fn ratio(&self) -> f64 {
        median(self.ours.iter().zip(&self.against).map(|(ours, against)| ours.as_secs_f64() / against.as_secs_f64()))
    }

    fn ms(list: &[Duration]) -> f64 {
        median(list.iter().map(|time| time.as_secs_f64() * 1000.0))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of this thread: what else the machine does, does not count.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// How long it takes to make something of texts; to drop it is not counted.
fn timed<T>(make: impl FnOnce() -> anyhow::Result<T>, check: impl FnOnce(&T) -> bool) -> anyhow::Result<Duration> {
    let start = processor_time();
    let made = black_box(make()?);
    let time = processor_time().saturating_sub(start);
    ensure!(check(&made), "what was read is not what was written");
    Ok(time)
}

fn plain(form: Form, text: &str) -> anyhow::Result<plain::File> {
    Ok(match form {
        Form::Toml | Form::TomlInline => toml::from_str(text)?,
        Form::Yaml => serde_yaml::from_str(text)?,
    })
}

fn sources(form: Form, texts: Vec<String>) -> Vec<Source> {
    let end = if form == Form::Yaml { "yaml" } else { "toml" };
    let source = |(index, text)| Source { path: PathBuf::from(format!("{index:03}.{end}")), text };
    texts.into_iter().enumerate().map(source).collect()
}

/// Texts without errors: our whole way against the plain one.
fn good(figure: &str, form: Form, texts: Vec<String>, options: Options, warnings: bool) -> anyhow::Result<Value> {
    let bytes: usize = texts.iter().map(String::len).sum();
    let objects = (options.services * (options.destinations + 1)) as usize;
    let sources = sources(form, texts);
    let ours = || {
        timed(
            || Ok(config::parse(&sources)?),
            |parsed| parsed.desired.table.entry_count() == objects && parsed.warnings.is_empty() != warnings,
        )
    };
    let against = || {
        timed(
            || sources.iter().map(|source| plain(form, &source.text)).collect::<anyhow::Result<Vec<_>>>(),
            |files| files.iter().map(plain::File::objects).sum::<usize>() == objects,
        )
    };
    let sides = Sides::measure(options.runs, ours, against)?;
    let (ours, against) = (Sides::ms(&sides.ours), Sides::ms(&sides.against));
    let rate = |ms: f64| bytes as f64 / 1000.0 / ms;
    Ok(json!({
        "figure": figure, "against": AGAINST, "ratio": sides.ratio(), "reach": 1.5, "bytes": bytes, "objects": objects,
        "ms": ours, "against_ms": against, "mb_per_s": rate(ours), "against_mb_per_s": rate(against),
    }))
}

const AGAINST: &str = "the crate's own parse into a plain struct";

/// A text with a mistake in each service against the same text with one in every tenth, both with all places and words.
fn mistakes(figure: &str, form: Form, options: Options) -> anyhow::Result<Value> {
    let with = |mistakes: u32| sources(form, vec![text::whole(form, Shape { mistakes, ..options.shape() })]);
    let (many, few) = (with(options.services), with(options.services / 10));
    let refused = |sources: &[Source], mistakes: u32| {
        timed(
            || config::parse(sources).err().context("mistakes were taken"),
            |problems| problems.list.len() == mistakes as usize,
        )
    };
    let sides =
        Sides::measure(options.runs, || refused(&many, options.services), || refused(&few, options.services / 10))?;
    Ok(json!({
        "figure": figure, "against": "a tenth of the mistakes", "ratio": sides.ratio(), "reach": 10, "mistakes": options.services,
        "ms": Sides::ms(&sides.ours), "against_ms": Sides::ms(&sides.against),
    }))
}

fn bench(options: Options) -> anyhow::Result<()> {
    let shape = options.shape();
    let one = |form: Form, shape: Shape| vec![text::whole(form, shape)];
    let warned = Shape { warnings: true, ..shape };
    let mut figures = vec![
        good("parse toml", Form::Toml, one(Form::Toml, shape), options, false)?,
        good("parse toml, inline tables", Form::TomlInline, one(Form::TomlInline, shape), options, false)?,
        good("parse toml, 100 files", Form::Toml, text::parts(Form::Toml, shape, 100), options, false)?,
        good("parse toml, with warnings", Form::Toml, one(Form::Toml, warned), options, true)?,
        good("parse yaml", Form::Yaml, one(Form::Yaml, shape), options, false)?,
        good("parse yaml, 100 files", Form::Yaml, text::parts(Form::Yaml, shape, 100), options, false)?,
        good("parse yaml, with warnings", Form::Yaml, one(Form::Yaml, warned), options, true)?,
        mistakes("mistakes toml", Form::Toml, options)?,
        mistakes("mistakes yaml", Form::Yaml, options)?,
    ];
    for form in [Form::Toml, Form::Yaml] {
        figures.push(memory::figure(form, shape)?);
    }
    if options.json {
        figures.iter().for_each(|figure| println!("{figure}"));
        return Ok(());
    }
    println!("{} services of {} destinations, {} runs\n", options.services, options.destinations, options.runs);
    println!("| figure | ours | against | ratio | reach |\n|---|---|---|---|---|");
    for figure in &figures {
        let unit = if figure["ms"].is_null() { "kib" } else { "ms" };
        let rate = figure["mb_per_s"].as_f64().map_or(String::new(), |rate| format!(", {rate:.0} MB/s"));
        let value = |key: &str| figure[key].as_f64().unwrap_or(f64::NAN);
        println!(
            "| {} | {:.0} {unit}{rate} | {:.0} {unit} | {:.2} | {} |",
            figure["figure"].as_str().unwrap_or(""),
            value(unit),
            value(&format!("against_{unit}")),
            value("ratio"),
            figure["reach"],
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("memory") => memory::child(&arguments[1..]),
        _ => Options::parse(arguments.into_iter()).and_then(bench),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
