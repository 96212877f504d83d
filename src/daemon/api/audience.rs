//! Whom the loop tells what happens: the hooks, and the HTTP side.

use std::sync::Arc;

use tokio::sync::watch;

use crate::api::Broadcast;
use crate::daemon::HookRunner;
use crate::model::{Api, Desired};
use crate::reconcile::{Listener, Notice, Passed, Why};

/// See the module.
pub struct Audience {
    hooks: HookRunner,
    broadcast: Broadcast,
    /// How the HTTP side is wanted.
    api: watch::Sender<Option<Arc<Api>>>,
}

impl Audience {
    pub fn new(hooks: HookRunner, broadcast: Broadcast, api: watch::Sender<Option<Arc<Api>>>) -> Self {
        Self { hooks, broadcast, api }
    }
}

impl Listener for Audience {
    fn notice(&mut self, notice: &Notice) {
        self.hooks.notice(notice);
        self.broadcast.notice(notice);
    }

    fn begins(&mut self, why: Why) {
        self.broadcast.begins(why);
    }

    fn passed(&mut self, passed: Passed<'_>) {
        self.broadcast.passed(passed);
    }

    fn configure(&mut self, desired: &Desired) {
        self.hooks.configure(desired);
        // Be it the same again: then its files are read again.
        self.api.send_replace(desired.api.clone().map(Arc::new));
    }
}
