//! The status as it is now: what the loop posted last, with what the checks say since.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::daemon::SourcesReader;
use crate::daemon::control::{StatusCell, overlay_verdicts, service_status};
use crate::model::ServiceKey;
use crate::reconcile::{Now, ServiceStatus, Status, Verdicts};

/// A status with the health of now serves all who ask within this time: to make one takes a copy of all of it.
const FRESH: Duration = Duration::from_millis(200);

/// What the checks say of these services, or of all.
type VerdictsReader = Box<dyn Fn(Option<&BTreeSet<ServiceKey>>) -> Arc<Verdicts> + Send + Sync>;

/// See the module.
pub struct Overlaid {
    /// What the loop posted last.
    board: StatusCell,
    /// What the checkers say at the moment.
    verdicts: VerdictsReader,
    sources: Option<SourcesReader>,
    last: Mutex<Option<Last>>,
}

/// A status with the health of a moment.
struct Last {
    /// What the loop had posted. Weak, so that the loop need not copy it to change it.
    of: Weak<Status>,
    at: Instant,
    status: Arc<Status>,
}

impl Overlaid {
    pub fn new(board: StatusCell, verdicts: VerdictsReader) -> Self {
        Self { board, verdicts, sources: None, last: Mutex::default() }
    }

    /// Says how that is which destinations come from, too.
    #[must_use]
    pub fn with_sources(mut self, sources: SourcesReader) -> Self {
        self.sources = Some(sources);
        self
    }

    pub fn posted(&self) -> Arc<Status> {
        self.board.get()
    }

    pub fn verdicts(&self) -> Arc<Verdicts> {
        (self.verdicts)(None)
    }

    pub fn status(&self) -> Arc<Status> {
        let Now { at, unix } = Now::read();
        let posted = self.board.get();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_now = |known: &&Last| {
            // As long as it is held, nothing else is where it was.
            known.of.as_ptr() == Arc::as_ptr(&posted) && at.saturating_duration_since(known.at) < FRESH
        };
        if let Some(known) = last.as_ref().filter(is_of_now) {
            return Arc::clone(&known.status);
        }
        let of = Arc::downgrade(&posted);
        let mut status = Arc::unwrap_or_clone(posted);
        overlay_verdicts(&mut status, &(self.verdicts)(None), at, unix);
        if let Some(sources) = &self.sources {
            sources(&mut status);
        }
        let status = Arc::new(status);
        *last = Some(Last { of, at, status: Arc::clone(&status) });
        status
    }
}

impl Overlaid {
    /// One service, and not from a picture of everything.
    pub fn service(&self, service: &ServiceKey) -> Option<ServiceStatus> {
        let Now { at, unix } = Now::read();
        let verdicts = (self.verdicts)(Some(&[*service].into()));
        service_status(&self.board.get(), &verdicts, service, at, unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Health;
    use crate::reconcile::{Board as _, DestinationStatus, Verdict};

    #[test]
    fn what_is_posted_shows_at_once_and_is_overlaid_once_for_many() {
        let web = "tcp://192.0.2.10:80".parse().unwrap();
        let first = "10.0.0.1:80".parse().unwrap();
        let asked = Arc::new(Mutex::new(0_u128));
        let counted = Arc::clone(&asked);
        let verdicts = Box::new(move |_: Option<&BTreeSet<ServiceKey>>| {
            *counted.lock().unwrap() += 1;
            let mut verdicts = Verdicts::default();
            let verdict = Verdict {
                health: Health::Down,
                reason: "tcp: refused".into(),
                since: Instant::now(),
                checks: Vec::new(),
            };
            verdicts.destinations.insert((web, first), verdict);
            Arc::new(verdicts)
        });
        let mut board = StatusCell::default();
        let room = Overlaid::new(board.clone(), verdicts);
        assert!(room.status().services.is_empty());
        let mut service = ServiceStatus { of: 1, ..ServiceStatus::default() };
        service.destinations.insert(first, DestinationStatus { configured: Some(1), ..DestinationStatus::default() });
        for pass_at in 1..50 {
            board.post(Status { pass_at, services: [(web, service.clone())].into(), ..Status::default() });
            assert_eq!(room.status().pass_at, pass_at, "what was posted last");
            let part = Status { pass_at: pass_at + 1000, ..Status::default() };
            board.amend(&[].into(), part);
            let (one, other) = (room.status(), room.status());
            assert_eq!(one.pass_at, pass_at + 1000, "and amended");
            assert!(Arc::ptr_eq(&one, &other) || *asked.lock().unwrap() > 0);
            assert_eq!(one.services[&web].destinations[&first].health, Some(Health::Down));
        }
        let before = *asked.lock().unwrap();
        let started = Instant::now();
        for _ in 0..1000 {
            room.status();
        }
        let most = 2 + started.elapsed().as_millis() / FRESH.as_millis();
        assert!(*asked.lock().unwrap() - before <= most);
    }
}
