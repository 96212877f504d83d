//! `ipvsd import`

use clap::{Args, ValueEnum};

use super::output::Out;
use super::{Exit, Format, Global, Outcome, look};
use crate::config;
use crate::ipvs::{Ipvs as _, Kernel, KernelSettings};
use crate::reconcile::read_whole;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The language of the configuration
    #[arg(long, short, value_name = "FORMAT", default_value = "toml")]
    pub(super) output: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Toml,
    Yaml,
    /// The same, for programs; YAML readers take it
    Json,
}

impl Language {
    pub(super) fn of_errors(self) -> Format {
        if self == Self::Json { Format::Json } else { Format::Text }
    }
}

impl Import {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut kernel = Kernel::open()?;
        let mut live = read_whole(&mut kernel)?;
        let KernelSettings { timeouts, sync } = kernel.settings()?;
        // What carries checks is ipvsd's own business, and no part of any configuration.
        let record = look::record(&global.state_dir_or(None), out)?;
        live.services.retain(|service, _| !record.is_helper(service));
        let import = config::Import { live: &live, timeouts: &timeouts, sync: &sync };
        let config::Emitted { text, omitted } = match self.output {
            Language::Toml => config::emit_toml(import),
            Language::Yaml => config::emit_yaml(import),
            Language::Json => config::emit_json(import),
        };
        out.text(&text)?;
        for entry in &omitted {
            out.warn(&format!("left out: {entry}"));
        }
        Ok(if omitted.is_empty() { Exit::Done } else { Exit::Failed })
    }
}
