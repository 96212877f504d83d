//! `/openapi.json`: this interface for programs.
//!
//! The text is written by a test, from the types that the handlers use, and kept equal to them by it:
//! `UPDATE_GOLDEN=1 cargo test --lib openapi` writes it again.

use axum::http::header;
use axum::response::IntoResponse;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{auto_for_good, either_weight, period};

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn get() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
