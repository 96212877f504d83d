//! The configuration of the daemon: files that are watched, and what came over the API, which stands on them.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::containers::Containers;
use super::facts::facts;
use super::last_good::{self, LastGood};
use super::moved::Moved;
use super::offers::{Offers, folder};
use crate::config::{self, Circumstances, Input, Problems, Source};
use crate::model::{Desired, Record, ServiceKey};
use crate::reconcile::{Config, ConfigSource, Event, Part, PassError, Report};
use crate::watch::{FileWatcher, WatchTrouble};

/// How often the files are read where they cannot be watched.
const POLL: Duration = Duration::from_secs(2);
/// Files that include others are read again so many times, since what they include was not watched while it was read.
const MOST_LOOKS: usize = 3;

/// What was read last, good or bad.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Nothing,
    /// All of it, what parameters stand for included.
    Whole(Box<Input>),
    /// Not all of it could be read; the text of why.
    Unreadable(String),
}

/// Configuration files, read again when they may have changed.
pub struct FileSource {
    paths: Vec<PathBuf>,
    state_dir: Option<PathBuf>,
    /// The state directory in use; it cannot be changed while running.
    state_dir_in_use: Option<PathBuf>,
    seen: Seen,
    /// What was wrong the last time, if it was refused, and in which files: with what came over the API, it may be good without any
    /// change of a file.
    refused: Option<(Seen, String)>,
    offers: Arc<Offers>,
    containers: Containers,
    moved: Moved,
    last_good: LastGood,
    /// Keep `offers` stocked, whether the configuration has an API or not, with that address for services that have none.
    always_stocked: Option<Option<IpAddr>>,
    /// The files that were accepted last.
    accepted: Option<Arc<Vec<Source>>>,
    watcher: Option<FileWatcher>,
    /// The trouble with watching that was said last.
    trouble: Option<String>,
}

impl FileSource {
    /// Files or directories, by absolute paths; `state_dir` overrides what they say.
    pub fn new(paths: Vec<PathBuf>, state_dir: Option<PathBuf>) -> Self {
        Self {
            paths,
            state_dir,
            state_dir_in_use: None,
            seen: Seen::Nothing,
            refused: None,
            offers: Arc::default(),
            containers: Containers::default(),
            moved: Moved::default(),
            last_good: LastGood::default(),
            always_stocked: None,
            accepted: None,
            watcher: None,
            trouble: None,
        }
    }

    /// What comes over the API; known to it once the configuration was read, and has an API.
    pub fn offers(&self) -> Arc<Offers> {
        Arc::clone(&self.offers)
    }

    /// What is known of containers.
    pub fn containers(&self) -> &Containers {
        &self.containers
    }

    /// Lets what is owned stay in `desired` where nothing is known of containers yet.
    pub fn hold(&mut self, record: &Record, desired: &mut Desired) {
        self.containers.hold(record, desired);
    }

    /// Lets everything be changed by [`Self::offers`], whether the configuration has an API or not; for whoever brings a server
    /// of its own. `default_host` is the address of services that are put without one.
    #[must_use]
    pub fn with_offers(mut self, default_host: Option<IpAddr>) -> Self {
        self.always_stocked = Some(default_host);
        self
    }

    /// Where it is read from.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads the configuration for the first time.
    pub fn first(&mut self) -> Result<Desired, Problems> {
        let read = config::gather(&self.paths).whole();
        let mut desired = match read.and_then(|input| Ok((self.accept(&input)?, input))) {
            Ok((desired, input)) => {
                self.accepted = Some(Arc::clone(&input.sources));
                self.last_good.accepted(&input.sources);
                self.seen = Seen::Whole(Box::new(input));
                desired
            }
            // What was read counts as not seen: so it is refused as soon as the loop looks, with all that is wrong with it.
            Err(problems) => self.fall_back(problems)?,
        };
        self.offers.remember(&desired.state_dir);
        self.containers.recall(&desired.state_dir);
        self.moved = Moved::recall(&desired.state_dir);
        self.containers.lay(&mut desired);
        self.containers.in_force();
        self.state_dir_in_use = Some(desired.state_dir.clone());
        Ok(desired)
    }

    /// What was in force before this process, if it can be.
    fn fall_back(&mut self, problems: Problems) -> Result<Desired, Problems> {
        let state_dir = self.state_dir.clone().or_else(|| config::peek_state_dir(&self.paths));
        let state_dir = state_dir.unwrap_or_else(|| Desired::default().state_dir);
        self.before(&state_dir, "the configuration is not good: this starts with").ok_or(problems)
    }

    /// What was in force before this process, if that is known, and is another one; `what` is made of it is logged.
    fn before(&mut self, state_dir: &Path, what: &str) -> Option<Desired> {
        let (input, since) = last_good::recall(state_dir, &self.paths)?;
        if self.accepted.as_ref() == Some(&input.sources) {
            return None;
        }
        let desired = self.accept(&input).ok()?;
        error!("{what} the last good one, which came into force at {}", humantime::format_rfc3339_seconds(since));
        self.accepted = Some(input.sources);
        Some(desired)
    }

    /// Starts watching; where that is not possible, the files are polled.
    pub fn watch(&mut self, wake: impl Fn(Event) + Send + 'static) {
        match FileWatcher::start(self.paths.clone(), wake) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(trouble) => self.say(Some(trouble)),
        }
    }

    fn say(&mut self, trouble: Option<WatchTrouble>) {
        let trouble = trouble.map(|trouble| trouble.to_string());
        if trouble != self.trouble {
            match &trouble {
                Some(text) => warn!("{text}; the configuration is read every {}s instead", POLL.as_secs()),
                None => info!("the configuration can be watched again"),
            }
            self.trouble = trouble;
        }
    }

    /// Parses, with what came over the API, and applies what the command line overrides.
    fn accept(&self, input: &Input) -> Result<Desired, Problems> {
        let facts = facts();
        let Input { sources: files, environment, .. } = input;
        let circumstances = Circumstances { environment, facts: Some(&facts) };
        let read = |state_dir: &Path| config::read_fragments(&folder(state_dir));
        let parse = |fragments: &[Source]| config::parse_together(Arc::clone(files), fragments, circumstances);
        let known = self.state_dir.as_deref().or(self.state_dir_in_use.as_deref());
        let mut fragments = known.map(read).transpose()?.unwrap_or_default();
        let (mut parsed, mut foundation) = parse(&fragments)?;
        if known.is_none() {
            // Now it is known where to look.
            fragments = read(&parsed.desired.state_dir)?;
            if !fragments.is_empty() {
                (parsed, foundation) = parse(&fragments)?;
            }
        }
        let mut desired = parsed.desired;
        if !parsed.warnings.is_empty() {
            let sources: Vec<Source> = files.iter().chain(&fragments).cloned().collect();
            warn!("the configuration has warnings:\n{}", config::render(&sources, &parsed.warnings, false));
        }
        if let Some(state_dir) = &self.state_dir {
            desired.state_dir.clone_from(state_dir);
        }
        if self.always_stocked.is_some() || desired.api.is_some() {
            let state_dir = self.state_dir_in_use.as_ref().unwrap_or(&desired.state_dir);
            let default_host = desired.api.as_ref().and_then(|api| api.default_host);
            let default_host = default_host.or(self.always_stocked.flatten());
            self.offers.stock(state_dir, (foundation, default_host), &desired, &fragments);
        }
        Ok(desired)
    }

    fn read(&mut self) -> Result<Input, Problems> {
        // First the watches, then the reading: what changes after it raises an event.
        if let Some(watcher) = &mut self.watcher {
            let trouble = watcher.refresh().err();
            self.say(trouble);
        }
        let mut input = config::gather(&self.paths);
        for _ in 0..MOST_LOOKS {
            let Some(watcher) = &mut self.watcher else { break };
            if !watcher.follow(&input.watched) {
                break;
            }
            // What is included now was not watched while it was read.
            let trouble = watcher.refresh().err();
            self.say(trouble);
            input = config::gather(&self.paths);
        }
        input.whole()
    }
}

impl FileSource {
    /// Whether that is what was read last.
    fn has_seen(&self, read: &Result<Input, Problems>) -> bool {
        match (&self.seen, read) {
            (Seen::Whole(seen), Ok(input)) => **seen == *input,
            (Seen::Unreadable(seen), Err(problems)) => *seen == problems.render(false),
            _ => false,
        }
    }
}

impl ConfigSource for FileSource {
    fn load(&mut self, afresh: bool) -> Config {
        let read = self.read();
        if self.has_seen(&read) && !afresh {
            return Config::Unchanged;
        }
        let accepted = match read {
            Ok(input) => {
                let accepted = self.accept(&input);
                if accepted.is_ok() {
                    self.last_good.accepted(&input.sources);
                    self.accepted = Some(Arc::clone(&input.sources));
                }
                self.seen = Seen::Whole(Box::new(input));
                accepted
            }
            Err(problems) => {
                self.seen = Seen::Unreadable(problems.render(false));
                Err(problems)
            }
        };
        match accepted {
            Ok(mut desired) => {
                self.refused = None;
                if let Some(in_use) = self.state_dir_in_use.as_ref().filter(|in_use| **in_use != desired.state_dir) {
                    warn!(in_use = %in_use.display(), "daemon.state_dir takes effect with a restart");
                    desired.state_dir.clone_from(in_use);
                }
                self.containers.lay(&mut desired);
                info!(
                    services = desired.table.services.len(),
                    destinations = desired.table.destination_count(),
                    "the configuration is accepted"
                );
                Config::New(Box::new(desired))
            }
            Err(problems) => {
                let problems = problems.render(false);
                let refused = Some((self.seen.clone(), problems.clone()));
                // It was said, and is so still. Whoever saves the same mistake once more is told once more.
                if std::mem::replace(&mut self.refused, refused.clone()) == refused && !afresh {
                    return Config::Unchanged;
                }
                error!("the configuration is refused, the last good one stays in force:\n{problems}");
                Config::Refused(problems)
            }
        }
    }

    fn changed(&mut self) -> bool {
        let read = self.read();
        !self.has_seen(&read)
    }

    fn fingerprint(&self) -> Option<String> {
        self.accepted.as_ref().map(|sources| fingerprint(sources))
    }

    fn poll(&self) -> Option<Duration> {
        (self.watcher.is_none() || self.trouble.is_some()).then_some(POLL)
    }

    fn part(&mut self) -> Option<Part> {
        let part = self.offers.take();
        if part.is_some() && self.refused.is_some() {
            self.seen = Seen::Nothing;
            self.offers.wake(Event::Files);
        }
        if let Some(part) = &part {
            self.containers.note(part);
        }
        let Some(of_containers) = self.containers.part() else { return part };
        self.moved.extend(&of_containers.services);
        let Some(mut part) = part else { return Some(of_containers) };
        let Part { services, desired, look } = of_containers;
        part.desired.put_part(&services, desired);
        part.services.extend(services);
        part.look.extend(look);
        Some(part)
    }

    fn replaces(&mut self, before: &Desired, desired: &mut Desired) {
        self.containers.replaces(before, desired);
    }

    fn in_force(&mut self) {
        self.containers.in_force();
        self.last_good.in_force();
    }

    fn recall(&mut self, record: &Record) -> Option<Box<Desired>> {
        let state_dir = self.state_dir_in_use.clone()?;
        let mut desired = self.before(&state_dir, "the configuration may not come into force: this goes on with")?;
        desired.state_dir = state_dir;
        self.last_good.refused();
        self.seen = Seen::Nothing;
        self.containers.lay(&mut desired);
        self.containers.in_force();
        self.containers.hold(record, &mut desired);
        Some(Box::new(desired))
    }

    fn asked(&self) -> BTreeSet<ServiceKey> {
        let mut asked = self.offers.asked();
        asked.extend(self.moved.services());
        asked
    }

    fn passed(&mut self, covers: &dyn Fn(&ServiceKey) -> bool, result: &Result<Report, PassError>) {
        self.moved.passed(covers, result);
        self.offers.passed(covers, result);
        let is_refused = matches!(result, Ok(report) if report.refused.is_some());
        if let Some(state_dir) = self.state_dir_in_use.as_ref().filter(|_| !is_refused) {
            self.last_good.keep(state_dir, &self.paths);
        }
    }
}

/// As `cat FILES | sha256sum` has it.
fn fingerprint(sources: &[Source]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for source in sources {
        context.update(source.text.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
