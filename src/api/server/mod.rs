//! The server around the routes: where it listens, who may ask, and how much of everything one may have.
//!
//! # What is promised
//!
//! - At most 1,024 connections; one more ends the one that has been idle longest, or is told to come again.
//! - A head within 30 s (and so long a connection may be idle), at most 64 KiB; a body within 10 s, at most 1 MiB; a handler
//!   within 60 s; and whoever does not read what it asked for is given up ([`patient`]).
//! - What is held for clients at any time is bounded, whatever they do: received bodies, answers on their way ([`lent`]), and the
//!   clients whose writes are counted ([`rate`]).
//! - Tokens, certificates and keys are read again when they change. What is wrong leaves everything as it was, and is logged.
//! - HTTP/1.1 only: what browsers, Prometheus and GORB's clients all speak, and far less that can be played with.

mod access;
mod browser;
mod crowd;
mod door;
mod gate;
mod lent;
mod patient;
mod rate;
mod rules;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::model::{Api, ApiListen};
use crowd::{Asking, Crowd, Seat};
use door::{Door, Guest};
use gate::Gate;
use patient::Patient;
use rate::{Client, Rates};
use rules::{Rules, Stamps};

/// How long the head of a request may take, and a connection be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// The longest head, and the most that is read ahead, in bytes.
const HEAD_MAX: usize = 64 << 10;
/// How long TLS may take to begin.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long connections may go on when nobody listens any more.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often to look whether files have changed, and to try again what failed.
const LOOK: Duration = Duration::from_secs(2);
/// How long to wait where connections cannot be accepted.
const NAP: Duration = Duration::from_millis(100);

/// What all connections share.
struct Shared {
    gate: Gate,
    rates: Mutex<Rates>,
    head_within: Duration,
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
    let shared = Shared { gate: Gate::new(router), rates: Mutex::default(), head_within };
    let mut house = House { shared: Arc::new(shared), open: None, tasks: JoinSet::new(), listening, said: None };
    let mut asked = true;
    let mut is_over = false;
    loop {
        let api = wanted.borrow_and_update().clone();
        house.follow(api, asked).await;
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
        let door = match Door::open(&api.listen) {
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
        let door = Door::open(listen);
        if door.is_err()
            && let Ok(door) = Door::open(&before)
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

/// Lets connections in until it is ended.
async fn let_in(
    door: Door,
    shared: Arc<Shared>,
    rules: watch::Receiver<Arc<Rules>>,
    mut end: oneshot::Receiver<()>,
    closed: oneshot::Sender<()>,
) {
    let mut connections = JoinSet::new();
    let mut crowd = Crowd::default();
    let (leave, leaving) = watch::channel(());
    let mut said = false;
    loop {
        let accepted = tokio::select! {
            _ = &mut end => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(panic) = ended.map_err(tokio::task::JoinError::try_into_panic)
                    && let Ok(panic) = panic
                {
                    error!("a request ended in a panic, which is a mistake in ipvsd: {}", words(&*panic));
                }
                continue;
            }
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok((guest, client)) => {
                said = false;
                if !crowd.has_room() {
                    turn_away(guest, &rules.borrow());
                    continue;
                }
                let seat = Arc::<Seat>::default();
                let visitor = Visitor {
                    client,
                    shared: Arc::clone(&shared),
                    rules: rules.clone(),
                    seat: Arc::clone(&seat),
                    leaving: leaving.clone(),
                };
                crowd.enter(seat, connections.spawn(visit(guest, visitor)));
            }
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    warn!("cannot accept connections of the HTTP side: {error}");
                }
                sleep(NAP).await;
            }
        }
    }
    drop(door);
    drop(closed);
    leave.send_replace(());
    let all = async { while connections.join_next().await.is_some() {} };
    // The rest is cut off.
    let _ = timeout(FAREWELL, all).await;
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}

/// Whoever is one too many is told so, if that takes no waiting.
fn turn_away(guest: Guest, rules: &Rules) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    if rules.tls.is_some() {
        return;
    }
    let _ = match guest {
        Guest::Tcp(stream) => stream.try_write(BUSY),
        Guest::Unix(stream) => stream.try_write(BUSY),
    };
}

/// Who is in, and what goes for it.
struct Visitor {
    client: Client,
    shared: Arc<Shared>,
    /// As they are at each request: a token may be withdrawn.
    rules: watch::Receiver<Arc<Rules>>,
    seat: Arc<Seat>,
    leaving: watch::Receiver<()>,
}

async fn visit(guest: Guest, visitor: Visitor) {
    match guest {
        Guest::Unix(stream) => converse(Patient::new(stream), visitor).await,
        Guest::Tcp(stream) => {
            let tls = visitor.rules.borrow().tls.clone();
            match tls {
                None => converse(Patient::new(stream), visitor).await,
                Some(tls) => {
                    // Whoever does not get through it knows why.
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, tls.accept(Patient::new(stream))).await {
                        converse(stream, visitor).await;
                    }
                }
            }
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, visitor: Visitor) {
    let Visitor { client, shared, rules, seat, mut leaving } = visitor;
    let answer = |request| {
        let (shared, seat, rules) = (Arc::clone(&shared), Arc::clone(&seat), Arc::clone(&rules.borrow()));
        async move {
            let asking = Asking::on(&seat);
            Ok::<_, Infallible>(shared.gate.answer(&shared, &rules, (client, asking), request).await)
        }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.head_within)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = pin!(connection);
    // How it ends is nobody's concern here: whoever asked knows.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = leaving.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
