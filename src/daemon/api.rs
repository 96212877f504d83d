//! What the HTTP side gets of the daemon.

use std::net::IpAddr;
use std::sync::Arc;

use super::control::{StatusCell, overlay_verdicts, service_status};
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

    fn service_status(&self, service: &ServiceKey) -> Option<ServiceStatus> {
        let Now { at, unix } = Now::read();
        service_status(&self.board.get(), &(self.verdicts)(), service, at, unix)
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
