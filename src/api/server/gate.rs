//! What each request goes through before a handler gets it: who asks, how much, and how fast.

#![allow(clippy::result_large_err, reason = "what is refused gets an answer, which is what the large one is")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header, request};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;

use super::access::{self, Turned};
use super::crowd::Asking;
use super::lent::{Budget, Lent};
use super::rate::Client;
use super::rules::Rules;
use super::{Shared, browser};
use crate::api::{Problem, Role};

/// The longest body of a request, in bytes.
pub(super) const BODY_MAX: usize = 1 << 20;
/// All bodies that are being received together.
const BODIES_MAX: usize = 32 << 20;
/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How long a handler may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Answers to all that is asked, by all connections.
pub(super) struct Gate {
    router: Router,
    /// Bytes of bodies that are being received, or are with handlers.
    received: AtomicUsize,
    /// Bytes of answers that are on their way.
    answers: Arc<Budget>,
}

impl Gate {
    pub(super) fn new(router: Router) -> Self {
        Self { router, received: AtomicUsize::new(0), answers: Arc::default() }
    }

    /// The answer, whatever it is.
    pub(super) async fn answer(
        &self,
        shared: &Shared,
        rules: &Rules,
        (client, asking): (Client, Asking),
        request: Request<Incoming>,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let asked = shared.traffic.ask(&parts.method, parts.uri.path());
        // It may have come with a length, too, by which somebody in between sees another request begin (RFC 9112, 6.1).
        let is_chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
        let answer = async {
            let role = may(rules, &parts)?;
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
            let mut held = Held { of: &self.received, bytes: 0 };
            let bytes = match Role::needed_for(&parts.method) {
                Role::Read => Vec::new(),
                Role::Write => received(body, &mut held).await.map_err(hang_up)?,
            };
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
        asked.answer(match Lent::of(response, &self.answers, asking) {
            Ok(response) => response,
            Err(()) => busy("too many large answers are on their way: try again"),
        })
    }
}

/// Whether it may be asked, and as what.
fn may(rules: &Rules, parts: &request::Parts) -> Result<Role, Response> {
    let request::Parts { method, uri, headers, .. } = parts;
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

/// A share of what may be received at once, given back in the end.
struct Held<'a> {
    of: &'a AtomicUsize,
    bytes: usize,
}

impl Held<'_> {
    fn take(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.of.fetch_add(bytes, Ordering::Relaxed) + bytes <= BODIES_MAX
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

async fn received(mut body: Incoming, held: &mut Held<'_>) -> Result<Vec<u8>, Response> {
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
