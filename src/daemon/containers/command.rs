//! What commands know of containers and names, which only a daemon follows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::kept;
use super::lay::{AllGiven, Held, HeldKeys, Laid};
use crate::model::{Desired, Record};
use crate::reconcile::Place;
use crate::source::docker::Snapshot;
use crate::source::names::{Answers, Lookups, System, learn, once};

/// So many names are looked up at a time: somebody waits.
const MOST_AT_ONCE: usize = 16;

/// Lays what is known over a configuration that a command has read: what the daemon saw last, and what the names stand for that were
/// looked up for it.
pub(in crate::daemon) fn lay_known(desired: &mut Desired, state_dir: &Path, looked_up: Answers) {
    let Some(laid) = Laid::of(desired) else { return };
    let known = kept::DOCKER.read(state_dir);
    let mut all = known.map(|known| laid.gather(&known).0).unwrap_or_default();
    let mut answers: Answers = kept::NAMES.read(state_dir).unwrap_or_default();
    for (host, found) in looked_up {
        // As the daemon would: the first of a name stays the first.
        let known = answers.entry(host).or_default();
        *known = learn(known, &found).addresses;
    }
    laid.resolve(&mut all, &answers, &Held::new());
    for (key, given) in all {
        laid.put(desired, key, &given, &BTreeSet::new());
    }
}

/// What a command has not found out, and goes by.
#[derive(Debug, Default)]
pub struct Stays {
    /// What stays for names that are not known, in words.
    pub words: Vec<String>,
    answers: Answers,
    held: HeldKeys,
}

impl Stays {
    /// Keeps what was gone by, so that the next pass by hand, and the daemon, go on from there.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub fn keep(&self, state_dir: &Path) -> io::Result<()> {
        let place = Place::here().map_err(io::Error::other)?;
        if !self.answers.is_empty() {
            kept::NAMES.write(state_dir, &place, &self.answers)?;
        }
        if self.held.is_empty() {
            kept::HELD.remove(state_dir)
        } else {
            kept::HELD.write(state_dir, &place, &self.held)
        }
    }
}

/// For a command that makes or shows a plan: where the daemon has kept nothing, what is owned of services that ask for containers
/// stays, and so it does where a name is not known.
pub fn hold_unknown(desired: &mut Desired, record: &Record, state_dir: &Path) -> Stays {
    let Some(laid) = Laid::of(desired) else { return Stays::default() };
    let mut all = AllGiven::new();
    if kept::DOCKER.read::<Snapshot>(state_dir).is_none() {
        all = laid.hold(record);
    }
    let answers = laid.answered();
    let held = laid.hold_names(record, &answers, &kept::HELD.read(state_dir).unwrap_or_default());
    if !held.is_empty() {
        laid.resolve(&mut all, &answers, &held);
    }
    for (key, given) in all {
        laid.put(desired, key, &given, &BTreeSet::new());
    }
    Stays {
        words: held.iter().filter_map(|(key, held)| laid.what_stays(key, held, &answers)).collect(),
        held: laid.held_keys(&held, &answers),
        // Of those that are not known nothing is.
        answers: answers.into_iter().filter(|(_, known)| !known.is_empty()).collect(),
    }
}

/// Looks up the names of a configuration for a command: what they stand for, and why that is not known of the others.
pub(in crate::daemon) fn look_up(desired: &Desired) -> (Answers, BTreeMap<String, String>) {
    let named = desired.policies.values().flat_map(|policy| &policy.named);
    let hosts: BTreeSet<String> = named.map(|named| named.host.clone()).collect();
    if hosts.is_empty() {
        return Default::default();
    }
    let late = |why: io::Error| hosts.iter().map(|host| (host.clone(), why.to_string())).collect();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return (Answers::new(), late(error)),
    };
    let found = runtime.block_on(once(hosts.clone(), &Lookups::new(System, MOST_AT_ONCE)));
    // A resolver that hangs is not waited for.
    runtime.shutdown_background();
    found
}
