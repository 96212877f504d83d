//! `ipvsd show`

use clap::{Args, ValueEnum};

use super::output::Out;
use super::picture::Picture;
use super::{Exit, Failure, Format, Global, Outcome};
use crate::config;
use crate::ipvs::{Ipvs as _, Kernel, KernelSettings};
use crate::model::Live;
use crate::reconcile::read_whole;

mod document;
mod table;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// How to print the table; toml and yaml are those of `import`
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: View,
    /// Also what ipvsd keeps for itself: services that carry checks through IPVS
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum View {
    /// For people
    Text,
    /// For programs
    Json,
    /// As configuration
    Toml,
    /// As configuration
    Yaml,
}

impl View {
    pub(super) fn of_errors(self) -> Format {
        if self == Self::Json { Format::Json } else { Format::Text }
    }
}

impl Show {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut kernel = Kernel::open()?;
        let page = self.page(&mut kernel, global, out)?;
        out.text(&page)?;
        Ok(Exit::Done)
    }

    fn page(&self, kernel: &mut Kernel, global: &Global, out: &Out) -> Result<String, Failure> {
        let mut live = read_whole(kernel)?;
        let settings = kernel.settings()?;
        let emitted = match self.output {
            View::Text | View::Json => {
                let picture = self.picture(live, settings, global, out)?;
                return Ok(match self.output {
                    View::Json => format!("{:#}\n", document::document(&picture)),
                    _ => table::text(&picture, out.color(), out.width()),
                });
            }
            View::Toml | View::Yaml => {
                if !self.all {
                    let picture = self.picture(Live::default(), settings.clone(), global, out)?;
                    live.services.retain(|key, _| !picture.is_helper(key));
                }
                let KernelSettings { timeouts, sync } = &settings;
                let table = config::Import { live: &live, timeouts, sync };
                if self.output == View::Toml { config::emit_toml(table) } else { config::emit_yaml(table) }
            }
        };
        for entry in &emitted.omitted {
            out.warn(&format!("left out: {entry}"));
        }
        Ok(emitted.text)
    }

    fn picture(&self, live: Live, settings: KernelSettings, global: &Global, out: &Out) -> Result<Picture, Failure> {
        Ok(Picture { all: self.all, ..Picture::around(live, settings, global, out)? })
    }
}
