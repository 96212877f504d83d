//! `/v1/drain`, `/v1/undrain`, `/v1/weight`, `/v1/health`: what `ipvsd drain` and its like do, with the same rules and
//! sentences.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::backstage::{Order, Ordered};
use crate::api::{Problem, Stage};
use crate::model::{Action, Forced};
use crate::reconcile::parse_period;

/// A destination of a service.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// By its name in the configuration, which is all of its addresses, or one address.
    service: String,
    /// `ADDRESS:PORT`, or `ADDRESS` where that is clear.
    destination: String,
}

/// A weight for it, or `reset`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = super::openapi::either_weight))]
#[serde(deny_unknown_fields)]
pub(super) struct SetWeight {
    /// As for a drain.
    service: String,
    destination: String,
    /// 0 to 65535.
    // A whole number may be written as 10.0, which is an integer in JSON.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<u32>", range(max = 65535)))]
    weight: Option<f64>,
    /// Take the override back.
    #[serde(default)]
    reset: bool,
    /// How long: `10m`, `2h`; until it is taken back if this is not given.
    #[serde(default, rename = "for")]
    #[cfg_attr(test, schemars(schema_with = "super::openapi::period"))]
    period: Option<String>,
}

/// What it counts as, whatever its checks say.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = super::openapi::auto_for_good))]
#[serde(deny_unknown_fields)]
pub(super) struct SetHealth {
    /// As for a drain.
    service: String,
    destination: String,
    health: Wanted,
    /// How long: `10m`, `2h`; until it is taken back if this is not given.
    #[serde(default, rename = "for")]
    #[cfg_attr(test, schemars(schema_with = "super::openapi::period"))]
    period: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Up,
    Down,
    /// Take the override back: its checks decide.
    Auto,
}

/// A body in JSON; what is wrong with it is a [`Problem`].
pub(super) struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let detail = "expected a body with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let read = Bytes::from_request(request, state).await;
        let bytes = read.map_err(|problem| Problem::new(problem.status(), problem.body_text()))?;
        // An array would do for a struct as well, as far as serde is concerned.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(unfit("expected a JSON object"));
        }
        let read = Json::<T>::from_bytes(&bytes);
        read.map(|Json(body)| Self(body)).map_err(|problem| Problem::new(problem.status(), problem.body_text()))
    }
}

fn unfit(detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// A weight, if the number is one.
fn whole(number: f64) -> Option<u32> {
    (number.fract() == 0.0 && (0.0..=65_535.0).contains(&number)).then_some(number as u32)
}

/// In seconds.
fn seconds(period: Option<&String>) -> Result<Option<u64>, Problem> {
    let period = period.map(|text| parse_period(text)).transpose();
    let period = period.map_err(|sentence| unfit(&format!("`for`: {sentence}")))?;
    Ok(period.map(|period| period.as_secs()))
}

async fn give(stage: Stage, service: String, destination: String, action: Action) -> Result<Json<Ordered>, Problem> {
    stage.order(Order { service, destination, action }).await.map(Json).map_err(Problem::from)
}

pub(super) async fn drain(
    State(stage): State<Stage>,
    Body(Target { service, destination }): Body<Target>,
) -> Result<Json<Ordered>, Problem> {
    give(stage, service, destination, Action::Drain).await
}

pub(super) async fn undrain(
    State(stage): State<Stage>,
    Body(Target { service, destination }): Body<Target>,
) -> Result<Json<Ordered>, Problem> {
    give(stage, service, destination, Action::Undrain).await
}

pub(super) async fn weight(
    State(stage): State<Stage>,
    Body(SetWeight { service, destination, weight, reset, period }): Body<SetWeight>,
) -> Result<Json<Ordered>, Problem> {
    let seconds = seconds(period.as_ref())?;
    let action = match (weight.map(whole), reset, seconds) {
        (Some(Some(weight)), false, seconds) => Action::Weight { weight, seconds },
        (Some(None), false, _) => return Err(unfit("`weight`: expected 0 to 65535")),
        (None, true, None) => Action::ResetWeight,
        (None, true, Some(_)) => return Err(unfit("`reset` takes the override back for good: it goes without `for`")),
        (Some(_), true, _) | (None, false, _) => return Err(unfit("give `weight`, or `\"reset\": true`")),
    };
    give(stage, service, destination, action).await
}

pub(super) async fn health(
    State(stage): State<Stage>,
    Body(SetHealth { service, destination, health, period }): Body<SetHealth>,
) -> Result<Json<Ordered>, Problem> {
    let action = match (health, seconds(period.as_ref())?) {
        (Wanted::Up, seconds) => Action::Health { health: Forced::Up, seconds },
        (Wanted::Down, seconds) => Action::Health { health: Forced::Down, seconds },
        (Wanted::Auto, None) => Action::ResetHealth,
        (Wanted::Auto, Some(_)) => {
            return Err(unfit("`auto` takes the override back for good: it goes without `for`"));
        }
    };
    give(stage, service, destination, action).await
}
