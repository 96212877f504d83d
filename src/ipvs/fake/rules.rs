//! What the kernel refuses, in the order in which it looks (`ip_vs_genl_set_cmd` and what it calls), and what it
//! makes of the settings that it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Fake;
use crate::ipvs::Errno;
use crate::ipvs::uapi::service_flag;
use crate::model::{
    DestinationKey, DestinationSettings, Family, Forward, Netmask, Persistence, Protocol, Scheduler, ServiceFlags,
    ServiceKey, ServiceSettings, Tunnel, TunnelType,
};
use crate::plan::Operation;

/// The operation as the kernel hears it: to it, the mark 0 is the service tcp, address 0, port 0.
pub(super) fn heard(operation: &Operation) -> Operation {
    let mut heard = operation.clone();
    let (Operation::AddService { service, .. }
    | Operation::EditService { service, .. }
    | Operation::DeleteService { service, .. }
    | Operation::AddDestination { service, .. }
    | Operation::EditDestination { service, .. }
    | Operation::DeleteDestination { service, .. }) = &mut heard;
    if let ServiceKey::Mark { family, mark: 0 } = *service {
        let address = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        *service = ServiceKey::Address { protocol: Protocol::Tcp, address, port: 0 };
    }
    heard
}

/// Refuses what the kernel refuses.
pub(super) fn check(fake: &Fake, operation: &Operation) -> Result<(), Errno> {
    match operation {
        Operation::AddService { service, settings } => {
            well_formed(settings)?;
            if fake.services.contains_key(service) {
                return Err(Errno::EXIST);
            }
            service_settings(fake, service, settings)
        }
        Operation::EditService { service, to, .. } => {
            well_formed(to)?;
            exists(fake, service)?;
            service_settings(fake, service, to)
        }
        Operation::DeleteService { service, .. } => exists(fake, service),
        Operation::AddDestination { service, destination, settings } => {
            destination_policy(fake, settings)?;
            exists(fake, service)?;
            family(fake, service, destination, settings)?;
            destination_settings(settings)?;
            if fake.services.get(service).is_some_and(|live| live.destinations.contains_key(destination)) {
                return Err(Errno::EXIST);
            }
            reachable(fake, destination.address)
        }
        Operation::EditDestination { service, destination, to, .. } => {
            destination_policy(fake, to)?;
            exists(fake, service)?;
            family(fake, service, destination, to)?;
            destination_settings(to)
        }
        Operation::DeleteDestination { service, .. } => exists(fake, service),
    }
}

/// `ip_vs_svc_policy`.
fn well_formed(settings: &ServiceSettings) -> Result<(), Errno> {
    let engine = settings.persistence.as_ref().and_then(|persistence| persistence.engine.as_deref());
    let too_long = settings.scheduler.as_str().len() > 15 || engine.is_some_and(|name| name.len() > 16);
    if too_long { Err(Errno::INVAL) } else { Ok(()) }
}

fn exists(fake: &Fake, service: &ServiceKey) -> Result<(), Errno> {
    if fake.services.contains_key(service) { Ok(()) } else { Err(Errno::SRCH) }
}

/// `ip_vs_add_service` and `ip_vs_edit_service`.
fn service_settings(fake: &Fake, service: &ServiceKey, settings: &ServiceSettings) -> Result<(), Errno> {
    let name = settings.scheduler.as_str();
    if name != "none" && !fake.schedulers.contains(name) {
        return Err(Errno::NOENT);
    }
    if let Some(engine) = settings.persistence.as_ref().and_then(|persistence| persistence.engine.as_deref())
        && !engine.is_empty()
        && !fake.engines.contains(engine)
    {
        return Err(Errno::NOENT);
    }
    match (service.family(), settings.persistence.as_ref().map(|persistence| persistence.netmask)) {
        (Family::V4, _) | (Family::V6, None | Some(Netmask::Prefix(1..=128))) => Ok(()),
        (Family::V6, Some(_)) => Err(Errno::INVAL),
    }
}

/// `ip_vs_dest_policy`, as it became after Linux 6.1.
fn destination_policy(fake: &Fake, settings: &DestinationSettings) -> Result<(), Errno> {
    let too_large = settings.max_connections > i32::MAX as u32;
    if too_large && fake.thresholds_are_checked { Err(Errno::INVAL) } else { Ok(()) }
}

/// The other family only behind a tunnel, and never beside connection synchronisation.
fn family(
    fake: &Fake,
    service: &ServiceKey,
    destination: &DestinationKey,
    settings: &DestinationSettings,
) -> Result<(), Errno> {
    let other = service.family() != destination.family();
    let possible = fake.settings.kept.sync.is_empty() && matches!(settings.forward, Forward::Tunnel(_));
    if other && !possible { Err(Errno::INVAL) } else { Ok(()) }
}

/// The first lines of `ip_vs_add_dest` and `ip_vs_edit_dest`.
fn destination_settings(settings: &DestinationSettings) -> Result<(), Errno> {
    let DestinationSettings { forward, weight, max_connections, min_connections } = settings;
    if i32::try_from(*weight).is_err() || min_connections > max_connections {
        return Err(Errno::RANGE);
    }
    match forward {
        Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port: 0, .. }) => Err(Errno::INVAL),
        _ => Ok(()),
    }
}

/// `ip_vs_new_dest`: unicast addresses only.
fn reachable(fake: &Fake, address: IpAddr) -> Result<(), Errno> {
    let refused = match address {
        IpAddr::V4(address) => address.is_unspecified() || address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => {
            address.is_unspecified()
                || address.is_multicast()
                || address.to_ipv4_mapped().is_some()
                || address.is_unicast_link_local()
        }
    };
    let not_unicast = fake.not_unicast.iter().any(|prefix| prefix.contains(&address));
    if refused || not_unicast { Err(Errno::INVAL) } else { Ok(()) }
}

/// The settings as the kernel gives them back: bits that are not the caller's are gone, the timeout is
/// seconds times ticks in 32 bits, and a mask has one form.
pub(super) fn kept(family: Family, settings: &ServiceSettings, ticks_per_second: u32) -> ServiceSettings {
    let ServiceSettings { scheduler, flags, persistence } = settings;
    let persistence = persistence.as_ref().map(|Persistence { timeout, netmask, engine }| Persistence {
        timeout: timeout.wrapping_mul(ticks_per_second) / ticks_per_second,
        netmask: match family {
            Family::V4 => Netmask::from_v4(netmask.to_v4()),
            Family::V6 => *netmask,
        },
        engine: engine.clone().filter(|name| !name.is_empty()),
    });
    ServiceSettings {
        scheduler: Scheduler::new(scheduler.as_str()),
        flags: ServiceFlags(flags.0 & !(service_flag::PERSISTENT | service_flag::HASHED)),
        persistence,
    }
}
