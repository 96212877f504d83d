//! What the kernel has, with what it counts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{DestinationKey, DestinationSettings, Service, ServiceKey, ServiceSettings, ServiceView, Table, TableView};

/// The kernel's 64-bit counters and rates (`IPVS_SVC_ATTR_STATS64`). Rates are per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stats {
    pub connections: u64,
    pub in_packets: u64,
    pub out_packets: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
    pub connection_rate: u64,
    pub in_packet_rate: u64,
    pub out_packet_rate: u64,
    pub in_byte_rate: u64,
    pub out_byte_rate: u64,
}

/// A destination as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDestination {
    pub settings: DestinationSettings,
    pub active_connections: u32,
    pub inactive_connections: u32,
    pub persistent_connections: u32,
    pub stats: Stats,
}

impl AsRef<DestinationSettings> for LiveDestination {
    #[inline]
    fn as_ref(&self) -> &DestinationSettings {
        &self.settings
    }
}

/// A service as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveService {
    pub settings: ServiceSettings,
    pub stats: Stats,
    pub destinations: BTreeMap<DestinationKey, LiveDestination>,
}

impl ServiceView for LiveService {
    type Destination = LiveDestination;

    #[inline]
    fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    #[inline]
    fn destinations(&self) -> &BTreeMap<DestinationKey, LiveDestination> {
        &self.destinations
    }
}

impl LiveService {
    /// Without the counters.
    pub fn to_service(&self) -> Service {
        Service {
            settings: self.settings.clone(),
            destinations: self.destinations.iter().map(|(key, live)| (*key, live.settings)).collect(),
        }
    }
}

/// The live table of one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    pub services: BTreeMap<ServiceKey, LiveService>,
    /// Entries that could not be understood, in words; shown, and never touched.
    pub unknown: Vec<String>,
}

impl TableView for Live {
    type Service = LiveService;

    #[inline]
    fn services(&self) -> &BTreeMap<ServiceKey, LiveService> {
        &self.services
    }
}

impl Live {
    /// Without the counters.
    pub fn to_table(&self) -> Table {
        Table { services: self.services.iter().map(|(key, live)| (*key, live.to_service())).collect() }
    }
}
