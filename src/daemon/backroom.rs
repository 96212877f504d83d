//! What the HTTP side gets of the daemon.

use std::sync::Arc;

use super::control::{StatusCell, overlay_verdicts};
use crate::api::{About, Backstage, Sample};
use crate::reconcile::{Event, Now, Status, Verdicts};

/// [`Backstage`] of a running daemon.
pub struct Backroom {
    pub about: About,
    /// What the loop posted last.
    pub board: StatusCell,
    /// What the checkers say at the moment.
    pub verdicts: Box<dyn Fn() -> Arc<Verdicts> + Send + Sync>,
    /// Wakes the loop.
    pub wake: Box<dyn Fn(Event) + Send + Sync>,
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
}
