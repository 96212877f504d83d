//! The HTTP side: GORB's interface, our own under `/v1`, `/metrics`, and the status page. Off unless `[api]` is written.
//!
//! | path | room |
//! |---|---|
//! | `/service…` | `gorb`: as GORB had it |
//! | `/v1/…`, `/openapi.json` | `v1` |
//! | `/metrics` | `metrics` |
//! | `/livez`, `/readyz` | `probes` |
//! | `/` | `page` |
//!
//! Handlers run on the thread for what waits on many sockets. They read pictures that others replace ([`Backstage`]), and never
//! wait for the kernel or for a pass themselves: whatever takes that is a future that the daemon gives. Who may do what `server` decides
//! before a handler runs, by the method: all but GET, HEAD and OPTIONS is writing. It leaves the [`Role`], the
//! [`Api`](crate::model::Api) in force and its [`Traffic`] (as `Arc`s) among the request's extensions.

mod backstage;
mod broadcast;
mod desired;
mod gorb;
mod metrics;
mod page;
mod probes;
mod problem;
mod role;
mod server;
#[cfg(test)]
mod testing;
mod traffic;
mod v1;

pub use backstage::{About, Answering, Backstage, Order, Ordered, OrderedOverride, Refusal, Sample};
pub use broadcast::Broadcast;
pub use desired::{Claimed, Edit, Edited, IfRefused, Known, NotDone};
pub use metrics::{Scene, render as render_metrics};
pub use problem::Problem;
pub use role::Role;
pub use server::{Listening, serve};
pub use traffic::Traffic;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

/// What handlers go by.
type Stage = Arc<dyn Backstage>;

/// All routes. Who may ask, and how much, is what the server lays around them.
pub fn router(stage: Stage) -> Router {
    Router::new()
        .merge(gorb::routes())
        .merge(v1::routes())
        .merge(metrics::routes())
        .merge(probes::routes())
        .merge(page::routes())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn(problem::only_text))
        .with_state(stage)
}
