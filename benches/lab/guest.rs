//! Inside the machine: what every section has to measure with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::run::Run;

/// How to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of each cell, at least.
    pub runs: u32,
    /// Small sizes: only whether everything works.
    pub quick: bool,
    /// The release binary.
    pub ipvsd: PathBuf,
    /// The C program.
    pub minimal: PathBuf,
}

impl Options {
    /// The options, and the sections' names.
    pub fn parse(arguments: &[String]) -> anyhow::Result<(Self, Vec<String>)> {
        let (mut runs, mut quick, mut ipvsd, mut minimal, mut names) = (5, false, None, None, Vec::new());
        let mut arguments = arguments.iter();
        while let Some(word) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--runs" => runs = value()?.parse().context("--runs wants a number")?,
                "--quick" => quick = true,
                "--ipvsd" => ipvsd = Some(PathBuf::from(value()?)),
                "--minimal" => minimal = Some(PathBuf::from(value()?)),
                option if option.starts_with("--") => bail!("unknown option {option}"),
                name => names.push(name.to_owned()),
            }
        }
        let ipvsd = ipvsd.context("--ipvsd is missing")?;
        let minimal = minimal.context("--minimal is missing")?;
        Ok((Self { runs, quick, ipvsd, minimal }, names))
    }
}

/// A section's hold on the machine.
pub struct Lab {
    section: &'static str,
    pub options: Options,
}

impl Lab {
    pub fn new(section: &'static str, options: Options) -> Self {
        Self { section, options }
    }

    /// Says what one run has measured.
    pub fn say(&self, what: &str, size: u32, round: u32, values: &[(&str, f64)]) -> anyhow::Result<()> {
        let values: BTreeMap<String, f64> = values.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        let section = self.section.to_owned();
        println!("{}", serde_json::to_string(&Run { section, what: what.to_owned(), size, round, values })?);
        Ok(())
    }
}
