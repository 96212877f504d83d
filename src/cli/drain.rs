//! `ipvsd drain` and `ipvsd undrain`

use std::time::Duration;

use clap::Args;

use super::output::Out;
use super::overrides::{About, Wait};
use super::times::parse_duration;
use super::{Global, Outcome};
use crate::model::Action;

#[derive(Debug, Args)]
pub(super) struct Drain {
    #[command(flatten)]
    pub(super) about: About,
    /// Wait until it has no connections left; ^C ends the waiting, and the override stays
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this: 30s, 10m
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

impl Drain {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let wait = self.wait.then_some(Wait { timeout: self.timeout });
        self.about.give(Action::Drain, wait, global, out)
    }
}

#[derive(Debug, Args)]
pub(super) struct Undrain {
    #[command(flatten)]
    pub(super) about: About,
}

impl Undrain {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        self.about.give(Action::Undrain, None, global, out)
    }
}
