//! Whom the loop tells what happens: the hooks, the HTTP side, and the service manager.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::Broadcast;
use crate::daemon::{Announcer, HookRunner};
use crate::model::{Api, Desired};
use crate::reconcile::{Listener, Notice, Passed, Why};

/// See the module.
pub struct Audience<W> {
    hooks: HookRunner,
    broadcast: Broadcast,
    /// Is told how the HTTP side is wanted.
    want: W,
    announcer: Option<Announcer>,
}

impl<W: FnMut(Option<Arc<Api>>)> Audience<W> {
    pub fn new(hooks: HookRunner, broadcast: Broadcast, want: W) -> Self {
        Self { hooks, broadcast, want, announcer: None }
    }

    /// Has the service manager told as well, if there is one.
    #[must_use]
    pub fn with_announcer(self, announcer: Option<Announcer>) -> Self {
        Self { announcer, ..self }
    }
}

impl<W: FnMut(Option<Arc<Api>>)> Listener for Audience<W> {
    fn notice(&mut self, notice: &Notice) {
        self.hooks.notice(notice);
        self.broadcast.notice(notice);
        self.announcer.iter_mut().for_each(Announcer::news);
    }

    fn begins(&mut self, why: Why) {
        self.broadcast.begins(why);
        self.announcer.iter_mut().for_each(|announcer| announcer.begins(why));
    }

    fn passed(&mut self, passed: Passed<'_>) {
        self.broadcast.passed(passed);
        self.announcer.iter_mut().for_each(|announcer| announcer.passed(&passed));
    }

    fn rests(&mut self, now: Instant) -> Option<Duration> {
        self.announcer.as_mut()?.rests(now)
    }

    fn configure(&mut self, desired: &Desired) {
        self.hooks.configure(desired);
        (self.want)(desired.api.clone().map(Arc::new));
    }
}
