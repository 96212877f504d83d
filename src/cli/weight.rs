//! `ipvsd weight`

use std::time::Duration;

use clap::Args;

use super::output::Out;
use super::overrides::About;
use super::times::parse_period;
use super::{Failure, Global, Outcome};
use crate::model::Action;

#[derive(Debug, Args)]
pub(super) struct Weight {
    #[command(flatten)]
    pub(super) about: About,
    /// 0 to 65535; health, slow start and drains work on it as on the configured weight
    #[arg(value_name = "N", required_unless_present = "reset", value_parser = clap::value_parser!(u32).range(0..=65535))]
    weight: Option<u32>,
    /// How long: 10m, 2h; until it is taken back if this is not given
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "reset", value_parser = parse_period)]
    period: Option<Duration>,
    /// Take the override back
    #[arg(long, conflicts_with = "weight")]
    reset: bool,
}

impl Weight {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let action = match (self.weight, self.reset) {
            (Some(weight), _) => Action::Weight { weight, seconds: self.period.map(|period| period.as_secs()) },
            (None, true) => Action::ResetWeight,
            // The command line does not get this far.
            (None, false) => return Err(Failure::Usage("give a weight, or --reset".to_owned())),
        };
        self.about.give(action, None, global, out)
    }
}
