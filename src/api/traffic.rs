//! What the HTTP side itself has to do, in numbers: the server counts, and the metrics tell.
//!
//! Whatever clients send, there are only so many series: routes are classes of paths, methods those of HTTP, and statuses are
//! what we answer with.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use crate::reconcile::Durations;

/// What is asked for, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Route {
    Page,
    Metrics,
    Probe,
    /// A stream, which is answered as soon as it begins.
    Events,
    V1,
    Gorb,
    /// Nothing that there is.
    Other,
}

impl Route {
    pub(super) const ALL: [Self; 7] =
        [Self::Page, Self::Metrics, Self::Probe, Self::Events, Self::V1, Self::Gorb, Self::Other];

    fn of(path: &str) -> Self {
        match path {
            "/" => Self::Page,
            "/metrics" => Self::Metrics,
            "/livez" | "/readyz" => Self::Probe,
            "/v1/events" => Self::Events,
            "/openapi.json" => Self::V1,
            "/service" => Self::Gorb,
            _ if path.starts_with("/v1/") => Self::V1,
            _ if path.starts_with("/service/") => Self::Gorb,
            _ => Self::Other,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Metrics => "metrics",
            Self::Probe => "probe",
            Self::Events => "events",
            Self::V1 => "v1",
            Self::Gorb => "gorb",
            Self::Other => "other",
        }
    }
}

/// Why somebody did not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// There are as many as there may be, and none of them is idle.
    Full,
    /// TLS did not begin: no trust, no certificate, or nothing at all.
    Handshake,
    /// The system could not accept it.
    System,
}

impl TurnedAway {
    pub(super) const ALL: [Self; 3] = [Self::Full, Self::Handshake, Self::System];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Handshake => "handshake",
            Self::System => "system",
        }
    }

    fn of(self, traffic: &Traffic) -> &AtomicU64 {
        match self {
            Self::Full => &traffic.full,
            Self::Handshake => &traffic.handshake,
            Self::System => &traffic.system,
        }
    }
}

/// A method of HTTP, in one word; whatever else somebody sends is `other`.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// See the module. Begins with the process.
#[derive(Debug, Default)]
pub struct Traffic {
    open: AtomicUsize,
    accepted: AtomicU64,
    full: AtomicU64,
    handshake: AtomicU64,
    system: AtomicU64,
    cut: AtomicU64,
    /// Bytes of answers that have not gone out.
    held: AtomicUsize,
    asked: Mutex<Requests>,
}

/// Requests that have been answered, and how long that took.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    /// The status is nothing for those that nobody waited for.
    pub(super) counts: BTreeMap<(Route, &'static str, Option<StatusCode>), u64>,
    pub(super) took: BTreeMap<Route, Durations>,
}

impl Traffic {
    /// Somebody comes in.
    pub(super) fn enter(self: &Arc<Self>) -> Inside {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Inside { traffic: Arc::clone(self), has_left: false }
    }

    pub(super) fn turn_away(&self, why: TurnedAway) {
        why.of(self).fetch_add(1, Ordering::Relaxed);
    }

    /// A request has come.
    pub(super) fn ask(self: &Arc<Self>, method: &Method, path: &str) -> Asked {
        let of = (Route::of(path), word(method));
        Asked { traffic: Arc::clone(self), of, at: Instant::now(), status: None }
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn turned_away(&self, why: TurnedAway) -> u64 {
        why.of(self).load(Ordering::Relaxed)
    }

    pub(super) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn requests(&self) -> Requests {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A connection, until it ends.
#[derive(Debug)]
pub(super) struct Inside {
    traffic: Arc<Traffic>,
    has_left: bool,
}

impl Inside {
    /// It has come to its own end; else it was cut.
    pub(super) fn leave(mut self) {
        self.has_left = true;
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.traffic.open.fetch_sub(1, Ordering::Relaxed);
        if !self.has_left {
            self.traffic.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A request, until there is an answer or nobody wants it any more.
#[derive(Debug)]
pub(super) struct Asked {
    traffic: Arc<Traffic>,
    of: (Route, &'static str),
    at: Instant,
    status: Option<StatusCode>,
}

impl Asked {
    /// There is one: counted, and its bytes are until they have gone out.
    pub(super) fn answer(mut self, response: Response) -> Response {
        self.status = Some(response.status());
        let size = response.body().size_hint().exact().unwrap_or(0);
        let held = Held { size: usize::try_from(size).unwrap_or(usize::MAX), traffic: Arc::clone(&self.traffic) };
        if held.size == 0 {
            return response;
        }
        self.traffic.held.fetch_add(held.size, Ordering::Relaxed);
        response.map(|body| Body::new(Counted { body, _held: held }))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let (route, method) = self.of;
        let mut asked = self.traffic.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked.counts.entry((route, method, self.status)).or_default() += 1;
        asked.took.entry(route).or_default().add(self.at.elapsed());
    }
}

#[derive(Debug)]
struct Held {
    size: usize,
    traffic: Arc<Traffic>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nothing was added for an empty one, and nothing is taken.
        self.traffic.held.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// A body as it is.
struct Counted {
    body: Body,
    _held: Held,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_classes_however_odd_they_are() {
        for (path, route) in [
            ("/", "page"),
            ("/metrics", "metrics"),
            ("/livez", "probe"),
            ("/readyz", "probe"),
            ("/v1/events", "events"),
            ("/v1/events/", "v1"),
            ("/v1/services/a%2Fb", "v1"),
            ("/openapi.json", "v1"),
            ("/service", "gorb"),
            ("/service/web/a", "gorb"),
            ("/services", "other"),
            ("/v1", "other"),
            ("*", "other"),
            ("", "other"),
        ] {
            assert_eq!(Route::of(path).as_str(), route, "{path}");
        }
    }

    #[test]
    fn a_connection_is_counted_until_it_ends_and_one_that_is_cut_for_ever() {
        let traffic = Arc::<Traffic>::default();
        let (one, other) = (traffic.enter(), traffic.enter());
        assert_eq!((traffic.open(), traffic.accepted(), traffic.cut()), (2, 2, 0));
        one.leave();
        drop(other);
        assert_eq!((traffic.open(), traffic.accepted(), traffic.cut()), (0, 2, 1));
        traffic.turn_away(TurnedAway::Handshake);
        assert_eq!(TurnedAway::ALL.map(|why| traffic.turned_away(why)), [0, 1, 0]);
    }

    #[test]
    fn an_answer_is_held_until_it_has_gone_and_one_that_nobody_waits_for_is_counted() {
        let traffic = Arc::<Traffic>::default();
        let answer = |text: &'static str| Response::new(Body::from(text));
        let response = traffic.ask(&Method::GET, "/v1/status").answer(answer("12345"));
        assert_eq!((traffic.held(), response.body().size_hint().exact()), (5, Some(5)));
        drop(response);
        assert_eq!(traffic.held(), 0);
        drop(traffic.ask(&Method::GET, "/v1/status").answer(answer("")));
        assert_eq!(traffic.held(), 0);
        for number in 0..1000 {
            let method = Method::from_bytes(format!("ODD{number}").as_bytes()).unwrap();
            drop(traffic.ask(&method, &format!("/{number}")));
        }
        let Requests { counts, took } = traffic.requests();
        let ok = (Route::V1, "GET", Some(StatusCode::OK));
        assert_eq!(counts, [(ok, 2), ((Route::Other, "other", None), 1000)].into(), "and nothing grows with it");
        assert_eq!(took[&Route::V1].counts.iter().sum::<u64>(), 2);
    }
}
