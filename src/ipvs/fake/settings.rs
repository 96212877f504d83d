//! The fake's own settings (`ip_vs_set_timeout`, `ip_vs_genl_new_daemon`, `start_sync_thread`).

use std::collections::{BTreeMap, BTreeSet};

use crate::ipvs::{Errno, KernelSettings, Refusal, Setting};
use crate::model::{SyncSettings, Timeout};

/// What a message of a synchronisation daemon may take at most, if nobody says otherwise: an MTU of 1500 without the
/// headers of IP and UDP.
const MAXLEN: u16 = 1500 - 20 - 8;

/// What is set, and what it is set against.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) kept: KernelSettings,
    pub(super) interfaces: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let timeouts = Timeout::ALL.into_iter().map(|timeout| (timeout, timeout.at_boot())).collect();
        Self { kept: KernelSettings { timeouts, sync: BTreeMap::new() }, interfaces: BTreeSet::from(["lo".to_owned()]) }
    }
}

impl Settings {
    pub(super) fn set(
        &mut self,
        setting: Setting<'_>,
        ticks_per_second: u32,
        has_mixed_families: bool,
    ) -> Result<(), Refusal> {
        let refused = |errno| Err(Refusal::of_setting(setting, errno, None));
        let KernelSettings { timeouts, sync } = &mut self.kept;
        match setting {
            Setting::Timeout(_, seconds) if seconds > i32::MAX as u32 / ticks_per_second => refused(Errno::INVAL),
            Setting::Timeout(_, 0) => Ok(()),
            Setting::Timeout(timeout, seconds) => {
                timeouts.insert(timeout, seconds);
                Ok(())
            }
            Setting::StartSync(..) if has_mixed_families => refused(Errno::INVAL),
            Setting::StartSync(role, _) if sync.contains_key(&role) => refused(Errno::EXIST),
            Setting::StartSync(_, settings) if !self.interfaces.contains(&settings.interface) => refused(Errno::NODEV),
            Setting::StartSync(role, settings) => {
                let sync_maxlen = Some(settings.sync_maxlen.unwrap_or(MAXLEN));
                sync.insert(role, SyncSettings { sync_maxlen, ..settings.clone() });
                Ok(())
            }
            Setting::StopSync(role) => sync.remove(&role).map(drop).map_or_else(|| refused(Errno::SRCH), Ok),
        }
    }
}
