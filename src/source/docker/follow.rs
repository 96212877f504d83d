//! Follows an engine: connects, listens, lists, and keeps what was seen where others find it. Nothing is decided here.

use std::collections::HashMap;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tracing::{debug, info, warn};

use super::client::{Client, LARGE, LONG, SHORT, SMALL};
use super::facts::{Listed, Snapshot};
use super::machine::{Condition, Heed, Machine, Terms, Word};
use super::swarm;
use super::wire::{Event, Info, Inspected, Summary, Version};
use crate::model::Docker;
use crate::reconcile::Event as Wake;

/// The newest version of the interface that this was written for.
const NEWEST: (u32, u32) = (1, 47);
/// So many containers are asked at a time what tells them to stop.
const MOST_INSPECTED: usize = 64;

/// What is known of an engine, for whoever asks.
#[derive(Debug, Default)]
struct Seen {
    snapshot: Arc<Snapshot>,
    condition: Condition,
    version: String,
    /// A list has come since the start.
    listed: bool,
}

/// The window on an engine. A clone is the same.
#[derive(Clone, Default)]
pub struct Window(Arc<Mutex<Seen>>);

/// What is to be shown of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// What the engine calls its version; empty before it was reached.
    pub version: String,
    /// Why it cannot be followed, and since when.
    pub trouble: Option<(String, Instant)>,
    /// When it was listed last.
    pub listed_at: Option<Instant>,
    pub containers: usize,
}

impl Window {
    /// One that shows what was known before.
    pub fn new(known: Snapshot) -> Self {
        Self(Arc::new(Mutex::new(Seen { snapshot: Arc::new(known), ..Seen::default() })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        // Whoever held it did nothing but copy, or replace what is whole at any time.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was seen last.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.with(|seen| Arc::clone(&seen.snapshot))
    }

    /// Whether the engine has been listed since the start.
    pub fn is_listed(&self) -> bool {
        self.with(|seen| seen.listed)
    }

    pub fn view(&self) -> View {
        self.with(|seen| View {
            version: seen.version.clone(),
            trouble: seen.condition.trouble.clone(),
            listed_at: seen.condition.listed_at,
            containers: seen.snapshot.containers.len(),
        })
    }
}

/// Where news go.
pub struct News {
    /// The loop.
    pub wake: Box<dyn Fn(Wake) + Send + Sync>,
    /// Keeps what is known over a restart; not called on a thread that others wait on.
    pub keep: Arc<dyn Fn(&Snapshot) + Send + Sync>,
}

/// Follows whichever engine is `wanted`, for ever.
pub async fn follow(mut wanted: watch::Receiver<Option<Arc<Docker>>>, window: Window, news: News) {
    let keeper = Keeper { news: Arc::new(news), kept: watch::channel(None).0 };
    tokio::spawn(keep(keeper.kept.subscribe(), Arc::clone(&keeper.news)));
    loop {
        let engine = wanted.borrow_and_update().clone();
        let work = async {
            match engine {
                None => pending::<()>().await,
                Some(engine) => Task::new(engine, window.clone(), &keeper).run().await,
            }
        };
        tokio::select! {
            () = work => {}
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

struct Keeper {
    news: Arc<News>,
    kept: watch::Sender<Option<Arc<Snapshot>>>,
}

/// Writes what is known, one after the other, the last of many that wait.
async fn keep(mut latest: watch::Receiver<Option<Arc<Snapshot>>>, news: Arc<News>) {
    while latest.changed().await.is_ok() {
        let Some(snapshot) = latest.borrow_and_update().clone() else { continue };
        let keep = Arc::clone(&news.keep);
        // It has panicked, which is logged.
        _ = tokio::task::spawn_blocking(move || keep(&snapshot)).await;
    }
}

struct Task<'k> {
    docker: Arc<Docker>,
    client: Client,
    window: Window,
    keeper: &'k Keeper,
    machine: Machine,
}

/// What there is to ask at a connected engine.
#[derive(Debug, Clone, Default)]
struct Paths {
    /// `/v1.41`, or nothing.
    prefix: String,
    swarm: bool,
}

type Listing = Pin<Box<dyn Future<Output = Result<Listed, String>> + Send>>;
type Signals = JoinSet<(String, u32, Result<u32, String>)>;

impl<'k> Task<'k> {
    fn new(docker: Arc<Docker>, window: Window, keeper: &'k Keeper) -> Self {
        let client = Client { endpoint: docker.endpoint.clone(), tls: docker.tls.clone() };
        let machine = Machine::new(Terms::from(&*docker), &window.snapshot(), Instant::now());
        Self { docker, client, window, keeper, machine }
    }

    async fn run(mut self) {
        loop {
            if let Err(why) = self.stay().await {
                self.machine.lost(why, Instant::now());
                self.tell();
            }
            match self.machine.retry_at() {
                Some(at) => sleep_until(at.into()).await,
                None => tokio::task::yield_now().await,
            }
        }
    }

    /// From a connection to its end.
    async fn stay(&mut self) -> Result<(), String> {
        let answer = self.client.get("/version", SMALL, SHORT).await?;
        let version: Version = answer.json()?;
        let prefix = prefix(&version);
        debug!(version = version.version, prefix, "the Docker engine answers");
        let swarm = self.docker.swarm && self.is_manager(&prefix).await;
        let paths = Paths { prefix, swarm };
        let since = self.machine.events_since(answer.clock);
        let mut events = self.client.stream(&events_path(&paths.prefix, since)).await?;
        self.window.with(|seen| seen.version.clone_from(&version.version));
        self.machine.connected(swarm, Instant::now());
        let mut listing: Option<Listing> = None;
        let mut signals = Signals::new();
        loop {
            let due = self.machine.due();
            tokio::select! {
                line = events.next() => {
                    let Some(first) = line? else { return Err("the stream of events has ended".to_owned()) };
                    // What came with it is looked at before anything is told: a burst is one change.
                    let (mut line, mut has_changed) = (Some(first), false);
                    while let Some(event) = line {
                        has_changed |= self.event(&event, &paths, &mut signals);
                        line = events.at_hand();
                    }
                    if has_changed {
                        self.tell();
                    }
                }
                listed = async { match &mut listing { Some(listing) => listing.await, None => pending().await } } => {
                    listing = None;
                    let now = Instant::now();
                    let over = match listed {
                        Ok(all) => {
                            let silent = self.machine.listed(all, now);
                            self.window.with(|seen| seen.listed = true);
                            silent.then(|| "the stream of events has kept quiet about a change".to_owned())
                        }
                        Err(why) => self.machine.list_failed(why.clone(), now).then_some(why),
                    };
                    self.tell();
                    match over {
                        Some(why) if self.machine.condition().trouble.is_some() => return Err(why),
                        // It is opened again from where it was, and nothing else is wrong.
                        Some(why) => {
                            debug!("{why}: it is opened again");
                            return Ok(());
                        }
                        None => {}
                    }
                }
                Some(signal) = signals.join_next() => {
                    if let Ok((id, signal, Ok(stop_signal))) = signal {
                        let heed = self.machine.inspected(id, signal, stop_signal, Instant::now());
                        if self.heed(heed, &paths, &mut signals) {
                            self.tell();
                        }
                    }
                }
                () = async { match due { Some(due) => sleep_until(due.into()).await, None => pending().await } } => {
                    if self.machine.begin_list(Instant::now()) {
                        listing = Some(Box::pin(list(self.client.clone(), paths.clone())));
                    }
                }
            }
        }
    }

    /// Whether there is something to tell.
    fn event(&mut self, line: &[u8], paths: &Paths, signals: &mut Signals) -> bool {
        let now = Instant::now();
        let heed = match serde_json::from_slice::<Event>(line) {
            Ok(event) => self.machine.event(&event, now),
            Err(_) => {
                self.machine.hint(now);
                Heed::Nothing
            }
        };
        self.heed(heed, paths, signals)
    }

    /// Whether there is something to tell.
    fn heed(&mut self, heed: Heed, paths: &Paths, signals: &mut Signals) -> bool {
        match heed {
            Heed::Nothing => false,
            Heed::Changed => true,
            Heed::Inspect { id, signal } => {
                let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if is_id && signals.len() < MOST_INSPECTED {
                    let (client, path) = (self.client.clone(), format!("{}/containers/{id}/json", paths.prefix));
                    signals.spawn(async move {
                        let answer = client.get(&path, SMALL, SHORT).await;
                        let found = answer.and_then(|answer| Ok(answer.json::<Inspected>()?.stop_signal()));
                        (id, signal, found)
                    });
                }
                false
            }
        }
    }

    /// Whether it manages a swarm. One that does not say, or lets nobody ask, does not.
    async fn is_manager(&self, prefix: &str) -> bool {
        let answer = self.client.get(&format!("{prefix}/info"), SMALL, SHORT).await;
        answer.and_then(|answer| answer.json::<Info>()).is_ok_and(|info| info.is_manager())
    }

    /// Puts what is known where others find it, and wakes the loop if it is news.
    fn tell(&mut self) {
        let endpoint = &self.docker.endpoint;
        for word in self.machine.take_words() {
            match word {
                Word::Away { why, since } if since.is_zero() => {
                    warn!(engine = %endpoint, "the Docker engine cannot be followed, what is known of its containers stays: {why}");
                }
                Word::Away { why, since } => {
                    let since = humantime::format_duration(std::time::Duration::from_secs(since.as_secs()));
                    warn!(engine = %endpoint, "the Docker engine cannot be followed since {since}, what is known stays: {why}");
                }
                Word::Back { after } => {
                    let after = humantime::format_duration(std::time::Duration::from_secs(after.as_secs()));
                    info!(engine = %endpoint, "the Docker engine is followed again, after {after}");
                }
                Word::DoesNotStop { id } => {
                    warn!(container = id, "a container was told to stop and runs still: it counts as running again");
                }
            }
        }
        let snapshot = self.machine.snapshot();
        let condition = self.machine.condition().clone();
        let news = self.window.with(|seen| {
            let is_first = condition.listed_at.is_some() && seen.condition.listed_at.is_none();
            let is_told = seen.condition.trouble.is_some() != condition.trouble.is_some();
            let has_changed = *seen.snapshot != snapshot;
            seen.condition = condition;
            if has_changed {
                seen.snapshot = Arc::new(snapshot);
            }
            // That there are none is worth keeping, too.
            let kept = (is_first || has_changed).then(|| Arc::clone(&seen.snapshot));
            (is_first || is_told || has_changed).then_some(kept)
        });
        let Some(kept) = news else { return };
        (self.keeper.news.wake)(Wake::Docker);
        if let Some(snapshot) = kept {
            self.keeper.kept.send_replace(Some(snapshot));
        }
    }
}

/// All containers, and the tasks of the swarm's services.
async fn list(client: Client, paths: Paths) -> Result<Listed, String> {
    let Paths { prefix, swarm } = paths;
    let answer = client.get(&format!("{prefix}/containers/json"), LARGE, LONG).await?;
    let summaries: Vec<Summary> = answer.json()?;
    // Where a swarm speaks for a container, that is its task; what it knows less well is the addresses here.
    let (mut listed, mut of_tasks) = (Listed::default(), HashMap::new());
    for summary in summaries {
        let task = summary.task().filter(|_| swarm).map(str::to_owned);
        match (task, summary.container()) {
            (_, None) => {}
            (None, Some(container)) => listed.containers.push(container),
            (Some(task), Some(container)) => drop(of_tasks.insert(task, container)),
        }
    }
    if swarm {
        let services = client.get(&format!("{prefix}/services"), LARGE, LONG).await?.json()?;
        // Those of a service that was scaled down, or removed, are to be removed; until then they serve those whom they have.
        let states = utf8_percent_encode(r#"{"desired-state":["running","shutdown","remove"]}"#, NON_ALPHANUMERIC);
        let tasks = client.get(&format!("{prefix}/tasks?filters={states}"), LARGE, LONG).await?.json()?;
        // Without them published ports are at the host that is configured.
        let nodes = client.get(&format!("{prefix}/nodes"), LARGE, LONG).await;
        let nodes: Vec<swarm::Node> = nodes.and_then(|nodes| nodes.json()).unwrap_or_default();
        let Listed { containers, orphans } = swarm::containers((services, tasks, &nodes), &of_tasks);
        listed.containers.extend(containers);
        listed.orphans = orphans;
    }
    Ok(listed)
}

/// Of the newest version that both sides have, as docker clients do.
fn prefix(version: &Version) -> String {
    let parse = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let Some(theirs) = parse(&version.api_version) else { return String::new() };
    let least = parse(&version.min_api_version).unwrap_or((0, 0));
    let (major, minor) = NEWEST.min(theirs).max(least);
    format!("/v{major}.{minor}")
}

fn events_path(prefix: &str, since: Option<i64>) -> String {
    let kinds = utf8_percent_encode(r#"{"type":["container","network","service","node"]}"#, NON_ALPHANUMERIC);
    let since = since.map(|nanos| format!("&since={}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000));
    format!("{prefix}/events?filters={kinds}{}", since.unwrap_or_default())
}
