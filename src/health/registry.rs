//! Whom to check, and what is known of them. Pure: the time is a parameter.
//!
//! What the loop wants checked comes as destinations with lists of checks; what is run are targets: a check, and where
//! it goes. Targets are known by what they are, never by who asked for them, so that services which share a destination
//! and a check share one run, and an assignment that stays the same changes nothing at all: neither state nor schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agenda::Id;
use super::combine::{self, CheckState};
use super::machine::Machine;
use super::probe::Job;
use super::targets::{Key, Targets};
use super::trouble::{self, Sample};
use crate::model::{Check, DestinationKey, Health, Probe, ServiceKey, SharedChecks, Via};
use crate::reconcile::{Assignment, Assignments, Verdict, Verdicts};

/// All targets, and the destinations that they are for.
#[derive(Debug, Default)]
pub(super) struct Registry {
    users: BTreeMap<Key, User>,
    targets: Targets,
    published: Arc<Verdicts>,
    /// `published` is older than what is known.
    stale: bool,
    /// The services of destinations whose health is another one, and nobody has taken note of that.
    changed: BTreeSet<ServiceKey>,
}

/// A destination of a service.
#[derive(Debug)]
struct User {
    name: String,
    checks: SharedChecks,
    mark: Option<u32>,
    /// One for each check, in order.
    views: Vec<View>,
    health: Health,
    since: Instant,
}

/// What a destination sees of one of its checks.
#[derive(Debug, Clone, Copy)]
enum View {
    Target {
        id: Id,
        /// Which of its machines.
        machine: usize,
    },
    /// It goes via the service's address, and there is no way yet: it stays at this.
    NoWay(Health),
}

impl User {
    fn targets(&self) -> impl Iterator<Item = Id> {
        self.views.iter().filter_map(|view| match view {
            View::Target { id, .. } => Some(*id),
            View::NoWay(_) => None,
        })
    }

    /// Whether an assignment asks for the same runs.
    fn stays(&self, assignment: &Assignment) -> bool {
        let any = |what: fn(&Check) -> bool| self.checks.list.iter().any(|named| what(&named.check));
        self.checks == assignment.checks
            && (self.mark == assignment.mark || !any(|check| check.via == Via::Vip))
            && (self.name == assignment.name || !any(|check| matches!(check.probe, Probe::Exec { .. })))
    }
}

/// What an assignment changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// New targets, their interval, and whether somebody waits for their first result.
    pub(super) added: Vec<(Id, Duration, bool)>,
    pub(super) removed: Vec<Id>,
}

/// What follows from a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// From the start of the run to the start of the next.
    pub(super) interval: Duration,
    /// In percent of the interval.
    pub(super) jitter: u8,
}

impl Registry {
    /// Checks these from now on, and no others; with `services`, no others of those.
    pub(super) fn assign(
        &mut self,
        services: Option<&BTreeSet<ServiceKey>>,
        wanted: &Assignments,
        now: Instant,
    ) -> Changes {
        let mut changes = Changes::default();
        // Targets that may have lost a user.
        let mut left: Vec<Id> = Vec::new();
        let is_gone = |key: &&Key| !wanted.contains_key(key);
        let gone: Vec<Key> = match services {
            None => self.users.keys().filter(is_gone).copied().collect(),
            Some(services) => self.users_of(services).map(|(key, _)| key).filter(is_gone).copied().collect(),
        };
        for user in gone.iter().filter_map(|key| self.users.remove(key)) {
            left.extend(user.targets());
            self.stale = true;
        }
        for (key, assignment) in wanted {
            match self.users.get_mut(key) {
                Some(user) if user.stays(assignment) => {
                    user.name.clone_from(&assignment.name);
                    user.mark = assignment.mark;
                }
                _ => {
                    let before = self.users.remove(key);
                    left.extend(before.iter().flat_map(User::targets));
                    let user = self.settle(*key, assignment, before, now, &mut changes);
                    self.users.insert(*key, user);
                    self.stale = true;
                }
            }
        }
        left.sort_unstable();
        left.dedup();
        for id in left {
            if self.leave(id) {
                changes.removed.push(id);
            }
        }
        if !changes.removed.is_empty() {
            self.targets.tidy();
        }
        changes
    }

    /// The destinations of these services.
    fn users_of(&self, services: &BTreeSet<ServiceKey>) -> impl Iterator<Item = (&Key, &User)> {
        services.iter().flat_map(|service| {
            let from_here = self.users.range((*service, DestinationKey::FIRST)..);
            from_here.take_while(move |((of, _), _)| of == service)
        })
    }

    /// Finds or makes the targets of a destination that is new, or whose checks changed.
    fn settle(
        &mut self,
        key: Key,
        assignment: &Assignment,
        before: Option<User>,
        now: Instant,
        changes: &mut Changes,
    ) -> User {
        let (seed, since) = before.as_ref().map_or((assignment.seed, now), |user| (user.health, user.since));
        let mut views = Vec::with_capacity(assignment.checks.list.len());
        for named in &assignment.checks.list {
            let Some(job) = self.targets.job(key, assignment, &named.check) else {
                views.push(View::NoWay(seed));
                continue;
            };
            let known = self.targets.find(&job).and_then(|id| Some((id, self.targets.get_mut(id)?)));
            views.push(match known {
                Some((id, target)) => {
                    if !target.users.contains(&key) {
                        target.users.push(key);
                    }
                    let machine = target.machine_for(seed, now);
                    self.targets.note(id);
                    View::Target { id, machine }
                }
                None => {
                    let interval = named.check.timing.interval;
                    let id = self.targets.add(job, seed, key, now);
                    changes.added.push((id, interval, seed == Health::Unknown));
                    View::Target { id, machine: 0 }
                }
            });
        }
        let mut user = User {
            name: assignment.name.clone(),
            checks: assignment.checks.clone(),
            mark: assignment.mark,
            views,
            health: seed,
            since,
        };
        let health = self.health_of(&user);
        if health != seed {
            (user.health, user.since) = (health, now);
            self.changed.insert(key.0);
        }
        user
    }

    /// Takes those from a target who do not use it any more, and the target away with the last of them.
    fn leave(&mut self, id: Id) -> bool {
        let Self { users, targets, .. } = self;
        let Some(target) = targets.get_mut(id) else { return false };
        target.users.retain(|key| users.get(key).is_some_and(|user| user.targets().any(|used| used == id)));
        let lonely = target.users.is_empty();
        if lonely {
            targets.remove(id);
        }
        lonely
    }

    /// What a target runs.
    pub(super) fn job(&self, id: Id) -> Option<&Arc<Job>> {
        self.targets.get(id).map(|target| &target.job)
    }

    /// How many targets there are.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Takes the result of a run that ended at `now`; nothing if its target is gone.
    pub(super) fn result(
        &mut self,
        id: Id,
        result: Result<(), String>,
        took: Duration,
        now: Instant,
    ) -> Option<Outcome> {
        let target = self.targets.get_mut(id)?;
        let mut changed = false;
        if let Some((first, others)) = target.machines.split_first_mut() {
            for machine in others {
                changed |= machine.result(result.clone(), took, now);
            }
            changed |= first.result(result, took, now);
        }
        let interval = target.machines.iter().map(|machine| machine.interval(now)).min()?;
        let jitter = target.job.check.timing.jitter;
        if target.merge() {
            for key in &target.users {
                for view in self.users.get_mut(key).into_iter().flat_map(|user| &mut user.views) {
                    match view {
                        View::Target { id: seen, machine } if *seen == id => *machine = 0,
                        _ => {}
                    }
                }
            }
        }
        self.targets.note(id);
        self.stale = true;
        if changed {
            self.reconsider(id, now);
        }
        Some(Outcome { interval, jitter })
    }

    /// Works out anew the health of a target's users.
    fn reconsider(&mut self, id: Id, now: Instant) {
        let Some(target) = self.targets.get(id) else { return };
        let looked_at = target.users.iter().filter_map(|key| {
            let user = self.users.get(key)?;
            Some((*key, self.health_of(user))).filter(|(_, health)| *health != user.health)
        });
        let changed: Vec<(Key, Health)> = looked_at.collect();
        for (key, health) in &changed {
            if let Some(user) = self.users.get_mut(key) {
                (user.health, user.since) = (*health, now);
                self.changed.insert(key.0);
            }
        }
    }

    /// Whether there is anything that [`Self::take_changed`] would give.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The services of destinations whose health has changed since the last time, or is another one than their seed.
    pub(super) fn take_changed(&mut self) -> BTreeSet<ServiceKey> {
        std::mem::take(&mut self.changed)
    }

    /// What is known at `now`.
    pub(super) fn verdicts(&mut self, now: Instant) -> Arc<Verdicts> {
        if self.stale {
            let destinations = self.users.iter().map(|(key, user)| (*key, self.verdict(user, now))).collect();
            self.published = Arc::new(Verdicts { destinations, trouble: self.trouble() });
            self.stale = false;
        }
        self.published.clone()
    }

    /// What is known at `now` of the destinations of these services.
    pub(super) fn verdicts_of(&self, services: &BTreeSet<ServiceKey>, now: Instant) -> Verdicts {
        let destinations = self.users_of(services).map(|(key, user)| (*key, self.verdict(user, now))).collect();
        Verdicts { destinations, trouble: self.trouble() }
    }

    fn verdict(&self, user: &User, now: Instant) -> Verdict {
        let state = |(named, view)| match view {
            &View::NoWay(health) => CheckState::waiting(named, health),
            view => match self.machine(view) {
                Some(machine) => CheckState::of(named, machine, now),
                // There always is one: a target outlives its users.
                None => CheckState::waiting(named, Health::Unknown),
            },
        };
        let states: Vec<CheckState> = user.checks.list.iter().zip(&user.views).map(state).collect();
        let reason = if user.health == Health::Down { combine::reason(&states) } else { String::new() };
        let checks = states.into_iter().map(|state| state.verdict).collect();
        Verdict { health: user.health, reason, since: user.since, checks }
    }

    fn trouble(&self) -> Vec<String> {
        trouble::sentences(self.targets.failing().flat_map(|target| {
            let timing = &target.job.check.timing;
            let until_down = timing.interval.saturating_mul(timing.fall).saturating_add(timing.timeout);
            // One that is not failing comes before all times.
            let failing_since = target.machines.iter().map(Machine::down_and_failing_since).min().flatten();
            target.users.iter().map(move |(_, destination)| Sample {
                kind: target.job.check.probe.kind(),
                destination: destination.address,
                failing_since,
                window: until_down.saturating_mul(2),
            })
        }))
    }

    fn health_of(&self, user: &User) -> Health {
        let of = user.views.iter().map(|view| match view {
            View::NoWay(health) => *health,
            view => self.machine(view).map_or(Health::Unknown, Machine::health),
        });
        combine::health(user.checks.pass, of)
    }

    fn machine(&self, view: &View) -> Option<&Machine> {
        match view {
            View::Target { id, machine } => self.targets.get(*id)?.machines.get(*machine),
            View::NoWay(_) => None,
        }
    }
}

#[cfg(test)]
#[path = "tests/registry.rs"]
mod tests;
