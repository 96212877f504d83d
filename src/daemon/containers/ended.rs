//! The containers that have ended a moment ago.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::lay::AllGiven;
use crate::model::{DestinationKey, ServiceKey};
use crate::source::docker::Snapshot;

/// So long it is remembered that a container has ended: until what is there of it is deleted.
const REMEMBERED: Duration = Duration::from_secs(120);

/// Their destinations, and when each of them ended: of those nothing is waited for, nor of their service.
#[derive(Default)]
pub(super) struct Ended(BTreeMap<ServiceKey, BTreeMap<DestinationKey, Instant>>);

impl Ended {
    pub(super) fn of(&self, key: &ServiceKey) -> BTreeSet<DestinationKey> {
        self.0.get(key).into_iter().flat_map(BTreeMap::keys).copied().collect()
    }

    /// Whether some of its containers have.
    pub(super) fn has(&self, key: &ServiceKey) -> bool {
        self.0.contains_key(key)
    }

    /// What services got before, and by whom it was given, and what they get now.
    pub(super) fn note(
        &mut self,
        (before, given_by): (&AllGiven, &str),
        given: &AllGiven,
        snapshot: &Snapshot,
        now: Instant,
    ) {
        // What is there again has not ended: when it leaves, its connections are waited for.
        let is_there = |key: &ServiceKey, destination: &DestinationKey| {
            given
                .get(key)
                .is_some_and(|is| is.destinations.contains_key(destination) || is.named.contains_key(destination))
        };
        self.0.retain(|key, ended| {
            ended.retain(|destination, _| !is_there(key, destination));
            !ended.is_empty()
        });
        // Another engine knows nothing of what the one before had.
        if snapshot.origin != given_by {
            return;
        }
        let listed: BTreeSet<&str> = snapshot.containers.iter().map(|container| container.id.as_str()).collect();
        for (key, was) in before {
            for (destination, contributed) in &was.destinations {
                // One that has died loses its address before it is gone.
                let id = contributed.id.as_str();
                let is_over = !listed.contains(id) || snapshot.dead.contains(id);
                if !id.is_empty() && is_over && !is_there(key, destination) {
                    self.0.entry(*key).or_default().insert(*destination, now);
                }
            }
        }
    }

    /// The services of which something was remembered for long enough.
    pub(super) fn forget(&mut self, now: Instant) -> BTreeSet<ServiceKey> {
        let mut forgotten = BTreeSet::new();
        self.0.retain(|key, ended| {
            let before = ended.len();
            ended.retain(|_, at| now.saturating_duration_since(*at) < REMEMBERED);
            if ended.len() < before {
                forgotten.insert(*key);
            }
            !ended.is_empty()
        });
        forgotten
    }
}
