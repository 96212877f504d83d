//! What the kernel answers, as the model's types.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::genl::CtrlAttr;

use crate::ipvs::Info;
use crate::ipvs::uapi::{self, family, forward, service_flag, top, tunnel_flag, tunnel_type};
use crate::model::{
    Checksum, DestinationKey, DestinationSettings, Family, Forward, LiveDestination, LiveService, Netmask, Persistence,
    Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Stats, Tunnel, TunnelType,
};
use crate::netlink::{Attribute, Attributes};

/// The attributes of a generic netlink message, behind its header.
pub(super) fn attributes(message: &[u8]) -> Attributes<'_> {
    Attributes(message.get(uapi::generic::HEADER..).unwrap_or_default())
}

/// The number of a family in the controller's answer.
pub(in crate::ipvs) fn decode_family_id(message: &[u8]) -> Option<u16> {
    attributes(message).find(|found| found.kind == u16::from(CtrlAttr::FamilyId))?.as_number()
}

/// The answer to GET_INFO.
pub(in crate::ipvs) fn decode_info(message: &[u8]) -> Option<Info> {
    let mut version = None;
    let mut table_size = None;
    for attribute in attributes(message) {
        match attribute.kind {
            uapi::info::VERSION => version = attribute.as_number::<u32>(),
            uapi::info::CONN_TAB_SIZE => table_size = attribute.as_number(),
            _ => {}
        }
    }
    let [_, major, minor, patch] = version?.to_be_bytes();
    Some(Info { version: (major, minor, patch), table_size: table_size? })
}

pub(super) fn nest(message: &[u8], kind: u16) -> Option<Attributes<'_>> {
    attributes(message).find(|found| found.kind == kind).map(|found| found.nested())
}

fn family_of(number: u16) -> Option<Family> {
    match number {
        family::INET => Some(Family::V4),
        family::INET6 => Some(Family::V6),
        _ => None,
    }
}

/// 16 bytes, an IPv4 address in the first four; old tools' four bytes are taken as well.
fn address(family: Family, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        Family::V4 => bytes.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into()),
        Family::V6 => bytes.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into()),
    }
}

/// The attributes of a service as they came.
#[derive(Debug, Default)]
struct RawService<'a> {
    family: Option<u16>,
    protocol: Option<u16>,
    address: Option<&'a [u8]>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<&'a str>,
    flags: Option<u32>,
    timeout: Option<u32>,
    netmask: Option<[u8; 4]>,
    engine: Option<&'a str>,
    stats: RawStats<'a>,
}

impl<'a> RawService<'a> {
    fn read(attributes: Attributes<'a>) -> Self {
        use uapi::service as attr;
        let mut raw = Self::default();
        for attribute in attributes {
            match attribute.kind {
                attr::AF => raw.family = attribute.as_number(),
                attr::PROTOCOL => raw.protocol = attribute.as_number(),
                attr::ADDR => raw.address = Some(attribute.value),
                attr::PORT => raw.port = attribute.as_be16(),
                attr::FWMARK => raw.mark = attribute.as_number(),
                attr::SCHED_NAME => raw.scheduler = attribute.as_text(),
                attr::FLAGS => {
                    raw.flags = attribute.value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
                }
                attr::TIMEOUT => raw.timeout = attribute.as_number(),
                attr::NETMASK => raw.netmask = attribute.value.try_into().ok(),
                attr::STATS => raw.stats.narrow = Some(attribute),
                attr::STATS64 => raw.stats.wide = Some(attribute),
                attr::PE_NAME => raw.engine = attribute.as_text(),
                _ => {}
            }
        }
        raw
    }

    fn key(&self) -> Result<ServiceKey, &'static str> {
        let family = self.family.ok_or("it has no address family")?;
        let family = family_of(family).ok_or("its address family is neither IPv4 nor IPv6")?;
        if let Some(mark) = self.mark.filter(|mark| *mark != 0) {
            return Ok(ServiceKey::Mark { family, mark });
        }
        let protocol = Protocol::from_number(self.protocol.ok_or("it has no protocol")?);
        let bytes = self.address.ok_or("it has no address")?;
        let address = address(family, bytes).ok_or("its address is too short")?;
        Ok(ServiceKey::Address { protocol, address, port: self.port.ok_or("it has no port")? })
    }

    fn settings(&self, family: Family) -> Result<ServiceSettings, &'static str> {
        let scheduler = self.scheduler.filter(|name| !name.is_empty()).ok_or("it has no scheduler")?;
        let flags = self.flags.ok_or("it has no flags")?;
        let persistence = if flags & service_flag::PERSISTENT == 0 {
            None
        } else {
            let netmask = self.netmask.ok_or("it has no netmask")?;
            Some(Persistence {
                timeout: self.timeout.ok_or("it has no persistence timeout")?,
                netmask: match family {
                    Family::V4 => Netmask::from_v4(netmask.into()),
                    Family::V6 => Netmask::Prefix(u32::from_ne_bytes(netmask)),
                },
                engine: self.engine.filter(|name| !name.is_empty()).map(str::to_owned),
            })
        };
        let flags = ServiceFlags(flags & !(service_flag::PERSISTENT | service_flag::HASHED));
        Ok(ServiceSettings { scheduler: Scheduler::new(scheduler), flags, persistence })
    }

    /// What can be said of a service that makes no sense.
    fn describe(&self, why: &str) -> String {
        let mut text = "a service".to_owned();
        if let Ok(key) = self.key() {
            text = format!("the service {key}");
        } else {
            let mut say = |name: &str, number: Option<u32>| {
                if let Some(number) = number {
                    text.push_str(&format!(" {name} {number}"));
                }
            };
            say("family", self.family.map(u32::from));
            say("protocol", self.protocol.map(u32::from));
            say("port", self.port.map(u32::from));
            say("mark", self.mark);
        }
        format!("{text}: {why}")
    }
}

/// A service in an answer to GET_SERVICE, without its destinations; or, in words, why it makes no sense.
pub fn decode_service(message: &[u8]) -> Result<(ServiceKey, LiveService), String> {
    let attributes = nest(message, top::SERVICE).ok_or("a service: the answer has none in it")?;
    let raw = RawService::read(attributes);
    let key = raw.key().map_err(|why| raw.describe(why))?;
    let settings = raw.settings(key.family()).map_err(|why| raw.describe(why))?;
    Ok((key, LiveService { settings, stats: raw.stats.read(), destinations: std::collections::BTreeMap::new() }))
}

/// A destination in an answer to GET_DEST for `service`; or, in words, why it makes no sense.
///
/// Kernels before 3.18 leave the address family out: it is the service's.
pub fn decode_destination(message: &[u8], service: &ServiceKey) -> Result<(DestinationKey, LiveDestination), String> {
    use uapi::destination as attr;
    let attributes =
        nest(message, top::DEST).ok_or_else(|| format!("a destination of {service}: the answer has none in it"))?;
    let mut family = None;
    let mut bytes = None;
    let mut port = None;
    let mut method = None;
    let mut weight = None;
    let (mut max_connections, mut min_connections) = (0, 0);
    let (mut active_connections, mut inactive_connections, mut persistent_connections) = (0, 0, 0);
    let mut stats = RawStats::default();
    let mut tunnel = Tunnel::default();
    for attribute in attributes {
        match attribute.kind {
            attr::ADDR => bytes = Some(attribute.value),
            attr::PORT => port = attribute.as_be16(),
            attr::FWD_METHOD => method = attribute.as_number::<u32>(),
            attr::WEIGHT => weight = attribute.as_number(),
            attr::U_THRESH => max_connections = attribute.as_number().unwrap_or(0),
            attr::L_THRESH => min_connections = attribute.as_number().unwrap_or(0),
            attr::ACTIVE_CONNS => active_connections = attribute.as_number().unwrap_or(0),
            attr::INACT_CONNS => inactive_connections = attribute.as_number().unwrap_or(0),
            attr::PERSIST_CONNS => persistent_connections = attribute.as_number().unwrap_or(0),
            attr::STATS => stats.narrow = Some(attribute),
            attr::STATS64 => stats.wide = Some(attribute),
            attr::ADDR_FAMILY => family = attribute.as_number::<u16>(),
            attr::TUN_TYPE => tunnel.kind = tunnel_kind(attribute.as_number().unwrap_or(0)),
            attr::TUN_PORT => tunnel.port = attribute.as_be16().unwrap_or(0),
            attr::TUN_FLAGS => tunnel.checksum = checksum(attribute.as_number().unwrap_or(0)),
            _ => {}
        }
    }
    let describe = |why: &str| format!("a destination of {service}: {why}");
    let family = match family {
        None | Some(0) => service.family(),
        Some(number) => {
            family_of(number).ok_or_else(|| describe(&format!("its address family is {number}, not IPv4 or IPv6")))?
        }
    };
    let address = bytes
        .ok_or_else(|| describe("it has no address"))
        .and_then(|bytes| address(family, bytes).ok_or_else(|| describe("its address is too short")))?;
    let key = DestinationKey { address, port: port.ok_or_else(|| describe("it has no port"))? };
    let describe = |why: &str| format!("the destination {key} of {service}: {why}");
    let settings = DestinationSettings {
        forward: forward_of(method.ok_or_else(|| describe("it has no forwarding method"))?, tunnel),
        weight: weight.ok_or_else(|| describe("it has no weight"))?,
        max_connections,
        min_connections,
    };
    let stats = stats.read();
    Ok((key, LiveDestination { settings, active_connections, inactive_connections, persistent_connections, stats }))
}

fn forward_of(method: u32, tunnel: Tunnel) -> Forward {
    match method & forward::MASK {
        forward::MASQ => Forward::Nat,
        forward::LOCALNODE => Forward::Local,
        forward::TUNNEL => Forward::Tunnel(tunnel),
        forward::DROUTE => Forward::Dr,
        forward::BYPASS => Forward::Bypass,
        other => Forward::Other(other as u8),
    }
}

fn tunnel_kind(number: u8) -> TunnelType {
    match number {
        tunnel_type::IPIP => TunnelType::Ipip,
        tunnel_type::GUE => TunnelType::Gue,
        tunnel_type::GRE => TunnelType::Gre,
        other => TunnelType::Other(other),
    }
}

fn checksum(bits: u16) -> Checksum {
    match bits {
        tunnel_flag::NOCSUM => Checksum::Off,
        tunnel_flag::CSUM => Checksum::On,
        tunnel_flag::REMCSUM => Checksum::Remote,
        other => Checksum::Other(other),
    }
}

/// Counters as they came: kernels since 4.1 send them in both widths.
#[derive(Debug, Default)]
struct RawStats<'a> {
    narrow: Option<Attribute<'a>>,
    wide: Option<Attribute<'a>>,
}

impl RawStats<'_> {
    /// The wider ones; a counter that is missing is 0.
    fn read(&self) -> Stats {
        use uapi::stats as attr;
        let mut stats = Stats::default();
        for attribute in self.wide.or(self.narrow).iter().flat_map(Attribute::nested) {
            let field = match attribute.kind {
                attr::CONNS => &mut stats.connections,
                attr::INPKTS => &mut stats.in_packets,
                attr::OUTPKTS => &mut stats.out_packets,
                attr::INBYTES => &mut stats.in_bytes,
                attr::OUTBYTES => &mut stats.out_bytes,
                attr::CPS => &mut stats.connection_rate,
                attr::INPPS => &mut stats.in_packet_rate,
                attr::OUTPPS => &mut stats.out_packet_rate,
                attr::INBPS => &mut stats.in_byte_rate,
                attr::OUTBPS => &mut stats.out_byte_rate,
                _ => continue,
            };
            *field = attribute.number().unwrap_or(0);
        }
        stats
    }
}
