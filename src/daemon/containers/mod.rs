//! Containers and names as a part of the configuration: what is written is the ground, and what the engine has and what names stand
//! for is laid over it.
//!
//! Whatever comes and goes is given to the loop service by service, so that its price is that of the change.

mod command;
mod ended;
mod kept;
mod lay;
mod names;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::model::{Desired, Docker, Record, ServiceKey};
use crate::reconcile::{Event, Part, Place, Status};
use crate::source::News;
use crate::source::docker::{Finding, Snapshot, Window, follow};
pub use command::{Stays, hold_unknown};
pub(super) use command::{lay_known, look_up};
use ended::Ended;
use lay::{AllGiven, Given, Laid};
use names::Names;
use told::{Told, status};

/// So many findings are shown.
const MOST_SHOWN: usize = 1000;
/// So many are logged at a time.
const MOST_LOGGED: usize = 20;

/// A configuration that was read.
struct Next {
    laid: Option<Laid>,
    given: AllGiven,
    given_by: String,
    /// The engine was listed before.
    is_listed: bool,
}

/// See the module.
pub struct Containers {
    window: Window,
    wanted: watch::Sender<Option<Arc<Docker>>>,
    told: Arc<Mutex<Told>>,
    /// What is in force.
    laid: Option<Laid>,
    /// What was read and is not in force yet, and what each service got with it.
    next: Option<Next>,
    /// Something was given on the old ground since then.
    given_since: bool,
    /// What each service got last.
    given: AllGiven,
    /// Who said so.
    given_by: String,
    /// What the first pass goes by while nothing is known of containers.
    held: Option<AllGiven>,
    names: Names,
    ended: Ended,
    /// What was gathered from last.
    seen: Option<Arc<Snapshot>>,
    /// Everything is to be given again.
    afresh: bool,
    findings: BTreeSet<Finding>,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            window: Window::default(),
            wanted: watch::channel(None).0,
            told: Arc::default(),
            laid: None,
            next: None,
            given_since: false,
            given: AllGiven::new(),
            given_by: String::new(),
            held: None,
            names: Names::default(),
            ended: Ended::default(),
            seen: None,
            afresh: false,
            findings: BTreeSet::new(),
        }
    }
}

/// Puts into a status how an engine is, and names are; from any thread.
pub type SourcesReader = Arc<dyn Fn(&mut Status) + Send + Sync>;

impl Containers {
    /// Goes by what was kept in a state directory until the engine has been listed.
    pub(super) fn recall(&mut self, state_dir: &Path) {
        self.names.recall(state_dir);
        if let Some(known) = kept::DOCKER.read(state_dir) {
            self.window = Window::new(known);
            self.held = None;
            self.seen = None;
        } else {
            self.held = Some(AllGiven::new());
        }
    }

    /// Where nothing was kept, what is owned stays until the engine has been listed.
    pub(super) fn hold(&mut self, record: &Record, desired: &mut Desired) {
        self.names.hold(self.laid.as_ref(), record);
        let Some(laid) = self.laid.take() else { return };
        if let Some(held) = &mut self.held {
            *held = laid.hold(record);
        }
        let (snapshot, is_listed) = self.look();
        (self.given, _) = self.gather(&laid, (&snapshot, is_listed));
        for (key, given) in &self.given {
            laid.put(desired, *key, given, &BTreeSet::new());
        }
        self.laid = Some(laid);
    }

    /// What follows the engine, for the thread that waits on many sockets.
    pub fn follower(
        &self,
        state_dir: &Path,
        place: Place,
        wake: impl Fn(Event) + Send + Sync + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let state_dir = state_dir.to_owned();
        let keep = move |seen: &Snapshot| {
            let kept = if seen.origin.is_empty() {
                kept::DOCKER.remove(&state_dir)
            } else {
                kept::DOCKER.write(&state_dir, &place, seen)
            };
            if let Err(error) = kept {
                warn!("what is known of containers is not kept over a restart: {error}");
            }
        };
        let news = News { wake: Box::new(wake), keep: Arc::new(keep) };
        follow(self.wanted.subscribe(), self.window.clone(), news)
    }

    /// What looks names up, for the same thread.
    pub fn resolver(
        &self,
        state_dir: &Path,
        place: Place,
        wake: impl Fn(Event) + Send + Sync + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.names.follower(state_dir, place, wake)
    }

    /// What shows how the engine is, and names are.
    pub fn reader(&self) -> SourcesReader {
        let (window, told, names) = (self.window.clone(), Arc::clone(&self.told), self.names.reader());
        Arc::new(move |shown| {
            shown.docker = status(&window, &told);
            shown.names = names();
        })
    }

    /// Lays containers over a configuration that was read.
    pub(super) fn lay(&mut self, desired: &mut Desired) {
        let laid = Laid::of(desired);
        let (mut all, mut given_by) = (AllGiven::new(), String::new());
        let (snapshot, is_listed) = self.look();
        if let Some(laid) = &laid {
            let (given, findings) = self.gather(laid, (&snapshot, is_listed));
            self.ended.note((&self.given, &self.given_by), &given, &snapshot, Instant::now());
            given_by.clone_from(&snapshot.origin);
            for (key, given) in &given {
                laid.put(desired, *key, given, &self.ended.of(key));
            }
            self.say(findings);
            all = given;
        }
        self.next = Some(Next { laid, given: all, given_by, is_listed });
        self.given_since = false;
    }

    /// What is known of containers, and whether the engine was listed: that first, since a list is there no later than that.
    fn look(&self) -> (Arc<Snapshot>, bool) {
        let is_listed = self.window.is_listed();
        (self.window.snapshot(), is_listed)
    }

    /// What is about to take the place of `before` has what that has where it is not known yet what it gets: where a service comes to
    /// ask for containers, and nothing is known of them, and where a name is not known.
    pub(super) fn replaces(&mut self, before: &Desired, desired: &mut Desired) {
        let Some(Next { laid: Some(laid), mut given, given_by, is_listed }) =
            self.next.take_if(|next| next.laid.is_some())
        else {
            return;
        };
        let was = given.clone();
        if let Some(held) = self.held.as_mut().filter(|_| !is_listed) {
            for key in laid.ground.bases.keys() {
                let Some(stays) = laid.stay(key, before).filter(|_| !held.contains_key(key)) else { continue };
                given.insert(*key, stays.clone());
                held.insert(*key, stays);
            }
        }
        let answers = self.names.answers();
        let mut held = laid.hold_as_before((before, self.laid.as_ref()), &answers, self.names.held());
        for (key, held) in &mut held {
            // Whether a container is there is known otherwise.
            let containers = self.given.get(key).map(|given| &given.destinations);
            held.retain(|destination, _| {
                let container = containers.and_then(|all| all.get(destination));
                container.is_none_or(|container| container.id.is_empty())
            });
        }
        self.names.hold_more(held);
        laid.resolve(&mut given, &answers, self.names.held());
        for (key, given) in given.iter().filter(|(key, given)| was.get(key) != Some(given)) {
            laid.put(desired, *key, given, &self.ended.of(key));
        }
        self.next = Some(Next { laid: Some(laid), given, given_by, is_listed });
    }

    fn gather(&self, laid: &Laid, (snapshot, is_listed): (&Snapshot, bool)) -> (AllGiven, BTreeSet<Finding>) {
        let (mut all, findings) = self.gather_containers(laid, (snapshot, is_listed));
        laid.resolve(&mut all, &self.names.answers(), self.names.held());
        (all, findings)
    }

    fn gather_containers(
        &self,
        laid: &Laid,
        (snapshot, is_listed): (&Snapshot, bool),
    ) -> (AllGiven, BTreeSet<Finding>) {
        match &self.held {
            Some(held) if laid.docker.is_some() && !is_listed => {
                // A service that does not ask for containers any more lets go of them.
                let asks = |key: &ServiceKey| laid.ground.bases.contains_key(key) || laid.may_be_auto(key);
                let held = held.iter().filter(|(key, _)| asks(key));
                (held.map(|(key, given)| (*key, given.clone())).collect(), BTreeSet::new())
            }
            _ => laid.gather(snapshot),
        }
    }

    /// What was laid last has come into force.
    pub(super) fn in_force(&mut self) {
        let Some(Next { laid: next, given, given_by, .. }) = self.next.take() else { return };
        let engine = next.as_ref().and_then(|laid| laid.docker.clone());
        self.names.want(next.as_ref());
        if self.laid.is_some() || next.is_some() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.engine = engine.as_ref().map(|docker| docker.endpoint.to_string());
            told.destinations = count(&given);
        }
        if engine.is_none() {
            self.say(BTreeSet::new());
            // The window is emptied by who looks through it.
            self.held = Some(AllGiven::new());
        }
        self.laid = next;
        // That has taken the place of what is in force now.
        self.afresh |= self.given_since;
        (self.given, self.given_by) = (given, given_by);
        self.seen = None;
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != engine;
            *wanted = engine;
            changed
        });
    }

    /// Somebody else has said what is so of these services.
    pub(super) fn note(&mut self, part: &Part) {
        let Some(laid) = &mut self.laid else { return };
        for key in &part.services {
            match part.desired.origins.get(key) {
                Some(origin) => drop(laid.ground.names.insert(*key, origin.name.clone())),
                None => drop(laid.ground.names.remove(key)),
            }
            laid.let_go(key);
            self.given.remove(key);
        }
        if laid.docker.as_ref().is_some_and(|docker| docker.auto.is_some()) {
            self.seen = None;
        }
    }

    /// What has changed since this was asked last.
    pub(super) fn part(&mut self) -> Option<Part> {
        let now = Instant::now();
        self.part_at(now)
    }

    fn part_at(&mut self, now: Instant) -> Option<Part> {
        let laid = self.laid.take()?;
        let part = self.changes(&laid, now);
        self.laid = Some(laid);
        part
    }

    fn changes(&mut self, laid: &Laid, now: Instant) -> Option<Part> {
        let forgotten = self.ended.forget(now);
        let (snapshot, is_listed) = self.look();
        // Where no engine is followed any more, the window may not be empty yet.
        if is_listed && laid.docker.is_some() {
            self.held = None;
        }
        let same = self.held.is_some() || self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &snapshot));
        if same && !self.names.have_changed() && forgotten.is_empty() && !self.afresh {
            return None;
        }
        let (mut given, findings) = self.gather(laid, (&snapshot, is_listed));
        self.say(findings);
        self.ended.note((&self.given, &self.given_by), &given, &snapshot, now);
        let before = std::mem::take(&mut self.given);
        for (key, was) in &before {
            let is_free = !laid.ground.names.contains_key(key);
            if is_free && !given.contains_key(key) && was.auto.is_some() && self.ended.has(key) {
                given.insert(*key, Given { auto: was.auto.clone(), ..Given::default() });
            }
        }
        let mut part = Part { services: BTreeSet::new(), desired: Desired::default(), look: BTreeSet::new() };
        let everything = std::mem::take(&mut self.afresh);
        for (key, is) in &given {
            if everything || forgotten.contains(key) || before.get(key) != Some(is) {
                part.services.insert(*key);
                laid.put(&mut part.desired, *key, is, &self.ended.of(key));
            }
        }
        // What came about by itself, and is no more; what is somebody's meanwhile is theirs.
        let gone = before.keys().filter(|key| !given.contains_key(key) && !laid.ground.names.contains_key(key));
        part.services.extend(gone);
        let destinations = count(&given);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).destinations = destinations;
        (self.given, self.given_by) = (given, snapshot.origin.clone());
        // What is held says nothing of what was seen.
        self.seen = Some(snapshot).filter(|_| self.held.is_none());
        self.given_since |= !part.services.is_empty();
        (!part.services.is_empty()).then_some(part)
    }

    /// Logs what is wrong now, and was not before.
    fn say(&mut self, findings: BTreeSet<Finding>) {
        if findings == self.findings {
            return;
        }
        let news: Vec<&Finding> = findings.difference(&self.findings).collect();
        for finding in news.iter().take(MOST_LOGGED) {
            warn!("{finding}");
        }
        if news.len() > MOST_LOGGED {
            warn!("and {} more findings on containers, which `ipvsd show` lists", news.len() - MOST_LOGGED);
        }
        if findings.is_empty() {
            info!("nothing is wrong with containers any more");
        }
        let shown = findings.iter().take(MOST_SHOWN).cloned().collect();
        self.told.lock().unwrap_or_else(PoisonError::into_inner).findings = shown;
        self.findings = findings;
    }
}

fn count(given: &AllGiven) -> usize {
    given.values().map(|given| given.destinations.len()).sum()
}
