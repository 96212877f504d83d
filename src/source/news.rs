//! Where a source's news go.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::reconcile::Event;

/// See the module.
pub struct News<T> {
    /// The loop.
    pub wake: Box<dyn Fn(Event) + Send + Sync>,
    /// Keeps what is known over a restart; not called on a thread that others wait on.
    pub keep: Arc<dyn Fn(&T) + Send + Sync>,
}

/// Hands out what is to be kept.
pub(super) struct Keeper<T> {
    pub news: Arc<News<T>>,
    kept: watch::Sender<Option<Arc<T>>>,
}

impl<T: Send + Sync + 'static> Keeper<T> {
    /// Begins to keep, on the runtime that this is called in.
    pub(super) fn start(news: News<T>) -> Self {
        let keeper = Self { news: Arc::new(news), kept: watch::channel(None).0 };
        tokio::spawn(keep(keeper.kept.subscribe(), Arc::clone(&keeper.news)));
        keeper
    }

    /// Keeps that, when what was given before is written.
    pub(super) fn keep(&self, known: Arc<T>) {
        self.kept.send_replace(Some(known));
    }
}

/// Writes what is known, one after the other, the last of many that wait.
async fn keep<T: Send + Sync + 'static>(mut latest: watch::Receiver<Option<Arc<T>>>, news: Arc<News<T>>) {
    while latest.changed().await.is_ok() {
        let Some(known) = latest.borrow_and_update().clone() else { continue };
        let (keep, begun) = (Arc::clone(&news.keep), Instant::now());
        // It has panicked, which is logged.
        _ = spawn_blocking(move || keep(&known)).await;
        // However much it is, and however often it changes, most of the time is free.
        sleep(begun.elapsed() * 4).await;
    }
}
