//! What an override can be about, and which of it the words on the command line mean. Pure.

use std::collections::BTreeMap;

use crate::config::nearest;
use crate::model::{
    Desired, DestinationKey, Forced, HealthOverride, Live, OnDown, Override, Overrides, Record, ServiceKey,
};
use crate::reconcile::Status;

/// So many names are listed in an error.
const MOST_LISTED: usize = 12;

/// A destination that an override names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) service: ServiceKey,
    pub(crate) destination: DestinationKey,
}

/// All services, with what is known of them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) services: BTreeMap<ServiceKey, KnownService>,
    /// Whether the kernel's table could be read.
    pub(crate) live: bool,
}

#[derive(Debug, Default)]
pub(crate) struct KnownService {
    pub(crate) name: Option<String>,
    pub(crate) fallback: Option<DestinationKey>,
    /// Nothing happens to a destination of it that is down.
    pub(crate) ignores_down: bool,
    pub(crate) destinations: BTreeMap<DestinationKey, Standing>,
}

/// Where a destination stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its weight in the configuration, if it is there.
    pub(crate) configured: Option<u32>,
    /// Its weight in the kernel, if it is there.
    pub(crate) live: Option<u32>,
    pub(crate) owned: bool,
    pub(crate) given: Override,
}

/// Which of them may be meant.
#[derive(Debug, Clone, Copy)]
enum Whose {
    Ours,
    Anybodys,
}

impl Whose {
    fn has(self, standing: &Standing) -> bool {
        match self {
            Self::Ours => standing.is_ours(),
            Self::Anybodys => true,
        }
    }
}

impl Standing {
    /// Whether it is any of ipvsd's business.
    fn is_ours(&self) -> bool {
        self.configured.is_some() || self.owned || !self.given.is_empty()
    }

    /// Whether it is in the table, and not in the configuration any more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.configured.is_none() && self.live.is_some() && self.owned
    }

    /// Whether it takes new connections, as far as can be seen.
    fn has_weight(&self, live_is_known: bool, ignores_down: bool) -> bool {
        let wanted = match self.given {
            Override { drained_since: Some(_), .. } => 0,
            Override { health: Some(HealthOverride { health: Forced::Down, .. }), .. } if !ignores_down => 0,
            Override { weight: Some(given), .. } => given.weight,
            Override { .. } => self.configured.unwrap_or(0),
        };
        wanted > 0 && (!live_is_known || self.live.is_some_and(|weight| weight > 0))
    }
}

impl Known {
    /// From a configuration.
    pub(crate) fn of_desired(desired: &Desired) -> Self {
        let mut known = Self::default();
        for (key, service) in &desired.table.services {
            let of = known.services.entry(*key).or_default();
            of.name = desired.origins.get(key).map(|origin| origin.name.clone());
            let policy = desired.policies.get(key);
            of.ignores_down = policy.is_some_and(|policy| policy.on_down == OnDown::Ignore);
            let fallback = policy.and_then(|policy| policy.fallback);
            of.fallback = fallback.map(|(destination, _)| destination);
            for (destination, settings) in service.destinations.iter().chain(fallback.iter().map(|(key, of)| (key, of)))
            {
                of.destinations.entry(*destination).or_default().configured = Some(settings.weight);
            }
        }
        known
    }

    /// From what a daemon has in force, where the configuration is not good.
    pub(crate) fn of_status(status: &Status) -> Self {
        Self::default().and_status(status)
    }

    /// With what a daemon has in force and the files do not say: destinations that are containers.
    pub(crate) fn and_status(mut self, status: &Status) -> Self {
        for (key, service) in &status.services {
            let of = self.services.entry(*key).or_insert_with(|| KnownService {
                name: service.name.clone(),
                fallback: service.fallback_to,
                ignores_down: service.ignores_down,
                destinations: BTreeMap::new(),
            });
            for (destination, state) in &service.destinations {
                of.destinations
                    .entry(*destination)
                    .or_insert_with(|| Standing { configured: state.configured, ..Standing::default() });
            }
        }
        self
    }

    /// With what the kernel has, what is owned there, and what is overridden. Helper services are left out.
    pub(crate) fn with(mut self, live: Option<&Live>, record: &Record, overrides: &Overrides) -> Self {
        self.live = live.is_some();
        for (key, service) in live.iter().flat_map(|live| &live.services) {
            if matches!(key, ServiceKey::Mark { mark, .. } if record.helpers.contains_key(mark)) {
                continue;
            }
            for (destination, found) in &service.destinations {
                let of = self.services.entry(*key).or_default().destinations.entry(*destination).or_default();
                of.live = Some(found.settings.weight);
                of.owned = record.owns_destination(key, destination);
            }
        }
        for (key, of_service) in &overrides.services {
            for (destination, given) in of_service {
                self.services.entry(*key).or_default().destinations.entry(*destination).or_default().given = *given;
            }
        }
        self
    }

    pub(crate) fn name(&self, service: &ServiceKey) -> Option<&str> {
        self.services.get(service)?.name.as_deref()
    }

    pub(crate) fn standing(&self, target: Target) -> Standing {
        let service = self.services.get(&target.service);
        service.and_then(|service| service.destinations.get(&target.destination)).copied().unwrap_or_default()
    }

    /// Whether the target is used only while no other destination is up.
    pub(crate) fn is_fallback(&self, target: Target) -> bool {
        self.services.get(&target.service).is_some_and(|service| service.fallback == Some(target.destination))
    }

    /// Whether no destination but the target (and the fallback) takes new connections, although it does itself.
    pub(crate) fn is_last(&self, target: Target) -> bool {
        let Some(service) = self.services.get(&target.service) else { return false };
        let takes = |(key, standing): (&DestinationKey, &Standing)| {
            (service.fallback != Some(*key) && standing.has_weight(self.live, service.ignores_down)).then_some(*key)
        };
        service.destinations.iter().filter_map(takes).eq([target.destination])
    }

    /// The destinations that `service` and `destination` name: one for each address of the service that has it.
    ///
    /// # Errors
    ///
    /// In words, if there are none, or if it is not clear which.
    pub(crate) fn resolve(&self, service: &str, destination: &str) -> Result<Vec<Target>, String> {
        self.resolve_of(Whose::Ours, service, destination)
    }

    /// The same of all that is known, be it ipvsd's or not: for whoever only looks.
    pub(crate) fn look_up(&self, service: &str, destination: &str) -> Result<Vec<Target>, String> {
        self.resolve_of(Whose::Anybodys, service, destination)
    }

    fn resolve_of(&self, whose: Whose, service: &str, destination: &str) -> Result<Vec<Target>, String> {
        let keys = self.resolve_service_of(whose, service)?;
        let mut targets = Vec::new();
        for key in &keys {
            targets.extend(self.resolve_destination(whose, *key, destination)?);
        }
        if !targets.is_empty() {
            return Ok(targets);
        }
        let listed: Vec<String> = self.destinations(&keys, |standing| whose.has(standing));
        let named = destination.parse::<DestinationKey>().map_or(destination.to_owned(), |key| key.to_string());
        if self.destinations(&keys, |standing| !whose.has(standing)).contains(&named) {
            return Err(format!(
                "{named} of {service} is in the kernel's table, but it is not ipvsd's: no override holds there"
            ));
        }
        Err(format!("no destination `{destination}` of {service}{}", suggest(destination, &listed)))
    }

    /// The services that `text` means: the one with that address, or all with that name.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`].
    pub(crate) fn resolve_service(&self, text: &str) -> Result<Vec<ServiceKey>, String> {
        self.resolve_service_of(Whose::Ours, text)
    }

    fn resolve_service_of(&self, whose: Whose, text: &str) -> Result<Vec<ServiceKey>, String> {
        let named: Vec<ServiceKey> = self
            .services
            .iter()
            .filter_map(|(key, service)| (service.name.as_deref() == Some(text)).then_some(*key))
            .collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let ours = |service: &KnownService| {
            service.name.is_some() || service.destinations.values().any(|standing| whose.has(standing))
        };
        match text.parse::<ServiceKey>() {
            Ok(key) => match self.services.get(&key) {
                Some(service) if ours(service) => return Ok(vec![key]),
                Some(_) => {
                    return Err(format!(
                        "{key} is in the kernel's table, but it is not ipvsd's: no override holds there"
                    ));
                }
                None => {}
            },
            Err(error) if text.contains("://") || text.starts_with("fwmark") => {
                return Err(format!("`{text}` is no service: {error}"));
            }
            Err(_) => {}
        }
        // What looks like an address is looked for among addresses.
        let addresses = text.parse::<ServiceKey>().is_ok();
        let mut listed: Vec<String> = self
            .services
            .iter()
            .filter(|(_, service)| ours(service))
            .map(|(key, service)| match &service.name {
                Some(name) if !addresses => name.clone(),
                Some(_) | None => key.to_string(),
            })
            .collect();
        listed.sort_unstable();
        listed.dedup();
        Err(format!("no service `{text}`{}", suggest(text, &listed)))
    }

    fn resolve_destination(&self, whose: Whose, key: ServiceKey, text: &str) -> Result<Option<Target>, String> {
        let target = |destination| Target { service: key, destination };
        let default = DestinationKey::parse(text, key.port().unwrap_or(0))
            .map_err(|error| format!("`{text}` is no destination: {error}"))?;
        let Some(service) = self.services.get(&key) else { return Ok(None) };
        let is_ours =
            |destination: &DestinationKey| service.destinations.get(destination).is_some_and(|found| whose.has(found));
        if is_ours(&default) {
            return Ok(Some(target(default)));
        }
        if text.parse::<DestinationKey>().is_ok() {
            return Ok(None);
        }
        let mut same = service.destinations.keys().filter(|found| found.address == default.address && is_ours(found));
        match (same.next(), same.next()) {
            (Some(only), None) => Ok(Some(target(*only))),
            (None, _) => Ok(None),
            (Some(first), Some(second)) => {
                let all: Vec<String> = [first, second].into_iter().chain(same).map(ToString::to_string).collect();
                Err(format!("{text} is several destinations of {key}, name one with its port: {}", list(&all)))
            }
        }
    }

    fn destinations(&self, keys: &[ServiceKey], which: impl Fn(&Standing) -> bool) -> Vec<String> {
        let services = keys.iter().filter_map(|key| self.services.get(key));
        let mut found: Vec<DestinationKey> = services
            .flat_map(|service| {
                service.destinations.iter().filter(|(_, standing)| which(standing)).map(|(key, _)| *key)
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found.iter().map(ToString::to_string).collect()
    }
}

/// What may have been meant, as the end of a sentence.
fn suggest(text: &str, candidates: &[String]) -> String {
    let near = nearest(text, candidates.iter().map(String::as_str));
    let question = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    match candidates.len() {
        0 => ": there are none".to_owned(),
        _ => format!("{question} (known: {})", list(candidates)),
    }
}

fn list(candidates: &[String]) -> String {
    let shown = candidates.get(..MOST_LISTED).unwrap_or(candidates).join(", ");
    match candidates.len().saturating_sub(MOST_LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
