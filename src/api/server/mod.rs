//! The server around the routes: where it listens, who may ask, and how much of everything one may have.
//!
//! # What is promised
//!
//! - At most 1,024 connections; one more ends one that has been idle long ([`crowd`]), or is told to come again.
//! - A head within 30 s (and so long a connection may be idle), at most 64 KiB; a body within 10 s, at most 1 MiB; a handler
//!   within 60 s; and whoever does not read what it asked for is given up ([`patient`]).
//! - What is held for clients at any time is bounded, whatever they do, and one client gets half of it at most ([`purse`]): received
//!   bodies, answers on their way and streams ([`lent`]); and so are the clients whose writes are counted ([`rate`]).
//! - What takes a processor, as TLS does when it begins ([`handshake`]), or the disk, is done beside the thread that answers.
//! - Tokens, certificates and keys are read again when they change. What is wrong leaves everything as it was, and is logged.
//!   Whoever may not ask any more is seen out, be it from the middle of a stream.
//! - HTTP/1.1 only: what browsers, Prometheus and GORB's clients all speak, and far less that can be played with.

mod access;
mod browser;
mod crowd;
mod door;
mod gate;
mod hall;
mod handshake;
mod lent;
mod patient;
mod purse;
mod rate;
mod rules;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use gate::refusals;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::api::Traffic;
use crate::model::{Api, ApiListen};
use crate::reconcile::give_back;
use crowd::Crowd;
use door::Door;
use gate::Gate;
use hall::let_in;
use handshake::Desk;
use rate::{Client, Rates};
use rules::{Rules, Stamps};

/// How long the head of a request may take, and a connection be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How often to look whether files have changed, and to try again what failed.
const LOOK: Duration = Duration::from_secs(2);

/// What all connections share.
struct Shared {
    gate: Gate,
    rates: Mutex<Rates>,
    crowd: Arc<Crowd>,
    desk: Desk,
    head_within: Duration,
    traffic: Arc<Traffic>,
}

impl Shared {
    /// Whether the client may write now.
    fn take(&self, client: Client, rules: &Rules, now: Instant) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(client, rules.api.writes_per_second, now)
    }
}

/// Where it listens now, if it does; the port is a real one.
pub type Listening = watch::Sender<Option<ApiListen>>;

/// Serves as `wanted` says, until it is dropped, which ends all connections. Whoever sends the same again has the files read
/// again.
pub async fn serve(router: Router, wanted: watch::Receiver<Option<Arc<Api>>>, listening: Listening) {
    serve_with(router, wanted, listening, HEAD_WITHIN).await;
}

async fn serve_with(
    router: Router,
    mut wanted: watch::Receiver<Option<Arc<Api>>>,
    listening: Listening,
    head_within: Duration,
) {
    let shared = Shared {
        gate: Gate::new(router),
        rates: Mutex::default(),
        crowd: Arc::default(),
        desk: Desk::default(),
        head_within,
        traffic: Arc::default(),
    };
    let mut house = House { shared: Arc::new(shared), open: None, tasks: JoinSet::new(), listening, said: None };
    let mut asked = true;
    let mut is_over = false;
    loop {
        let api = wanted.borrow_and_update().clone();
        house.follow(api, asked).await;
        if house.shared.gate.leaves_much() {
            let _ = off_the_loop(give_back).await;
        }
        asked = tokio::select! {
            changed = wanted.changed(), if !is_over => {
                is_over = changed.is_err();
                !is_over
            }
            () = sleep(LOOK), if house.wants_a_look() => false,
            // Nobody says any more how it is wanted, and there is nothing to look at.
            else => std::future::pending().await,
        };
        while house.tasks.try_join_next().is_some() {}
    }
}

/// What is open, and those who are leaving.
struct House {
    shared: Arc<Shared>,
    open: Option<Open>,
    tasks: JoinSet<()>,
    listening: Listening,
    /// The trouble that was logged last.
    said: Option<String>,
}

/// A door that is open.
struct Open {
    listen: ApiListen,
    /// The same with the port that it has.
    real: ApiListen,
    rules: watch::Sender<Arc<Rules>>,
    stamps: Stamps,
    /// Ends it: nobody is let in any more, and those who are in get to the end of what they asked.
    end: oneshot::Sender<()>,
    /// Comes to its end when nobody listens any more.
    closed: oneshot::Receiver<()>,
}

impl House {
    /// Whether files are to be looked at, or something is to be tried again. Else nothing wakes the thread.
    fn wants_a_look(&self) -> bool {
        self.open.is_some() || self.said.is_some()
    }

    /// Makes it as it is wanted, if that can be; else it stays as it is, and that is said.
    async fn follow(&mut self, api: Option<Arc<Api>>, asked: bool) {
        let Some(api) = api else {
            if let Some(open) = self.open.take() {
                info!("the HTTP side is off");
                self.close(open).await;
            }
            self.said = None;
            return;
        };
        match self.come_to(api, asked).await {
            Ok(()) => self.said = None,
            Err(trouble) if self.said.as_ref() == Some(&trouble) => {}
            Err(trouble) => {
                match &self.open {
                    Some(_) => warn!("the HTTP side stays as it was: {trouble}"),
                    None => warn!("the HTTP side is not there, and is tried again: {trouble}"),
                }
                self.said = Some(trouble);
            }
        }
    }

    async fn come_to(&mut self, api: Arc<Api>, asked: bool) -> Result<(), String> {
        // Whoever let people in is gone, which only a mistake of ours can do.
        let is_gone = |open: &mut Open| open.closed.try_recv() == Err(oneshot::error::TryRecvError::Closed);
        self.open.take_if(is_gone);
        let of = Arc::clone(&api);
        let stamps = off_the_loop(move || Stamps::of(&of)).await?;
        if let Some(open) = &self.open
            && !asked
            && open.stamps == stamps
            && open.rules.borrow().api == api
        {
            return Ok(());
        }
        let of = Arc::clone(&api);
        let rules = Arc::new(off_the_loop(move || Rules::read(of)).await??);
        if let Some(open) = self.open.as_mut().filter(|open| open.listen == api.listen) {
            open.stamps = stamps;
            open.rules.send_replace(rules);
            return Ok(());
        }
        let door = match Door::open(&api.listen).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => self.change_doors(&api.listen, error).await,
            door => door,
        };
        let door = door.map_err(|error| format!("cannot listen on {}: {error}", described(&api.listen)))?;
        if let Some(open) = self.open.take() {
            self.close(open).await;
        }
        self.enter_by(door, rules, stamps);
        Ok(())
    }

    /// The old door may be in the way of the new one: 127.0.0.1:4672 is of 0.0.0.0:4672. It is opened again if the new one
    /// cannot be.
    async fn change_doors(&mut self, listen: &ApiListen, error: io::Error) -> io::Result<Door> {
        let port = |listen: &ApiListen| match listen {
            ApiListen::Tcp(address) => Some(address.port()),
            ApiListen::Unix { .. } => None,
        };
        let is_ours = |open: &mut Open| match (&open.real, listen) {
            (ApiListen::Unix { path, .. }, ApiListen::Unix { path: other, .. }) => path == other,
            (before, after) => port(before).is_some() && port(before) == port(after),
        };
        let Some(open) = self.open.take_if(is_ours) else { return Err(error) };
        let (before, rules, stamps) = (open.real.clone(), open.rules.borrow().clone(), open.stamps.clone());
        self.close(open).await;
        let door = Door::open(listen).await;
        if door.is_err()
            && let Ok(door) = Door::open(&before).await
        {
            self.enter_by(door, rules, stamps);
        }
        door
    }

    fn enter_by(&mut self, door: Door, rules: Arc<Rules>, stamps: Stamps) {
        let listen = rules.api.listen.clone();
        let real = match (&listen, door.place()) {
            (ApiListen::Tcp(_), Some(place)) => ApiListen::Tcp(place),
            _ => listen.clone(),
        };
        let tokens = rules.tokens.as_ref().map_or("no tokens".to_owned(), |tokens| format!("{tokens:?}"));
        info!(tls = rules.tls.is_some(), "listening on {} ({tokens})", described(&real));
        let (rules, of_task) = watch::channel(rules);
        let (end, ended) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        self.tasks.spawn(let_in(door, Arc::clone(&self.shared), of_task, ended, closing));
        self.listening.send_replace(Some(real.clone()));
        self.open = Some(Open { listen, real, rules, stamps, end, closed });
    }

    /// Waits until nobody listens any more; those who are in have their farewell beside that.
    async fn close(&mut self, open: Open) {
        let Open { end, closed, .. } = open;
        let _ = end.send(());
        // It is dropped, at the latest, when the door is shut.
        let _ = closed.await;
        self.listening.send_replace(None);
    }
}

async fn off_the_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    spawn_blocking(work).await.map_err(|error| error.to_string())
}

fn described(listen: &ApiListen) -> String {
    match listen {
        ApiListen::Tcp(address) => address.to_string(),
        ApiListen::Unix { path, .. } => format!("unix:{}", path.display()),
    }
}
