//! Whether it lives, and whether it is ready: for whoever starts and watches processes.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Stage;

pub(super) fn routes() -> Router<Stage> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready))
}

/// Whoever gets an answer knows.
async fn live() -> &'static str {
    "alive\n"
}

/// Ready: the first pass has ended, and the configuration in force is the files'.
async fn ready(State(stage): State<Stage>) -> (StatusCode, &'static str) {
    let status = stage.posted();
    match (status.pass_at, status.outdated) {
        (0, _) => (StatusCode::SERVICE_UNAVAILABLE, "the first pass has not ended yet\n"),
        (_, true) => (StatusCode::SERVICE_UNAVAILABLE, "the last configuration was refused\n"),
        (_, false) => (StatusCode::OK, "ready\n"),
    }
}
