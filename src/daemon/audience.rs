//! Whom the loop tells what happens: the hooks, and the HTTP side.

use std::sync::Arc;

use tokio::sync::watch;

use super::HookRunner;
use crate::model::{Api, Desired};
use crate::reconcile::{Listener, Notice};

/// See the module.
pub struct Audience {
    hooks: HookRunner,
    /// How the HTTP side is wanted.
    api: watch::Sender<Option<Arc<Api>>>,
}

impl Audience {
    pub fn new(hooks: HookRunner, api: watch::Sender<Option<Arc<Api>>>) -> Self {
        Self { hooks, api }
    }
}

impl Listener for Audience {
    fn notice(&mut self, notice: &Notice) {
        self.hooks.notice(notice);
    }

    fn configure(&mut self, desired: &Desired) {
        self.hooks.configure(desired);
        // Be it the same again: then its files are read again.
        self.api.send_replace(desired.api.clone().map(Arc::new));
    }
}
