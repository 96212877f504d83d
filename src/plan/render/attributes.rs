//! Which attributes of an entry an edit changes.

use std::borrow::Cow;

use crate::model::{DestinationSettings, Forward, Persistence, ServiceFlags, ServiceSettings, Tunnel};

use super::words;

/// An attribute that differs, under the configuration's key for it, with both values in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// `weight`, `scheduler_flags`, `persistence.timeout`, …: a path into the configuration's object.
    pub name: &'static str,
    pub from: Cow<'static, str>,
    pub to: Cow<'static, str>,
}

/// The attributes that differ, in the order of the configuration's documentation.
struct Changes(Vec<Attribute>);

impl Changes {
    /// Adds the attribute if `from` and `to` differ. Whatever differs reads differently, too.
    fn compare<T: PartialEq, W: Into<Cow<'static, str>>>(
        &mut self,
        name: &'static str,
        from: &T,
        to: &T,
        words: impl Fn(&T) -> W,
    ) {
        if from != to {
            self.0.push(Attribute { name, from: words(from).into(), to: words(to).into() });
        }
    }
}

/// What an edit of a service changes. Flags are compared by name: a bit means another thing to another
/// scheduler.
pub fn service_changes(from: &ServiceSettings, to: &ServiceSettings) -> Vec<Attribute> {
    let ServiceSettings { scheduler: from_scheduler, flags: from_flags, persistence: from_persistence } = from;
    let ServiceSettings { scheduler: to_scheduler, flags: to_flags, persistence: to_persistence } = to;
    let mut changes = Changes(Vec::new());
    changes.compare("scheduler", from_scheduler, to_scheduler, |scheduler| scheduler.to_string());
    changes.compare(
        "scheduler_flags",
        &words::scheduler_flags(from_scheduler, *from_flags),
        &words::scheduler_flags(to_scheduler, *to_flags),
        |names| if names.is_empty() { "none".to_owned() } else { names.join(" ") },
    );
    let one_packet = |flags: &ServiceFlags| flags.contains(ServiceFlags::ONE_PACKET);
    changes.compare("one_packet", &one_packet(from_flags), &one_packet(to_flags), bool::to_string);
    match (from_persistence, to_persistence) {
        (Some(from), Some(to)) => {
            let Persistence { timeout: from_timeout, netmask: from_netmask, engine: from_engine } = from;
            let Persistence { timeout: to_timeout, netmask: to_netmask, engine: to_engine } = to;
            changes.compare("persistence.timeout", from_timeout, to_timeout, |timeout| {
                words::duration(u64::from(*timeout))
            });
            changes.compare("persistence.netmask", from_netmask, to_netmask, |netmask| words::netmask(*netmask));
            changes.compare("persistence.engine", from_engine, to_engine, |engine| {
                engine.clone().unwrap_or_else(|| "none".to_owned())
            });
        }
        (from, to) => changes.compare("persistence", from, to, |persistence| {
            persistence.as_ref().map_or_else(|| "off".to_owned(), words::persistence)
        }),
    }
    changes.0
}

/// What an edit of a destination changes.
pub fn destination_changes(from: &DestinationSettings, to: &DestinationSettings) -> Vec<Attribute> {
    let DestinationSettings {
        forward: from_forward,
        weight: from_weight,
        max_connections: from_max,
        min_connections: from_min,
    } = from;
    let DestinationSettings {
        forward: to_forward,
        weight: to_weight,
        max_connections: to_max,
        min_connections: to_min,
    } = to;
    let mut changes = Changes(Vec::new());
    match (from_forward, to_forward) {
        (Forward::Tunnel(from), Forward::Tunnel(to)) => {
            let Tunnel { kind: from_kind, port: from_port, checksum: from_checksum } = from;
            let Tunnel { kind: to_kind, port: to_port, checksum: to_checksum } = to;
            changes.compare("tunnel.type", from_kind, to_kind, |kind| words::tunnel_type(*kind));
            changes.compare("tunnel.port", from_port, to_port, u16::to_string);
            changes.compare("tunnel.checksum", from_checksum, to_checksum, |checksum| words::checksum(*checksum));
        }
        (from, to) => changes.compare("forward", from, to, words::forward),
    }
    changes.compare("weight", from_weight, to_weight, u32::to_string);
    changes.compare("max_connections", from_max, to_max, |connections| words::threshold(*connections));
    changes.compare("min_connections", from_min, to_min, |connections| words::threshold(*connections));
    changes.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Checksum, Netmask, Scheduler, TunnelType};

    fn lines(changes: Vec<Attribute>) -> Vec<String> {
        changes.iter().map(|Attribute { name, from, to }| format!("{name}: {from} to {to}")).collect()
    }

    #[test]
    fn every_attribute_of_a_service() {
        let from = ServiceSettings { scheduler: Scheduler::new("mh"), flags: ServiceFlags(0x14), persistence: None };
        let sticky = Persistence { timeout: 300, netmask: Netmask::Prefix(32), engine: None };
        let to = ServiceSettings {
            scheduler: Scheduler::new("sh"),
            flags: ServiceFlags(0x10),
            persistence: Some(sticky.clone()),
        };
        assert_eq!(
            lines(service_changes(&from, &to)),
            [
                "scheduler: mh to sh",
                "scheduler_flags: mh-port to sh-port",
                "one_packet: true to false",
                "persistence: off to timeout 5m netmask 32"
            ]
        );
        let other = Persistence { timeout: 90, netmask: Netmask::Prefix(24), engine: Some("sip".into()) };
        let to = ServiceSettings { persistence: Some(other), ..from.clone() };
        let from = ServiceSettings { persistence: Some(sticky), ..from };
        assert_eq!(
            lines(service_changes(&from, &to)),
            ["persistence.timeout: 5m to 1m30s", "persistence.netmask: 32 to 24", "persistence.engine: none to sip"]
        );
        assert_eq!(service_changes(&from, &from), []);
    }

    #[test]
    fn every_attribute_of_a_destination() {
        let gue = Tunnel { kind: TunnelType::Gue, port: 6080, checksum: Checksum::On };
        let from = DestinationSettings { forward: Forward::Nat, weight: 0, max_connections: 0, min_connections: 800 };
        let to =
            DestinationSettings { forward: Forward::Tunnel(gue), weight: 5, max_connections: 1000, min_connections: 0 };
        assert_eq!(
            lines(destination_changes(&from, &to)),
            [
                "forward: nat to tunnel gue port 6080 checksum on",
                "weight: 0 to 5",
                "max_connections: none to 1000",
                "min_connections: 800 to none"
            ]
        );
        let from = DestinationSettings { forward: Forward::Tunnel(Tunnel::default()), ..to };
        assert_eq!(
            lines(destination_changes(&from, &to)),
            ["tunnel.type: ipip to gue", "tunnel.port: 0 to 6080", "tunnel.checksum: off to on"]
        );
        assert_eq!(destination_changes(&from, &from), []);
    }
}
