//! A picture of a night in which much goes wrong.

use super::Picture;
use crate::daemon::control::Answer;
use crate::model::{
    Desired, DestinationKey, DestinationSettings, Forward, Health, Helped, LiveDestination, LiveService, Override,
    OwnedService, Policy, Scheduler, ServiceFlags, ServiceKey, ServiceOrigin, ServiceSettings, Share, Stats, SyncRole,
    SyncSettings, Timeout, WeightOverride,
};
use crate::reconcile::{DestinationStatus, DrainStatus, HostTrouble, Place, ServiceStatus, Status};
use std::sync::Arc;
use std::time::Duration;

/// 2026-01-05T13:50:00Z
pub(in crate::cli) const NOW: u64 = 1_767_621_000;

pub(in crate::cli) const WEB: &str = "tcp://192.0.2.10:80";

pub(in crate::cli) fn service(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(in crate::cli) fn destination(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

/// The configuration, to change it.
pub(in crate::cli) fn desired(picture: &mut Picture) -> &mut Desired {
    Arc::make_mut(picture.desired.as_mut().unwrap())
}

fn live(picture: &mut Picture, key: &str, destinations: &[(&str, u32, u32)]) {
    let settings = ServiceSettings { scheduler: Scheduler::new("wlc"), flags: ServiceFlags(0), persistence: None };
    let mut owned = OwnedService::default();
    let of = |weight, active_connections| LiveDestination {
        settings: DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 },
        active_connections,
        inactive_connections: 0,
        persistent_connections: 0,
        stats: Stats::default(),
    };
    for (key, ..) in destinations {
        owned.destinations.insert(destination(key), None);
    }
    let destinations =
        destinations.iter().map(|(key, weight, active)| (destination(key), of(*weight, *active))).collect();
    picture.live.services.insert(service(key), LiveService { settings, stats: Stats::default(), destinations });
    picture.record.services.insert(service(key), owned);
}

/// A service with two destinations, and a helper service; no daemon, no overrides.
pub(in crate::cli) fn quiet() -> Picture {
    let mut picture = Picture { now: NOW, ..Picture::default() };
    live(&mut picture, WEB, &[("10.0.0.11:80", 100, 3), ("10.0.0.12:80", 0, 0)]);
    live(&mut picture, "fwmark:1768947712", &[("10.0.0.11:80", 1, 0)]);
    let helped = Helped { service: service(WEB), destination: destination("10.0.0.11:80") };
    picture.record.helpers.insert(1_768_947_712, helped);
    let mut desired = Desired::default();
    let origin = ServiceOrigin {
        name: "web".into(),
        file: "/etc/ipvsd/ipvsd.toml".into(),
        line: 3,
        destinations: Default::default(),
    };
    desired.origins.insert(service(WEB), origin);
    desired.table.services.insert(service(WEB), picture.live.services[&service(WEB)].to_service());
    picture.desired = Some(Arc::new(desired));
    picture
}

/// Overrides for the two destinations, and for one that is not configured.
pub(in crate::cli) fn overridden(picture: &mut Picture) {
    let drained = Override { drained_since: Some(NOW - 600), ..Override::default() };
    picture.overrides.set(service(WEB), destination("10.0.0.9:80"), drained);
    let weight = WeightOverride { weight: 10, since: NOW - 60, until: Some(NOW + 900) };
    picture.overrides.set(service(WEB), destination("10.0.0.12:80"), drained);
    picture.overrides.set(
        service(WEB),
        destination("10.0.0.11:80"),
        Override { weight: Some(weight), ..Override::default() },
    );
}

/// With a daemon, and everything that it can say.
pub(in crate::cli) fn night() -> Picture {
    let mut picture = quiet();
    live(
        &mut picture,
        WEB,
        &[
            ("10.0.0.11:80", 100, 3),
            ("10.0.0.12:80", 0, 0),
            ("10.0.0.13:80", 0, 2),
            ("10.0.0.14:80", 40, 0),
            ("10.0.0.15:80", 0, 12),
            ("10.0.0.16:80", 0, 0),
            ("10.0.0.17:80", 100, 0),
        ],
    );
    live(&mut picture, "tcp://192.0.2.11:80", &[("10.0.0.11:80", 100, 0)]);
    let up = DestinationStatus {
        health: Some(Health::Up),
        since: Some(NOW - 5000),
        configured: Some(100),
        effective: 100,
        ..DestinationStatus::default()
    };
    let down = DestinationStatus { health: Some(Health::Down), effective: 0, why: "down".into(), ..up.clone() };
    let mut web = ServiceStatus { name: Some("web".into()), up: 1, of: 4, failed: true, ..ServiceStatus::default() };
    web.fallback = true;
    for (key, status) in [
        ("10.0.0.11:80", DestinationStatus { reason: "http: timeout after 1s".into(), ..up.clone() }),
        ("10.0.0.12:80", DestinationStatus { effective: 0, why: "drained by override".into(), ..up.clone() }),
        (
            "10.0.0.13:80",
            DestinationStatus {
                reason: "http: status 500, expected 200-299".into(),
                since: Some(NOW - 120),
                ..down.clone()
            },
        ),
        (
            "10.0.0.14:80",
            DestinationStatus { effective: 40, why: "slow start: 40 of 100".into(), ramp_to: Some(100), ..up.clone() },
        ),
        (
            "10.0.0.15:80",
            DestinationStatus {
                health: None,
                configured: None,
                effective: 0,
                drain: Some(DrainStatus { connections: 13, until: NOW + 270 }),
                why: "draining".into(),
                ..up.clone()
            },
        ),
        (
            "10.0.0.16:80",
            DestinationStatus {
                flapping: true,
                reason: "tcp: 6 changes in 1m, held down for 45s more".into(),
                since: Some(NOW - 15),
                ..down.clone()
            },
        ),
        ("10.0.0.17:80", DestinationStatus { health: Some(Health::Unknown), ..up.clone() }),
        // `on_down = "delete"`
        (
            "10.0.0.18:80",
            DestinationStatus {
                reason: "exec: exit status 1: \u{1b}[31mno\nroute".into(),
                since: Some(NOW - 90_000),
                ..down.clone()
            },
        ),
    ] {
        web.destinations.insert(destination(key), status);
    }
    let mut api = ServiceStatus { name: Some("api".into()), up: 1, of: 1, panic: true, ..ServiceStatus::default() };
    api.destinations.insert(destination("10.0.0.11:80"), DestinationStatus { health: None, since: None, ..up });
    let mut status = Status { pass_at: NOW - 12, pass_why: "resync".into(), outdated: true, ..Status::default() };
    status.trouble = Some("the kernel did not answer".into());
    status.suspicions.push("all 12 http checks fail: is this host cut off?".into());
    status.host.push(HostTrouble {
        object: "sysctl net.ipv4.vs.conntrack".into(),
        reason: "/proc/sys is mounted read-only".into(),
    });
    picture.settings.timeouts = Timeout::ALL.map(|timeout| (timeout, 90)).into();
    let master = SyncSettings {
        interface: "eth1".into(),
        id: 7,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: Some(1472),
    };
    picture.settings.sync.insert(SyncRole::Master, master);
    status.services.insert(service(WEB), web);
    status.services.insert(service("tcp://192.0.2.11:80"), api);
    status.helpers.insert(service("fwmark:1768947712"));
    picture.daemon =
        Some(Answer { pid: 42, version: "0.1.0".into(), started: NOW - 9000, place: Place::here().unwrap(), status });
    let mut policy = Policy::new(Duration::ZERO);
    policy.min_healthy = Some(Share::Count(2));
    desired(&mut picture).policies.insert(service(WEB), policy);
    let drained = Override { drained_since: Some(NOW - 600), ..Override::default() };
    picture.overrides.set(service(WEB), destination("10.0.0.12:80"), drained);
    picture
}
