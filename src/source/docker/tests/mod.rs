//! What engines answer, and what follows from it. The recordings are a real engine's (`tests/docker/recorded`).

mod client;
mod gather;
mod machine;
mod marks;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::facts::{Addresses, Container, Listed, Snapshot};
use super::gather::{Base, Ground};
use super::wire::{Event, Summary};
use crate::model::{Docker, Forward, Reach, SERVICE_LABEL, Selector, ServiceKey, Tunnel};

fn recorded(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/recorded").join(name)).unwrap()
}

fn list(name: &str) -> Vec<Container> {
    let summaries: Vec<Summary> = serde_json::from_str(&recorded(&format!("{name}.list"))).unwrap();
    summaries.into_iter().filter_map(Summary::container).collect()
}

fn events(name: &str) -> Vec<Event> {
    recorded(&format!("{name}.events")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const WEB: &str = "tcp://192.0.2.10:80";

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn selector() -> Selector {
    Selector {
        label: SERVICE_LABEL.into(),
        value: Some("web".into()),
        port: None,
        network: None,
        reach: Reach::Container,
        healthcheck: false,
        weight: 100,
        forward: Forward::Nat,
        tunnel: Tunnel::default(),
        checks: None,
    }
}

fn ground(services: &[(&str, &str, Selector)]) -> Ground {
    let mut ground = Ground::default();
    for (service, name, selector) in services {
        let written = BTreeSet::new();
        let base = Base { name: (*name).into(), selector: Arc::new(selector.clone()), written };
        ground.bases.insert(key(service), base);
        ground.names.insert(key(service), (*name).into());
    }
    ground
}

/// A container of that name with labels, on `bridge` with that last byte.
fn container(name: &str, last: u8, labels: &[(&str, &str)]) -> Container {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let v6 = Some(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()));
    let addresses = Addresses { v4: Some([172, 17, 0, last].into()), v6 };
    Container {
        id: format!("id-{name}"),
        name: name.to_owned(),
        image: "web:1".to_owned(),
        labels,
        networks: [("bridge".to_owned(), addresses)].into(),
        ..Container::default()
    }
}

fn web(name: &str, last: u8) -> Container {
    container(name, last, &[(SERVICE_LABEL, "web")])
}

fn seen(containers: Vec<Container>) -> Snapshot {
    Snapshot::new(containers, BTreeSet::new())
}

fn docker() -> Docker {
    Docker {
        checks: [("none".to_owned(), Arc::default()), ("tcp".to_owned(), Arc::default())].into(),
        ..Docker::default()
    }
}
