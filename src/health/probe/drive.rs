//! Connections of hyper that are driven by the run that uses them: no task of their own, so none stays behind.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

/// Waits for `work`, and calls `connection` whenever there may be something to do for the connection.
pub(super) async fn alongside<T>(mut connection: impl FnMut(&mut Context<'_>), work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        connection(context);
        work.as_mut().poll(context)
    })
    .await
}

type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a connection of HTTP/2 consists of. Hyper would spawn these; here they end with this.
#[derive(Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    /// What came up since.
    new: Arc<Mutex<Vec<Part>>>,
}

/// Where hyper hands over a part. It holds no part itself, or the parts would keep each other.
#[derive(Clone)]
pub(super) struct Executor(Weak<Mutex<Vec<Part>>>);

impl Parts {
    pub(super) fn executor(&self) -> Executor {
        Executor(Arc::downgrade(&self.new))
    }

    pub(super) fn add(&mut self, part: impl Future<Output = ()> + Send + 'static) {
        self.parts.push(Box::pin(part));
    }

    /// Gives each part its turn, also those that come up on the way.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) {
        self.turn(context, 0);
        loop {
            let known = self.parts.len();
            self.parts.append(&mut self.new.lock().unwrap_or_else(PoisonError::into_inner));
            if self.parts.len() == known {
                return;
            }
            self.turn(context, known);
        }
    }

    fn turn(&mut self, context: &mut Context<'_>, from: usize) {
        let mut index = 0;
        self.parts.retain_mut(|part| {
            index += 1;
            index <= from || part.as_mut().poll(context) == Poll::Pending
        });
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, part: F) {
        if let Some(new) = self.0.upgrade() {
            new.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(part));
        }
    }
}
