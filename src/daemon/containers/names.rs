//! What is known of names, for those who lay it over a configuration.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

use super::kept;
use super::lay::{Held, HeldKeys, Laid};
use crate::model::Record;
use crate::reconcile::{Event, NameStatus, Now, Place, unix_of};
use crate::source::News;
use crate::source::names::{Answers, Condition, Lookups, System, Wanted, Window, follow};

/// So many names are looked up at a time.
const MOST_LOOKUPS: usize = 4;

/// See the module.
pub(super) struct Names {
    window: Window,
    wanted: watch::Sender<Wanted>,
    lookups: Lookups,
    /// What services have while not all of their names are known.
    held: Held,
    /// The same, as it is kept over a restart.
    kept: HeldKeys,
    /// What was kept has been gone by.
    has_begun: bool,
    state_dir: Option<PathBuf>,
    /// What was gathered from last.
    seen: Option<Arc<Answers>>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            window: Window::default(),
            wanted: watch::channel(Wanted::default()).0,
            lookups: Lookups::new(System, MOST_LOOKUPS),
            held: Held::new(),
            kept: HeldKeys::new(),
            has_begun: false,
            state_dir: None,
            seen: None,
        }
    }
}

impl Names {
    /// Goes by what was kept until names have been looked up.
    pub(super) fn recall(&mut self, state_dir: &Path) {
        if let Some(known) = kept::NAMES.read(state_dir) {
            self.window = Window::new(known);
        }
        self.kept = kept::HELD.read(state_dir).unwrap_or_default();
        self.state_dir = Some(state_dir.to_owned());
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// Goes by what is on record where not all names are known, at a start.
    pub(super) fn hold(&mut self, laid: Option<&Laid>, record: &Record) {
        if let Some(laid) = laid {
            self.held = laid.hold_names(record, &self.answers(), &self.kept);
        }
        self.has_begun = true;
        self.keep(laid);
    }

    pub(super) fn hold_more(&mut self, held: Held) {
        self.held.extend(held);
    }

    /// What is held is found again by the next process, which cannot know what else of a service was taken out on purpose.
    fn keep(&mut self, laid: Option<&Laid>) {
        let held = laid.map(|laid| laid.held_keys(&self.held, &self.answers())).unwrap_or_default();
        let Some(state_dir) = self.state_dir.as_ref().filter(|_| self.has_begun && held != self.kept) else { return };
        let kept = if held.is_empty() {
            kept::HELD.remove(state_dir)
        } else {
            Place::here().map_err(io::Error::other).and_then(|place| kept::HELD.write(state_dir, &place, &held))
        };
        match kept {
            Ok(()) => self.kept = held,
            Err(error) => warn!("what stays for names that are not known is not kept over a restart: {error}"),
        }
    }

    /// As if that had been looked up.
    #[cfg(test)]
    pub(super) fn tell(&self, answers: Answers) {
        self.window.tell(answers);
    }

    pub(super) fn answers(&self) -> Arc<Answers> {
        self.window.answers()
    }

    /// Whether they are others than when this was asked last.
    pub(super) fn have_changed(&mut self) -> bool {
        let answers = self.answers();
        let is_same = self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &answers));
        self.seen = Some(answers);
        !is_same
    }

    /// Looks up the names of what has come into force.
    pub(super) fn want(&mut self, laid: Option<&Laid>) {
        let wanted = laid.map(|laid| Wanted { hosts: laid.hosts(), every: laid.every }).unwrap_or_default();
        let unknown = laid.map(|laid| laid.unknown(&self.answers())).unwrap_or_default();
        self.held.retain(|key, _| unknown.contains(key));
        self.keep(laid);
        self.seen = None;
        self.wanted.send_if_modified(|known| {
            let has_changed = *known != wanted;
            *known = wanted;
            has_changed
        });
    }

    pub(super) fn follower(
        &self,
        state_dir: &Path,
        place: Place,
        wake: impl Fn(Event) + Send + Sync + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let state_dir = state_dir.to_owned();
        let keep = move |answers: &Answers| {
            if let Err(error) = kept::NAMES.write(&state_dir, &place, answers) {
                warn!("what names stand for is not kept over a restart: {error}");
            }
        };
        let news = News { wake: Box::new(wake), keep: Arc::new(keep) };
        follow(self.wanted.subscribe(), self.window.clone(), self.lookups.clone(), news)
    }

    pub(super) fn reader(&self) -> impl Fn() -> Vec<NameStatus> + Send + Sync + 'static {
        let window = self.window.clone();
        move || {
            let now = Now::read();
            let of = |(name, condition, addresses)| {
                let Condition { known_at, trouble } = condition;
                NameStatus {
                    name,
                    addresses,
                    known_at: known_at.map(|at| unix_of(at, now)),
                    away_since: trouble.as_ref().map(|(_, at)| unix_of(*at, now)),
                    trouble: trouble.map(|(why, _)| why),
                }
            };
            window.view().into_iter().map(of).collect()
        }
    }
}
