//! Our own interface.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | how it all is: [`status`] |
//! | `GET /v1/services`, `GET /v1/services/{name}` | services and destinations, with health and counters: [`services`] |
//! | `GET /v1/events`, `GET /v1/history` | what happens, and what happened last: [`events`] |
//! | `GET /v1/plan` | what a pass over the files as they are now would do: [`upkeep`] |
//! | `GET /v1/me` | what whoever asks may do |
//! | `POST /v1/reload` | read the files now, and try again what had failed |
//! | `POST /v1/drain`, `/v1/undrain`, `/v1/weight`, `/v1/health` | order something by hand: [`orders`] |
//! | `GET /openapi.json` | all of this for programs: [`openapi`] |
//!
//! What goes wrong is a [`Problem`](super::Problem).

mod events;
mod openapi;
mod orders;
mod sample;
mod services;
mod status;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Backstage, Problem, Stage};

pub(super) fn routes() -> Router<Stage> {
    Router::new()
        .route("/v1/status", get(status::get))
        .route("/v1/services", get(services::all))
        .route("/v1/services/{name}", get(services::one))
        .route("/v1/events", get(events::stream))
        .route("/v1/history", get(events::history))
        .route("/v1/plan", get(upkeep::plan))
        .route("/v1/me", get(upkeep::me))
        .route("/v1/reload", post(upkeep::reload))
        .route("/v1/drain", post(orders::drain))
        .route("/v1/undrain", post(orders::undrain))
        .route("/v1/weight", post(orders::weight))
        .route("/v1/health", post(orders::health))
        .route("/openapi.json", get(openapi::get))
}

/// So many pictures of everything are made at a time.
static HANDS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));
/// How long to wait for those who came before.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes something of the whole status on a thread that may take its time: of a large table it takes too long for the one that
/// carries the checks. Whoever goes away meanwhile leaves no second one beside it: the hand is free when the work is done.
async fn aside<T: Send + 'static>(
    stage: Stage,
    work: impl FnOnce(&dyn Backstage) -> T + Send + 'static,
) -> Result<T, Problem> {
    let Ok(Ok(hand)) = timeout(PATIENCE, Arc::clone(&HANDS).acquire_owned()).await else {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "others are being answered: try again"));
    };
    let done = spawn_blocking(move || {
        let _hand = hand;
        work(&*stage)
    });
    done.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the log says why"))
}

/// What is JSON already.
fn written(bytes: serde_json::Result<Vec<u8>>) -> Result<Response, Problem> {
    let mut bytes = bytes.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    // It may be on its way for a while, and what it takes is counted by its length.
    bytes.shrink_to_fit();
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}
