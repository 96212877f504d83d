//! When so much goes down at once that it is rather the checker's fault.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Standing, name_of};
use crate::model::{DestinationKey, Health, Pass, ServiceKey, SharedChecks, Timing};
use crate::reconcile::notice::Notice;
use crate::reconcile::observe::Inputs;

impl Standing {
    /// Which destinations went down together with so many others that it is rather the checker's fault. One that an
    /// operator speaks for, or has drained, does not count: its override does not make a panic, and by itself does not end
    /// one; and who drains servers stops them next.
    pub(super) fn suspect(&mut self, inputs: &Inputs<'_, '_>, now: Instant, notices: &mut Vec<Notice>) {
        let Inputs { desired, overrides, .. } = *inputs;
        let before = std::mem::take(&mut self.suspects);
        for (key, policy) in &desired.policies {
            let Some(threshold) = policy.panic_threshold else { continue };
            let checked = || policy.checks.iter().filter(|(_, checks)| !checks.is_empty());
            let window = checked().map(|(_, checks)| window(checks)).max().unwrap_or_default();
            let was = before.get(key);
            let known = |destination: &DestinationKey| self.known.get(&(*key, *destination));
            let drained = |destination: &DestinationKey| {
                if policy.quiesced.contains_key(destination) {
                    return true;
                }
                let given = overrides.services.get(key).and_then(|of_service| of_service.get(destination));
                given.is_some_and(|given| given.drained_since.is_some())
            };
            let counts = |destination: &DestinationKey| {
                known(destination).is_some_and(|known| known.belief.forced.is_none()) && !drained(destination)
            };
            let at_once = |destination: &DestinationKey| {
                let known = known(destination).filter(|known| known.belief.checks == Some(Health::Down))?;
                let fresh = known.went_down.is_some_and(|at| now.saturating_duration_since(at) <= window);
                (fresh || was.is_some_and(|was| was.contains(destination))).then_some(*destination)
            };
            let suspects: BTreeSet<DestinationKey> = checked().filter_map(|(key, _)| at_once(key)).collect();
            let down = suspects.iter().filter(|destination| counts(destination)).count();
            let of = checked().filter(|(destination, _)| was.is_none() || counts(destination)).count();
            if down * 100 > of * usize::from(threshold) {
                if was.is_none() {
                    let (service, name) = (*key, name_of(desired, key));
                    notices.push(Notice::PanicBegun { service, name, down, of });
                }
                self.suspects.insert(*key, suspects);
            }
        }
        for key in before.keys().filter(|key| !self.suspects.contains_key(key)) {
            notices.push(Notice::PanicEnded { service: *key, name: name_of(desired, key) });
        }
    }

    /// The suspects of each service in which there are any.
    pub(in crate::reconcile) fn suspects(&self) -> &BTreeMap<ServiceKey, BTreeSet<DestinationKey>> {
        &self.suspects
    }
}

/// How long it takes until all that fail at the same moment are seen to be down.
fn window(checks: &SharedChecks) -> Duration {
    let of = |timing: &Timing| {
        let Timing { interval, timeout, fall, .. } = timing;
        *interval * (*fall).saturating_add(1) + *timeout
    };
    let longest = checks.list.iter().map(|named| of(&named.check.timing)).max().unwrap_or_default();
    // With several of which one is enough, the last of them decides.
    let slack = if checks.pass == Pass::Any { 2 } else { 1 };
    (longest * slack).max(Duration::from_secs(5))
}
