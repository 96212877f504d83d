//! `ipvsd schema`

use clap::Args;

use super::output::Out;
use super::{Exit, Outcome};
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Schema {}

impl Schema {
    pub(super) fn run(&self, out: &mut Out) -> Outcome {
        out.json(&config::schema())?;
        Ok(Exit::Done)
    }
}
