//! Whom the loop tells what happens: the hooks, and the HTTP side.

use std::sync::Arc;

use crate::api::Broadcast;
use crate::daemon::HookRunner;
use crate::model::{Api, Desired};
use crate::reconcile::{Listener, Notice, Passed, Why};

/// See the module.
pub struct Audience<W> {
    hooks: HookRunner,
    broadcast: Broadcast,
    /// Is told how the HTTP side is wanted.
    want: W,
}

impl<W: FnMut(Option<Arc<Api>>)> Audience<W> {
    pub fn new(hooks: HookRunner, broadcast: Broadcast, want: W) -> Self {
        Self { hooks, broadcast, want }
    }
}

impl<W: FnMut(Option<Arc<Api>>)> Listener for Audience<W> {
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
        (self.want)(desired.api.clone().map(Arc::new));
    }
}
