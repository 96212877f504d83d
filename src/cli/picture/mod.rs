//! The live table, and all that is known of it here: for `show`, `explain` and `top`.

pub(super) mod health;
#[cfg(test)]
pub(super) mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::daemon::control::Answer;
use crate::daemon::hold_unknown;
use crate::ipvs::KernelSettings;
use crate::model::{
    Desired, DestinationKey, Health, Helped, Live, Manage, Override, Overrides, Record, ServiceKey, ServiceOrigin,
};
use crate::reconcile::{DestinationStatus, ServiceStatus, Status, unix_now};

use super::output::Out;
use super::{Failure, Global, look};

/// The live table, and what this ipvsd knows of it.
#[derive(Default)]
pub(super) struct Picture {
    pub(super) live: Live,
    /// What the kernel is set to beside its table.
    pub(super) settings: KernelSettings,
    /// The configuration, if it is good.
    pub(super) desired: Option<Arc<Desired>>,
    pub(super) record: Record,
    /// What the daemon says, if one runs.
    pub(super) daemon: Option<Answer>,
    /// Those in force, whether a daemon runs or not.
    pub(super) overrides: Overrides,
    /// Show helper services among the others.
    pub(super) all: bool,
    /// In seconds since 1970.
    pub(super) now: u64,
}

impl Picture {
    /// Puts what is known of `live` beside it.
    pub(super) fn around(live: Live, settings: KernelSettings, global: &Global, out: &Out) -> Result<Self, Failure> {
        let look::Surroundings { desired, state_dir } = global.look_around(out);
        let record = look::record(&state_dir, out)?;
        let daemon = look::daemon(&state_dir, out)?;
        let overrides = look::peek_overrides(&state_dir, out);
        let desired = desired.map(|mut desired| {
            // What stays for a name that is not known is wanted.
            hold_unknown(&mut desired, &record, &state_dir);
            Arc::new(desired)
        });
        Ok(Self { live, settings, desired, record, daemon, overrides, all: false, now: unix_now() })
    }

    pub(super) fn owner(&self, service: &ServiceKey, destination: Option<&DestinationKey>) -> &'static str {
        let owned = match destination {
            Some(destination) => self.record.owns_destination(service, destination),
            None => self.record.owns(service),
        };
        let manage = self.desired.as_ref().map_or(&Manage::Owned, |desired| &desired.manage);
        match owned {
            true => "owned",
            false if manage.covers(service) => "managed",
            false => "foreign",
        }
    }

    pub(super) fn name(&self, service: &ServiceKey) -> Option<&str> {
        let configured = self.origins().and_then(|origins| origins.get(service)).map(|origin| origin.name.as_str());
        configured.or_else(|| self.status(service)?.name.as_deref())
    }

    pub(super) fn origins(&self) -> Option<&BTreeMap<ServiceKey, ServiceOrigin>> {
        self.desired.as_ref().map(|desired| &desired.origins)
    }

    pub(super) fn status(&self, service: &ServiceKey) -> Option<&ServiceStatus> {
        self.daemon_status()?.services.get(service)
    }

    /// What a running daemon says.
    pub(super) fn daemon_status(&self) -> Option<&Status> {
        self.daemon.as_ref().map(|daemon| &daemon.status)
    }

    pub(super) fn destination_status(
        &self,
        service: &ServiceKey,
        destination: &DestinationKey,
    ) -> Option<&DestinationStatus> {
        self.status(service)?.destinations.get(destination)
    }

    pub(super) fn given(&self, service: &ServiceKey, destination: &DestinationKey) -> Override {
        self.overrides.get(service, destination, self.now)
    }

    /// What is live, and what should be by name.
    pub(super) fn service_keys(&self) -> BTreeSet<ServiceKey> {
        let status = self.daemon_status().into_iter().flat_map(|status| &status.services);
        let wanted = status.filter_map(|(key, service)| service.name.as_ref().map(|_| *key));
        self.live.services.keys().copied().chain(wanted).collect()
    }

    /// Those that are live, and those that are not although they should be, or because they are down.
    pub(super) fn destination_keys(&self, service: &ServiceKey) -> BTreeSet<DestinationKey> {
        let is_missed = |status: &DestinationStatus| status.health == Some(Health::Down) || status.effective > 0;
        let known = self.status(service).into_iter().flat_map(|status| &status.destinations);
        let missed = known.filter(|(_, status)| is_missed(status)).map(|(key, _)| *key);
        let live = self.live.services.get(service);
        live.into_iter().flat_map(|live| live.destinations.keys().copied()).chain(missed).collect()
    }

    /// The name that a destination has: a container's, or what came over the API.
    pub(super) fn called(&self, service: &ServiceKey, key: &DestinationKey) -> Option<&str> {
        let name = self.origins()?.get(service)?.destinations.get(key)?;
        (*name != key.to_string()).then_some(name)
    }

    /// Whether a service is ipvsd's own, for checks.
    pub(super) fn is_helper(&self, service: &ServiceKey) -> bool {
        let told = self.daemon.as_ref().is_some_and(|daemon| daemon.status.helpers.contains(service));
        told || self.helped(service).is_some()
    }

    /// The destination that a helper service leads to, if that is on record.
    pub(super) fn helped(&self, service: &ServiceKey) -> Option<&Helped> {
        match service {
            ServiceKey::Mark { mark, .. } => self.record.helpers.get(mark),
            ServiceKey::Address { .. } => None,
        }
    }
}
