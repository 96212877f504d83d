//! The least that a program can read: the same keys as plain structs, without places, checks or defaults.

#![allow(dead_code, reason = "most of it is only read")]

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct File {
    pub version: u32,
    pub daemon: Option<Daemon>,
    pub defaults: Option<Defaults>,
    #[serde(default)]
    pub checks: BTreeMap<String, Check>,
    pub services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
pub struct Daemon {
    pub resync: Option<String>,
    pub drain: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Defaults {
    pub scheduler: Option<String>,
    pub weight: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub struct Check {
    pub http: Option<Http>,
    pub tcp: Option<Tcp>,
    pub interval: Option<String>,
    pub timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Http {
    pub path: Option<String>,
    pub status: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Tcp {}

#[derive(Debug, Deserialize)]
pub struct Service {
    pub name: String,
    pub address: String,
    pub scheduler: Option<String>,
    #[serde(default)]
    pub scheduler_flags: Vec<String>,
    pub persistence: Option<Persistence>,
    pub check: Option<String>,
    pub slow_start: Option<String>,
    pub destinations: Vec<Destination>,
}

#[derive(Debug, Deserialize)]
pub struct Persistence {
    pub timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Destination {
    pub address: String,
    pub weight: u32,
    pub forward: Option<String>,
    pub max_connections: Option<u32>,
}

impl File {
    /// Services and destinations.
    pub fn objects(&self) -> usize {
        self.services.iter().map(|service| 1 + service.destinations.len()).sum()
    }
}
