//! Requests to the kernel.
//!
//! Adds and edits always carry every attribute: an edit replaces (`ip_vs_genl_set_cmd`), it does not patch.

use std::net::IpAddr;

use neli::consts::genl::{CtrlAttr, CtrlCmd};
use neli::consts::nl::GenlId;

use crate::ipvs::Setting;
use crate::ipvs::uapi::generic::CONTROLLER_VERSION;
use crate::ipvs::uapi::{
    self, FAMILY_NAME, FAMILY_VERSION, command, family, forward, service_flag, sync_state, top, tunnel_flag,
    tunnel_type,
};
use crate::model::{
    Checksum, DestinationKey, DestinationSettings, Family, Forward, Netmask, ServiceKey, ServiceSettings, SyncRole,
    SyncSettings, Timeout, Tunnel, TunnelType,
};
use crate::netlink::{Batch, Flags, Writer};
use crate::plan::Operation;

/// One request.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// The number of the `IPVS` family, asked of generic netlink's controller.
    ResolveFamily,
    Info,
    /// One service, exactly.
    Service(&'a ServiceKey),
    DumpServices,
    DumpDestinations(&'a ServiceKey),
    Carry(&'a Operation),
    Timeouts,
    DumpDaemons,
    Set(Setting<'a>),
}

impl Request<'_> {
    /// Appends the request to a batch; `family` is the number of the `IPVS` family.
    pub fn push(self, batch: &mut Batch, family: u16) {
        let (kind, version) = match self {
            Request::ResolveFamily => (u16::from(GenlId::Ctrl), CONTROLLER_VERSION),
            _ => (family, FAMILY_VERSION),
        };
        let flags = match self {
            Request::DumpServices | Request::DumpDestinations(_) | Request::DumpDaemons => Flags::DUMP,
            _ => Flags::empty(),
        };
        batch.push(kind, flags, |out| {
            out.header(&[command_of(self), version, 0, 0]);
            body(out, self);
        });
    }
}

fn command_of(request: Request<'_>) -> u8 {
    match request {
        Request::ResolveFamily => CtrlCmd::Getfamily.into(),
        Request::Info => command::GET_INFO,
        Request::Service(_) | Request::DumpServices => command::GET_SERVICE,
        Request::DumpDestinations(_) => command::GET_DEST,
        Request::Carry(operation) => match operation {
            Operation::AddService { .. } => command::NEW_SERVICE,
            Operation::EditService { .. } => command::SET_SERVICE,
            Operation::DeleteService { .. } => command::DEL_SERVICE,
            Operation::AddDestination { .. } => command::NEW_DEST,
            Operation::EditDestination { .. } => command::SET_DEST,
            Operation::DeleteDestination { .. } => command::DEL_DEST,
        },
        Request::Timeouts => command::GET_CONFIG,
        Request::DumpDaemons => command::GET_DAEMON,
        Request::Set(Setting::Timeout(..)) => command::SET_CONFIG,
        Request::Set(Setting::StartSync(..)) => command::NEW_DAEMON,
        Request::Set(Setting::StopSync(_)) => command::DEL_DAEMON,
    }
}

fn body(out: &mut Writer<'_>, request: Request<'_>) {
    match request {
        Request::ResolveFamily => out.text(CtrlAttr::FamilyName.into(), FAMILY_NAME),
        Request::Info | Request::DumpServices | Request::Timeouts | Request::DumpDaemons => {}
        Request::Service(key) | Request::DumpDestinations(key) => service(out, key, None),
        Request::Carry(operation) => match operation {
            Operation::AddService { service: key, settings }
            | Operation::EditService { service: key, to: settings, .. } => {
                service(out, key, Some(settings));
            }
            Operation::DeleteService { service: key, .. } => service(out, key, None),
            Operation::AddDestination { service: key, destination: target, settings }
            | Operation::EditDestination { service: key, destination: target, to: settings, .. } => {
                service(out, key, None);
                destination(out, target, Some(settings));
            }
            Operation::DeleteDestination { service: key, destination: target, .. } => {
                service(out, key, None);
                destination(out, target, None);
            }
        },
        // Those that are left out are kept.
        Request::Set(Setting::Timeout(timeout, seconds)) => out.u32(timeout_attribute(timeout), seconds),
        Request::Set(Setting::StartSync(role, settings)) => daemon(out, role, Some(settings)),
        Request::Set(Setting::StopSync(role)) => daemon(out, role, None),
    }
}

fn timeout_attribute(timeout: Timeout) -> u16 {
    match timeout {
        Timeout::Tcp => top::TIMEOUT_TCP,
        Timeout::TcpFin => top::TIMEOUT_TCP_FIN,
        Timeout::Udp => top::TIMEOUT_UDP,
    }
}

fn daemon(out: &mut Writer<'_>, role: SyncRole, settings: Option<&SyncSettings>) {
    use uapi::daemon as attr;
    out.nested(top::DAEMON, |out| {
        let state = match role {
            SyncRole::Master => sync_state::MASTER,
            SyncRole::Backup => sync_state::BACKUP,
        };
        out.u32(attr::STATE, state);
        let Some(SyncSettings { interface, id, group, port, ttl, sync_maxlen }) = settings else { return };
        out.text(attr::MCAST_IFN, interface);
        out.u32(attr::SYNC_ID, u32::from(*id));
        if let Some(length) = sync_maxlen {
            out.u16(attr::SYNC_MAXLEN, *length);
        }
        match group {
            IpAddr::V4(group) => out.bytes(attr::MCAST_GROUP, &group.octets()),
            IpAddr::V6(group) => out.bytes(attr::MCAST_GROUP6, &group.octets()),
        }
        out.u16(attr::MCAST_PORT, *port);
        out.u8(attr::MCAST_TTL, *ttl);
    });
}

fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => family::INET,
        Family::V6 => family::INET6,
    }
}

fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn service(out: &mut Writer<'_>, key: &ServiceKey, settings: Option<&ServiceSettings>) {
    use uapi::service as attr;
    out.nested(top::SERVICE, |out| {
        out.u16(attr::AF, family_number(key.family()));
        match key {
            ServiceKey::Address { protocol, address, port } => {
                out.u16(attr::PROTOCOL, protocol.number());
                out.bytes(attr::ADDR, &address_bytes(*address));
                out.be16(attr::PORT, *port);
            }
            ServiceKey::Mark { mark, .. } => out.u32(attr::FWMARK, *mark),
        }
        if let Some(settings) = settings {
            service_settings(out, key.family(), settings);
        }
    });
}

fn service_settings(out: &mut Writer<'_>, family: Family, settings: &ServiceSettings) {
    use uapi::service as attr;
    let ServiceSettings { scheduler, flags, persistence } = settings;
    let mask = !service_flag::HASHED;
    let mut bits = flags.0 & mask & !service_flag::PERSISTENT;
    if persistence.is_some() {
        bits |= service_flag::PERSISTENT;
    }
    let (timeout, netmask) = match persistence {
        Some(persistence) => (persistence.timeout, persistence.netmask),
        None => (0, Netmask::host(family)),
    };
    out.text(attr::SCHED_NAME, scheduler.as_str());
    let mut pair = [0; 8];
    pair[..4].copy_from_slice(&bits.to_ne_bytes());
    pair[4..].copy_from_slice(&mask.to_ne_bytes());
    out.bytes(attr::FLAGS, &pair);
    out.u32(attr::TIMEOUT, timeout);
    match (family, netmask) {
        (Family::V4, mask) => out.bytes(attr::NETMASK, &mask.to_v4().octets()),
        (Family::V6, Netmask::Prefix(length)) => out.u32(attr::NETMASK, length),
        // No such thing: the kernel refuses every number over 128.
        (Family::V6, Netmask::Odd(mask)) => out.u32(attr::NETMASK, u32::from(mask).max(129)),
    }
    if let Some(engine) = persistence.as_ref().and_then(|persistence| persistence.engine.as_deref()) {
        out.text(attr::PE_NAME, engine);
    }
}

fn destination(out: &mut Writer<'_>, key: &DestinationKey, settings: Option<&DestinationSettings>) {
    use uapi::destination as attr;
    out.nested(top::DEST, |out| {
        out.bytes(attr::ADDR, &address_bytes(key.address));
        out.be16(attr::PORT, key.port);
        // On a delete, too: without it a destination of the other family is not found.
        out.u16(attr::ADDR_FAMILY, family_number(key.family()));
        if let Some(settings) = settings {
            let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
            let (method, tunnel) = forward_numbers(*forward);
            out.u32(attr::FWD_METHOD, method);
            out.u32(attr::WEIGHT, *weight);
            out.u32(attr::U_THRESH, *max_connections);
            out.u32(attr::L_THRESH, *min_connections);
            out.u8(attr::TUN_TYPE, tunnel_type_number(tunnel.kind));
            out.be16(attr::TUN_PORT, tunnel.port);
            out.u16(attr::TUN_FLAGS, tunnel_flag_bits(tunnel.checksum));
        }
    });
}

/// The method, and the tunnel attributes that go with it: those of another method are ipip's.
fn forward_numbers(forward: Forward) -> (u32, Tunnel) {
    match forward {
        Forward::Nat => (forward::MASQ, Tunnel::default()),
        Forward::Local => (forward::LOCALNODE, Tunnel::default()),
        Forward::Tunnel(tunnel) => (forward::TUNNEL, tunnel),
        Forward::Dr => (forward::DROUTE, Tunnel::default()),
        Forward::Bypass => (forward::BYPASS, Tunnel::default()),
        Forward::Other(number) => (u32::from(number), Tunnel::default()),
    }
}

fn tunnel_type_number(kind: TunnelType) -> u8 {
    match kind {
        TunnelType::Ipip => tunnel_type::IPIP,
        TunnelType::Gue => tunnel_type::GUE,
        TunnelType::Gre => tunnel_type::GRE,
        TunnelType::Other(number) => number,
    }
}

fn tunnel_flag_bits(checksum: Checksum) -> u16 {
    match checksum {
        Checksum::Off => tunnel_flag::NOCSUM,
        Checksum::On => tunnel_flag::CSUM,
        Checksum::Remote => tunnel_flag::REMCSUM,
        Checksum::Other(bits) => bits,
    }
}
