//! `/v1/plan`, `/v1/reload`, `/v1/me`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;

use crate::api::{Problem, Role, Stage};
use crate::reconcile::{Agreement, Event};

/// How long a reload is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a reload.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Reloaded {
    /// Whether the pass that was asked for has ended. If not, it will.
    done: bool,
    /// Whether the kernel is what the configuration says.
    kernel: Agreement,
    /// The files are refused, and an older configuration is in force.
    outdated: bool,
    /// Why the last pass could not be made or was refused.
    trouble: Option<String>,
}

/// Who asks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Me {
    /// What they may do.
    role: Role,
}

pub(super) async fn me(role: Role) -> Json<Me> {
    Json(Me { role })
}

pub(super) async fn plan(State(stage): State<Stage>) -> Result<Json<Value>, Problem> {
    stage.plan().await.map(Json).map_err(Problem::from)
}

/// As SIGHUP does; and waits for the pass, for a while: for one that begins now, not for one that is under way already, which may have
/// read the files before.
pub(super) async fn reload(State(stage): State<Stage>) -> Response {
    let mut turns = stage.broadcast().turns();
    let begun = turns.borrow_and_update().begun;
    stage.wake(Event::Reload);
    let done = tokio::time::timeout(PATIENCE, turns.wait_for(|turns| turns.ended > begun)).await;
    let done = matches!(done, Ok(Ok(_)));
    let status = stage.posted();
    let (kernel, outdated, trouble) = (status.agreement(), status.outdated, status.trouble.clone());
    let code = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    (code, Json(Reloaded { done, kernel, outdated, trouble })).into_response()
}
