//! What an engine answers, as far as it is read. All of it is optional: an engine that says less, or more, is understood.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer};

use super::facts::{Addresses, Container, Health, Port};
use crate::model::Protocol;

/// `GET /version`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Version {
    pub version: String,
    pub api_version: String,
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    #[serde(deserialize_with = "or_default")]
    components: Vec<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Component {
    #[serde(deserialize_with = "or_default")]
    name: String,
}

impl Version {
    /// What lists all containers that have not ended. Podman leaves out what is paused or stopping, unless it is asked for all.
    pub(super) fn list(&self) -> &'static str {
        let is_podman = self.components.iter().any(|component| component.name.starts_with("Podman"));
        if is_podman { "/containers/json?all=1" } else { "/containers/json" }
    }
}

/// `GET /info`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Info {
    swarm: Swarm,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Swarm {
    #[serde(deserialize_with = "or_default")]
    control_available: bool,
    /// `inactive`, `pending`, `active`, `error`, `locked`
    #[serde(deserialize_with = "or_default")]
    local_node_state: String,
}

impl Info {
    /// Whether it manages a swarm; an error while it does not know.
    pub(super) fn is_manager(&self) -> Result<bool, String> {
        match self.swarm.local_node_state.as_str() {
            state @ ("pending" | "error" | "locked") if !self.swarm.control_available => {
                Err(format!("the engine's part in a swarm is \"{state}\""))
            }
            _ => Ok(self.swarm.control_available),
        }
    }
}

/// What an engine says of an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub message: String,
}

/// One of `GET /containers/json`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Summary {
    #[serde(deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    image: String,
    #[serde(deserialize_with = "or_default")]
    created: serde_json::Value,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    state: String,
    /// `Up 3 minutes (healthy)`
    #[serde(deserialize_with = "or_default")]
    status: String,
    #[serde(deserialize_with = "or_default")]
    health: HealthSummary,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortSummary>,
    #[serde(deserialize_with = "or_default")]
    host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HealthSummary {
    #[serde(deserialize_with = "or_default")]
    status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PortSummary {
    #[serde(rename = "IP", deserialize_with = "or_default")]
    ip: String,
    #[serde(deserialize_with = "or_default")]
    private_port: u16,
    #[serde(deserialize_with = "or_default")]
    public_port: u16,
    #[serde(rename = "Type", deserialize_with = "or_default")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    network_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    networks: BTreeMap<String, Option<Network>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress", deserialize_with = "or_default")]
    v4: String,
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "or_default")]
    v6: String,
}

/// What is null is as good as not there: engines are generous with nulls.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A task's container, which the swarm speaks for where it does.
pub(super) const TASK_LABEL: &str = "com.docker.swarm.task.id";

impl Summary {
    /// The task that it is the container of, if a swarm speaks for it.
    pub(super) fn task(&self) -> Option<&str> {
        self.labels.get(TASK_LABEL).map(String::as_str)
    }

    /// Nothing for what does not run.
    pub(super) fn container(self) -> Option<Container> {
        let Self { id, names, image, created, labels, state, status, health, ports, host_config, network_settings } =
            self;
        // Podman says so from when it was told to stop.
        let (paused, ending) = (state == "paused", state == "stopping");
        if id.is_empty() || !(paused || ending || state == "running" || (state.is_empty() && status.starts_with("Up")))
        {
            return None;
        }
        // Links give it names with two slashes.
        let own = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
        let own = own.clone().find(|name| !name.contains('/')).or_else(|| own.clone().next());
        let mode = host_config.network_mode;
        let mut ports: Vec<Port> = ports.iter().filter_map(PortSummary::port).collect();
        ports.sort_unstable();
        ports.dedup();
        Some(Container {
            name: own.filter(|name| !name.is_empty()).map_or_else(|| id.chars().take(12).collect(), str::to_owned),
            image,
            // Podman has it as a text in some places.
            created: created.as_u64().unwrap_or(0),
            labels,
            paused,
            health: said_health(&health.status).or_else(|| shown_health(&status)).unwrap_or_default(),
            networks: network_settings
                .networks
                .into_iter()
                .map(|(name, of)| (name, of.unwrap_or_default().addresses()))
                .collect(),
            ports,
            on_host: mode == "host",
            shares: mode.strip_prefix("container:").map(str::to_owned),
            swarm: None,
            ending,
            id,
        })
    }
}

impl PortSummary {
    fn port(&self) -> Option<Port> {
        let protocol = protocol(&self.kind)?;
        let ip: Option<IpAddr> = self.ip.trim_matches(['[', ']']).parse().ok();
        // All addresses of a family are told as one that stands for none.
        let bound = ip.filter(|ip| !ip.is_unspecified());
        let public = (self.public_port > 0).then_some((bound, self.public_port));
        let family = ip.filter(IpAddr::is_unspecified).map(|ip| ip.is_ipv4());
        (self.private_port > 0).then_some(Port { protocol, private: self.private_port, public, family })
    }
}

impl Network {
    fn addresses(&self) -> Addresses {
        let v4 = self.v4.parse().ok().filter(|v4: &Ipv4Addr| !v4.is_unspecified());
        Addresses { v4, v6: self.v6.parse().ok().filter(|v6: &Ipv6Addr| !v6.is_unspecified()) }
    }
}

pub(super) fn protocol(word: &str) -> Option<u16> {
    let protocol = match word {
        "tcp" | "" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return None,
    };
    Some(protocol.number())
}

fn said_health(word: &str) -> Option<Health> {
    match word {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

/// Older engines have it only in the words that `docker ps` shows.
fn shown_health(status: &str) -> Option<Health> {
    let (_, word) = status.rsplit_once('(')?;
    let word = word.strip_suffix(')')?;
    said_health(word.strip_prefix("health: ").unwrap_or(word))
}

/// `GET /containers/{id}/json`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Inspected {
    #[serde(deserialize_with = "or_default")]
    config: InspectedConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct InspectedConfig {
    #[serde(deserialize_with = "or_default")]
    stop_signal: serde_json::Value,
}

impl Inspected {
    /// The signal that tells it to stop.
    pub(super) fn stop_signal(&self) -> u32 {
        let said = match &self.config.stop_signal {
            serde_json::Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            serde_json::Value::String(word) => signal(word),
            _ => None,
        };
        said.unwrap_or(TERM)
    }
}

pub(super) const KILL: u32 = 9;
pub(super) const TERM: u32 = 15;

/// A signal by its number or its name, as an engine has it.
pub(super) fn signal(word: &str) -> Option<u32> {
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let word = word.to_ascii_uppercase();
    let name = word.strip_prefix("SIG").unwrap_or(&word);
    const NAMES: [(&str, u32); 13] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", KILL),
        ("USR1", 10),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", TERM),
        ("CONT", 18),
        ("STOP", 19),
        ("WINCH", 28),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    // The C library keeps the first two for itself.
    let real_time = || match name.strip_prefix("RTMIN")?.strip_prefix('+') {
        Some(more) => more.parse::<u32>().ok()?.checked_add(34),
        None => Some(34),
    };
    known.or_else(real_time)
}

/// One of `GET /events`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub kind: String,
    /// With what follows a colon: `health_status: healthy`, `exec_start: sh`.
    #[serde(rename = "Action", deserialize_with = "or_default")]
    pub action: String,
    #[serde(rename = "Actor", deserialize_with = "or_default")]
    pub actor: Actor,
    #[serde(deserialize_with = "or_default")]
    pub time: i64,
    #[serde(rename = "timeNano", deserialize_with = "or_default")]
    pub nanos: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Actor {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub id: String,
    #[serde(rename = "Attributes", deserialize_with = "or_default")]
    pub attributes: BTreeMap<String, String>,
}
