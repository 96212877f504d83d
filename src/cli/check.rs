//! `ipvsd check`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Out;
use super::{Exit, Failure, Format, Global, Outcome, doctor};
use crate::config::{self, Problems};
use crate::daemon::{self, facts};
use crate::host::doctor::Stage;
use crate::plan::render::words;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files or directories to check together, instead of --config
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the one file that is checked is to stand: its relative paths start there, and its name says whether it is TOML or YAML.
    /// With --config, all of that configuration is checked with the file in that place. For those who check before they put a file
    /// in its place
    #[arg(long = "as", value_name = "PATH")]
    stands_at: Option<PathBuf>,
    /// Also look at this host, as `doctor` does, for when the configuration is in force here; exit code 1 if it would not work
    #[arg(long)]
    host: bool,
    /// How to print what was found
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Format,
}

impl Check {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut paths = if self.paths.is_empty() { vec![global.one_config()?] } else { self.paths.clone() };
        if let Some(stands_at) = &self.stands_at {
            if paths.len() != 1 || paths.iter().chain([stands_at]).any(|path| path.is_dir()) {
                return Err(Failure::Usage("`--as` is for one file".to_owned()));
            }
            // The configuration that it is to be a part of.
            if let Some(config) = global.config.clone().filter(|_| !self.paths.is_empty()) {
                paths.insert(0, config);
            }
        }
        let config::Loaded { sources, desired, warnings, .. } =
            daemon::load_now(&paths, self.stands_at.as_deref(), global.state_dir.as_deref(), Some(&facts()))?;
        let problems = Problems { sources, list: warnings };
        let findings = if self.host { Some(doctor::diagnose(global, &desired, Stage::OnceInForce)?) } else { None };
        match self.output {
            Format::Json => {
                let mut document = findings.as_deref().map_or_else(|| json!({}), doctor::document);
                document["problems"] = problems.to_json();
                document["services"] = desired.table.services.len().into();
                document["destinations"] = desired.table.destination_count().into();
                out.json(&document)?;
            }
            Format::Text => {
                out.warnings(&problems);
                let services = words::count(desired.table.services.len(), "service");
                let destinations = words::count(desired.table.destination_count(), "destination");
                let warnings = match problems.list.len() {
                    0 => String::new(),
                    number => format!("; {}", words::count(number, "warning")),
                };
                let host = match findings.as_deref() {
                    None => String::new(),
                    Some([]) => " This host is ready for it.".to_owned(),
                    Some(findings) => format!(" This host: {}.", doctor::counts(findings)),
                };
                let said = findings.as_deref().map_or_else(String::new, |findings| doctor::text(findings, out));
                out.text(&format!("{said}The configuration is good: {services}, {destinations}{warnings}.{host}\n"))?;
            }
        }
        Ok(findings.as_deref().map_or(Exit::Done, doctor::exit))
    }
}
