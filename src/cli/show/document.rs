//! The live table for programs, with everything that is known of it.

use serde_json::{Value, json};

use crate::cli::picture::Picture;
use crate::daemon::control::Answer;
use crate::daemon::orders;
use crate::model::{DestinationKey, LiveDestination, LiveService, Override, ServiceKey};
use crate::plan::render;
use crate::reconcile::{DestinationStatus, ServiceStatus, Status};

/// Helper services stand apart from the others, whether they are asked for or not.
pub(super) fn document(picture: &Picture) -> Value {
    let (mut services, mut helpers) = (Vec::new(), Vec::new());
    for (key, service) in &picture.live.services {
        let mut document = of_service(picture, key, service);
        if picture.is_helper(key) {
            document["checks"] = json!(
                picture
                    .helped(key)
                    .map(|helped| { json!({ "service": helped.service, "destination": helped.destination }) })
            );
            helpers.push(document);
        } else {
            services.push(document);
        }
    }
    let none = std::collections::BTreeMap::new();
    let origins = picture.origins().unwrap_or(&none);
    json!({
        "services": services,
        "unknown": picture.live.unknown,
        "helpers": helpers,
        "missing": missing_services(picture),
        "timeouts": picture.settings.timeouts,
        "sync": picture.settings.sync,
        "overrides": orders::document(&picture.overrides, origins, picture.desired.as_deref()),
        "daemon": picture.daemon.as_ref().map(of_daemon),
    })
}

fn of_daemon(answer: &Answer) -> Value {
    let Answer { pid, version, started, place: _, status } = answer;
    let Status { outdated, pass_at, pass_why, trouble, failing, failing_more, suspicions, host, docker, names, .. } =
        status;
    json!({
        "pid": pid,
        "version": version,
        "started": started,
        "pass_at": pass_at,
        "pass_why": pass_why,
        "outdated": outdated,
        "trouble": trouble,
        "kernel": status.agreement(),
        "failing": failing,
        "failing_more": failing_more,
        "suspicions": suspicions,
        "host": host,
        "docker": docker,
        "names": names,
    })
}

fn of_service(picture: &Picture, key: &ServiceKey, service: &LiveService) -> Value {
    let LiveService { settings, stats, destinations } = service;
    let destinations: Vec<Value> =
        destinations.iter().map(|(destination, live)| of_destination(picture, key, destination, live)).collect();
    let mut document = json!({
        "address": key,
        "name": picture.name(key),
        "owner": picture.owner(key, None),
        "settings": render::service_json(settings),
        "stats": stats,
        "destinations": destinations,
    });
    if let Some(status) = picture.status(key) {
        let missing = status.destinations.keys().filter(|destination| !service.destinations.contains_key(destination));
        document["status"] = service_status(status);
        document["missing"] = missing.map(|destination| missing_destination(picture, key, destination)).collect();
    }
    document
}

fn of_destination(picture: &Picture, service: &ServiceKey, key: &DestinationKey, live: &LiveDestination) -> Value {
    let LiveDestination { settings, active_connections, inactive_connections, persistent_connections, stats } = live;
    json!({
        "address": key,
        "name": picture.called(service, key),
        "owner": picture.owner(service, Some(key)),
        "settings": render::destination_json(settings),
        "active_connections": active_connections,
        "inactive_connections": inactive_connections,
        "persistent_connections": persistent_connections,
        "stats": stats,
        "status": picture.destination_status(service, key).map(destination_status),
        "override": given(picture, service, key),
    })
}

/// What the daemon knows of, and the kernel does not have.
fn missing_services(picture: &Picture) -> Vec<Value> {
    let known = picture.daemon.iter().flat_map(|daemon| &daemon.status.services);
    let missing = known.filter(|(key, _)| !picture.live.services.contains_key(key));
    missing
        .map(|(key, status)| {
            let destinations = status.destinations.keys();
            let missing: Vec<Value> =
                destinations.map(|destination| missing_destination(picture, key, destination)).collect();
            json!({
                "address": key,
                "name": picture.name(key),
                "status": service_status(status),
                "missing": missing,
            })
        })
        .collect()
}

fn missing_destination(picture: &Picture, service: &ServiceKey, key: &DestinationKey) -> Value {
    json!({
        "address": key,
        "name": picture.called(service, key),
        "status": picture.destination_status(service, key).map(destination_status),
        "override": given(picture, service, key),
    })
}

fn given(picture: &Picture, service: &ServiceKey, key: &DestinationKey) -> Option<Override> {
    Some(picture.given(service, key)).filter(|given| !given.is_empty())
}

fn service_status(status: &ServiceStatus) -> Value {
    let ServiceStatus { name: _, up, of, failed, panic, fallback, fallback_to: _, ignores_down: _, destinations: _ } =
        status;
    json!({ "up": up, "of": of, "failed": failed, "panic": panic, "fallback": fallback })
}

fn destination_status(status: &DestinationStatus) -> Value {
    json!(status)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::picture::testing::{NOW, WEB, destination, night, quiet, service};

    #[test]
    fn all_of_it_is_there_and_what_was_there_stays() {
        let mut picture = night();
        let origins = &mut Arc::make_mut(picture.desired.as_mut().unwrap()).origins;
        let origin = origins.get_mut(&service(WEB)).unwrap();
        origin.destinations.insert(destination("10.0.0.11:80"), "web-1".into());
        origin.destinations.insert(destination("10.0.0.18:80"), "web-8".into());
        let table = document(&picture);
        let web = &table["services"][0];
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys(&table), "daemon helpers missing overrides services sync timeouts unknown");
        assert_eq!(keys(web), "address destinations missing name owner settings stats status");
        assert_eq!(
            keys(&web["destinations"][0]),
            "active_connections address inactive_connections name override owner persistent_connections settings stats status"
        );
        assert_eq!(web["status"], json!({ "up": 1, "of": 4, "failed": true, "panic": false, "fallback": true }));
        assert_eq!(web["destinations"][1]["override"], json!({ "drained_since": NOW - 600 }));
        assert_eq!(web["destinations"][0]["override"], Value::Null);
        let down = &web["destinations"][2]["status"];
        assert_eq!(down["health"], "down");
        assert_eq!(down["reason"], "http: status 500, expected 200-299");
        assert_eq!(down["since"], NOW - 120);
        assert_eq!(web["destinations"][4]["status"]["drain"], json!({ "connections": 13, "until": NOW + 270 }));
        assert_eq!(web["destinations"][0]["name"], "web-1");
        assert_eq!(web["destinations"][1]["name"], Value::Null);
        assert_eq!(
            (&web["missing"][0]["address"], &web["missing"][0]["name"]),
            (&json!("10.0.0.18:80"), &json!("web-8"))
        );
        assert_eq!(web["missing"][0]["status"]["reason"], "exec: exit status 1: \u{1b}[31mno\nroute", "as it is");
        assert_eq!(table["services"].as_array().unwrap().len(), 2, "helpers stand apart");
        assert_eq!(table["helpers"][0]["checks"]["destination"], "10.0.0.11:80");
        assert_eq!(table["overrides"][0]["destination"], "10.0.0.12:80");
        assert_eq!((&table["timeouts"]["tcp"], &table["sync"]["master"]["id"]), (&json!(90), &json!(7)));
        assert_eq!(table["daemon"]["host"][0]["object"], "sysctl net.ipv4.vs.conntrack");
        assert_eq!(table["daemon"]["suspicions"][0], "all 12 http checks fail: is this host cut off?");
        assert_eq!((&table["daemon"]["outdated"], &table["daemon"]["pid"]), (&json!(true), &json!(42)));
    }

    #[test]
    fn what_is_not_in_the_kernel_is_missing() {
        let mut picture = night();
        picture.live.services.clear();
        let table = document(&picture);
        assert_eq!(table["missing"][0]["name"], "web");
        assert_eq!(table["missing"][0]["missing"].as_array().unwrap().len(), 8);
    }

    #[test]
    fn without_a_daemon_nothing_is_made_up() {
        let table = document(&quiet());
        assert_eq!(table["daemon"], Value::Null);
        assert_eq!(table["services"][0]["destinations"][0]["status"], Value::Null);
        assert_eq!((&table["missing"], &table["overrides"]), (&json!([]), &json!([])));
    }
}
