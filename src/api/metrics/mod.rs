//! `/metrics`, in the text format of OpenMetrics: what ipvsd does, and what the kernel counts.
//!
//! A page is made of what the loop posted and the sampler read, beside the thread that answers, and serves all who ask within a
//! second: a scrape waits for nobody but for the making of it.

mod catalogue;
mod render;
#[cfg(test)]
mod tests;
mod text;

pub use render::{Scene, render};

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Problem, Stage, Traffic};
use crate::model::Api;

/// A page serves all who ask within this time.
const FRESH: Duration = Duration::from_secs(1);
/// How long to wait for those who came before.
const PATIENCE: Duration = Duration::from_secs(10);
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many services and destinations there are at most.
type Most = (usize, usize);

/// The last page, how much it was to have, and when it was made. Whoever makes a new one holds it meanwhile.
type Last = Arc<Mutex<Option<(Instant, Most, Bytes)>>>;

pub(super) fn routes() -> Router<Stage> {
    let last = Last::default();
    Router::new()
        .route("/metrics", get(move |State(stage): State<Stage>, request: Request| answer(stage, last, request)))
}

async fn answer(stage: Stage, last: Last, request: Request) -> Response {
    let extensions = request.extensions();
    let api = extensions.get::<Arc<Api>>().cloned().unwrap_or_default();
    let most = (api.metrics_services, api.metrics_destinations);
    let traffic = extensions.get::<Arc<Traffic>>().cloned().unwrap_or_default();
    // Held by who makes it until it is made, whether somebody still waits for it or not.
    let Ok(mut last) = timeout(PATIENCE, last.lock_owned()).await else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "others are being answered: try again").into_response();
    };
    let page = match &*last {
        Some((at, of, page)) if *of == most && at.elapsed() < FRESH => page.clone(),
        _ => {
            let made = spawn_blocking(move || {
                let page = page(&stage, &traffic, most);
                *last = Some((Instant::now(), most, page.clone()));
                page
            });
            let Ok(page) = made.await else {
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written")
                    .into_response();
            };
            page
        }
    };
    ([(header::CONTENT_TYPE, TYPE)], page).into_response()
}

fn page(stage: &Stage, traffic: &Traffic, (most_services, most_destinations): Most) -> Bytes {
    let (status, verdicts, sample) = (stage.status(), stage.verdicts(), stage.sample());
    let scene = Scene {
        about: stage.about(),
        status: &status,
        verdicts: &verdicts,
        sampled: sample.unix_ms,
        live: &sample.live,
        traffic,
        broadcast: stage.broadcast(),
        most_services,
        most_destinations,
    };
    render(&scene).into()
}
