//! To come.

use axum::Router;

use super::Stage;

pub(super) fn routes() -> Router<Stage> {
    Router::new()
}
