//! `ipvsd health`

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::output::Out;
use super::overrides::About;
use super::times::parse_period;
use super::{Failure, Global, Outcome};
use crate::model::{Action, Forced};

#[derive(Debug, Args)]
pub(super) struct SetHealth {
    #[command(flatten)]
    pub(super) about: About,
    /// What it counts as, whatever its checks say, and also if it has none
    #[arg(value_name = "HEALTH")]
    health: Wanted,
    /// How long: 10m, 2h; until it is taken back if this is not given
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_period)]
    period: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// In use, whatever its checks say
    Up,
    /// It gets no new connections, or what else on_down says
    Down,
    /// Take the override back: its checks decide
    Auto,
}

impl SetHealth {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let seconds = self.period.map(|period| period.as_secs());
        let action = match (self.health, seconds) {
            (Wanted::Up, seconds) => Action::Health { health: Forced::Up, seconds },
            (Wanted::Down, seconds) => Action::Health { health: Forced::Down, seconds },
            (Wanted::Auto, None) => Action::ResetHealth,
            (Wanted::Auto, Some(_)) => {
                return Err(Failure::Usage(
                    "`auto` takes the override back for good: it goes without --for".to_owned(),
                ));
            }
        };
        self.about.give(action, None, global, out)
    }
}
