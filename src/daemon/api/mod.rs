//! What the HTTP side gets of the daemon.

mod workshop;

pub use workshop::{OpenHost, OpenKernel, Workshop};

use std::sync::Arc;

use serde_json::Value;

use super::HookRunner;
use super::control::{StatusCell, overlay_verdicts};
use crate::api::{About, Answering, Backstage, Broadcast, Order, Ordered, Refusal, Sample};
use crate::model::Hooks;
use crate::reconcile::{Event, Listener, Notice, Now, Passed, Status, Verdicts};

/// [`Backstage`] of a running daemon.
pub struct Backroom {
    pub about: About,
    /// What the loop posted last.
    pub board: StatusCell,
    /// What the checkers say at the moment.
    pub verdicts: Box<dyn Fn() -> Arc<Verdicts> + Send + Sync>,
    /// Wakes the loop.
    pub wake: Arc<dyn Fn(Event) + Send + Sync>,
    /// What happens.
    pub broadcast: Broadcast,
    /// For what takes a while.
    pub workshop: Arc<Workshop>,
}

/// Tells hooks and streams what happens.
pub struct Ears<'a> {
    pub hooks: &'a mut HookRunner,
    pub broadcast: Broadcast,
}

impl Listener for Ears<'_> {
    fn notice(&mut self, notice: &Notice) {
        self.hooks.notice(notice);
        self.broadcast.notice(notice);
    }

    fn passed(&mut self, passed: Passed<'_>) {
        self.broadcast.passed(passed);
    }

    fn configure(&mut self, hooks: Option<&Hooks>) {
        self.hooks.configure(hooks);
    }
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

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn order(&self, order: Order) -> Answering<Result<Ordered, Refusal>> {
        let wake = Arc::clone(&self.wake);
        let workshop = Arc::clone(&self.workshop);
        Box::pin(workshop.order(order, self.status(), move || wake(Event::Overrides)))
    }

    fn plan(&self) -> Answering<Result<Value, Refusal>> {
        Box::pin(Arc::clone(&self.workshop).plan(self.status()))
    }
}

#[cfg(test)]
mod tests;
