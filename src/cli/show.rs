//! `ipvsd show`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::output::Out;
use super::{Exit, Format, Global, Outcome};
use crate::config;
use crate::ipvs::Kernel;
use crate::model::{DestinationKey, Live, LiveDestination, LiveService, Manage, Record, ServiceKey, ServiceOrigin};
use crate::plan::render;
use crate::reconcile::{FileStore, Place, read_whole};

mod table;

/// Where the ownership record is when no configuration says otherwise.
const STATE_DIR: &str = "/var/lib/ipvsd";

#[derive(Debug, Args)]
pub(super) struct Show {
    /// How to print the table; toml and yaml are those of `import`
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    pub(super) output: View,
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
struct Picture {
    live: Live,
    origins: BTreeMap<ServiceKey, ServiceOrigin>,
    manage: Manage,
    record: Record,
}

impl Picture {
    fn owner(&self, service: &ServiceKey, destination: Option<&DestinationKey>) -> &'static str {
        let owned = match destination {
            Some(destination) => self.record.owns_destination(service, destination),
            None => self.record.owns(service),
        };
        match owned {
            true => "owned",
            false if self.manage.covers(service) => "managed",
            false => "foreign",
        }
    }

    fn name(&self, service: &ServiceKey) -> Option<&str> {
        self.origins.get(service).map(|origin| origin.name.as_str())
    }
}

impl Show {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        let live = read_whole(&mut Kernel::open()?)?;
        let emitted = match self.output {
            View::Toml => config::emit_toml(&live),
            View::Yaml => config::emit_yaml(&live),
            View::Text | View::Json => {
                let picture = self.picture(live, global, out)?;
                match self.output {
                    View::Json => out.json(&document(&picture))?,
                    _ => out.text(&table::text(&picture, out.color()))?,
                }
                return Ok(Exit::Done);
            }
        };
        out.text(&emitted.text)?;
        for entry in &emitted.omitted {
            out.warn(&format!("left out: {entry}"));
        }
        Ok(Exit::Done)
    }

    /// Names and ownership are worth having, but a configuration that is wrong or missing must not keep the
    /// live table from whoever came to look at it.
    fn picture(&self, live: Live, global: &Global, out: &mut Out) -> Result<Picture, super::Failure> {
        let path = global.config();
        let (origins, manage, configured) = match config::load(std::slice::from_ref(&path)) {
            Ok(loaded) => {
                let desired = loaded.desired;
                (desired.origins, desired.manage, desired.state_dir)
            }
            Err(_) => {
                if global.config.is_some() || path.exists() {
                    out.warn(&format!(
                        "the configuration {} is not good, so names are missing here; see `ipvsd check`",
                        path.display()
                    ));
                }
                (BTreeMap::new(), Manage::Owned, PathBuf::from(STATE_DIR))
            }
        };
        let state_dir = global.state_dir.clone().unwrap_or(configured);
        let record = match FileStore::new(&state_dir, Place::here()?).peek() {
            Ok((record, damage)) => {
                if let Some(damage) = damage {
                    out.warn(&damage);
                }
                record
            }
            Err(error) => {
                out.warn(&format!("what is owned is not known: {error}"));
                Record::default()
            }
        };
        Ok(Picture { live, origins, manage, record })
    }
}

fn document(picture: &Picture) -> Value {
    let services: Vec<Value> =
        picture.live.services.iter().map(|(key, service)| service_document(picture, key, service)).collect();
    json!({ "services": services, "unknown": picture.live.unknown })
}

fn service_document(picture: &Picture, key: &ServiceKey, service: &LiveService) -> Value {
    let LiveService { settings, stats, destinations } = service;
    let destinations: Vec<Value> = destinations
        .iter()
        .map(|(destination, live)| {
            let LiveDestination { settings, active_connections, inactive_connections, persistent_connections, stats } =
                live;
            json!({
                "address": destination,
                "owner": picture.owner(key, Some(destination)),
                "settings": render::destination_json(settings),
                "active_connections": active_connections,
                "inactive_connections": inactive_connections,
                "persistent_connections": persistent_connections,
                "stats": stats,
            })
        })
        .collect();
    json!({
        "address": key,
        "name": picture.name(key),
        "owner": picture.owner(key, None),
        "settings": render::service_json(settings),
        "stats": stats,
        "destinations": destinations,
    })
}
