//! `ipvsd check`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Out;
use super::{Exit, Format, Global, Outcome};
use crate::config::{self, Problems};
use crate::daemon::facts;
use crate::plan::render::words;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files or directories to check together, instead of --config
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

impl Check {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let paths = if self.paths.is_empty() { vec![global.config()] } else { self.paths.clone() };
        let config::Loaded { sources, desired, warnings } = config::load_for(&paths, &facts())?;
        let problems = Problems { sources, list: warnings };
        match self.output {
            Format::Json => {
                out.json(&json!({
                    "problems": problems.to_json(),
                    "services": desired.table.services.len(),
                    "destinations": desired.table.destination_count(),
                }))?;
            }
            Format::Text => {
                out.warnings(&problems);
                let services = words::count(desired.table.services.len(), "service");
                let destinations = words::count(desired.table.destination_count(), "destination");
                let warnings = match problems.list.len() {
                    0 => String::new(),
                    number => format!("; {}", words::count(number, "warning")),
                };
                out.text(&format!("The configuration is good: {services}, {destinations}{warnings}.\n"))?;
            }
        }
        Ok(Exit::Done)
    }
}
