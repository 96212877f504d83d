//! What the files and the other sources ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::{Api, DestinationKey, Docker, Family, Hooks, Host, Policy, ServiceKey, Table};

/// One element of a `manage` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Services whose address lies within the prefix.
    Prefix(IpNet),
    /// The service of a firewall mark.
    Mark(Family, u32),
}

/// What may be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Manage {
    /// Only what the ownership record names.
    #[default]
    Owned,
    /// The files are the whole truth.
    All,
    /// As `All` within these, and nothing else.
    Within(Vec<Scope>),
}

impl Manage {
    /// Whether a service lies in what is managed whole; never the case under `Owned`.
    pub fn covers(&self, key: &ServiceKey) -> bool {
        match self {
            Manage::Owned => false,
            Manage::All => true,
            Manage::Within(scopes) => scopes.iter().any(|scope| match (scope, key) {
                (Scope::Prefix(net), ServiceKey::Address { address, .. }) => net.contains(address),
                (Scope::Mark(family, mark), ServiceKey::Mark { family: f, mark: m }) => family == f && mark == m,
                _ => false,
            }),
        }
    }
}

/// How much one pass may delete of what is owned, in entries (services and destinations).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDelete {
    /// 0..=100
    Percent(u8),
    Count(u32),
}

/// Where a service came from, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceOrigin {
    /// The `name` in the configuration, unique; a service of several addresses is several keys with one name.
    pub name: String,
    /// The file that claims it.
    pub file: PathBuf,
    /// 1-based line of the address there.
    pub line: usize,
    /// What it calls its destinations, of those that have a name; each once.
    #[serde(skip)]
    pub destinations: BTreeMap<DestinationKey, String>,
}

/// A whole, resolved configuration: defaults applied, everything checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    pub table: Table,
    /// For every key of `table`.
    pub origins: BTreeMap<ServiceKey, ServiceOrigin>,
    pub manage: Manage,
    pub max_delete: MaxDelete,
    /// The longest time between two full passes.
    pub resync: Duration,
    /// How often the names of destinations are looked up.
    pub resolve: Duration,
    pub state_dir: PathBuf,
    /// For every key of `table`.
    pub policies: BTreeMap<ServiceKey, Policy>,
    /// The longest wait for the connections of a service that is not in `table`; zero deletes at once.
    pub drain: Duration,
    /// As many checks run at the same time; at least 1.
    pub checks_at_once: usize,
    /// The first of 65,536 firewall marks that are ipvsd's own, for checks via the service's address.
    pub check_marks: u32,
    pub hooks: Option<Hooks>,
    /// The HTTP side, if there is to be one.
    pub api: Option<Api>,
    /// The engine whose containers are destinations, if there is to be one.
    pub docker: Option<Docker>,
    /// What is asked of the host around the table.
    pub host: Host,
}

impl Desired {
    /// What it asks for in these services, and nothing of the host: all else is as it is.
    #[must_use]
    pub fn part(&self, services: &BTreeSet<ServiceKey>) -> Self {
        fn of<V: Clone>(map: &BTreeMap<ServiceKey, V>, services: &BTreeSet<ServiceKey>) -> BTreeMap<ServiceKey, V> {
            services.iter().filter_map(|key| Some((*key, map.get(key)?.clone()))).collect()
        }
        Self {
            table: Table { services: of(&self.table.services, services) },
            origins: of(&self.origins, services),
            policies: of(&self.policies, services),
            host: Host::default(),
            manage: self.manage.clone(),
            state_dir: self.state_dir.clone(),
            hooks: self.hooks.clone(),
            api: self.api.clone(),
            docker: None,
            ..*self
        }
    }
}

impl Desired {
    /// Puts what `part` asks for in these services in the place of what there is; all else stays.
    pub fn put_part(&mut self, services: &BTreeSet<ServiceKey>, part: Self) {
        for key in services {
            self.table.services.remove(key);
            self.origins.remove(key);
            self.policies.remove(key);
        }
        self.table.services.extend(part.table.services);
        self.origins.extend(part.origins);
        self.policies.extend(part.policies);
    }
}

impl Default for Desired {
    /// No services, and everything as it is where the files do not say otherwise.
    fn default() -> Self {
        Self {
            table: Table::default(),
            origins: BTreeMap::new(),
            manage: Manage::default(),
            max_delete: MaxDelete::Percent(50),
            resync: Duration::from_secs(30),
            resolve: Duration::from_secs(30),
            state_dir: PathBuf::from("/var/lib/ipvsd"),
            policies: BTreeMap::new(),
            drain: Duration::from_secs(300),
            checks_at_once: 1000,
            check_marks: 0x6970_0000,
            hooks: None,
            api: None,
            docker: None,
            host: Host::default(),
        }
    }
}
