//! Connection synchronisation: what one director tells others of its connections, so that they can go on with them.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Which side of connection synchronisation a daemon is on. A namespace has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncRole {
    /// Tells others of its connections.
    Master,
    /// Learns of those of others.
    Backup,
}

impl SyncRole {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Master, Self::Backup];

    /// `master` or `backup`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// A connection synchronisation daemon (`struct ipvs_sync_daemon_cfg`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSettings {
    /// Where its packets go out or come in; 1 to 15 bytes.
    pub interface: String,
    /// A backup takes the packets of masters with the same one; with 0 it takes all.
    pub id: u8,
    /// A multicast address of either family.
    pub group: IpAddr,
    /// To the kernel 0 is [`Self::PORT`].
    pub port: u16,
    /// To the kernel 0 is [`Self::TTL`].
    pub ttl: u8,
    /// Bytes of a message, without the headers of IP and UDP. A master sends none that are longer (unless one connection
    /// alone takes more), a backup receives none: they vanish without a word. `None` is what fits into a packet of
    /// 1,500 bytes for a master, and of the interface's MTU, but no less, for a backup.
    pub sync_maxlen: Option<u16>,
}

impl SyncSettings {
    /// What the kernel uses if it is not told otherwise (`IP_VS_SYNC_GROUP` and what follows, `ip_vs_sync.c`).
    pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    /// See [`Self::GROUP`].
    pub const PORT: u16 = 8848;
    /// See [`Self::GROUP`].
    pub const TTL: u8 = 1;
    /// No backup has a [`Self::sync_maxlen`] below it.
    pub const BACKUP_MAXLEN_FLOOR: u16 = 1024;

    /// What IP and UDP take of a packet to the group.
    fn headers(&self) -> u16 {
        8 + if self.group.is_ipv4() { 20 } else { 40 }
    }

    /// The bytes of a message that fits into a packet of 1,500.
    pub fn usual_maxlen(&self) -> u16 {
        1500 - self.headers()
    }

    /// The least and the greatest [`Self::sync_maxlen`] that the kernel does not replace by another.
    pub fn maxlen_range(&self, role: SyncRole) -> RangeInclusive<u16> {
        let least = match role {
            SyncRole::Master => 1,
            SyncRole::Backup => Self::BACKUP_MAXLEN_FLOOR,
        };
        least..=u16::MAX - self.headers()
    }

    /// What the kernel makes of it (`start_sync_thread`), as far as that can be told without the interface.
    #[must_use]
    pub fn kept(&self, role: SyncRole) -> Self {
        let range = self.maxlen_range(role);
        let sync_maxlen = match (self.sync_maxlen.filter(|length| *length != 0), role) {
            (Some(length), _) => Some(length.clamp(*range.start(), *range.end())),
            (None, SyncRole::Master) => Some(self.usual_maxlen()),
            (None, SyncRole::Backup) => None,
        };
        let port = if self.port == 0 { Self::PORT } else { self.port };
        let ttl = if self.ttl == 0 { Self::TTL } else { self.ttl };
        Self { port, ttl, sync_maxlen, ..self.clone() }
    }

    /// Whether a live daemon is what is wanted, this being [`Self::kept`].
    pub fn is_met_by(&self, live: &Self) -> bool {
        let Self { interface, id, group, port, ttl, sync_maxlen: _ } = self;
        (interface, id, group, port, ttl) == (&live.interface, &live.id, &live.group, &live.port, &live.ttl)
            && self.maxlen_is_met_by(live)
    }

    /// Whether the length of a live daemon's messages will do.
    pub fn maxlen_is_met_by(&self, live: &Self) -> bool {
        match (self.sync_maxlen, live.sync_maxlen) {
            (Some(wanted), Some(live)) => wanted == live,
            // The MTU may have been another when the daemon was started.
            (None, Some(live)) => live >= self.usual_maxlen(),
            // Kernels before 4.3 do not tell.
            (_, None) => true,
        }
    }
}

/// Where a daemon stands: its sockets stay with the interface, and a master's with the address as well, that there was when
/// it was started. Once those are gone it reaches nobody, though the kernel goes on to say that it runs, even after the
/// interface was made anew under its old name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footing {
    /// The number of the interface.
    pub index: u32,
    /// The first IPv4 address of the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
}

impl Footing {
    /// What of it such a daemon depends on. A backup receives whatever the addresses are; those of IPv6 come and go, and are
    /// not looked at.
    #[must_use]
    pub fn of(self, role: SyncRole, settings: &SyncSettings) -> Self {
        let address = self.address.filter(|_| role == SyncRole::Master && settings.group.is_ipv4());
        Self { address, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::SyncRole::{Backup, Master};
    use super::*;

    fn wanted(group: &str, sync_maxlen: Option<u16>) -> SyncSettings {
        SyncSettings {
            interface: "eth1".to_owned(),
            id: 7,
            group: group.parse().unwrap(),
            port: SyncSettings::PORT,
            ttl: SyncSettings::TTL,
            sync_maxlen,
        }
    }

    #[test]
    fn lengths_are_what_the_kernel_makes_of_them() {
        const V4: &str = "224.0.0.81";
        const V6: &str = "ff02::81";
        for (role, group, asked, kept) in [
            (Master, V4, None, Some(1472)),
            (Master, V6, None, Some(1452)),
            (Master, V4, Some(0), Some(1472)),
            (Master, V4, Some(1), Some(1)),
            (Master, V4, Some(65535), Some(65507)),
            (Master, V6, Some(65535), Some(65487)),
            (Backup, V4, None, None),
            (Backup, V4, Some(0), None),
            (Backup, V4, Some(1), Some(1024)),
            (Backup, V6, Some(1024), Some(1024)),
            (Backup, V6, Some(65535), Some(65487)),
        ] {
            let kept = wanted(group, kept);
            assert_eq!(wanted(group, asked).kept(role), kept, "{role:?} {asked:?}");
            assert_eq!(kept.kept(role), kept);
        }
    }

    #[test]
    fn what_the_kernel_adds_to_a_daemon_is_no_difference() {
        let backup = wanted("224.0.0.81", None).kept(Backup);
        let live = |sync_maxlen| wanted("224.0.0.81", sync_maxlen);
        // A usual interface, one with a large MTU, and a kernel that does not tell.
        for length in [Some(1472), Some(8972), None] {
            assert!(backup.is_met_by(&live(length)), "{length:?}");
        }
        // Somebody asked for that.
        assert!(!backup.is_met_by(&live(Some(1024))));
        let exact = wanted("224.0.0.81", Some(1400)).kept(Backup);
        assert!(
            exact.is_met_by(&live(Some(1400))) && exact.is_met_by(&live(None)) && !exact.is_met_by(&live(Some(1472)))
        );
        let master = wanted("224.0.0.81", None).kept(Master);
        assert!(master.is_met_by(&live(Some(1472))) && !master.is_met_by(&live(Some(8972))));
    }

    #[test]
    fn all_else_is_a_difference() {
        let wanted = wanted("224.0.0.81", None);
        let mut others = vec![wanted.clone(); 5];
        others[0].interface = "eth2".to_owned();
        others[1].id = 8;
        others[2].group = "224.0.0.82".parse().unwrap();
        others[3].port = 8849;
        others[4].ttl = 2;
        for other in others {
            assert!(!wanted.is_met_by(&other), "{other:?}");
        }
    }
}
