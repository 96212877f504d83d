//! When the next pass is due, and why. Pure: time is a parameter.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A reason to look again. It carries no data: a pass re-reads its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Something moved where the configuration lives.
    Files,
    /// Somebody writes into a file of the configuration, and has not closed it yet.
    Writing,
    /// Somebody who wrote there has closed the file.
    Written,
    /// SIGHUP: look at once, and try at once what had failed.
    Reload,
    /// A verdict of the health checks has changed.
    Health,
    /// An operator gave an override, or took one back.
    Overrides,
    /// Something came over the API that is to be in force: look at once, and at that only.
    Api,
    /// The containers of the engine are others, or in another state.
    Docker,
    /// Names of destinations stand for other addresses.
    Names,
    /// SIGTERM or SIGINT: end, and leave the table as it is.
    Stop,
}

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub at: Instant,
    /// Seconds since 1970.
    pub unix: u64,
}

impl Now {
    /// This moment.
    pub fn read() -> Self {
        Self { at: Instant::now(), unix: unix_now() }
    }
}

/// Seconds since 1970; 0 before.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why a pass runs; several reasons make one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Why {
    pub start: bool,
    pub files: bool,
    pub reload: bool,
    pub resync: bool,
    pub retry: bool,
    /// A verdict has changed.
    pub health: bool,
    /// An operator gave an override.
    pub overrides: bool,
    /// Something came over the API.
    pub api: bool,
    /// The containers of the engine have changed.
    pub docker: bool,
    /// Names stand for other addresses.
    pub names: bool,
    /// A ramp has its next step, or a drain is looked at again.
    pub step: bool,
    /// Time to see whether the files have changed; by itself no reason for a pass.
    pub poll: bool,
}

impl Why {
    /// Whether it is one of the many looks that mostly find nothing to do.
    pub fn is_only_a_look(&self) -> bool {
        let Self { start, files, reload, resync, retry, health, overrides, api, docker, names, step, poll: _ } = *self;
        (health || step) && !(start || files || reload || resync || retry || overrides || api || docker || names)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, files, reload, resync, retry, health, overrides, api, docker, names, step, poll: _ } = *self;
        let words = [
            (start, "start"),
            (files, "files"),
            (reload, "reload"),
            (resync, "resync"),
            (retry, "retry"),
            (health, "health"),
            (overrides, "override"),
            (api, "api"),
            (docker, "docker"),
            (names, "names"),
            (step, "step"),
        ];
        let mut words = words.into_iter().filter_map(|(set, word)| set.then_some(word));
        f.write_str(words.next().unwrap_or("nothing"))?;
        words.try_for_each(|name| write!(f, "+{name}"))
    }
}

/// The file events that have not been looked at.
#[derive(Debug, Clone, Copy)]
struct Pending {
    first: Instant,
    last: Instant,
    /// A file is open for writing: what is in it now may be half of what will be.
    writing: bool,
}

/// The times that matter to the loop.
#[derive(Debug)]
pub struct Schedule {
    resync: Duration,
    next_resync: Instant,
    files: Option<Pending>,
    reload: bool,
    /// When changed verdicts are answered: they come in bursts.
    health: Option<Instant>,
    /// They are not answered before.
    health_rest: Instant,
    overrides: bool,
    api: bool,
    /// When changed containers are answered: they come in bursts, too.
    docker: Option<Instant>,
    /// The same of names.
    names: Option<Instant>,
    /// They are not answered before.
    docker_rest: Instant,
    step: Option<Instant>,
    retry: Option<Instant>,
    /// Look at the files this often, where they cannot be watched.
    poll: Option<Duration>,
    next_poll: Option<Instant>,
}

impl Schedule {
    /// A save comes as several events; the files are read when they have been still for so long …
    pub const QUIET: Duration = Duration::from_millis(100);
    /// … and at the latest so long after the first of them.
    pub const PATIENCE: Duration = Duration::from_secs(1);
    /// … or, while somebody is still writing, so long: a slow writer's half of a file may well be a good
    /// configuration of half the services.
    pub const PATIENCE_WITH_WRITERS: Duration = Duration::from_secs(10);

    /// Verdicts that change so soon after one another are answered by one pass.
    pub const BURST: Duration = Duration::from_millis(50);

    /// A schedule with its first resync one interval after `now`.
    pub fn new(resync: Duration, now: Instant) -> Self {
        Self {
            resync,
            next_resync: now + resync,
            files: None,
            reload: false,
            health: None,
            health_rest: now,
            overrides: false,
            api: false,
            docker: None,
            names: None,
            docker_rest: now,
            step: None,
            retry: None,
            poll: None,
            next_poll: None,
        }
    }

    /// Takes an event. `Stop` is the caller's.
    pub fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Files | Event::Writing | Event::Written => {
                let Pending { first, writing, .. } =
                    self.files.unwrap_or(Pending { first: now, last: now, writing: false });
                let writing = event == Event::Writing || (writing && event == Event::Files);
                self.files = Some(Pending { first, last: now, writing });
            }
            Event::Reload => self.reload = true,
            Event::Health => {
                let due = (now + Self::BURST).max(self.health_rest);
                self.health = Some(self.health.unwrap_or(due));
            }
            Event::Overrides => self.overrides = true,
            Event::Api => self.api = true,
            Event::Docker => {
                let due = (now + Self::BURST).max(self.docker_rest);
                self.docker = Some(self.docker.unwrap_or(due));
            }
            Event::Names => self.names = Some(self.names.unwrap_or(now + Self::BURST)),
            Event::Stop => {}
        }
    }

    /// Changes the interval between resyncs, counted from `now`.
    pub fn set_resync(&mut self, resync: Duration, now: Instant) {
        if resync != self.resync {
            self.resync = resync;
            self.next_resync = now + resync;
        }
    }

    /// A pass has ended: however long the answers to verdicts, or to containers, take, half of the time is free for all else. What
    /// was due anyway does not count. It does not come again soon, and a server that died meanwhile has clients that wait.
    pub fn passed(&mut self, why: Why, now: Instant, took: Duration) {
        if why.start || why.files || why.reload || why.resync {
            return;
        }
        if why.health {
            self.health_rest = now + took;
        }
        if why.docker {
            self.docker_rest = now + took;
        }
    }

    /// When something failed before, and may be tried again.
    pub fn set_retry(&mut self, at: Option<Instant>) {
        self.retry = at;
    }

    /// The same, for what one pass knows of: what waits already is not put off.
    pub fn bring_retry(&mut self, at: Option<Instant>) {
        self.retry = self.retry.into_iter().chain(at).min();
    }

    /// When a ramp or a drain wants to be looked at again.
    pub fn set_step(&mut self, at: Option<Instant>) {
        self.step = at;
    }

    /// The same, for what one pass knows of: what waits already is not put off.
    pub fn bring_step(&mut self, at: Option<Instant>) {
        self.step = self.step.into_iter().chain(at).min();
    }

    /// Looks at the files every `interval`, or only when told (`None`).
    pub fn set_poll(&mut self, interval: Option<Duration>, now: Instant) {
        if interval != self.poll {
            self.poll = interval;
            self.next_poll = interval.map(|interval| now + interval);
        }
    }

    fn files_due(&self) -> Option<Instant> {
        self.files.map(|Pending { first, last, writing }| match writing {
            true => first + Self::PATIENCE_WITH_WRITERS,
            false => (last + Self::QUIET).min(first + Self::PATIENCE),
        })
    }

    /// How long nothing is due, at `now`; zero if something is.
    pub fn wait(&self, now: Instant) -> Duration {
        if self.reload || self.overrides || self.api {
            return Duration::ZERO;
        }
        [
            Some(self.next_resync),
            self.files_due(),
            self.retry,
            self.next_poll,
            self.health,
            self.docker,
            self.names,
            self.step,
        ]
        .into_iter()
        .flatten()
        .min()
        .map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
    }

    /// What is due at `now`, if anything; it is not due any more after that. A resync comes one interval
    /// after the last one was taken, whatever else happens in between: no stream of events can starve it.
    pub fn take(&mut self, now: Instant) -> Option<Why> {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let why = Why {
            start: false,
            files: due(self.files_due()),
            reload: self.reload,
            resync: self.next_resync <= now,
            retry: due(self.retry),
            health: due(self.health),
            overrides: self.overrides,
            api: self.api,
            docker: due(self.docker),
            names: due(self.names),
            step: due(self.step),
            poll: due(self.next_poll),
        };
        if why == Why::default() {
            return None;
        }
        // A reload reads the files as well, so a waiting file event has nothing left to say. A resync or a poll does
        // not answer it: the files may be half written until they have been still for a while.
        if why.files || why.reload {
            self.files = None;
        }
        if why.files || why.reload || why.poll {
            self.next_poll = self.poll.map(|interval| now + interval);
        }
        if why.resync {
            self.next_resync = now + self.resync;
        }
        if why.retry {
            self.retry = None;
        }
        if why.health {
            self.health = None;
        }
        if why.docker {
            self.docker = None;
        }
        if why.names {
            self.names = None;
        }
        if why.step {
            self.step = None;
        }
        self.reload = false;
        self.overrides = false;
        self.api = false;
        Some(why)
    }
}

#[cfg(test)]
mod tests;
