//! What is run: each check of each place once. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::agenda::Id;
use super::machine::Machine;
use super::probe::{ExecContext, Job};
use crate::model::{Check, DestinationKey, Health, Probe, ServiceKey, Via};
use crate::reconcile::Assignment;

/// A destination of a service.
pub(super) type Key = (ServiceKey, DestinationKey);

/// A check and where it goes, and what is known of it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) job: Arc<Job>,
    /// At least one; more while those who use it started from different health and still see it differently.
    pub(super) machines: Vec<Machine>,
    /// Whom it is run for, each once.
    pub(super) users: Vec<Key>,
    /// As [`Targets::note`] found it last.
    fails: bool,
}

impl Target {
    /// The machine for somebody who starts from `seed`.
    pub(super) fn machine_for(&mut self, seed: Health, now: Instant) -> usize {
        let like = self.machines.iter().position(|machine| machine.health() == seed);
        match (like, self.machines.first()) {
            (Some(like), _) => like,
            // What is known is worth more than what was assumed.
            (None, Some(first)) if first.has_spoken() => 0,
            (None, _) => {
                self.machines.push(Machine::new(self.job.check.clone(), seed, now));
                self.machines.len() - 1
            }
        }
    }

    /// Makes one of all machines, if they say the same by now. Returns whether it did.
    pub(super) fn merge(&mut self) -> bool {
        let same = self.machines.len() > 1
            && self.machines.windows(2).all(|pair| match pair {
                [one, other] => one.agrees_with(other),
                _ => true,
            });
        if same {
            self.machines.truncate(1);
        }
        same
    }
}

/// All targets, known by what they are.
#[derive(Debug, Default)]
pub(super) struct Targets {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_job: HashMap<Arc<Job>, Id>,
    /// Each check once, whoever uses it.
    checks: HashSet<Arc<Check>>,
    kinds: BTreeMap<&'static str, Count>,
}

/// The targets of one kind of check.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    failing: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    target: Option<Target>,
}

impl Targets {
    pub(super) fn len(&self) -> usize {
        self.by_job.len()
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Target> {
        self.slots.iter().filter_map(|slot| slot.target.as_ref())
    }

    pub(super) fn find(&self, job: &Job) -> Option<Id> {
        self.by_job.get(job).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Target> {
        let slot = self.slots.get(usize::try_from(id.slot).ok()?)?;
        slot.target.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Target> {
        let slot = self.slots.get_mut(usize::try_from(id.slot).ok()?)?;
        slot.target.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// Adds a target for a job that has none yet.
    pub(super) fn add(&mut self, job: Job, seed: Health, user: Key, now: Instant) -> Id {
        let job = Arc::new(job);
        let machine = Machine::new(job.check.clone(), seed, now);
        self.kinds.entry(job.check.probe.kind()).or_default().all += 1;
        let target = Some(Target { job: job.clone(), machines: vec![machine], users: vec![user], fails: false });
        let place = self.free.pop().and_then(|slot| Some((slot, self.slots.get_mut(usize::try_from(slot).ok()?)?)));
        let id = match place {
            Some((number, slot)) => {
                slot.target = target;
                Id { slot: number, generation: slot.generation }
            }
            None => {
                self.slots.push(Slot { generation: 0, target });
                // Four billion targets do not fit in memory.
                Id { slot: u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX), generation: 0 }
            }
        };
        self.by_job.insert(job, id);
        id
    }

    pub(super) fn remove(&mut self, id: Id) {
        let slot = usize::try_from(id.slot).ok().and_then(|slot| self.slots.get_mut(slot));
        let Some(slot) = slot.filter(|slot| slot.generation == id.generation) else { return };
        if let Some(target) = slot.target.take() {
            self.by_job.remove(&target.job);
            if let Some(count) = self.kinds.get_mut(target.job.check.probe.kind()) {
                count.all -= 1;
                count.failing -= usize::from(target.fails);
            }
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(id.slot);
        }
    }

    /// Takes note of whether a target fails, after its machines have changed.
    pub(super) fn note(&mut self, id: Id) {
        let Some(target) = self.get_mut(id) else { return };
        let fails = target.machines.iter().all(|machine| machine.down_and_failing_since().is_some());
        let (before, kind) = (std::mem::replace(&mut target.fails, fails), target.job.check.probe.kind());
        if let Some(count) = self.kinds.get_mut(kind) {
            count.failing = count.failing + usize::from(fails) - usize::from(before);
        }
    }

    /// The targets of those kinds of check of which all fail. Mostly there are none, and that is known at once.
    pub(super) fn failing(&self) -> impl Iterator<Item = &Target> {
        let is_all = |kind: &str| self.kinds.get(kind).is_some_and(|count| count.all > 0 && count.all == count.failing);
        let any = self.kinds.keys().any(|kind| is_all(kind));
        let targets = any.then(|| self.slots.iter().filter_map(|slot| slot.target.as_ref()));
        targets.into_iter().flatten().filter(move |target| is_all(target.job.check.probe.kind()))
    }

    /// Forgets checks that nobody uses any more.
    pub(super) fn tidy(&mut self) {
        self.checks.retain(|check| Arc::strong_count(check) > 1);
    }

    /// What is run for a check of a destination; nothing if it goes via the service and there is no way yet.
    pub(super) fn job(&mut self, key: Key, assignment: &Assignment, check: &Check) -> Option<Job> {
        let (service, destination) = key;
        let (address, port, mark) = match (check.via, service) {
            (Via::Destination, _) => (destination.address, destination.port, None),
            (Via::Vip, ServiceKey::Address { address, port, .. }) => (address, port, Some(assignment.mark?)),
            (Via::Vip, ServiceKey::Mark { .. }) => (destination.address, destination.port, Some(assignment.mark?)),
        };
        let port = match (check.port, port) {
            (Some(port), _) => port,
            // The port of the packet, which is the service's.
            (None, 0) => service.port().unwrap_or(0),
            (None, port) => port,
        };
        let exec = matches!(check.probe, Probe::Exec { .. }).then(|| ExecContext {
            service,
            name: assignment.name.clone(),
            destination,
        });
        let address = SocketAddr::new(check.address.unwrap_or(address), port);
        // Only a way through the service makes a difference between destinations that are checked at one address.
        let destination = if mark.is_some() { destination.address } else { address.ip() };
        // Where it goes is resolved: what differs in nothing else is the same.
        let check = Check { address: None, port: None, via: Via::Destination, ..check.clone() };
        Some(Job { check: self.once(check), address, mark, destination, exec })
    }

    fn once(&mut self, check: Check) -> Arc<Check> {
        if let Some(known) = self.checks.get(&check) {
            return known.clone();
        }
        let check = Arc::new(check);
        self.checks.insert(check.clone());
        check
    }
}
