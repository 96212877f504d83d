//! `ipvsd overrides`

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::super::output::Out;
use super::super::{Exit, Format, Global, Outcome, look};
use crate::daemon::orders::{document, is_configured, words};
use crate::model::{Desired, Overrides, ServiceKey, ServiceOrigin};
use crate::reconcile::unix_now;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListOverrides {
    /// How to print the overrides
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(in crate::cli) output: Format,
}

impl ListOverrides {
    pub(in crate::cli) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let surroundings = global.look_around(out);
        let overrides = look::overrides(&surroundings.state_dir)?;
        let desired = surroundings.desired.as_ref();
        let none = BTreeMap::new();
        let origins = desired.map_or(&none, |desired| &desired.origins);
        match self.output {
            Format::Json => out.json(&json!({ "overrides": document(&overrides, origins, desired) }))?,
            Format::Text if overrides.services.is_empty() => out.text("No overrides are in force.\n")?,
            Format::Text => out.text(&lines(&overrides, origins, desired, unix_now()))?,
        }
        Ok(Exit::Done)
    }
}

/// A line for each destination: `10.0.0.11:8080 of tcp://192.0.2.10:80 (web): drained by override since 13:40 UTC`.
pub(in crate::cli) fn lines(
    overrides: &Overrides,
    origins: &BTreeMap<ServiceKey, ServiceOrigin>,
    desired: Option<&Desired>,
    now: u64,
) -> String {
    let mut text = String::new();
    for (service, of_service) in &overrides.services {
        let name = origins.get(service).map_or_else(String::new, |origin| format!(" ({})", origin.name));
        for (destination, given) in of_service {
            let words = words(*given, now).join(", ");
            let stray = match is_configured(desired, service, destination) {
                Some(false) => "; the configuration does not have it",
                Some(true) | None => "",
            };
            let _ = writeln!(text, "{destination} of {service}{name}: {words}{stray}");
        }
    }
    text
}
