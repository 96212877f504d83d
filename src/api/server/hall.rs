//! Those who are in: let in, answered, and seen out when the door is shut.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::Shared;
use super::crowd::{Asking, Seated};
use super::door::{Door, Guest};
use super::gate::Asker;
use super::patient::Patient;
use super::rate::Client;
use super::rules::{Peer, Rules, Tls};
use crate::api::traffic::TurnedAway;

/// The longest head, and the most that is read ahead, in bytes.
const HEAD_MAX: usize = 64 << 10;
/// How long connections may go on when nobody listens any more.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long one that says nothing is listened to when nobody listens any more.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How long to wait where connections cannot be accepted.
const NAP: Duration = Duration::from_millis(100);

/// Those who are in.
struct Hall {
    shared: Arc<Shared>,
    rules: watch::Receiver<Arc<Rules>>,
    leaving: watch::Receiver<()>,
    connections: JoinSet<()>,
}

impl Hall {
    fn admit(&mut self, guest: Guest, client: Client) {
        let crowd = &self.shared.crowd;
        let Some(seated) = crowd.seat(client) else {
            self.shared.traffic.turn_away(TurnedAway::Full);
            turn_away(guest, &self.rules.borrow());
            return;
        };
        let name = seated.name();
        let visitor = Visitor {
            client,
            shared: Arc::clone(&self.shared),
            rules: self.rules.clone(),
            seated,
            leaving: self.leaving.clone(),
        };
        crowd.can_be_ended(name, self.connections.spawn(visit(guest, visitor)));
    }
}

/// Lets connections in until it is ended.
pub(super) async fn let_in(
    door: Door,
    shared: Arc<Shared>,
    rules: watch::Receiver<Arc<Rules>>,
    mut end: oneshot::Receiver<()>,
    closed: oneshot::Sender<()>,
) {
    let (leave, leaving) = watch::channel(());
    let mut hall = Hall { shared, rules, leaving, connections: JoinSet::new() };
    let mut said = false;
    loop {
        let accepted = tokio::select! {
            _ = &mut end => break,
            Some(ended) = hall.connections.join_next(), if !hall.connections.is_empty() => {
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
                hall.admit(guest, client);
            }
            Err(error) => {
                hall.shared.traffic.turn_away(TurnedAway::System);
                if !std::mem::replace(&mut said, true) {
                    warn!("cannot accept connections of the HTTP side: {error}");
                }
                sleep(NAP).await;
            }
        }
    }
    for (guest, client) in door.shut().await {
        hall.admit(guest, client);
    }
    drop(closed);
    leave.send_replace(());
    let all = async { while hall.connections.join_next().await.is_some() {} };
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
    seated: Seated,
    leaving: watch::Receiver<()>,
}

async fn visit(guest: Guest, visitor: Visitor) {
    let inside = visitor.shared.traffic.enter();
    match guest {
        Guest::Unix(stream) => converse(Patient::new(stream), Peer::Local, visitor).await,
        Guest::Tcp(stream) => {
            let rules = Arc::clone(&visitor.rules.borrow());
            let stream = Patient::new(stream);
            match &rules.tls {
                None => converse(stream, Peer::Plain, visitor).await,
                Some(Tls { acceptor, authorities }) => {
                    let Some(stream) = visitor.shared.desk.greet(acceptor, stream).await else {
                        // Whoever does not get through it knows why.
                        visitor.shared.traffic.turn_away(TurnedAway::Handshake);
                        return inside.leave();
                    };
                    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
                    let peer = Peer::Tls { chain, by: authorities.clone() };
                    drop(rules);
                    converse(stream, peer, visitor).await;
                }
            }
        }
    }
    inside.leave();
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer, visitor: Visitor) {
    let Visitor { client, shared, mut rules, seated, mut leaving } = visitor;
    let peer = Arc::new(peer);
    let (of_asker, still_here) = (rules.clone(), leaving.clone());
    let answer = |request| {
        let shared = Arc::clone(&shared);
        let asker = Asker {
            client,
            asking: Asking::on(&seated.seat),
            peer: Arc::clone(&peer),
            rules: of_asker.clone(),
            leaving: still_here.clone(),
        };
        async move { Ok::<_, Infallible>(shared.gate.answer(&shared, asker, request).await) }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.head_within)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = pin!(connection);
    // It may have begun under other rules.
    rules.mark_changed();
    loop {
        // How it ends is nobody's concern here: whoever asked knows.
        tokio::select! {
            // What is withdrawn is withdrawn before anything else is heard.
            biased;
            Ok(()) = rules.changed() => {
                if rules.borrow_and_update().trusts(&peer) {
                    continue;
                }
                break;
            }
            _ = leaving.changed() => {
                // What was sent already is not told from silence before it is read.
                if timeout(LAST_WORD, connection.as_mut()).await.is_ok() {
                    return;
                }
                break;
            }
            _ = connection.as_mut() => return,
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
