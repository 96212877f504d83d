//! GORB's interface: its routes, field names, texts of errors, and empty answers, over what is desired here.
//!
//! Its defects are not here: numbers are taken in `args`, `persistent` is honoured, an equal PUT is 200, PATCH without a weight is
//! 400, PATCH of a service is there, and an error of the kernel says why. IDs of backends belong to their service; one that
//! only one service has is found under any other service, too, as clients rely on.
//!
//! [`decode`] reads requests as Go's decoder does, [`options`] and [`pulse`] say what they mean, [`change`] is what becomes of a
//! service by one of them, and [`view`] is what is shown. All of them are pure; the handlers are here.

mod change;
mod decode;
mod options;
mod pulse;
mod view;

#[cfg(test)]
pub(super) use view::{BackendView, ServiceView};

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::desired::{Edit, Known, NotDone};
use super::{Backstage, Stage};
use crate::model::Offer;
use options::{BackendOptions, ServiceOptions};

/// The longest body of a request.
const BODY_MAX: usize = 1 << 20;

/// The longest name of a host (RFC 1035).
const HOST_MAX: usize = 253;

const MISSING_ENDPOINT: &str = "endpoint information is missing";
const NOT_FOUND: &str = "unable to locate specified object";
const EXISTS: &str = "specified object already exists";
const NO_ID: &str = "an ID is 1 to 128 printable ASCII characters without blanks and slashes";
const IPVS: &str = "error while calling into IPVS";

pub(super) fn routes() -> Router<Stage> {
    Router::new()
        .route("/service", get(list).fallback(no_such_method))
        .route("/service/", axum::routing::any(no_such_page))
        .route(
            "/service/{vs}",
            get(show_service).put(put_service).patch(patch_service).delete(delete_service).fallback(no_such_method),
        )
        .route(
            "/service/{vs}/{rs}",
            get(show_backend).put(put_backend).patch(patch_backend).delete(delete_backend).fallback(no_such_method),
        )
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

/// An answer with nothing in it, or the error.
type Answer = Result<Response, Failed>;

/// `{"error": "…"}`
#[derive(Debug)]
struct Failed {
    status: StatusCode,
    error: String,
}

impl Failed {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND)
    }
}

impl From<NotDone> for Failed {
    /// With the words that GORB had for it in front.
    fn from(NotDone { status, words }: NotDone) -> Self {
        let said = |known: &str| match words.is_empty() {
            true => known.to_owned(),
            false if words.starts_with(known) => words.clone(),
            false => format!("{known}: {words}"),
        };
        let error = match status {
            StatusCode::NOT_FOUND => said(NOT_FOUND),
            StatusCode::CONFLICT => said(EXISTS),
            StatusCode::INTERNAL_SERVER_ERROR => said(IPVS),
            _ => words.clone(),
        };
        Self { status, error }
    }
}

impl From<Failed> for NotDone {
    fn from(Failed { status, error }: Failed) -> Self {
        Self { status, words: error }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Document {
            error: String,
        }
        json(self.status, &Document { error: self.error })
    }
}

/// As Go's `json.MarshalIndent` with a tab, without a line end.
fn json(status: StatusCode, document: &impl Serialize) -> Response {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let written = document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    // Only maps whose keys are not text cannot be written, and there are none.
    let status = if written.is_ok() { status } else { StatusCode::INTERNAL_SERVER_ERROR };
    let mut response = (status, Body::from(bytes)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn no_such_method() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

async fn no_such_page() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found\n")
}

async fn list(State(stage): State<Stage>) -> Response {
    json(StatusCode::OK, &stage.known_ids())
}

async fn show_service(State(stage): State<Stage>, Ids(vs): Ids<String>) -> Answer {
    let known = stage.known(&vs).ok_or_else(Failed::not_found)?;
    let status = stage.service_status(&known.offer.key);
    Ok(json(StatusCode::OK, &view::service(&known.offer, status.as_ref())))
}

async fn put_service(State(stage): State<Stage>, Ids(vs): Ids<String>, body: Result<Bytes, BytesRejection>) -> Answer {
    let options = ServiceOptions::decode(&taken(body)?)?;
    is_id(&vs)?;
    if options.port == 0 {
        return Err(Failed::bad(MISSING_ENDPOINT));
    }
    let before = stage.known(&vs);
    let host = match options.host.as_str() {
        "" => stage.default_host().ok_or_else(|| Failed::bad(MISSING_ENDPOINT))?,
        host => match before.as_ref().and_then(|known| change::host_of(known, host)) {
            // As it was looked up then: another answer today is no other service.
            Some(address) => address,
            None => resolve(&*stage, host).await?,
        },
    };
    let wanted = options.resolve(host)?;
    carry(stage, vs.clone(), change::put_service(vs, wanted)).await
}

async fn patch_service(
    State(stage): State<Stage>,
    Ids(vs): Ids<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let patch = options::ServicePatch::decode(&taken(body)?)?;
    carry(stage, vs, change::patch_service(patch)).await
}

async fn delete_service(State(stage): State<Stage>, Ids(vs): Ids<String>) -> Answer {
    carry(stage, vs, change::delete_service()).await
}

async fn show_backend(State(stage): State<Stage>, Ids((vs, rs)): Ids<(String, String)>) -> Answer {
    let vs = holder(&*stage, vs, &rs);
    let known = stage.known(&vs).ok_or_else(Failed::not_found)?;
    let backend = known.offer.destinations.iter().find(|backend| backend.name == rs).ok_or_else(Failed::not_found)?;
    let status = stage.service_status(&known.offer.key);
    let status = status.as_ref().and_then(|status| status.destinations.get(&backend.key));
    Ok(json(StatusCode::OK, &view::backend(&known.offer, backend, status, stage.unix())))
}

async fn put_backend(
    State(stage): State<Stage>,
    Ids((vs, rs)): Ids<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let options = BackendOptions::decode(&taken(body)?)?;
    is_id(&rs)?;
    if options.host.is_empty() || options.port == 0 {
        return Err(Failed::bad(MISSING_ENDPOINT));
    }
    let address = match stage.known(&vs).as_ref().and_then(|known| change::backend_host_of(known, &rs, &options.host)) {
        Some(address) => address,
        None => resolve(&*stage, &options.host).await?,
    };
    let wanted = options.resolve(address)?;
    carry(stage, vs, change::put_backend(rs, wanted)).await
}

async fn patch_backend(
    State(stage): State<Stage>,
    Ids((vs, rs)): Ids<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let weight = options::patched_weight(&taken(body)?)?;
    let vs = holder(&*stage, vs, &rs);
    carry(stage, vs, change::patch_backend(rs, weight)).await
}

async fn delete_backend(State(stage): State<Stage>, Ids((vs, rs)): Ids<(String, String)>) -> Answer {
    let vs = holder(&*stage, vs, &rs);
    carry(stage, vs, change::delete_backend(rs)).await
}

/// Makes the change, and answers with nothing if that is done.
async fn carry(stage: Stage, vs: String, edit: Edit) -> Answer {
    stage.change(vs, edit).await?;
    Ok(StatusCode::OK.into_response())
}

/// The service that a backend is looked for in: the one that is named, unless it has none of that ID and one other has.
fn holder(stage: &dyn Backstage, vs: String, rs: &str) -> String {
    let has_it = |known: Known| known.offer.destinations.iter().any(|backend| backend.name == rs);
    if stage.known(&vs).is_some_and(has_it) {
        return vs;
    }
    match stage.having(rs).as_slice() {
        [only] => only.clone(),
        _ => vs,
    }
}

async fn resolve(stage: &dyn Backstage, host: &str) -> Result<IpAddr, Failed> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(address.to_canonical());
    }
    if host.len() > HOST_MAX {
        return Err(Failed::bad("host is longer than a name can be"));
    }
    let resolving = stage.resolve(host.to_owned());
    resolving.await.map_err(Failed::bad)
}

/// The IDs that can be given; one that cannot is merely not found by whoever looks for it.
fn is_id(id: &str) -> Result<(), Failed> {
    if Offer::is_id(id) {
        return Ok(());
    }
    Err(Failed::bad(NO_ID))
}

/// The IDs in a path. What is no text there is an error as others are.
struct Ids<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Ids<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let ids = Path::from_request_parts(parts, state).await;
        ids.map(|Path(ids)| Self(ids)).map_err(|_| Failed::bad(NO_ID))
    }
}

fn taken(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Failed> {
    body.map_err(|rejection| Failed::new(rejection.status(), rejection.body_text()))
}
