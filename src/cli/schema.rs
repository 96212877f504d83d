//! `ipvsd schema`

use clap::{Args, ValueEnum};

use super::output::Out;
use super::{Exit, Outcome};
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// A schema is JSON, whatever it describes
    #[arg(long, short, value_name = "FORMAT", default_value = "json")]
    output: Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Json {
    Json,
}

impl Schema {
    pub(super) fn run(&self, out: &mut Out) -> Outcome {
        match self.output {
            Json::Json => out.json(&config::schema())?,
        }
        Ok(Exit::Done)
    }
}
