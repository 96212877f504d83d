//! On the host: the table, the JSON and the plots of what was measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::markdown;
use crate::run::{Run, Runs, Spread};
use crate::section::{Details, Plot, Reach, Row, Section};
use crate::svg;
use crate::traffic_limits;

pub struct Options {
    out: PathBuf,
    /// The project's folder, if the results go into its documentation.
    write: Option<PathBuf>,
    files: Vec<PathBuf>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let (mut out, mut write, mut files) = (None, None, Vec::new());
        let mut arguments = arguments.iter();
        while let Some(word) = arguments.next() {
            match word.as_str() {
                "--out" => out = Some(PathBuf::from(arguments.next().context("--out wants a folder")?)),
                "--write" => write = Some(PathBuf::from(arguments.next().context("--write wants a folder")?)),
                option if option.starts_with("--") => bail!("unknown option {option}"),
                file => files.push(PathBuf::from(file)),
            }
        }
        Ok(Self { out: out.context("--out is missing")?, write, files })
    }
}

/// A line of the big table.
#[derive(Debug, Serialize)]
pub struct Line {
    pub section: String,
    pub id: String,
    pub what: String,
    pub against: String,
    #[serde(serialize_with = "as_text")]
    pub reach: Reach,
    /// `None`: its section was not run.
    pub measured: Option<Spread>,
    pub note: String,
    pub reached: Option<bool>,
}

fn as_text<S: serde::Serializer>(reach: &Reach, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&markdown::reach(*reach))
}

impl Line {
    fn new(section: &str, row: &Row, measured: Option<(Spread, String)>) -> Self {
        let (measured, note) = measured.unzip();
        Self {
            section: section.to_owned(),
            id: row.id.to_owned(),
            what: row.what.to_owned(),
            against: row.against.to_owned(),
            reach: row.reach,
            measured,
            note: note.unwrap_or_default(),
            reached: measured.and_then(|spread| reached(row.reach, spread.median)),
        }
    }
}

/// Whether a figure is what it must be; `None` where it is only shown.
fn reached(reach: Reach, value: f64) -> Option<bool> {
    match reach {
        Reach::Faster(times) => Some(value >= times),
        Reach::Times(times) => Some(value <= times),
        Reach::Below(limit, _) => Some(value <= limit),
        Reach::Shown(_) => None,
    }
}

/// What the benchmarks of the pure parts print: a figure that is a ratio, and what it is to be at most, if anything.
#[derive(Debug, Deserialize)]
struct Ratio {
    figure: String,
    #[serde(default)]
    against: String,
    ratio: f64,
    reach: Option<f64>,
    mb_per_s: Option<f64>,
}

/// The benchmarks of the pure parts, by the names of their files, with what the table says of them until they are measured.
const PURE: [(&str, Row); 2] = [
    (
        "parse",
        Row {
            id: "parse",
            what: "parse and resolve of 110,000 objects, TOML and YAML",
            against: "the crate's own parse into a plain struct",
            reach: Reach::Times(1.5),
        },
    ),
    (
        "diff",
        Row {
            id: "diff",
            what: "diff of two converged tables of 110,000 objects",
            against: "one pass over two sorted vectors of them",
            reach: Reach::Times(3.0),
        },
    ),
];

/// All that is reported.
#[derive(Default)]
pub struct Report {
    pub lines: Vec<Line>,
    pub details: Vec<Details>,
    plots: Vec<Plot>,
}

/// Reads what was measured, and reports it.
pub fn report(options: &Options, sections: &[Section]) -> anyhow::Result<()> {
    let (mut runs, mut ratios): (Vec<Run>, Vec<Ratio>) = (Vec::new(), Vec::new());
    for file in &options.files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        for line in text.lines() {
            let what = || format!("{}: {line}", file.display());
            if line.starts_with("{\"section\":") {
                runs.push(serde_json::from_str(line).with_context(what)?);
            } else if line.starts_with('{') && line.contains("\"figure\":") {
                ratios.push(serde_json::from_str(line).with_context(what)?);
            }
        }
    }
    for run in &runs {
        ensure!(sections.iter().any(|section| section.name == run.section), "no section is named {}", run.section);
    }
    let mut report = gather(&runs, ratios, sections)?;
    let is_measured = |name: &str| options.files.iter().any(|file| file.file_stem().is_some_and(|stem| stem == name));
    report
        .lines
        .extend(PURE.iter().filter(|(name, _)| !is_measured(name)).map(|(_, row)| Line::new("pure", row, None)));
    let plots = report.drawn();
    fs::create_dir_all(&options.out)?;
    for (name, drawing) in &plots {
        fs::write(options.out.join(format!("{name}.svg")), drawing)?;
    }
    fs::write(options.out.join("table.md"), markdown::page(&report, &plots))?;
    let json = serde_json::json!({ "figures": report.lines, "runs": runs });
    fs::write(options.out.join("figures.json"), serde_json::to_string_pretty(&json)? + "\n")?;
    println!("{}", markdown::table(&report.lines));
    if let Some(project) = &options.write {
        write(project, &report, &plots)?;
        if let Some(page) = traffic_limits::page(&runs) {
            replace(&project.join("packaging/doc/scaling.md"), &page)?;
        }
    }
    Ok(())
}

fn gather(runs: &[Run], ratios: Vec<Ratio>, sections: &[Section]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for section in sections {
        let own: Vec<Run> = runs.iter().filter(|run| run.section == section.name).cloned().collect();
        if own.is_empty() {
            report.lines.extend(section.rows.iter().map(|row| Line::new(section.name, row, None)));
            continue;
        }
        let mut part = (section.report)(&Runs(own)).with_context(|| format!("section {}: not valid", section.name))?;
        for row in section.rows {
            let figure = part.figures.remove(row.id);
            let figure = figure.with_context(|| format!("section {}: no figure for {}", section.name, row.id))?;
            let Spread { median, low, high, runs } = figure.value;
            ensure!(
                [median, low, high].iter().all(|number| number.is_finite()) && runs > 0,
                "section {}: {} is no number: {:?}",
                section.name,
                row.id,
                figure.value,
            );
            report.lines.push(Line::new(section.name, row, Some((figure.value, figure.note))));
        }
        let further = part.figures.keys().next();
        ensure!(further.is_none(), "section {}: there is no row for {further:?}", section.name);
        report.details.extend(part.details);
        report.plots.extend(part.plots);
    }
    for Ratio { figure, against, ratio, reach, mb_per_s } in ratios {
        ensure!(ratio.is_finite() && ratio > 0.0, "{figure}: {ratio} is no ratio");
        // What has nothing to reach, the benchmark says itself.
        let Some(reach) = reach.map(Reach::Times) else { continue };
        let rate = mb_per_s.map_or_else(String::new, |rate| format!("; {rate:.0} MB/s"));
        report.lines.push(Line {
            section: "pure".to_owned(),
            id: figure.clone(),
            what: figure,
            against,
            reach,
            measured: Some(Spread { median: ratio, low: ratio, high: ratio, runs: 1 }),
            note: format!("on the host itself{rate}"),
            reached: reached(reach, ratio),
        });
    }
    Ok(report)
}

impl Report {
    /// The drawings by their names; plots of one name stand side by side.
    fn drawn(&self) -> BTreeMap<&'static str, String> {
        let mut by_name: BTreeMap<&'static str, Vec<&Plot>> = BTreeMap::new();
        for plot in &self.plots {
            by_name.entry(plot.name).or_default().push(plot);
        }
        by_name.into_iter().map(|(name, plots)| (name, svg::draw(&plots))).collect()
    }
}

/// Between these, pages hold what was measured last.
const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->";

/// Puts tables and plots into the documentation.
fn write(project: &Path, report: &Report, plots: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    let folder = project.join("packaging/doc");
    for (name, drawing) in plots {
        fs::write(folder.join(format!("{name}.svg")), drawing)?;
    }
    replace(&folder.join("performance.md"), &markdown::page(report, plots))?;
    replace(&project.join("README.md"), &markdown::summary(&report.lines, plots.contains_key("growth")))
}

fn replace(page: &Path, with: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let cut = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = cut.with_context(|| format!("{} has no {BEGIN} … {END}", page.display()))?;
    fs::write(page, format!("{before}{BEGIN}{with}{END}{after}")).with_context(|| page.display().to_string())
}
