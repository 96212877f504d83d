//! What the kernel answers of its timeouts and synchronisation daemons, as the model's types
//! (`ip_vs_genl_get_cmd`, `ip_vs_genl_fill_daemon`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::decode::{attributes, nest};
use crate::ipvs::uapi::{daemon as attr, sync_state, top};
use crate::model::{SyncRole, SyncSettings, Timeout};

/// The answer to GET_CONFIG: timeouts in seconds; those that the kernel leaves out are 0 there.
pub(in crate::ipvs) fn decode_timeouts(message: &[u8]) -> BTreeMap<Timeout, u32> {
    let timeouts = attributes(message).filter_map(|attribute| {
        let timeout = match attribute.kind {
            top::TIMEOUT_TCP => Timeout::Tcp,
            top::TIMEOUT_TCP_FIN => Timeout::TcpFin,
            top::TIMEOUT_UDP => Timeout::Udp,
            _ => return None,
        };
        Some((timeout, attribute.as_number()?))
    });
    timeouts.collect()
}

/// A daemon in an answer to GET_DAEMON; or, in words, why it makes no sense. Kernels before 4.3 tell of nothing but
/// state, interface and id: the rest is as it always was there.
pub(in crate::ipvs) fn decode_daemon(message: &[u8]) -> Result<(SyncRole, SyncSettings), &'static str> {
    let daemon = nest(message, top::DAEMON).ok_or("a synchronisation daemon: the answer has none in it")?;
    let mut role = None;
    let mut interface = None;
    let mut id = None;
    let mut settings = SyncSettings {
        interface: String::new(),
        id: 0,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: None,
    };
    for attribute in daemon {
        match attribute.kind {
            attr::STATE => {
                role = match attribute.as_number::<u32>() {
                    Some(sync_state::MASTER) => Some(SyncRole::Master),
                    Some(sync_state::BACKUP) => Some(SyncRole::Backup),
                    _ => None,
                }
            }
            attr::MCAST_IFN => interface = Some(name(attribute.value)),
            // A number of 32 bits to the kernel; what goes over the wire are the lower eight.
            attr::SYNC_ID => id = attribute.as_number::<u32>().map(|id| id.to_le_bytes()[0]),
            attr::SYNC_MAXLEN => settings.sync_maxlen = attribute.as_number().filter(|length| *length != 0),
            attr::MCAST_GROUP => {
                if let Ok(octets) = <[u8; 4]>::try_from(attribute.value) {
                    settings.group = IpAddr::V4(Ipv4Addr::from(octets));
                }
            }
            attr::MCAST_GROUP6 => {
                if let Ok(octets) = <[u8; 16]>::try_from(attribute.value) {
                    settings.group = IpAddr::V6(Ipv6Addr::from(octets));
                }
            }
            attr::MCAST_PORT => settings.port = attribute.as_number().unwrap_or(settings.port),
            attr::MCAST_TTL => settings.ttl = attribute.as_number().unwrap_or(settings.ttl),
            _ => {}
        }
    }
    let role = role.ok_or("a synchronisation daemon: it is neither a master nor a backup")?;
    let interface = interface.ok_or("a synchronisation daemon: it has no interface")?;
    let id = id.ok_or("a synchronisation daemon: it has no id")?;
    Ok((role, SyncSettings { interface, id, ..settings }))
}

/// Up to the first NUL. The kernel takes any bytes but a few for an interface's name.
fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests;
