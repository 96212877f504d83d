//! `ipvsd run`

use std::path::{Path, absolute};

use anyhow::Context as _;
use clap::Args;
use tracing::Level;

use super::output::Out;
use super::{Exit, Failure, Global, Outcome};
use crate::daemon::{self, FileSource, LogFormat, parse_level};
use crate::watch::hold_reloads;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// How log lines are written, to standard error
    #[arg(long, visible_alias = "output", value_name = "FORMAT", default_value = "text", env = "IPVSD_LOG_FORMAT")]
    log_format: LogFormat,
    /// The least severe level that is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = parse_level, env = "IPVSD_LOG_LEVEL")]
    log_level: Level,
    /// Delete more than daemon.max_delete allows, at every pass
    #[arg(long)]
    force: bool,
}

impl Run {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        hold_reloads().context("cannot watch for signals")?;
        let config = global.one_config()?;
        if config == Path::new("-") {
            return Err(Failure::Usage(
                "`run` reads its configuration again and again, which standard input does not allow; give a path"
                    .to_owned(),
            ));
        }
        daemon::start_log(self.log_format, self.log_level, out.color_of_errors());
        let state_dir = global.state_dir.as_ref().map(absolute).transpose()?;
        let mut source = FileSource::new(vec![absolute(config)?], state_dir);
        let desired = source.first()?;
        daemon::run(source, desired, self.force)?;
        Ok(Exit::Done)
    }
}
