//! `ipvsd show`

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::output::Out;
use super::picture::Picture;
use super::times::parse_every;
use super::{Exit, Failure, Format, Global, Outcome};
use crate::config;
use crate::ipvs::{Ipvs as _, Kernel, KernelSettings};
use crate::model::Live;
use crate::reconcile::read_whole;

mod document;
mod table;
mod watch;

#[derive(Debug, Args)]
pub(super) struct Show {
    /// How to print the table; toml and yaml are those of `import`
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: View,
    /// Also what ipvsd keeps for itself: services that carry checks through IPVS
    #[arg(long)]
    all: bool,
    /// Show it again and again, until ^C: every 2 seconds, or every so many (0.5, 10, 1m)
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = parse_every)]
    watch: Option<Duration>,
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
        let Some(every) = self.watch else {
            let page = self.page(&mut kernel, global, out)?;
            out.text(&page)?;
            return Ok(Exit::Done);
        };
        if global.config() == Path::new("-") {
            return Err(Failure::Usage(
                "`--watch` reads the configuration again and again, which standard input does not allow; give a path"
                    .to_owned(),
            ));
        }
        // On a terminal warnings are a part of the page.
        let teller =
            if out.width().is_some() { out.listening() } else { Out::new(global.color, self.output.of_errors()) };
        watch::watch(every, out, || {
            let page = self.page(&mut kernel, global, &teller)?;
            let warnings = teller.take_heard().into_iter().map(|warning| format!("warning: {warning}\n"));
            Ok(warnings.collect::<String>() + &page)
        })?;
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
