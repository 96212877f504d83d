//! What is known of one destination, put together. Pure.

use crate::cli::picture::Picture;
use crate::daemon::orders::Target;
use crate::model::{DestinationKey, Health, LiveDestination, OnDown, Override, Policy, ServiceKey};
use crate::plan::render::words::{count, rough};
use crate::plan::{Factors, connections, weight};
use crate::reconcile::{DestinationStatus, Failing, ServiceStatus};

/// All that is known of one destination.
pub(super) struct Scene<'a> {
    pub(super) picture: &'a Picture,
    pub(super) key: ServiceKey,
    pub(super) destination: DestinationKey,
    pub(super) live: Option<&'a LiveDestination>,
    pub(super) of_service: Option<&'a ServiceStatus>,
    pub(super) status: Option<&'a DestinationStatus>,
    pub(super) policy: Option<&'a Policy>,
    pub(super) configured: Option<u32>,
    pub(super) given: Override,
    pub(super) is_fallback: bool,
    pub(super) now: u64,
}

impl<'a> Scene<'a> {
    pub(super) fn new(picture: &'a Picture, target: Target) -> Self {
        let Target { service: key, destination } = target;
        let live = picture.live.services.get(&key).and_then(|service| service.destinations.get(&destination));
        let of_service = picture.status(&key);
        let status = of_service.and_then(|service| service.destinations.get(&destination));
        let policy = picture.desired.as_ref().and_then(|desired| desired.policies.get(&key));
        let fallback = policy.and_then(|policy| policy.fallback).map(|(fallback, _)| fallback);
        let fallback = fallback.or(of_service.and_then(|service| service.fallback_to));
        let of_files = picture.desired.as_ref().and_then(|desired| desired.table.services.get(&key));
        let of_files = of_files.and_then(|service| service.destinations.get(&destination));
        // What the daemon has in force goes before what the files say by now.
        let in_force = status.map(|status| status.configured).filter(|configured| configured.is_some());
        Self {
            picture,
            key,
            destination,
            live,
            of_service,
            status,
            policy,
            configured: in_force.unwrap_or(of_files.map(|settings| settings.weight)),
            given: picture.given(&key, &destination),
            is_fallback: fallback == Some(destination),
            now: picture.now,
        }
    }

    pub(super) fn title(&self) -> String {
        let name = self.picture.name(&self.key).map_or_else(String::new, |name| format!(" ({name})"));
        format!("{} of {}{name}", self.destination, self.key)
    }

    /// A command about it.
    pub(super) fn command(&self, command: &str, end: &str) -> String {
        let service = self.picture.name(&self.key).map_or_else(|| self.key.to_string(), str::to_owned);
        format!("`ipvsd {command} {service} {}{end}`", self.destination)
    }

    pub(super) fn weight(&self) -> Option<u32> {
        self.live.map(|live| live.settings.weight)
    }

    pub(super) fn owns(&self) -> bool {
        self.picture.record.owns_destination(&self.key, &self.destination)
    }

    /// It is in the kernel, ipvsd's, and not in the configuration any more.
    pub(super) fn is_leaving(&self) -> bool {
        let drains = self.status.is_some_and(|status| status.drain.is_some())
            || self.picture.record.drains_destination(&self.key, &self.destination);
        let is_known = self.picture.desired.is_some() || self.of_service.is_some();
        let goes = drains || (is_known && self.owns());
        self.configured.is_none() && !self.is_fallback && self.live.is_some() && goes
    }

    pub(super) fn until(&self, until: u64) -> String {
        rough(until.saturating_sub(self.now))
    }

    /// `3 connections are left (2 active, 1 inactive)`
    pub(super) fn left(&self) -> String {
        let Some(live) = self.live else { return "no connection is left".to_owned() };
        let number = connections(live);
        let are = match number {
            0 => return "no connection is left".to_owned(),
            1 => "is",
            _ => "are",
        };
        let kinds = [
            (live.active_connections, "active"),
            (live.inactive_connections, "inactive"),
            (live.persistent_connections, "persistent"),
        ];
        let kinds = kinds.iter().filter(|(number, _)| *number > 0).map(|(number, kind)| format!("{number} {kind}"));
        let kinds: Vec<String> = kinds.collect();
        let number = count(usize::try_from(number).unwrap_or(usize::MAX), "connection");
        format!("{number} {are} left ({})", kinds.join(", "))
    }

    pub(super) fn on_down(&self) -> OnDown {
        let ignores = self.of_service.is_some_and(|service| service.ignores_down);
        self.policy.map_or(if ignores { OnDown::Ignore } else { OnDown::Quiesce }, |policy| policy.on_down)
    }

    /// It is down, and not believed to be.
    pub(super) fn is_suspect(&self) -> bool {
        let is_down = self.status.is_some_and(|status| status.health == Some(Health::Down));
        let panic = self.of_service.is_some_and(|service| service.panic);
        panic && is_down && self.given.health.is_none()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.given.drained_since.is_some()
    }

    /// The weight that it would have if nothing were in the way.
    pub(super) fn full(&self) -> u32 {
        self.given.weight.map(|given| given.weight).or(self.configured).unwrap_or(0)
    }

    /// What should be in the kernel; nothing if it should not be there.
    pub(super) fn wanted(&self) -> Option<u32> {
        if self.is_fallback {
            let weight = self.policy.and_then(|policy| policy.fallback).map(|(_, settings)| settings.weight);
            return weight.filter(|_| self.of_service.is_some_and(|service| service.fallback));
        }
        if self.is_leaving() {
            return Some(0);
        }
        let configured = self.configured?;
        match self.status {
            Some(status) => {
                let is_out = matches!(status.health, Some(Health::Down | Health::Unknown))
                    && self.on_down() == OnDown::Delete
                    && !self.is_drained()
                    && status.quiesced.is_none()
                    && !self.is_suspect();
                (!is_out).then_some(status.effective)
            }
            // Health is not known here, or of no matter.
            None => {
                let factors = Factors {
                    overridden: self.given.weight.map(|given| given.weight),
                    drained: self.is_drained(),
                    health: self.given.health.map(|given| given.health.into()),
                    on_down: self.on_down(),
                    ..Factors::default()
                };
                weight(configured, &factors).0
            }
        }
    }

    pub(super) fn failing(&self) -> Option<&'a Failing> {
        let failing = &self.picture.daemon_status()?.failing;
        let of = |destination: Option<DestinationKey>| {
            failing.iter().find(|failing| failing.service == self.key && failing.destination == destination)
        };
        of(Some(self.destination)).or_else(|| of(None))
    }

    pub(super) fn is_checked(&self) -> bool {
        self.policy.and_then(|policy| policy.checks.get(&self.destination)).is_some_and(|checks| !checks.is_empty())
    }
}
