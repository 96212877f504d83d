//! What whoever asks may do.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use serde::Serialize;

/// The server lays it beside each request (as an extension), once it knows who asks. Where it says nothing, nothing but
/// reading is promised; what is let through is the server's own decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Read,
    Write,
}

impl Role {
    /// What a request takes: all but GET, HEAD and OPTIONS is writing.
    pub fn needed_for(method: &Method) -> Self {
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) { Role::Read } else { Role::Write }
    }

    /// `read` or `write`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Write => "write",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Role {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}
