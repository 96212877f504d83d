//! What came over the API: kept as files of the state directory, stands on what the configuration's files say, and is put into force
//! by the loop without anything else being read again.
//!
//! Three have to do with it. Whoever changes something ([`change`](Offers::change)) reads the service alone, writes its file, and
//! queues it: one after another for a service, each when the pass over the one before has ended and what was refused is undone, so
//! that nobody builds on what does not stay. The loop takes the queue ([`take`](Offers::take)) and tells what came of it ([`passed`](Offers::passed)). And each time
//! all files were read, the loop says what they are now ([`stock`](Offers::stock)). What they share is behind a lock that nobody
//! holds while anything is read or written, so nobody who changes something holds the loop up.

mod asked;
mod change;
mod folder;
mod lookup;
mod shelf;
#[cfg(test)]
pub(in crate::daemon) mod tests;

pub(super) use folder::folder;
pub use folder::{load, load_now};

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::api::Known;
use crate::config::{Foundation, Source};
use crate::model::{Desired, DestinationKey, ServiceKey};
use crate::plan::render::operation_line;
use crate::reconcile::{Event, Part, PassError, Report};
use crate::source::names::{Lookups, System};
use asked::Asked;
use folder::{SyncDirectory, sync_directory};
use shelf::{Fragment, Shelf};

/// So many changes wait for their pass; more are refused.
const MOST_WAITING: usize = 256;
/// So many names are looked up at a time, each on a thread of its own for as long as the resolver takes.
const MOST_LOOKUPS: usize = 2;

/// One at a time.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Wakes the loop.
type Wake = Box<dyn Fn(Event) + Send + Sync>;

/// See the module.
pub struct Offers {
    held: Mutex<Held>,
    /// Of each service that is being changed: until a pass over the change has ended.
    turns: Mutex<HashMap<String, Turn>>,
    /// Of whoever writes into the folder.
    pen: Turn,
    sync: SyncDirectory,
    room: Arc<Semaphore>,
    lookups: Lookups,
    wake: OnceLock<Wake>,
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offers").finish_non_exhaustive()
    }
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            turns: Mutex::default(),
            pen: Turn::default(),
            sync: sync_directory,
            room: Arc::new(Semaphore::new(MOST_WAITING)),
            lookups: Lookups::new(System, MOST_LOOKUPS),
            wake: OnceLock::new(),
        }
    }
}

#[derive(Default)]
struct Held {
    shelf: Shelf,
    /// Written, and not taken by the loop yet.
    queue: Vec<Queued>,
    /// Of what is asked for already, and is to be looked at.
    looks: Vec<Waiting>,
    /// Taken by the loop, and no pass over it has ended.
    waiting: Vec<Waiting>,
    asked: Asked,
}

/// A change that the loop has to hear of.
struct Queued {
    id: String,
    /// The keys that it had and has.
    services: BTreeSet<ServiceKey>,
    /// What is asked for in them now.
    part: Desired,
    /// Nothing: it is deleted.
    fragment: Option<Arc<Fragment>>,
    waiting: Waiting,
}

/// Who waits for a pass.
struct Waiting {
    services: BTreeSet<ServiceKey>,
    concerns: Concerns,
    done: oneshot::Sender<Outcome>,
}

/// Whose failures are failures of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    /// Those of the service itself.
    Service,
    /// Of a destination, and of its service.
    Destination(DestinationKey),
    /// Of the service and all of its destinations.
    All,
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The kernel did not do it, and why.
    Failed(String),
    /// The files have come to claim the same meanwhile.
    Claimed(String),
}

impl Offers {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Whoever held it did nothing but look, copy and move things that are whole at any time.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of a service, which is there for as long as somebody has it or waits for it.
    fn turn(&self, id: &str) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(id.to_owned()).or_default())
    }

    /// What the process before was asked for, and has not done.
    pub(super) fn remember(&self, state_dir: &Path) {
        if let Ok(text) = fs::read_to_string(asked::file(state_dir)) {
            self.lock().asked = Asked::of(&text);
        }
    }

    /// The services of which something was asked for by name that is not done.
    pub(super) fn asked(&self) -> BTreeSet<ServiceKey> {
        self.lock().asked.all()
    }

    /// How the loop is woken.
    pub fn wake_by(&self, wake: impl Fn(Event) + Send + Sync + 'static) {
        _ = self.wake.set(Box::new(wake));
    }

    pub(super) fn wake(&self, event: Event) {
        if let Some(wake) = self.wake.get() {
            wake(event);
        }
    }

    /// All files were read: `desired` is what they and the fragments ask for. What was queued meanwhile is newer.
    pub(super) fn stock(
        &self,
        state_dir: &Path,
        (foundation, default_host): (Foundation, Option<IpAddr>),
        desired: &Desired,
        fragments: &[Source],
    ) {
        let mut shelf = Shelf::new(folder(state_dir), foundation, desired, fragments);
        shelf.default_host = default_host;
        let mut held = self.lock();
        for Queued { id, fragment, .. } in &held.queue {
            shelf.put(id, fragment.clone());
        }
        let before = std::mem::replace(&mut held.shelf, shelf);
        drop(held);
        // A large one takes a while to free, which is nobody's wait.
        drop(before);
    }

    /// What was queued, for the loop.
    pub(super) fn take(&self) -> Option<Part> {
        let held = &mut *self.lock();
        let queue = std::mem::take(&mut held.queue);
        let mut all = Part { services: BTreeSet::new(), desired: Desired::default(), look: BTreeSet::new() };
        for Queued { id, mut services, part, fragment, mut waiting } in queue {
            held.asked.heard(&services);
            // What is deleted may have come to be the files' meanwhile, which have their say.
            if let (None, Some(foundation)) = (&fragment, &held.shelf.foundation) {
                services.retain(|key| foundation.claim(key).is_none());
                waiting.services.clone_from(&services);
            }
            let claim = fragment.as_ref().and_then(|fragment| held.shelf.claim(&fragment.offer));
            if let Some(claim) = claim {
                // A later change may have put another one there.
                if held.shelf.get(&id).zip(fragment.as_ref()).is_some_and(|(one, other)| Arc::ptr_eq(one, other)) {
                    held.shelf.put(&id, None);
                }
                _ = waiting.done.send(Outcome::Claimed(claim.words));
                continue;
            }
            all.services.extend(&services);
            all.desired.put_part(&services, part);
            held.waiting.push(waiting);
        }
        for waiting in held.looks.drain(..) {
            all.look.extend(&waiting.services);
            held.waiting.push(waiting);
        }
        (!all.services.is_empty() || !all.look.is_empty()).then_some(all)
    }

    /// A pass has ended.
    pub(super) fn passed(&self, covers: &dyn Fn(&ServiceKey) -> bool, result: &Result<Report, PassError>) {
        let mut held = self.lock();
        held.asked.passed(covers, result);
        held.waiting.retain(|waiting| !waiting.done.is_closed());
        let (over, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut held.waiting).into_iter().partition(|waiting| waiting.services.iter().all(covers));
        held.waiting = rest;
        drop(held);
        for Waiting { services, concerns, done } in over {
            _ = done.send(outcome(&services, concerns, result));
        }
    }

    pub(super) fn known_ids(&self) -> Vec<String> {
        self.lock().shelf.ids()
    }

    pub(super) fn known(&self, id: &str) -> Option<Known> {
        self.lock().shelf.known(id)
    }

    pub(super) fn having(&self, destination: &str) -> Vec<String> {
        self.lock().shelf.having(destination)
    }

    pub(super) fn default_host(&self) -> Option<IpAddr> {
        self.lock().shelf.default_host
    }
}

fn outcome(services: &BTreeSet<ServiceKey>, concerns: Concerns, result: &Result<Report, PassError>) -> Outcome {
    let report = match result {
        Ok(report) => report,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    if let Some(refused) = &report.refused {
        return Outcome::Failed(refused.to_string());
    }
    let concerned = |destination: Option<&DestinationKey>| match concerns {
        Concerns::Service => destination.is_none(),
        Concerns::Destination(only) => destination.is_none_or(|destination| *destination == only),
        Concerns::All => true,
    };
    let failed = report.outcomes().filter(|(step, result)| {
        let operation = &step.operation;
        services.contains(operation.service()) && concerned(operation.destination()) && !result.is_ok()
    });
    let words: Vec<String> =
        failed.map(|(step, result)| format!("{}: {result}", operation_line(&step.operation))).collect();
    if words.is_empty() { Outcome::Done } else { Outcome::Failed(words.join("; ")) }
}
