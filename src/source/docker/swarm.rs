//! The services of a swarm: their tasks as containers. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::facts::{Addresses, Container, Listed, Port};
use super::wire::{or_default, protocol};

/// One of `GET /services`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Service {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    spec: ServiceSpec,
    #[serde(deserialize_with = "or_default")]
    endpoint: Endpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ServiceSpec {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Endpoint {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PortConfig {
    #[serde(deserialize_with = "or_default")]
    protocol: String,
    #[serde(deserialize_with = "or_default")]
    target_port: u16,
    #[serde(deserialize_with = "or_default")]
    published_port: u16,
    #[serde(deserialize_with = "or_default")]
    publish_mode: String,
}

/// One of `GET /tasks`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Task {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(rename = "ServiceID", deserialize_with = "or_default")]
    service_id: String,
    #[serde(rename = "NodeID", deserialize_with = "or_default")]
    node_id: String,
    #[serde(deserialize_with = "or_default")]
    slot: u64,
    #[serde(deserialize_with = "or_default")]
    created_at: String,
    #[serde(deserialize_with = "or_default")]
    desired_state: String,
    #[serde(deserialize_with = "or_default")]
    status: TaskStatus,
    #[serde(deserialize_with = "or_default")]
    spec: TaskSpec,
    #[serde(deserialize_with = "or_default")]
    networks_attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskStatus {
    #[serde(deserialize_with = "or_default")]
    state: String,
    #[serde(deserialize_with = "or_default")]
    port_status: Endpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TaskSpec {
    #[serde(deserialize_with = "or_default")]
    container_spec: ContainerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContainerSpec {
    #[serde(deserialize_with = "or_default")]
    image: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Attachment {
    #[serde(deserialize_with = "or_default")]
    network: Network,
    /// `10.0.1.3/24`
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Network {
    #[serde(deserialize_with = "or_default")]
    spec: NetworkSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSpec {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    ingress: bool,
}

/// One of `GET /nodes`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Node {
    #[serde(rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    status: NodeStatus,
    #[serde(deserialize_with = "or_default")]
    manager_status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NodeStatus {
    #[serde(deserialize_with = "or_default")]
    addr: String,
}

impl Node {
    /// A manager may call itself 0.0.0.0, and has another address for its like, with a port.
    fn address(&self) -> Option<IpAddr> {
        let own = self.status.addr.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
        let of_manager = || {
            let (ip, _) = self.manager_status.addr.rsplit_once(':')?;
            ip.trim_matches(['[', ']']).parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified())
        };
        own.or_else(of_manager)
    }
}

/// The tasks that run; those whose containers are `here` have the addresses that those have. Labels of the service go before those of its containers.
/// And the IDs of those that run still, and whose service was removed: only who knew them before can say what they are.
pub(super) fn containers(
    (services, tasks, nodes): (Vec<Service>, Vec<Task>, &[Node]),
    here: &HashMap<String, Container>,
) -> Listed {
    let services: HashMap<&str, &Service> = services.iter().map(|service| (service.id.as_str(), service)).collect();
    let nodes: HashMap<&str, IpAddr> =
        nodes.iter().filter_map(|node| Some((node.id.as_str(), node.address()?))).collect();
    let running = tasks.into_iter().filter(|task| task.status.state == "running" && !task.id.is_empty());
    let mut listed = Listed::default();
    for task in running {
        let here = here.get(&task.id);
        match services.get(task.service_id.as_str()) {
            Some(service) => listed.containers.push(container(task, service, (&nodes, here))),
            None => drop(listed.orphans.insert(task.id)),
        }
    }
    listed
}

fn container(task: Task, service: &Service, (nodes, here): (&HashMap<&str, IpAddr>, Option<&Container>)) -> Container {
    let node = nodes.get(task.node_id.as_str()).copied();
    let Task { id, slot, node_id, created_at, desired_state, status, spec, networks_attachments, .. } = task;
    let ContainerSpec { image, mut labels } = spec.container_spec;
    labels.extend(service.spec.labels.clone());
    let mut networks: BTreeMap<String, Addresses> = BTreeMap::new();
    for Attachment { network, addresses } in networks_attachments.into_iter().filter(|of| !of.network.spec.ingress) {
        let of = networks.entry(network.spec.name).or_default();
        for text in addresses {
            match text.split('/').next().and_then(|ip| ip.parse().ok()) {
                Some(IpAddr::V4(v4)) => of.v4 = Some(v4),
                Some(IpAddr::V6(v6)) => of.v6 = Some(v6),
                None => {}
            }
        }
    }
    for (name, of) in here.into_iter().flat_map(|here| &here.networks).filter(|(name, _)| *name != "ingress") {
        networks.entry(name.clone()).or_insert(*of);
    }
    let port = |config: &PortConfig| {
        let fits = config.target_port > 0 && config.published_port > 0;
        let (protocol, public) = (protocol(&config.protocol)?, Some((node, config.published_port)));
        fits.then_some(Port { protocol, private: config.target_port, public, family: None })
    };
    let through_swarm = service.endpoint.ports.iter().filter(|config| config.publish_mode != "host");
    let mut ports: Vec<Port> = status.port_status.ports.iter().chain(through_swarm).filter_map(port).collect();
    ports.sort_unstable();
    ports.dedup();
    // A global service has no slots, but a task on every node.
    let place = if slot > 0 { slot.to_string() } else { node_id };
    let created = humantime::parse_rfc3339_weak(&created_at).ok();
    let created = created.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs());
    Container {
        // As its container is called.
        name: format!("{}.{place}.{id}", service.spec.name),
        image: image.split('@').next().unwrap_or_default().to_owned(),
        created,
        labels,
        paused: here.is_some_and(|here| here.paused),
        health: here.map(|here| here.health).unwrap_or_default(),
        networks,
        ports,
        swarm: Some(service.spec.name.clone()),
        ending: matches!(desired_state.as_str(), "shutdown" | "remove"),
        id,
        ..Container::default()
    }
}
