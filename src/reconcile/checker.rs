//! What the loop knows of health checks: whom it wants checked, and what is said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{DestinationKey, Health, ServiceKey, SharedChecks};

/// What the checks of one destination say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub health: Health,
    /// Why, in words, to follow "down: ": `http: status 500, expected 200-299`. Empty while all is well or unknown.
    pub reason: String,
    /// Since when it has been so.
    pub since: Instant,
    /// What each of the checks says, in the order of the configuration.
    pub checks: Vec<CheckVerdict>,
}

/// What one check says of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict {
    /// The check's name in the configuration.
    pub name: String,
    /// `tcp`, `http`, …
    pub kind: &'static str,
    pub health: Health,
    /// What the last run found wrong, in words; empty if it was good or there was none.
    pub reason: String,
    /// Held down, because it kept changing.
    pub flapping: bool,
    /// How long the last run took.
    pub took: Option<Duration>,
}

/// The verdicts on all destinations that have checks.
#[derive(Debug, Clone, Default)]
pub struct Verdicts {
    pub destinations: BTreeMap<(ServiceKey, DestinationKey), Verdict>,
    /// What looks like our own trouble rather than the destinations', in words: a kind of check that fails everywhere.
    pub trouble: Vec<String>,
}

/// A destination that is to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// What the configuration calls the service.
    pub name: String,
    /// Not empty.
    pub checks: SharedChecks,
    /// What it counts as until its checks have spoken, if it was not checked before.
    pub seed: Health,
    /// The firewall mark that leads through IPVS to this destination, for checks via the service's address.
    pub mark: Option<u32>,
}

/// All destinations that are to be checked.
pub type Assignments = BTreeMap<(ServiceKey, DestinationKey), Assignment>;

/// Whoever runs the checks. It sends [`Event::Health`](super::Event::Health) when a verdict has changed.
pub trait Checker {
    /// From now on these are checked, and no others. What is checked already and stays the same goes on as it was;
    /// a destination whose checks changed keeps its health until the new ones have spoken.
    fn assign(&mut self, assignments: &Assignments);

    /// The same for the destinations of these services, and of no others: all else goes on as it was.
    fn assign_part(&mut self, services: &BTreeSet<ServiceKey>, assignments: &Assignments);

    /// As many checks run at the same time from now on; at least 1.
    fn set_at_once(&mut self, _: usize) {}

    /// What is known now. A destination that was assigned is in it from then on.
    fn verdicts(&self) -> Arc<Verdicts>;

    /// What is known now of the destinations of these services. It costs what they are, not what all are.
    fn verdicts_of(&self, services: &BTreeSet<ServiceKey>) -> Arc<Verdicts>;

    /// The services of the destinations whose health has changed since this was asked last. Ask first, and for the verdicts
    /// then: what changes in between is told again.
    fn take_changed(&mut self) -> BTreeSet<ServiceKey>;
}
