//! The fake's own settings (`ip_vs_set_timeout`, `ip_vs_genl_new_daemon`, `start_sync_thread`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ipvs::{Errno, KernelSettings, Refusal, Setting};
use crate::model::{SyncRole, SyncSettings, Timeout};

/// The longest name of an interface (`IP_VS_IFNAME_MAXLEN`, less one for the NUL).
const LONGEST_NAME: usize = 15;

/// A network interface, as far as connection synchronisation cares.
#[derive(Debug, Clone, Copy)]
pub struct FakeInterface {
    pub mtu: u32,
    pub is_up: bool,
}

impl Default for FakeInterface {
    /// Up, with an MTU of 1500.
    fn default() -> Self {
        Self { mtu: 1500, is_up: true }
    }
}

/// What is set, and what it is set against.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) kept: KernelSettings,
    pub(super) interfaces: BTreeMap<String, FakeInterface>,
}

impl Default for Settings {
    fn default() -> Self {
        let timeouts = BTreeMap::from([(Timeout::Tcp, 900), (Timeout::TcpFin, 120), (Timeout::Udp, 300)]);
        let lo = FakeInterface { mtu: 65536, is_up: true };
        Self {
            kept: KernelSettings { timeouts, sync: BTreeMap::new() },
            interfaces: BTreeMap::from([("lo".to_owned(), lo)]),
        }
    }
}

impl Settings {
    pub(super) fn set(
        &mut self,
        setting: Setting<'_>,
        ticks_per_second: u32,
        has_mixed_families: bool,
    ) -> Result<(), Refusal> {
        let done = match setting {
            Setting::Timeout(_, seconds) if seconds > i32::MAX as u32 / ticks_per_second => Err(Errno::INVAL),
            Setting::Timeout(_, 0) => Ok(()),
            Setting::Timeout(timeout, seconds) => {
                self.kept.timeouts.insert(timeout, seconds);
                Ok(())
            }
            Setting::StartSync(..) if has_mixed_families => Err(Errno::INVAL),
            Setting::StartSync(role, settings) => self.start(role, settings),
            Setting::StopSync(role) => self.kept.sync.remove(&role).map(drop).ok_or(Errno::SRCH),
        };
        done.map_err(|errno| Refusal::of_setting(setting, errno, None))
    }

    /// In the order in which the kernel looks.
    fn start(&mut self, role: SyncRole, settings: &SyncSettings) -> Result<(), Errno> {
        let interface = settings.interface.clone();
        if interface.len() > LONGEST_NAME || !settings.group.is_multicast() {
            return Err(Errno::INVAL);
        }
        let Some(FakeInterface { mtu, is_up }) = self.interfaces.get(&interface).copied() else {
            return Err(Errno::NODEV);
        };
        if self.kept.sync.contains_key(&role) {
            return Err(Errno::EXIST);
        }
        // It connects its socket to the group. A backup joins the group, which an interface that is down takes as well.
        if role == SyncRole::Master && !is_up {
            return Err(Errno::NETUNREACH);
        }
        let sync_maxlen = Some(maxlen(role, settings, mtu));
        let port = if settings.port == 0 { SyncSettings::PORT } else { settings.port };
        let ttl = settings.ttl.max(1);
        self.kept.sync.insert(role, SyncSettings { interface, port, ttl, sync_maxlen, ..settings.clone() });
        Ok(())
    }
}

fn maxlen(role: SyncRole, settings: &SyncSettings, mtu: u32) -> u16 {
    let headers = match settings.group {
        IpAddr::V4(_) => 20 + 8,
        IpAddr::V6(_) => 40 + 8,
    };
    let (packet, least) = match role {
        SyncRole::Master => (1500, 1),
        SyncRole::Backup => (u16::try_from(mtu).unwrap_or(u16::MAX).max(1500), 1024),
    };
    match settings.sync_maxlen {
        None | Some(0) => packet - headers,
        Some(length) => length.clamp(least, u16::MAX - headers),
    }
}
