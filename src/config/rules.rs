//! What the kernel would refuse, and what it would take without a word and then not do: the rules that every
//! service and destination of a configuration keeps.
//!
//! They are stated on the model, so that the same rules judge what a file asks for, and whether something in the
//! kernel can be put into a file at all. Kernel references are to Linux 6.12's `net/netfilter/ipvs`.

use std::net::IpAddr;

use super::problem::Severity;
use crate::model::{
    Checksum, DestinationKey, DestinationSettings, Forward, Netmask, Persistence, Protocol, Scheduler, ServiceFlags,
    ServiceKey, ServiceSettings, Tunnel, TunnelType,
};

/// What people and other tools take for the largest weight; the kernel takes up to 2^31-1.
pub(super) const WEIGHT_MAX: u32 = 65_535;
/// Linux 6.12 refuses more (EINVAL); 6.1 takes it.
pub(super) const THRESHOLD_MAX: u32 = i32::MAX as u32;
/// The kernel stores seconds × HZ in 32 bits; this is what fits with HZ = 1000.
pub(super) const TIMEOUT_MAX: u32 = 4_294_967;
/// `IP_VS_PENAME_MAXLEN`.
const ENGINE_MAX: usize = 16;

/// The key of the configuration that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Address,
    Scheduler,
    SchedulerFlags,
    Timeout,
    Netmask,
    Engine,
    OnePacket,
    Forward,
    Weight,
    TunnelType,
    TunnelPort,
    TunnelChecksum,
    MaxConnections,
    MinConnections,
}

/// A rule that is not kept.
#[derive(Debug)]
pub(super) struct Breach {
    pub severity: Severity,
    pub key: Key,
    pub message: String,
    pub help: String,
}

/// What is said about one object.
#[derive(Debug, Default)]
pub(super) struct Breaches(pub Vec<Breach>);

impl Breaches {
    fn error(&mut self, key: Key, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Breach { severity: Severity::Error, key, message: message.into(), help: help.into() });
    }

    fn warning(&mut self, key: Key, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Breach { severity: Severity::Warning, key, message: message.into(), help: help.into() });
    }
}

/// The rules of a service.
pub(super) fn service(key: &ServiceKey, settings: &ServiceSettings) -> Breaches {
    let mut out = Breaches::default();
    let ServiceSettings { scheduler, flags, persistence } = settings;
    if let ServiceKey::Address { protocol, address, port } = key {
        service_address(*protocol, *address, &mut out);
        if *port == 0 && persistence.is_none() {
            out.error(
                Key::Address,
                "port 0 (every port) wants persistence: the kernel would schedule nothing",
                "add `persistence`, or write the port",
            );
        }
    }
    if let ServiceKey::Mark { mark: 0, .. } = key {
        out.error(Key::Address, "0 is no firewall mark", "write 1 or more");
    }
    self::scheduler(scheduler, &mut out);
    let known = ServiceFlags::ONE_PACKET.0 | scheduler.flags().iter().fold(0, |bits, (flag, _)| bits | flag.0);
    if flags.0 & !known != 0 {
        let message = format!("the flags {:#x} have no name", flags.0 & !known);
        out.error(Key::SchedulerFlags, message, "only flag-1, flag-2 and flag-3 can be set");
    }
    if flags.contains(ServiceFlags::ONE_PACKET)
        && let ServiceKey::Address { protocol, .. } = key
        && *protocol != Protocol::Udp
    {
        let message = format!("one_packet is for udp; the kernel would ignore it on {protocol}");
        out.error(Key::OnePacket, message, "remove it; if some addresses are udp, make them a service of their own");
    }
    if let Some(persistence) = persistence {
        self::persistence(key, persistence, &mut out);
    }
    out
}

fn service_address(protocol: Protocol, address: IpAddr, out: &mut Breaches) {
    if let Protocol::Other(_) = protocol {
        let message = format!("unknown protocol `{protocol}`: the kernel would take it and balance nothing");
        out.error(Key::Address, message, "IPVS balances tcp, udp and sctp");
    }
    let why = match address {
        IpAddr::V4(v4) if v4.is_unspecified() => "stands for no address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V6(v6) if v6.is_unspecified() => "stands for no address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "is an IPv4 address in IPv6 clothes",
        address if address.is_multicast() => "is a multicast address",
        _ => return,
    };
    let help = match address.to_canonical() {
        IpAddr::V4(v4) if address.is_ipv6() => format!("write {v4}"),
        _ => "write the address that clients connect to; for many at once, mark packets and use `fwmark:N`".to_owned(),
    };
    out.error(Key::Address, format!("no service can be at `{address}`: it {why}"), help);
}

/// The rules of a scheduler's name.
fn scheduler(scheduler: &Scheduler, out: &mut Breaches) {
    let name = scheduler.as_str();
    if name.is_empty() {
        out.error(Key::Scheduler, "the scheduler has no name", "write for example \"wlc\"");
    } else if name.len() > Scheduler::MAX_LEN {
        let message = format!("the name of a scheduler is at most {} bytes long", Scheduler::MAX_LEN);
        out.error(Key::Scheduler, message, known_schedulers());
    } else if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        out.error(
            Key::Scheduler,
            "the name of a scheduler has only ASCII letters, digits and signs",
            known_schedulers(),
        );
    } else if let Some(near) = near_scheduler(name) {
        let help = format!("if `{near}` was meant, write that; any other name the kernel has is passed on");
        out.warning(Key::Scheduler, format!("Linux has no scheduler `{name}`"), help);
    }
}

fn known_schedulers() -> String {
    format!("the kernel has {}", super::names::list(&Scheduler::KNOWN))
}

/// The known scheduler that an unknown name resembles. `none` is the kernel's word for no scheduler at all.
fn near_scheduler(name: &str) -> Option<&'static str> {
    if Scheduler::KNOWN.contains(&name) || name == "none" {
        return None;
    }
    super::names::nearest(name, Scheduler::KNOWN)
}

fn persistence(key: &ServiceKey, persistence: &Persistence, out: &mut Breaches) {
    let Persistence { timeout, netmask, engine } = persistence;
    if *timeout == 0 {
        out.error(Key::Timeout, "a persistence timeout is at least one second", "write for example \"5m\"");
    } else if *timeout > TIMEOUT_MAX {
        let message =
            format!("a persistence timeout is at most {TIMEOUT_MAX} seconds: the kernel's counter would overflow");
        out.error(Key::Timeout, message, "that is 49 days; write less");
    }
    let bits = key.family().bits();
    match netmask {
        Netmask::Prefix(0) => {
            out.error(Key::Netmask, "a netmask of length 0 would make all clients one", "write 1 or more");
        }
        Netmask::Prefix(length) if *length > bits => {
            let message = format!("a netmask of {length} bits is too long for {key}");
            out.error(Key::Netmask, message, format!("write 1 to {bits}"));
        }
        Netmask::Prefix(_) => {}
        Netmask::Odd(mask) => {
            let message = format!("the netmask {mask} has holes");
            out.error(Key::Netmask, message, "write a prefix length, or a mask of ones followed by zeros");
        }
    }
    if let Some(engine) = engine {
        if engine.is_empty() || engine.len() > ENGINE_MAX || !engine.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("the name of a persistence engine is 1 to {ENGINE_MAX} ASCII characters");
            out.error(Key::Engine, message, "the kernel has `sip`");
        } else if engine != "sip" {
            let message = format!("Linux has no persistence engine `{engine}`");
            out.warning(Key::Engine, message, "it has `sip`; any other name the kernel has is passed on");
        } else if matches!(key, ServiceKey::Address { protocol, .. } if *protocol != Protocol::Udp) {
            let message = "the engine `sip` works for udp only: here the client's address decides";
            out.warning(Key::Engine, message, "remove it; if some addresses are udp, make them a service of their own");
        }
    }
}

/// The rules of a destination.
pub(super) fn destination(service: &ServiceKey, key: &DestinationKey, settings: &DestinationSettings) -> Breaches {
    let mut out = Breaches::default();
    let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
    destination_address(key.address, &mut out);
    match forward {
        Forward::Nat => {}
        Forward::Dr => same_port("dr", service, key, &mut out),
        Forward::Tunnel(tunnel) => {
            same_port("tunnel", service, key, &mut out);
            out.0.extend(self::tunnel(*tunnel).0);
        }
        Forward::Local | Forward::Bypass | Forward::Other(_) => {
            let message = format!("the forwarding method `{}` cannot be configured", forward.name());
            out.error(Key::Forward, message, FORWARDS);
        }
    }
    if key.family() != service.family() && !matches!(forward, Forward::Tunnel(_)) {
        out.error(
            Key::Address,
            format!(
                "{} cannot be reached from {service}: another address family is reached by tunnel only",
                key.address
            ),
            "write an address of the service's family, or forward = \"tunnel\"",
        );
    }
    if *weight > WEIGHT_MAX {
        out.error(Key::Weight, format!("a weight is at most {WEIGHT_MAX}"), "weights are shares: divide all of them");
    }
    for (key, value) in [(Key::MaxConnections, max_connections), (Key::MinConnections, min_connections)] {
        if *value > THRESHOLD_MAX {
            out.error(key, format!("a threshold is at most {THRESHOLD_MAX}"), "write 0 for no limit");
        }
    }
    if *max_connections == 0 && *min_connections > 0 {
        let message = "min_connections has no meaning without max_connections";
        out.error(Key::MinConnections, message, "add max_connections, the number at which the destination is full");
    } else if min_connections > max_connections {
        let message = format!("min_connections is over max_connections, {max_connections}");
        out.error(
            Key::MinConnections,
            message,
            "a destination that was full gets connections again below min_connections",
        );
    }
    out
}

/// Forwarding methods that can be configured.
pub(super) const FORWARDS: &str = "write \"nat\", \"dr\" or \"tunnel\"";

/// `ip_vs_new_dest`: unicast or local only, and no IPv6 link-local.
fn destination_address(address: IpAddr, out: &mut Breaches) {
    let why = match address {
        IpAddr::V4(v4) if v4.is_unspecified() => "stands for no address",
        IpAddr::V4(v4) if v4.is_broadcast() => "is the broadcast address",
        IpAddr::V6(v6) if v6.is_unspecified() => "stands for no address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "is an IPv4 address in IPv6 clothes",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "is link-local",
        address if address.is_multicast() => "is a multicast address",
        _ => return,
    };
    let help = match address.to_canonical() {
        IpAddr::V4(v4) if address.is_ipv6() => format!("write {v4}"),
        _ => "write the address of one host".to_owned(),
    };
    out.error(Key::Address, format!("the kernel refuses the destination `{address}`: it {why}"), help);
}

fn same_port(method: &str, service: &ServiceKey, key: &DestinationKey, out: &mut Breaches) {
    if let Some(port) = service.port()
        && port != key.port
    {
        out.error(
            Key::Address,
            format!("{method} leaves the port alone: {} cannot be another than the service's, {port}", key.port),
            format!("write {} without a port, or forward = \"nat\"", bracketless(key)),
        );
    }
}

fn bracketless(key: &DestinationKey) -> String {
    key.address.to_string()
}

/// The rules of a tunnel.
pub(super) fn tunnel(tunnel: Tunnel) -> Breaches {
    let mut out = Breaches::default();
    let Tunnel { kind, port, checksum } = tunnel;
    let name = match kind {
        TunnelType::Ipip => "ipip",
        TunnelType::Gre => "gre",
        TunnelType::Gue => "gue",
        TunnelType::Other(_) => {
            out.error(Key::TunnelType, "unknown type of tunnel", "write \"ipip\", \"gue\" or \"gre\"");
            return out;
        }
    };
    if kind == TunnelType::Gue && port == 0 {
        out.error(
            Key::TunnelPort,
            "gue wants a port",
            "add `port`, the UDP port that the destination listens on (often 6080)",
        );
    } else if kind != TunnelType::Gue && port != 0 {
        out.error(Key::TunnelPort, format!("{name} has no port"), "remove it, or write type = \"gue\"");
    }
    match checksum {
        Checksum::Off => {}
        Checksum::On if kind != TunnelType::Ipip => {}
        Checksum::Remote if kind == TunnelType::Gue => {}
        Checksum::On => {
            out.error(Key::TunnelChecksum, "ipip has no checksum", "remove it, or write type = \"gue\" or \"gre\"");
        }
        Checksum::Remote => {
            let message = format!("{name} has no remote checksum");
            out.error(Key::TunnelChecksum, message, "only gue has it: remove it, or write type = \"gue\"");
        }
        Checksum::Other(bits) => {
            let message = format!("the tunnel flags {bits:#x} have no name");
            out.error(Key::TunnelChecksum, message, "write true, false or \"remote\"");
        }
    }
    out
}
