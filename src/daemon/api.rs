//! What the HTTP side gets of the daemon.

use std::net::IpAddr;
use std::sync::Arc;

use super::control::{StatusCell, overlay_verdicts};
use super::offers::Offers;
use crate::api::{About, Answering, Backstage, Edit, Known, NotDone, Sample};
use crate::model::ServiceKey;
use crate::reconcile::{Event, Now, ServiceStatus, Status, Verdicts};

/// [`Backstage`] of a running daemon.
pub struct Backroom {
    pub about: About,
    /// What the loop posted last.
    pub board: StatusCell,
    /// What the checkers say at the moment.
    pub verdicts: Box<dyn Fn() -> Arc<Verdicts> + Send + Sync>,
    /// Wakes the loop.
    pub wake: Box<dyn Fn(Event) + Send + Sync>,
    /// What came over the API: [`FileSource::offers`](super::FileSource::offers).
    pub offers: Arc<Offers>,
}

impl Backstage for Backroom {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        let mut status = self.board.get();
        let Now { at, unix } = Now::read();
        overlay_verdicts(Arc::make_mut(&mut status), &(self.verdicts)(), at, unix);
        status
    }

    fn sample(&self) -> Arc<Sample> {
        Arc::default()
    }

    fn wake(&self, event: Event) {
        (self.wake)(event);
    }

    fn unix(&self) -> u64 {
        Now::read().unix
    }

    fn known_ids(&self) -> Vec<String> {
        self.offers.known_ids()
    }

    fn known(&self, id: &str) -> Option<Known> {
        self.offers.known(id)
    }

    fn having(&self, destination: &str) -> Vec<String> {
        self.offers.having(destination)
    }

    /// Not from a picture of everything with all that the checks say.
    fn service_status(&self, service: &ServiceKey) -> Option<ServiceStatus> {
        let board = self.board.get();
        let mut part = Status { overrides: board.overrides.part(&[*service].into()), ..Status::default() };
        part.services.insert(*service, board.services.get(service)?.clone());
        drop(board);
        let all = (self.verdicts)();
        let mut verdicts = Verdicts::default();
        for destination in part.services.values().flat_map(|service| service.destinations.keys()) {
            if let Some(verdict) = all.destinations.get(&(*service, *destination)) {
                verdicts.destinations.insert((*service, *destination), verdict.clone());
            }
        }
        let Now { at, unix } = Now::read();
        overlay_verdicts(&mut part, &verdicts, at, unix);
        part.services.remove(service)
    }

    fn change(&self, id: String, edit: Edit) -> Answering<Result<(), NotDone>> {
        Arc::clone(&self.offers).change(id, edit)
    }

    fn default_host(&self) -> Option<IpAddr> {
        self.offers.default_host()
    }

    fn resolve(&self, host: String) -> Answering<Result<IpAddr, String>> {
        self.offers.resolve(host)
    }
}
