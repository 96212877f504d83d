//! What services and backends can be given, as GORB names it.

use std::net::IpAddr;

use super::Failed;
use super::decode::Object;
use super::pulse::Pulse;
use crate::model::{
    Check, DestinationKey, DestinationSettings, Family, Forward, Netmask, Offer, Persistence, Protocol, Scheduler,
    ServiceFlags, ServiceKey, ServiceSettings, Tunnel,
};

/// The largest weight here, and what a backend has that is given none.
const WEIGHT_MAX: i32 = 65_535;
const WEIGHT: i32 = 100;
/// Longer than all flags together, some of them twice.
const FLAGS_MAX: usize = 128;
/// As ipvsadm has it: GORB has no word for it. Seconds.
const PERSISTENCE: u32 = 300;

const SERVICE: &str = "ServiceOptions";
const BACKEND: &str = "BackendOptions";

/// The body of `PUT /service/{vsID}`.
#[derive(Debug)]
pub(super) struct ServiceOptions {
    pub host: String,
    pub port: u16,
    protocol: String,
    method: String,
    flags: String,
    persistent: bool,
}

/// What it means.
#[derive(Debug, Clone)]
pub(super) struct WantedService {
    /// As it was sent.
    pub host: String,
    pub flags: String,
    pub key: ServiceKey,
    pub settings: ServiceSettings,
}

impl ServiceOptions {
    pub(super) fn decode(body: &[u8]) -> Result<Self, Failed> {
        let object = Object::decode(body, SERVICE)?;
        Ok(Self {
            host: object.text("host")?,
            port: object.port("port")?,
            protocol: object.text("protocol")?,
            method: object.text("method")?,
            flags: object.text("flags")?,
            persistent: object.flag("persistent")?.unwrap_or(false),
        })
    }

    /// With the address that it is at.
    pub(super) fn resolve(self, address: IpAddr) -> Result<WantedService, Failed> {
        let Self { host, port, protocol, method, flags, persistent } = self;
        let key = ServiceKey::Address { protocol: self::protocol(&protocol)?, address, port };
        let bits = self::flags(&flags)?;
        let scheduler = Scheduler::new(if method.is_empty() { "wrr" } else { &method });
        let persistence = persistent.then(|| persistence(Family::of(address)));
        Ok(WantedService { host, flags, key, settings: ServiceSettings { scheduler, flags: bits, persistence } })
    }
}

fn protocol(text: &str) -> Result<Protocol, Failed> {
    match text.to_lowercase().as_str() {
        "" | "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Err(Failed::bad("specified protocol is unknown")),
    }
}

fn flags(text: &str) -> Result<ServiceFlags, Failed> {
    if text.is_empty() {
        return Ok(ServiceFlags::default());
    }
    if text.len() > FLAGS_MAX {
        return Err(Failed::bad("specified flag is unknown"));
    }
    text.split('|').try_fold(ServiceFlags::default(), |all, name| match name {
        "sh-fallback" | "mh-fallback" | "flag-1" => Ok(all.with(ServiceFlags::SCHED1)),
        "sh-port" | "mh-port" | "flag-2" => Ok(all.with(ServiceFlags::SCHED2)),
        "flag-3" => Ok(all.with(ServiceFlags::SCHED3)),
        _ => Err(Failed::bad("specified flag is unknown")),
    })
}

fn persistence(family: Family) -> Persistence {
    Persistence { timeout: PERSISTENCE, netmask: Netmask::host(family), engine: None }
}

/// The body of `PATCH /service/{vsID}`: what is in it is set, and all else stays.
#[derive(Debug)]
pub(super) struct ServicePatch {
    host: String,
    port: u16,
    protocol: String,
    method: String,
    pub flags: Option<String>,
    bits: Option<ServiceFlags>,
    persistent: Option<bool>,
}

impl ServicePatch {
    pub(super) fn decode(body: &[u8]) -> Result<Self, Failed> {
        let object = Object::decode(body, SERVICE)?;
        let patch = Self {
            host: object.text("host")?,
            port: object.port("port")?,
            protocol: object.text("protocol")?.to_lowercase(),
            method: object.text("method")?,
            flags: object.get("flags").map(|_| object.text("flags")).transpose()?,
            bits: None,
            persistent: object.flag("persistent")?,
        };
        let bits = patch.flags.as_deref().map(flags).transpose()?;
        if patch.method.is_empty() && bits.is_none() && patch.persistent.is_none() {
            return Err(Failed::bad("there is nothing to change: method, flags or persistent"));
        }
        Ok(Self { bits, ..patch })
    }

    /// Whether it names what this service is at, as far as it names it: that cannot be changed.
    pub(super) fn is_about(&self, host: &str, key: &ServiceKey) -> bool {
        let ServiceKey::Address { protocol, address, port } = key else { return false };
        (self.host.is_empty() || self.host == host || self.host.parse() == Ok(*address))
            && (self.port == 0 || self.port == *port)
            && (self.protocol.is_empty() || self.protocol == protocol.to_string())
    }

    pub(super) fn over(&self, before: &ServiceSettings, family: Family) -> ServiceSettings {
        let mut settings = before.clone();
        if !self.method.is_empty() {
            settings.scheduler = Scheduler::new(self.method.as_str());
        }
        if let Some(bits) = self.bits {
            settings.flags = bits;
        }
        match self.persistent {
            Some(true) if settings.persistence.is_none() => settings.persistence = Some(persistence(family)),
            Some(false) => settings.persistence = None,
            Some(true) | None => {}
        }
        settings
    }
}

/// The body of `PUT /service/{vsID}/{rsID}`.
#[derive(Debug)]
pub(super) struct BackendOptions {
    pub host: String,
    pub port: u16,
    weight: Option<i32>,
    method: String,
    pulse: Option<Pulse>,
    vsid: String,
}

/// What it means.
#[derive(Debug, Clone)]
pub(super) struct WantedBackend {
    /// As it was sent, with defaults.
    pub host: String,
    pub method: String,
    pub pulse: Pulse,
    pub vsid: String,
    pub key: DestinationKey,
    pub settings: DestinationSettings,
    pub check: Option<Check>,
}

impl BackendOptions {
    pub(super) fn decode(body: &[u8]) -> Result<Self, Failed> {
        let object = Object::decode(body, BACKEND)?;
        Ok(Self {
            host: object.text("host")?,
            port: object.port("port")?,
            weight: object.int32("weight")?,
            method: object.text("method")?,
            pulse: object.pulse()?.map(|pulse| Pulse::decode(&pulse)).transpose()?,
            vsid: object.text("vsid")?,
        })
    }

    /// With the address that it is at.
    pub(super) fn resolve(self, address: IpAddr) -> Result<WantedBackend, Failed> {
        let Self { host, port, weight, method, pulse, vsid } = self;
        let method = if method.is_empty() { "nat".to_owned() } else { method.to_lowercase() };
        let forward = match method.as_str() {
            "nat" => Forward::Nat,
            "dr" => Forward::Dr,
            "tunnel" | "ipip" => Forward::Tunnel(Tunnel::default()),
            _ => return Err(Failed::bad("specified forwarding method is unknown")),
        };
        let weight = weight.filter(|weight| *weight > 0).unwrap_or(WEIGHT);
        let weight = self::weight(weight)?;
        if vsid.len() > Offer::MAX_ID {
            return Err(Failed::bad(format!("vsid is longer than {} bytes", Offer::MAX_ID)));
        }
        let pulse = pulse.unwrap_or_default();
        let check = pulse.check()?;
        let key = DestinationKey { address, port };
        let settings = DestinationSettings { forward, weight, max_connections: 0, min_connections: 0 };
        Ok(WantedBackend { host, method, pulse, vsid, key, settings, check })
    }
}

/// The weight in the body of `PATCH /service/{vsID}/{rsID}`, where it has to be.
pub(super) fn patched_weight(body: &[u8]) -> Result<u32, Failed> {
    let weight = Object::decode(body, BACKEND)?.int32("weight")?;
    weight.map_or_else(|| Err(Failed::bad("weight is missing")), self::weight)
}

fn weight(weight: i32) -> Result<u32, Failed> {
    let good = u32::try_from(weight).ok().filter(|_| weight <= WEIGHT_MAX);
    good.ok_or_else(|| Failed::bad(format!("weight is 0 to {WEIGHT_MAX}")))
}
