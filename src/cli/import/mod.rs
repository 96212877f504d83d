//! `ipvsd import`

mod glob;
mod machine;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::output::Out;
use super::{Exit, Format, Global, Outcome, look};
use crate::config::{self, Draft, Emitted, Severity, Source};
use crate::import;
use crate::ipvs::{Ipvs as _, Kernel, KernelSettings};
use crate::plan::render::words::count;
use crate::reconcile::read_whole;
use machine::Machine;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Whose configuration FILE is; without it the live table is imported
    #[arg(long, value_name = "FORMAT", requires = "file")]
    from: Option<From>,
    /// The file of another program; - is standard input
    #[arg(value_name = "FILE", requires = "from")]
    file: Option<PathBuf>,
    /// Which lines of keepalived.conf that begin with @ are read, as keepalived's own option [default: the host's name]
    #[arg(long, value_name = "ID", requires = "from")]
    config_id: Option<String>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// Rules as `ipvsadm -S` writes them, or a script that runs ipvsadm
    Ipvsadm,
    /// keepalived.conf
    Keepalived,
    /// ldirectord.cf
    Ldirectord,
    /// The model of ipvsctl
    Ipvsctl,
    /// What GORB's API or its store has, as JSON
    Gorb,
}

impl Language {
    pub(super) fn of_errors(self) -> Format {
        if self == Self::Json { Format::Json } else { Format::Text }
    }

    fn draft(self, draft: &Draft) -> Emitted {
        match self {
            Self::Toml => config::draft_toml(draft),
            Self::Yaml => config::draft_yaml(draft),
            Self::Json => config::draft_json(draft),
        }
    }
}

impl Import {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        match (self.from, &self.file) {
            (Some(from), Some(file)) => self.run_from(from, file, out),
            _ => self.run_live(global, out),
        }
    }

    fn run_live(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut kernel = Kernel::open()?;
        let mut live = read_whole(&mut kernel)?;
        let KernelSettings { timeouts, sync } = kernel.settings()?;
        // What carries checks is ipvsd's own business, and no part of any configuration.
        let record = look::record(&global.state_dir_or(None), out)?;
        live.services.retain(|service, _| !record.is_helper(service));
        let import = config::Import { live: &live, timeouts: &timeouts, sync: &sync };
        let Emitted { text, omitted } = match self.output {
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

    fn run_from(&self, from: From, file: &Path, out: &mut Out) -> Outcome {
        let language = match from {
            From::Ipvsadm => import::Language::Ipvsadm,
            From::Keepalived => import::Language::Keepalived,
            From::Ldirectord => import::Language::Ldirectord,
            From::Ipvsctl => import::Language::Ipvsctl,
            From::Gorb => import::Language::Gorb,
        };
        let source = read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut machine = Machine::new(self.config_id.clone());
        let import::Imported { draft, report } = import::import(language, source, &mut machine);
        let Emitted { text, omitted } = self.output.draft(&draft);
        out.text(&text)?;
        out.report(&report);
        for entry in &omitted {
            out.complain(&format!("left out: {entry}"));
        }
        let errors = report.error_count() + omitted.len();
        let warnings = report.list.iter().filter(|problem| problem.severity == Severity::Warning).count();
        let destinations = draft.services.iter().map(|service| service.destinations.len()).sum();
        out.progress(&format!(
            "Imported {}, {}, {}; {} not understood, {} without an equivalent.\n",
            count(draft.services.len(), "service"),
            count(destinations, "destination"),
            count(draft.checks.len(), "check"),
            count(errors, "thing"),
            count(warnings, "thing"),
        ));
        Ok(if errors == 0 { Exit::Done } else { Exit::Failed })
    }
}

/// A text, whatever its letters are in.
fn read(file: &Path) -> anyhow::Result<Source> {
    let mut bytes = Vec::new();
    let limit = config::MAX_BYTES + 1;
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    }
    anyhow::ensure!(bytes.len() as u64 <= config::MAX_BYTES, "it is longer than {} bytes", config::MAX_BYTES);
    Ok(Source { path: file.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })
}
