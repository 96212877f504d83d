//! What events said of containers before a list can: who was told to stop, who has died, who has started since. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// An engine tells of a death before its lists do: for a moment they have the container still, and running.
pub(super) const SETTLED: Duration = Duration::from_secs(5);
/// So many containers are remembered.
const MOST: usize = 65_536;

/// Why a container that is listed gets no new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It was told to stop.
    Told(Instant),
    /// It has died. A list that has it still means that it runs again only if it was begun [`SETTLED`] after this.
    Died(Instant),
    /// It runs again: where, only a list says that was begun after this.
    Started(Instant),
    /// So it was before a restart, which is not known any better.
    Before(Instant),
}

/// See the module. By the IDs of containers.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: BTreeMap<String, Mark>,
    /// They got a signal, and are asked whether that tells them to stop.
    asked: BTreeSet<String>,
}

impl Marks {
    /// These were stopping before.
    pub(super) fn of(stopping: &BTreeSet<String>, now: Instant) -> Self {
        let marks = stopping.iter().map(|id| (id.clone(), Mark::Before(now))).collect();
        Self { marks, asked: BTreeSet::new() }
    }

    /// Whether that is news.
    pub(super) fn told(&mut self, id: String, now: Instant) -> bool {
        match self.marks.get(&id) {
            // The first word counts for how long it has been; and what has died hears nothing.
            Some(Mark::Told(_) | Mark::Died(_)) => false,
            _ => self.set(id, Mark::Told(now)),
        }
    }

    /// Whether that is news.
    pub(super) fn died(&mut self, id: String, now: Instant) -> bool {
        self.asked.remove(&id);
        self.set(id, Mark::Died(now))
    }

    /// `before`: while nobody listened, so that the list that comes next is newer.
    pub(super) fn started(&mut self, id: &str, before: bool, now: Instant) {
        self.asked.remove(id);
        if before {
            self.marks.remove(id);
        } else if let Some(mark) = self.marks.get_mut(id) {
            *mark = Mark::Started(now);
        }
    }

    fn set(&mut self, id: String, mark: Mark) -> bool {
        if id.is_empty() || (self.marks.len() >= MOST && !self.marks.contains_key(&id)) {
            return false;
        }
        self.marks.insert(id, mark).is_none()
    }

    /// It is asked what tells it to stop.
    pub(super) fn ask(&mut self, id: &str) {
        if self.asked.len() < MOST {
            self.asked.insert(id.to_owned());
        }
    }

    /// Whether what it answers is of any use: it may have died since, or have started anew.
    pub(super) fn is_asked(&self, id: &str) -> bool {
        self.asked.contains(id)
    }

    /// Nobody answers any more.
    pub(super) fn ask_no_more(&mut self) {
        self.asked.clear();
    }

    pub(super) fn is_marked(&self, id: &str) -> bool {
        self.marks.contains_key(id)
    }

    /// Whether it has died, as far as is known.
    pub(super) fn is_dead(&self, id: &str) -> bool {
        matches!(self.marks.get(id), Some(Mark::Died(_)))
    }

    /// No list comes that could say where they run: what was known is as good as any.
    pub(super) fn believe_starts(&mut self) {
        self.marks.retain(|_, mark| !matches!(mark, Mark::Started(_)));
    }

    /// A list has come that was begun then. Gives those that do not stop.
    pub(super) fn forget(
        &mut self,
        listed: &BTreeSet<&str>,
        (begun, now): (Instant, Instant),
        stop_timeout: Duration,
    ) -> Vec<String> {
        let mut running = Vec::new();
        self.marks.retain(|id, mark| {
            // It may come to be listed: a signal can be faster than a list.
            let is_listed = listed.contains(id.as_str());
            match *mark {
                Mark::Died(at) if is_listed => begun < at + SETTLED,
                Mark::Started(at) => begun < at,
                Mark::Died(at) => at >= begun,
                Mark::Told(at) | Mark::Before(at) if !is_listed => at >= begun,
                Mark::Told(at) | Mark::Before(at) => {
                    let too_long = now.saturating_duration_since(at) >= stop_timeout;
                    if too_long {
                        running.push(id.clone());
                    }
                    !too_long
                }
            }
        });
        running
    }
}
