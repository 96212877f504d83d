//! Follows an engine: connects, listens, lists, and keeps what was seen where others find it. Nothing is decided here.

use std::collections::HashMap;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::client::{Client, LARGE, LONG, Lines, SHORT, SMALL};
use super::facts::{Listed, Snapshot};
use super::machine::{Heed, Machine, Terms, Word};
use super::questions::{Questions, Reply};
use super::swarm;
use super::window::Window;
use super::wire::{Event, Info, Summary, Version};
use crate::model::Docker;
use crate::reconcile::Event as Wake;
use crate::source::news::{Keeper, News};

/// The newest version of the interface that this was written for.
const NEWEST: (u32, u32) = (1, 47);
/// An engine tells what has been while nobody listened at once, and no longer than that is waited for it.
const PAUSE: Duration = Duration::from_millis(50);
const PAST: Duration = Duration::from_millis(500);
/// How often an engine is asked whether it has come to manage a swarm.
const MANAGER: Duration = Duration::from_secs(60);
/// So often it is given time to know that itself.
const MOST_TRIES: u32 = 3;

/// Follows whichever engine is `wanted`, for ever.
pub async fn follow(mut wanted: watch::Receiver<Option<Arc<Docker>>>, window: Window, news: News<Snapshot>) {
    let keeper = Keeper::start(news);
    loop {
        let engine = wanted.borrow_and_update().clone();
        let work = async {
            match engine {
                None => {
                    // Nobody tells what becomes of what is known.
                    if window.forget() {
                        keeper.keep(Arc::default());
                    }
                    pending::<()>().await;
                }
                Some(engine) => Task::new(engine, window.clone(), &keeper).run().await,
            }
        };
        tokio::select! {
            () = work => {}
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

struct Task<'k> {
    docker: Arc<Docker>,
    client: Client,
    window: Window,
    keeper: &'k Keeper<Snapshot>,
    machine: Machine,
}

/// What there is to ask at a connected engine.
#[derive(Debug, Clone, Default)]
struct Paths {
    /// `/v1.41`, or nothing.
    prefix: String,
    list: &'static str,
    swarm: bool,
}

type Listing = Pin<Box<dyn Future<Output = Result<Listed, String>> + Send>>;

impl<'k> Task<'k> {
    fn new(docker: Arc<Docker>, window: Window, keeper: &'k Keeper<Snapshot>) -> Self {
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
        let swarm = self.docker.swarm && self.is_manager(&prefix).await?;
        let paths = Paths { prefix, list: version.list(), swarm };
        let since = self.machine.events_since(answer.clock);
        let mut events = self.client.stream(&events_path(&paths.prefix, since)).await?;
        self.window.answers(&version.version);
        self.machine.connected(swarm, Instant::now());
        let mut questions = Questions::new(self.client.clone(), paths.prefix.clone());
        self.past(&mut events, &mut questions).await?;
        let mut listing: Option<Listing> = None;
        let may_manage = self.docker.swarm && !swarm;
        let mut manages = Box::pin(comes_to_manage(self.client.clone(), paths.prefix.clone()));
        loop {
            let due = self.machine.due();
            tokio::select! {
                line = events.next() => {
                    let Some(first) = line? else { return Err("the stream of events has ended".to_owned()) };
                    // What came with it is looked at before anything is told: a burst is one change.
                    let (mut line, mut has_changed) = (Some(first), false);
                    while let Some(event) = line {
                        has_changed |= self.event(&event, &mut questions);
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
                Some(Reply { of, signal, stop_signal }) = questions.next() => {
                    let heed = self.machine.inspected(of, signal, stop_signal, Instant::now());
                    if Self::heed(heed, &mut questions) {
                        self.tell();
                    }
                }
                () = &mut manages, if may_manage => return Ok(()),
                () = async { match due { Some(due) => sleep_until(due.into()).await, None => pending().await } } => {
                    if self.machine.begin_list(Instant::now()) {
                        listing = Some(Box::pin(list(self.client.clone(), paths.clone())));
                    }
                }
            }
        }
    }

    /// Takes what has been while nobody listened for one change, which the first list makes whole: it may be over already.
    async fn past(&mut self, events: &mut Lines, questions: &mut Questions) -> Result<(), String> {
        let (until, mut has_changed) = (Instant::now() + PAST, false);
        while Instant::now() < until {
            let Ok(line) = timeout(PAUSE, events.next()).await else { break };
            let Some(line) = line? else { return Err("the stream of events has ended".to_owned()) };
            has_changed |= self.event(&line, questions);
        }
        if has_changed {
            self.tell();
        }
        Ok(())
    }

    /// Whether there is something to tell.
    fn event(&mut self, line: &[u8], questions: &mut Questions) -> bool {
        let now = Instant::now();
        let heed = match serde_json::from_slice::<Event>(line) {
            Ok(event) => self.machine.event(&event, now),
            Err(_) => {
                self.machine.hint(now);
                Heed::Nothing
            }
        };
        Self::heed(heed, questions)
    }

    /// Whether there is something to tell.
    fn heed(heed: Heed, questions: &mut Questions) -> bool {
        match heed {
            Heed::Nothing => false,
            Heed::Changed => true,
            Heed::Inspect { id, of, signal } => {
                questions.ask(id, of, signal);
                false
            }
        }
    }

    /// Whether it manages a swarm. One that lets nobody ask does not; but one that fails to say so may, and then its tasks would
    /// be gone.
    async fn is_manager(&self, prefix: &str) -> Result<bool, String> {
        match manages(&self.client, prefix).await {
            Ok(is_manager) => Ok(is_manager),
            Err(why) if self.machine.has_tasks() || self.machine.tries() < MOST_TRIES => Err(why),
            Err(_) => Ok(false),
        }
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
                    let since = humantime::format_duration(Duration::from_secs(since.as_secs()));
                    warn!(engine = %endpoint, "the Docker engine cannot be followed since {since}, what is known stays: {why}");
                }
                Word::Back { after } => {
                    let after = humantime::format_duration(Duration::from_secs(after.as_secs()));
                    info!(engine = %endpoint, "the Docker engine is followed again, after {after}");
                }
                Word::DoesNotStop { id } => {
                    warn!(container = id, "a container was told to stop and runs still: it counts as running again");
                }
            }
        }
        let news = self.window.show(self.machine.snapshot(), self.machine.condition().clone());
        let Some(kept) = news else { return };
        (self.keeper.news.wake)(Wake::Docker);
        if let Some(snapshot) = kept {
            self.keeper.keep(snapshot);
        }
    }
}

/// Whether an engine manages a swarm; an error if it does not know yet.
async fn manages(client: &Client, prefix: &str) -> Result<bool, String> {
    match client.get_if_allowed(&format!("{prefix}/info"), SMALL, SHORT).await? {
        Some(answer) => answer.json::<Info>()?.is_manager(),
        None => Ok(false),
    }
}

/// Comes to its end when it does.
async fn comes_to_manage(client: Client, prefix: String) {
    loop {
        sleep(MANAGER).await;
        if manages(&client, &prefix).await == Ok(true) {
            return;
        }
    }
}

/// All containers, and the tasks of the swarm's services.
async fn list(client: Client, paths: Paths) -> Result<Listed, String> {
    let Paths { prefix, list, swarm } = paths;
    let answer = client.get(&format!("{prefix}{list}"), LARGE, LONG).await?;
    // To read a large one takes a while, and others wait on this thread.
    let summaries =
        spawn_blocking(move || answer.json::<Vec<Summary>>()).await.map_err(|error| error.to_string())??;
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
