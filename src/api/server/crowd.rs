//! How many connections there are, and who leaves when there are too many: whoever has asked nothing for longest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::AbortHandle;

/// So many at a time.
pub(super) const MOST: usize = 1024;

/// A connection, as the others see it.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Requests that are being answered.
    asking: AtomicUsize,
}

/// A request that is being answered, until it is dropped.
pub(super) struct Asking(Arc<Seat>);

impl Asking {
    pub(super) fn on(seat: &Arc<Seat>) -> Self {
        seat.asking.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(seat))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All connections, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Crowd(VecDeque<(Arc<Seat>, AbortHandle)>);

impl Crowd {
    /// Makes room for one more, be it that another one goes, and says whether there is.
    pub(super) fn has_room(&mut self) -> bool {
        if self.0.len() < MOST {
            return true;
        }
        self.0.retain(|(_, task)| !task.is_finished());
        if self.0.len() < MOST {
            return true;
        }
        let idle = self.0.iter().position(|(seat, _)| seat.asking.load(Ordering::Relaxed) == 0);
        let Some((_, task)) = idle.and_then(|index| self.0.remove(index)) else { return false };
        task.abort();
        true
    }

    pub(super) fn enter(&mut self, seat: Arc<Seat>, task: AbortHandle) {
        self.0.push_back((seat, task));
    }
}
