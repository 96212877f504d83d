//! On the host: the table, the JSON and the plots of what was measured.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

use crate::run::{Run, Runs};
use crate::section::Section;

pub struct Options {
    out: PathBuf,
    files: Vec<PathBuf>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let (mut out, mut files) = (None, Vec::new());
        let mut arguments = arguments.iter();
        while let Some(word) = arguments.next() {
            match word.as_str() {
                "--out" => out = Some(PathBuf::from(arguments.next().context("--out wants a folder")?)),
                option if option.starts_with("--") => bail!("unknown option {option}"),
                file => files.push(PathBuf::from(file)),
            }
        }
        Ok(Self { out: out.context("--out is missing")?, files })
    }
}

/// Reads the lines of the guests, and reports them.
pub fn report(options: &Options, sections: &[Section]) -> anyhow::Result<()> {
    let mut runs: Vec<Run> = Vec::new();
    for file in &options.files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        for line in text.lines().filter(|line| line.starts_with("{\"section\":")) {
            runs.push(serde_json::from_str(line).with_context(|| format!("{}: {line}", file.display()))?);
        }
    }
    for section in sections {
        let own: Vec<Run> = runs.iter().filter(|run| run.section == section.name).cloned().collect();
        if own.is_empty() {
            continue;
        }
        let part = (section.report)(&Runs(own)).with_context(|| format!("section {}: not valid", section.name))?;
        for row in section.rows {
            let figure = part.figures.get(row.id);
            let figure = figure.with_context(|| format!("section {}: no figure for {}", section.name, row.id))?;
            println!("| {} | {} | {:?} | {:?} | {} |", row.what, row.against, row.reach, figure.value, figure.note);
        }
        ensure!(part.figures.len() == section.rows.len(), "section {}: a figure without a row", section.name);
    }
    println!("{}", options.out.display());
    Ok(())
}
