//! Looks names up again and again, and keeps what they stand for where others find it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};
use tracing::{info, warn};

use super::answers::{Answers, Condition, Learnt, Window, learn};
use super::lookup::{Lookups, PATIENCE, late};
use crate::model::Family;
use crate::reconcile::Event;
use crate::source::news::{Keeper, News};

/// What could not be looked up is tried again after so long, if that is sooner than it would be anyway.
const SOON: Duration = Duration::from_secs(10);
const NONE_USABLE: &str = "none of its addresses can be a destination's";

/// Which names there are, with the families of the services that they are destinations of, and how often each is looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub hosts: BTreeMap<String, BTreeSet<Family>>,
    pub every: Duration,
}

/// What is known of a name, and when it is looked up next.
struct Name {
    condition: Condition,
    families: BTreeSet<Family>,
    due: tokio::time::Instant,
    is_asked: bool,
}

/// Looks up whatever is `wanted`, for ever.
pub async fn follow(mut wanted: watch::Receiver<Wanted>, window: Window, lookups: Lookups, news: News<Answers>) {
    let keeper = Keeper::start(news);
    let mut task = Task { names: BTreeMap::new(), every: Duration::MAX, answers: window.answers(), window, keeper };
    let mut asked: JoinSet<(String, Result<Vec<IpAddr>, String>)> = JoinSet::new();
    loop {
        let latest = wanted.borrow_and_update().clone();
        task.want(&latest);
        loop {
            let now = tokio::time::Instant::now();
            for (host, name) in &mut task.names {
                if !name.is_asked && name.due <= now {
                    name.is_asked = true;
                    let (lookups, host) = (lookups.clone(), host.clone());
                    asked.spawn(async move {
                        let found = lookups.look_up(&host).await;
                        (host, found)
                    });
                }
            }
            let due = task.names.values().filter(|name| !name.is_asked).map(|name| name.due).min();
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some(answer) = asked.join_next() => {
                    if let Ok((host, found)) = answer {
                        task.heard(&host, found);
                    }
                }
                () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {}
            }
        }
    }
}

struct Task {
    names: BTreeMap<String, Name>,
    every: Duration,
    answers: Arc<Answers>,
    window: Window,
    keeper: Keeper<Answers>,
}

impl Task {
    /// Names that are new are looked up at once; what was known of those that are wanted no more is forgotten.
    fn want(&mut self, wanted: &Wanted) {
        let now = tokio::time::Instant::now();
        let is_sooner = wanted.every < self.every;
        self.every = wanted.every;
        self.names.retain(|host, _| wanted.hosts.contains_key(host));
        for (host, families) in &wanted.hosts {
            let condition = Condition { known_at: None, trouble: None };
            let families = families.clone();
            let new = Name { condition, families: families.clone(), due: now, is_asked: false };
            let name = self.names.entry(host.clone()).or_insert(new);
            if name.families != families {
                // Whether it has an address of each is to be said anew.
                (name.families, name.due) = (families, now);
            }
            if is_sooner {
                name.due = name.due.min(now + self.every);
            }
        }
        let has_more = self.answers.keys().any(|host| !wanted.hosts.contains_key(host));
        if has_more {
            let of_wanted = self.answers.iter().filter(|(host, _)| wanted.hosts.contains_key(*host));
            self.answers = Arc::new(of_wanted.map(|(host, known)| (host.clone(), known.clone())).collect());
            self.keeper.keep(Arc::clone(&self.answers));
        }
        self.show();
    }

    fn heard(&mut self, host: &str, found: Result<Vec<IpAddr>, String>) {
        // It may be wanted no more.
        let Some(name) = self.names.get_mut(host) else { return };
        let now = tokio::time::Instant::now();
        name.is_asked = false;
        let before = self.answers.get(host).cloned();
        let known = before.as_deref().unwrap_or_default();
        let (learnt, why) = match found {
            Ok(found) => {
                let Learnt { addresses, remark } = learn(known, &found);
                let why = if addresses.is_empty() {
                    Some(NONE_USABLE.to_owned())
                } else {
                    remark.or_else(|| lacks(&addresses, &name.families))
                };
                (Some(addresses).filter(|addresses| !addresses.is_empty()), why)
            }
            Err(why) => (None, Some(why)),
        };
        name.due = now + if learnt.is_some() { self.every } else { self.every.min(SOON) };
        if learnt.is_some() {
            name.condition.known_at = Some(now.into_std());
        }
        let words = match &learnt {
            Some(_) => "a name is not what it should be",
            None if known.is_empty() => "a name cannot be looked up, and nothing is known of it",
            None => "a name cannot be looked up, what it stood for stays",
        };
        let changed = learnt.filter(|addresses| before.as_ref() != Some(addresses));
        say(host, &mut name.condition, why, words, now.into_std());
        if let Some(addresses) = &changed {
            let gone = known.iter().filter(|address| !addresses.contains(address)).map(|address| format!("-{address}"));
            let come = addresses.iter().filter(|address| !known.contains(address)).map(|address| format!("+{address}"));
            let change: Vec<String> = come.chain(gone).collect();
            info!(name = host, change = change.join(" "), "a name stands for other addresses");
        }
        if let Some(addresses) = changed {
            Arc::make_mut(&mut self.answers).insert(host.to_owned(), addresses);
            self.show();
            (self.keeper.news.wake)(Event::Names);
            self.keeper.keep(Arc::clone(&self.answers));
        } else {
            self.show();
        }
    }

    fn show(&self) {
        let conditions = self.names.iter().map(|(host, name)| (host.clone(), name.condition.clone())).collect();
        self.window.put(Arc::clone(&self.answers), conditions);
    }
}

/// That a service would have nothing of it.
fn lacks(addresses: &[IpAddr], families: &BTreeSet<Family>) -> Option<String> {
    let has = |family: &&Family| addresses.iter().any(|address| Family::of(*address) == **family);
    let family = families.iter().find(|family| !has(family))?;
    Some(format!("it has no {0} address, and is a destination of an {0} service", family.word()))
}

/// Notes what is wrong now, and logs it in these words if that was not so before.
fn say(host: &str, condition: &mut Condition, why: Option<String>, words: &str, now: Instant) {
    match (why, &mut condition.trouble) {
        (None, None) => {}
        (None, trouble @ Some(_)) => {
            if let Some((_, since)) = trouble.take() {
                let after = humantime::format_duration(Duration::from_secs((now - since).as_secs()));
                info!(name = host, "a name is well again, after {after}");
            }
        }
        (Some(why), trouble) => {
            if trouble.as_ref().is_none_or(|(before, _)| *before != why) {
                warn!(name = host, "{words}: {why}");
            }
            let since = trouble.as_ref().map_or(now, |(_, since)| *since);
            *trouble = Some((why, since));
        }
    }
}

/// Looks names up once, all at the same time, as one who does not stay does: what is known after [`PATIENCE`], and why of the others
/// nothing is.
pub async fn once(hosts: BTreeSet<String>, lookups: &Lookups) -> (Answers, BTreeMap<String, String>) {
    let mut asked = JoinSet::new();
    for host in &hosts {
        let (lookups, host) = (lookups.clone(), host.clone());
        asked.spawn(async move {
            let found = lookups.look_up(&host).await;
            (host, found)
        });
    }
    let (mut answers, mut troubles) = (Answers::new(), BTreeMap::new());
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Ok(Some(answer)) = timeout_at(until, asked.join_next()).await {
        let Ok((host, found)) = answer else { continue };
        match found.map(|found| learn(&[], &found).addresses) {
            Ok(addresses) if !addresses.is_empty() => drop(answers.insert(host, addresses)),
            Ok(_) => drop(troubles.insert(host, NONE_USABLE.to_owned())),
            Err(why) => drop(troubles.insert(host, why)),
        }
    }
    for host in hosts.into_iter().filter(|host| !answers.contains_key(host)) {
        troubles.entry(host).or_insert_with(late);
    }
    (answers, troubles)
}
