//! What the HTTP side gets of the daemon.

mod audience;
mod http;
mod overlaid;
mod workshop;

pub use audience::Audience;
pub use http::Http;
pub use overlaid::Overlaid;
pub use workshop::{OpenHost, OpenKernel, Workshop};

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::offers::Offers;
use super::sampler::SampleReader;
use crate::api::{About, Answering, Backstage, Broadcast, Edit, Known, NotDone, Order, Ordered, Refusal, Sample};
use crate::model::ServiceKey;
use crate::reconcile::{Event, Now, ServiceStatus, Status, Verdicts};

/// [`Backstage`] of a running daemon.
pub struct Backroom {
    pub about: About,
    /// What the loop posted last, and what the checkers say at the moment.
    pub overlaid: Arc<Overlaid>,
    /// Wakes the loop.
    pub wake: Arc<dyn Fn(Event) + Send + Sync>,
    /// The kernel's counters.
    pub sample: SampleReader,
    /// What happens.
    pub broadcast: Broadcast,
    /// For what takes a while.
    pub workshop: Arc<Workshop>,
    /// What came over the API: [`FileSource::offers`](super::FileSource::offers).
    pub offers: Arc<Offers>,
}

impl Backstage for Backroom {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        self.overlaid.status()
    }

    fn posted(&self) -> Arc<Status> {
        self.overlaid.posted()
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        self.overlaid.verdicts()
    }

    fn sample(&self) -> Arc<Sample> {
        self.sample.get()
    }

    fn wake(&self, event: Event) {
        (self.wake)(event);
    }

    fn unix(&self) -> u64 {
        Now::read().unix
    }

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn order(&self, order: Order) -> Answering<Result<Ordered, Refusal>> {
        let wake = Arc::clone(&self.wake);
        let workshop = Arc::clone(&self.workshop);
        let overlaid = Arc::clone(&self.overlaid);
        Box::pin(workshop.order(order, move || overlaid.status(), move || wake(Event::Overrides)))
    }

    fn plan(&self) -> Answering<Result<Value, Refusal>> {
        let overlaid = Arc::clone(&self.overlaid);
        Box::pin(Arc::clone(&self.workshop).plan(move || overlaid.status()))
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
        self.overlaid.service(service)
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

#[cfg(test)]
mod tests;
