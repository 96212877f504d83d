//! What each request goes through before a handler gets it: who asks, how much, and how fast.

#![allow(clippy::result_large_err, reason = "what is refused gets an answer, which is what the large one is")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header, request};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::time::timeout;

use super::access::{self, Turned};
use super::crowd::Asking;
use super::lent::{Lending, Until};
use super::purse::{Loan, Purse};
use super::rate::Client;
use super::rules::{Peer, Rules};
use super::{Shared, browser};
use crate::api::{Problem, Role};

/// The longest body of a request, in bytes.
pub(super) const BODY_MAX: usize = 1 << 20;
/// All bodies that are being received together.
const BODIES_MAX: usize = 32 << 20;
/// So many questions are with handlers at once: some of them wait there for the making of something large, in the order in which they came.
const ASKED_MAX: usize = 256;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How long a handler may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Answers to all that is asked, by all connections.
pub(super) struct Gate {
    router: Router,
    /// Bytes of bodies that are being received, or are with handlers.
    received: Arc<Purse>,
    /// Questions that handlers have.
    asked: Arc<Purse>,
    /// Answers that are on their way.
    lending: Lending,
    /// Something large has gone out, and something else may still have to.
    has_left: AtomicBool,
}

/// Who asks.
pub(super) struct Asker {
    pub(super) client: Client,
    pub(super) asking: Asking,
    pub(super) peer: Arc<Peer>,
    pub(super) rules: watch::Receiver<Arc<Rules>>,
    /// Changes when everybody is to leave.
    pub(super) leaving: watch::Receiver<()>,
}

/// What is asked, as far as it matters for whether it may be.
struct Petition {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Petition {
    fn of(parts: &request::Parts) -> Self {
        Self { method: parts.method.clone(), uri: parts.uri.clone(), headers: parts.headers.clone() }
    }
}

impl Gate {
    pub(super) fn new(router: Router) -> Self {
        Self {
            router,
            received: Purse::of(BODIES_MAX),
            asked: Purse::of(ASKED_MAX),
            lending: Lending::default(),
            has_left: AtomicBool::new(false),
        }
    }

    /// Whether there is memory to give back: after much has gone out, and once more when nobody asks for anything, as what lay between
    /// has gone by then, too.
    pub(super) fn leaves_much(&self) -> bool {
        let leaves_much = self.lending.leaves_much();
        let is_quiet = self.received.is_whole() && self.asked.is_whole() && self.lending.is_quiet();
        let is_over = !leaves_much && is_quiet && self.has_left.swap(false, Ordering::Relaxed);
        if leaves_much {
            self.has_left.store(true, Ordering::Relaxed);
        }
        leaves_much || is_over
    }

    /// The answer, whatever it is.
    pub(super) async fn answer(&self, shared: &Shared, asker: Asker, request: Request<Incoming>) -> Response {
        let Asker { client, asking, peer, rules: changing, leaving } = asker;
        let rules: &Rules = &Arc::clone(&changing.borrow());
        let (mut parts, body) = request.into_parts();
        let asked = shared.traffic.ask(&parts.method, parts.uri.path());
        let petition = Petition::of(&parts);
        // It may have come with a length, too, by which somebody in between sees another request begin (RFC 9112, 6.1).
        let is_chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
        let answer = async {
            let role = may(rules, &petition)?;
            if Role::needed_for(&parts.method) == Role::Write && !shared.take(client, rules, Instant::now()) {
                let many = format!("more than {} writes a second", rules.api.writes_per_second);
                let mut slow = Problem::new(StatusCode::TOO_MANY_REQUESTS, many).into_response();
                slow.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                return Err(slow);
            }
            parts.extensions.insert(role);
            parts.extensions.insert(Arc::clone(&rules.api));
            parts.extensions.insert(Arc::clone(&shared.traffic));
            // Whoever asks to read has nothing to say.
            let mut held = self.received.loan(client);
            let bytes = match Role::needed_for(&parts.method) {
                Role::Read => Vec::new(),
                Role::Write => received(body, &mut held).await.map_err(hang_up)?,
            };
            let mut asked = self.asked.loan(client);
            if !asked.take(1) {
                return Err(busy("too much is being asked at once: try again"));
            }
            let request = Request::from_parts(parts, Body::from(bytes));
            let handled = timeout(ANSWER_WITHIN, TowerToHyperService::new(self.router.clone()).call(request)).await;
            let Ok(Ok(response)) = handled else {
                let late = format!("it took longer than {}s", ANSWER_WITHIN.as_secs());
                return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, late).into_response());
            };
            Ok(response)
        };
        let mut response = answer.await.unwrap_or_else(|problem| problem);
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        if is_chunked {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let lent = self.lending.lend(response, (client, asking), || until(petition, peer, changing, leaving));
        asked.answer(lent.unwrap_or_else(busy))
    }
}

/// Comes when somebody has to leave, or what was asked may not be asked any more.
fn until(
    petition: Petition,
    peer: Arc<Peer>,
    mut rules: watch::Receiver<Arc<Rules>>,
    mut leaving: watch::Receiver<()>,
) -> Until {
    Box::pin(async move {
        loop {
            let now = Arc::clone(&rules.borrow_and_update());
            if !now.trusts(&peer) || may(&now, &petition).is_err() {
                return;
            }
            tokio::select! {
                changed = rules.changed() => if changed.is_err() { return },
                _ = leaving.changed() => return,
            }
        }
    })
}

/// Whether it may be asked, and as what.
fn may(rules: &Rules, petition: &Petition) -> Result<Role, Response> {
    let Petition { method, uri, headers } = petition;
    let refuse = |status, detail: &str| Err(Problem::new(status, detail).into_response());
    if access::is_in_query(uri.query()) {
        let detail = "a token does not belong into the query, where logs and histories keep it: send it in the header \
                      Authorization, and do not use this one again";
        return refuse(StatusCode::BAD_REQUEST, detail);
    }
    if rules.is_open_on_loopback && !browser::is_for_this_host(headers, uri) {
        let detail = "without tokens this answers to localhost, 127.0.0.1 and [::1] only: ask by one of these names (a proxy has \
                      to send it as Host), or write api.tokens";
        return refuse(StatusCode::MISDIRECTED_REQUEST, detail);
    }
    let needed = Role::needed_for(method);
    // Whoever starts and watches processes has no token, and learns nothing else here.
    let is_probe = needed == Role::Read && matches!(uri.path(), "/livez" | "/readyz");
    let role = match access::role(rules.tokens.as_ref(), headers) {
        Ok(role) => role,
        Err(_) if is_probe => Role::Read,
        Err(turned) => {
            let detail = match turned {
                Turned::NoToken => "show a token: `Authorization: Bearer TOKEN`, or as the password of any user",
                Turned::Unknown => "this token is not known",
            };
            let mut response = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
            let mut offer = |scheme| {
                response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
            };
            offer("Bearer realm=\"ipvsd\"");
            // A browser asks its user for a password, which the status page does better itself.
            if headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate") {
                offer("Basic realm=\"ipvsd\", charset=\"UTF-8\"");
            }
            return Err(response);
        }
    };
    if role < needed {
        return refuse(StatusCode::FORBIDDEN, "this token may read, and not write");
    }
    if needed == Role::Write && browser::is_cross_site(headers, uri) {
        return refuse(StatusCode::FORBIDDEN, "a page of another site may not write here");
    }
    Ok(role)
}

async fn received(mut body: Incoming, held: &mut Loan) -> Result<Vec<u8>, Response> {
    let problem = |status, detail: String| Problem::new(status, detail).into_response();
    let large = || problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a body is at most {BODY_MAX} bytes"));
    if body.size_hint().lower() > u64::try_from(BODY_MAX).unwrap_or(u64::MAX) {
        return Err(large());
    }
    let all = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let broken = |error| problem(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"));
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if bytes.len() + data.len() > BODY_MAX {
                return Err(large());
            }
            if !held.take(data.len()) {
                return Err(busy("too much is being received at once: try again"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    let late = || problem(StatusCode::REQUEST_TIMEOUT, format!("the body took longer than {}s", BODY_WITHIN.as_secs()));
    timeout(BODY_WITHIN, all).await.unwrap_or_else(|_| Err(late()))
}

/// What is left of a body is not waited for.
fn hang_up(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn busy(detail: &str) -> Response {
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What is answered here in a handler's place, as the description of the interface has it.
#[cfg(test)]
pub(in crate::api) mod refusals {
    use axum::http::StatusCode as S;

    pub const ALWAYS: [S; 4] = [S::BAD_REQUEST, S::MISDIRECTED_REQUEST, S::SERVICE_UNAVAILABLE, S::GATEWAY_TIMEOUT];
    /// But of probes.
    pub const WITHOUT_TOKEN: S = S::UNAUTHORIZED;
    pub const OF_WRITES: [S; 4] = [S::FORBIDDEN, S::REQUEST_TIMEOUT, S::PAYLOAD_TOO_LARGE, S::TOO_MANY_REQUESTS];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_after_much_and_once_more_when_nobody_asks() {
        let gate = Gate::new(Router::new());
        let client = Client::of([192, 0, 2, 1].into());
        let large = Response::new(Body::from(vec![7; 40 << 20]));
        let lent = gate.lending.lend(large, (client, Asking::on(&Arc::default())), || Box::pin(std::future::pending()));
        let mut asked = gate.asked.loan(client);
        assert!(asked.take(1) && !gate.leaves_much(), "it is all there still");
        drop(lent);
        assert!(gate.leaves_much() && !gate.leaves_much(), "said once while somebody asks");
        drop(asked);
        assert!(gate.leaves_much() && !gate.leaves_much(), "and once when nobody does");
    }
}
