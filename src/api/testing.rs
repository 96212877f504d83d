//! A stage for tests of the routes, and what a browser would do.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::{About, Answering, Backstage, Broadcast, Order, Ordered, OrderedOverride, Refusal, Sample, router};
use crate::model::{
    DestinationKey, DestinationSettings, Forward, Live, LiveDestination, LiveService, Scheduler, ServiceFlags,
    ServiceKey, ServiceSettings, Stats,
};
use crate::reconcile::{DestinationStatus, Event, ServiceStatus, Status, Verdicts};

pub(super) const NOW: u64 = 1_767_620_400;

pub(super) struct Props {
    about: About,
    pub(super) status: Mutex<Arc<Status>>,
    pub(super) sample: Mutex<Arc<Sample>>,
    pub(super) woken: Mutex<Vec<Event>>,
    pub(super) orders: Mutex<Vec<Order>>,
    /// What is answered to an order; else that all is well.
    pub(super) refusal: Mutex<Option<Refusal>>,
    broadcast: Broadcast,
}

impl Default for Props {
    fn default() -> Self {
        Self {
            about: About { version: "1.2.3".into(), pid: 42, started: NOW - 600 },
            status: Mutex::default(),
            sample: Mutex::default(),
            woken: Mutex::default(),
            orders: Mutex::default(),
            refusal: Mutex::default(),
            broadcast: Broadcast::default(),
        }
    }
}

impl Backstage for Props {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        self.status.lock().unwrap().clone()
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::default()
    }

    fn sample(&self) -> Arc<Sample> {
        self.sample.lock().unwrap().clone()
    }

    fn wake(&self, event: Event) {
        self.woken.lock().unwrap().push(event);
    }

    fn unix(&self) -> u64 {
        NOW
    }

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn order(&self, order: Order) -> Answering<Result<Ordered, Refusal>> {
        self.orders.lock().unwrap().push(order);
        let refusal = self.refusal.lock().unwrap().clone();
        let ordered = OrderedOverride {
            service: service_key("tcp://192.0.2.10:80"),
            name: Some("web".into()),
            destination: destination_key("10.0.0.11:80"),
            drained_since: Some(NOW),
            weight: None,
            health: None,
            changed: true,
            text: "10.0.0.11:80 of tcp://192.0.2.10:80 (web) is drained".into(),
        };
        Box::pin(async move { refusal.map_or(Ok(Ordered { overrides: vec![ordered], warnings: Vec::new() }), Err) })
    }

    fn plan(&self) -> Answering<Result<Value, Refusal>> {
        let refusal = self.refusal.lock().unwrap().clone();
        Box::pin(async move { refusal.map_or(Ok(serde_json::json!({ "operations": [] })), Err) })
    }
}

pub(super) fn service_key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(super) fn destination_key(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

/// A status of one service, `web`, with these destinations.
pub(super) fn status(destinations: &[(&str, DestinationStatus)]) -> Status {
    let destinations = destinations.iter().map(|(key, status)| (destination_key(key), status.clone()));
    let web =
        ServiceStatus { name: Some("web".into()), destinations: destinations.collect(), ..ServiceStatus::default() };
    let services = [(service_key("tcp://192.0.2.10:80"), web)].into();
    Status { pass_at: NOW - 5, pass_why: "resync".into(), services, ..Status::default() }
}

/// A destination: its address, weight and active connections.
type Row<'a> = (&'a str, u32, u32);

/// A live table with these services and destinations.
pub(super) fn live(of: &[(&str, &[Row<'_>])]) -> Live {
    let mut live = Live::default();
    for (key, destinations) in of {
        let destination = |weight, active| LiveDestination {
            settings: DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 },
            active_connections: active,
            inactive_connections: 0,
            persistent_connections: 0,
            stats: Stats { connections: 1000, connection_rate: u64::from(active), ..Stats::default() },
        };
        let settings = ServiceSettings { scheduler: Scheduler::new("wrr"), flags: ServiceFlags(0), persistence: None };
        let destinations =
            destinations.iter().map(|(key, weight, active)| (destination_key(key), destination(*weight, *active)));
        let service = LiveService { settings, stats: Stats::default(), destinations: destinations.collect() };
        live.services.insert(service_key(key), service);
    }
    live
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// One request to the routes; `body` as JSON, if there is any.
pub(super) async fn ask(props: &Arc<Props>, method: &str, path: &str, body: &str) -> Answer {
    let stage: Arc<dyn Backstage> = props.clone();
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = TowerToHyperService::new(router(stage)).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// The body of a stream, as it comes.
pub(super) async fn open(props: &Arc<Props>, path: &str, last: Option<u64>) -> (StatusCode, Body) {
    let stage: Arc<dyn Backstage> = props.clone();
    let mut request = Request::builder().uri(path);
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let request = request.body(Body::empty()).unwrap();
    let response = TowerToHyperService::new(router(stage)).call(request).await.unwrap();
    (response.status(), response.into_body())
}
