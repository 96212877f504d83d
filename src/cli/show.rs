//! `ipvsd show`

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::output::Out;
use super::{Exit, Failure, Format, Global, Outcome, look};
use crate::config;
use crate::daemon::control::Answer;
use crate::ipvs::{Ipvs as _, Kernel, KernelSettings};
use crate::model::{
    Desired, DestinationKey, Helped, Live, Manage, Override, Overrides, Record, ServiceKey, ServiceOrigin,
};
use crate::reconcile::unix_now;
use crate::reconcile::{DestinationStatus, ServiceStatus, read_whole};

mod document;
mod health;
mod layout;
mod table;
#[cfg(test)]
mod testing;

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

/// The live table, and what this ipvsd knows of it.
#[derive(Default)]
struct Picture {
    live: Live,
    /// What the kernel is set to beside its table.
    settings: KernelSettings,
    /// The configuration, if it is good.
    desired: Option<Desired>,
    record: Record,
    /// What the daemon says, if one runs.
    daemon: Option<Answer>,
    /// Those in force, whether a daemon runs or not.
    overrides: Overrides,
    /// Show helper services among the others.
    all: bool,
    /// In seconds since 1970.
    now: u64,
}

impl Picture {
    fn owner(&self, service: &ServiceKey, destination: Option<&DestinationKey>) -> &'static str {
        let owned = match destination {
            Some(destination) => self.record.owns_destination(service, destination),
            None => self.record.owns(service),
        };
        let manage = self.desired.as_ref().map_or(&Manage::Owned, |desired| &desired.manage);
        match owned {
            true => "owned",
            false if manage.covers(service) => "managed",
            false => "foreign",
        }
    }

    fn name(&self, service: &ServiceKey) -> Option<&str> {
        let configured = self.origins().and_then(|origins| origins.get(service)).map(|origin| origin.name.as_str());
        configured.or_else(|| self.status(service)?.name.as_deref())
    }

    /// The name that it has beside its address: a container's, or what came over the API.
    fn destination_name(&self, service: &ServiceKey, destination: &DestinationKey) -> Option<&str> {
        let name = self.origins()?.get(service)?.destinations.get(destination)?;
        (*name != destination.to_string()).then_some(name.as_str())
    }

    fn origins(&self) -> Option<&BTreeMap<ServiceKey, ServiceOrigin>> {
        self.desired.as_ref().map(|desired| &desired.origins)
    }

    fn status(&self, service: &ServiceKey) -> Option<&ServiceStatus> {
        self.daemon.as_ref()?.status.services.get(service)
    }

    fn destination_status(&self, service: &ServiceKey, destination: &DestinationKey) -> Option<&DestinationStatus> {
        self.status(service)?.destinations.get(destination)
    }

    fn given(&self, service: &ServiceKey, destination: &DestinationKey) -> Override {
        self.overrides.get(service, destination, self.now)
    }

    /// Whether a service is ipvsd's own, for checks.
    fn is_helper(&self, service: &ServiceKey) -> bool {
        let told = self.daemon.as_ref().is_some_and(|daemon| daemon.status.helpers.contains(service));
        told || self.helped(service).is_some()
    }

    /// The destination that a helper service leads to, if that is on record.
    fn helped(&self, service: &ServiceKey) -> Option<&Helped> {
        match service {
            ServiceKey::Mark { mark, .. } => self.record.helpers.get(mark),
            ServiceKey::Address { .. } => None,
        }
    }
}

impl Show {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let mut kernel = Kernel::open()?;
        let mut live = read_whole(&mut kernel)?;
        let settings = kernel.settings()?;
        let emitted = match self.output {
            View::Text | View::Json => {
                let picture = self.picture(live, settings, global, out)?;
                match self.output {
                    View::Json => out.json(&document::document(&picture))?,
                    _ => out.text(&table::text(&picture, out.color(), out.width()))?,
                }
                return Ok(Exit::Done);
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
        out.text(&emitted.text)?;
        for entry in &emitted.omitted {
            out.warn(&format!("left out: {entry}"));
        }
        Ok(Exit::Done)
    }

    fn picture(&self, live: Live, settings: KernelSettings, global: &Global, out: &Out) -> Result<Picture, Failure> {
        let look::Surroundings { desired, state_dir } = global.look_around(out);
        let record = look::record(&state_dir, out)?;
        let daemon = look::daemon(&state_dir, out)?;
        let overrides = look::peek_overrides(&state_dir, out);
        Ok(Picture { live, settings, desired, record, daemon, overrides, all: self.all, now: unix_now() })
    }
}
