//! `/v1/events`: what happens, as it happens, in server-sent events; and `/v1/history`: what happened last.
//!
//! Each event has a number, a name, and a JSON object on one line. `sample` has no number: it is the kernel's counters, every
//! two seconds while somebody listens. A stream that does not keep up is ended, with the event `dropped`: whoever comes back
//! with the last number (`Last-Event-ID`) gets what is kept since then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::sample;
use crate::api::broadcast::{MOST_STREAMS, Occurrence};
use crate::api::{Broadcast, Problem, Stage};

/// What a stream may have before it that is not read: a few frames, beside what the system keeps.
const AHEAD: usize = 8;
/// How long a stream may not take anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// A word now and then keeps whatever is in between from ending a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What happened last, the oldest first.
#[cfg(test)]
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct History {
    events: Vec<Happened>,
}

/// One event: its `data` is what `/v1/events` says of it.
#[cfg(test)]
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Happened {
    id: u64,
    event: String,
    data: serde_json::Map<String, serde_json::Value>,
}

pub(super) async fn history(State(stage): State<Stage>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], stage.broadcast().history()).into_response()
}

pub(super) async fn stream(State(stage): State<Stage>, headers: HeaderMap) -> Result<Response, Problem> {
    let broadcast = stage.broadcast();
    let Ok(place) = Arc::clone(broadcast.places()).try_acquire_owned() else {
        let detail = format!("{MOST_STREAMS} streams are open, and there are no more");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    // Who names none wants what happens from now on; `/v1/history` has the rest.
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()?.trim().parse().ok());
    let (missed, told) = broadcast.subscribe(last.unwrap_or(u64::MAX));
    let samples = broadcast.samples();
    sample::see_to_it(&stage);
    let (send, frames) = mpsc::channel(AHEAD);
    let slow = Arc::new(AtomicBool::new(false));
    tokio::spawn(feed(missed, told, samples, send, Arc::clone(&slow)));
    let body = Body::new(Stream { frames, slow, broadcast: broadcast.clone(), _place: place });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx would else keep it until there is more of it.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

/// Puts frames into `out`, until nobody takes them.
async fn feed(
    missed: Vec<Arc<Occurrence>>,
    mut told: broadcast::Receiver<Arc<Occurrence>>,
    mut samples: watch::Receiver<Option<Bytes>>,
    out: mpsc::Sender<Bytes>,
    slow: Arc<AtomicBool>,
) {
    let put = async |frame: Bytes| match timeout(PATIENCE, out.send(frame)).await {
        Ok(sent) => sent.is_ok(),
        Err(_) => {
            slow.store(true, Ordering::Release);
            false
        }
    };
    // The first frame is there at once, so that whoever asked knows that it is heard.
    if !put(Bytes::from_static(b"retry: 2000\n\n")).await {
        return;
    }
    for occurrence in missed {
        if !put(frame(&occurrence)).await {
            return;
        }
    }
    loop {
        let frame = tokio::select! {
            () = out.closed() => return,
            next = told.recv() => match next {
                Ok(occurrence) => frame(&occurrence),
                Err(RecvError::Lagged(_)) => {
                    slow.store(true, Ordering::Release);
                    return;
                }
                Err(RecvError::Closed) => return,
            },
            Ok(()) = samples.changed() => match samples.borrow_and_update().clone() {
                Some(sample) => sample,
                None => continue,
            },
            () = sleep(KEEP_ALIVE) => Bytes::from_static(b": still here\n\n"),
        };
        if !put(frame).await {
            return;
        }
    }
}

fn frame(occurrence: &Occurrence) -> Bytes {
    let Occurrence { id, event, json } = occurrence;
    format!("id: {id}\nevent: {event}\ndata: {json}\n\n").into()
}

/// The body of a stream: what it is fed, and at the end a word if it was too slow.
struct Stream {
    frames: mpsc::Receiver<Bytes>,
    slow: Arc<AtomicBool>,
    broadcast: Broadcast,
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.frames.poll_recv(context).map(|frame| {
            let last = || {
                self.broadcast.drop_stream();
                Bytes::from_static(b"event: dropped\ndata: {\"reason\":\"this stream was read too slowly\"}\n\n")
            };
            let frame = frame.or_else(|| self.slow.swap(false, Ordering::AcqRel).then(last));
            frame.map(|frame| Ok(Frame::data(frame)))
        })
    }
}
