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

use axum::Router;
use axum::routing::{get, post};

use super::Stage;

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
