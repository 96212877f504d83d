mod unknown;

use super::*;
use crate::cli::picture::testing::{NOW, WEB, desired, destination, night, quiet, service};
use crate::model::{
    Check, Checks, DestinationKey, DestinationSettings, Drain, Forward, HealthOverride, Manage, NamedCheck, Policy,
    Probe, Quiesced, SharedChecks, Timing, Via,
};
use crate::reconcile::Status;
use std::time::Duration;

const TITLE: &str = " of tcp://192.0.2.10:80 (web)";

/// The paragraph, without what every one begins with.
fn said(picture: &Picture, at: &str) -> String {
    let target = Target { service: service(WEB), destination: destination(at) };
    explain(picture, target).text().replacen(&format!("{at}{TITLE} "), "", 1)
}

/// A night on which nothing is wrong with the whole.
fn calm() -> Picture {
    let mut picture = night();
    let status = status(&mut picture);
    (status.trouble, status.outdated) = (None, false);
    status.services.get_mut(&service(WEB)).unwrap().fallback = false;
    picture.overrides = Default::default();
    picture
}

fn status(picture: &mut Picture) -> &mut Status {
    &mut picture.daemon.as_mut().unwrap().status
}

fn of<'p>(picture: &'p mut Picture, at: &str) -> &'p mut DestinationStatus {
    let web = status(picture).services.get_mut(&service(WEB)).unwrap();
    web.destinations.get_mut(&destination(at)).unwrap()
}

fn policy(picture: &mut Picture) -> &mut Policy {
    desired(picture).policies.entry(service(WEB)).or_insert_with(|| Policy::new(Duration::ZERO))
}

fn live(picture: &mut Picture, at: &str, weight: u32, counts: (u32, u32, u32)) {
    let web = picture.live.services.get_mut(&service(WEB)).unwrap();
    let live = web.destinations.get_mut(&destination(at)).unwrap();
    live.settings.weight = weight;
    (live.active_connections, live.inactive_connections, live.persistent_connections) = counts;
}

fn gone(picture: &mut Picture, at: &str) {
    picture.live.services.get_mut(&service(WEB)).unwrap().destinations.remove(&destination(at));
}

fn left(picture: &mut Picture, at: &str, weight: u32) {
    let settings = DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 };
    let owned = picture.record.services.entry(service(WEB)).or_default();
    owned.destinations.insert(destination(at), Some(settings));
}

fn drained(since: u64) -> Override {
    Override { drained_since: Some(since), ..Override::default() }
}

fn weighs(weight: u32, until: Option<u64>) -> Override {
    Override { weight: Some(WeightOverride { weight, since: NOW - 600, until }), ..Override::default() }
}

fn counts_as(health: Forced, until: Option<u64>) -> Override {
    Override { health: Some(HealthOverride { health, since: NOW - 600, until }), ..Override::default() }
}

fn give(picture: &mut Picture, at: &str, given: Override) {
    picture.overrides.set(service(WEB), destination(at), given);
}

fn failing(destination: Option<DestinationKey>, reason: &str) -> Failing {
    Failing { service: service(WEB), destination, reason: reason.into(), tries: 3, since: NOW - 60, retry_at: NOW + 8 }
}

const UP: &str = "It has been up for 1h23m, but its last check failed: http: timeout after 1s.";
const QUIET: &str = "It has no checks, and counts as up. No daemon is running: nothing of this changes by itself.";

/// What is so of a destination, how it came to be so, and what is said of it.
type Case = (&'static str, fn(&mut Picture), String);

fn hold(scene: fn() -> Picture, cases: Vec<Case>) {
    let mut wrong = String::new();
    for (at, change, want) in cases {
        let mut picture = scene();
        change(&mut picture);
        let found = said(&picture, at);
        if found != want {
            wrong += &format!("\n{at}\n  found    {found}\n  expected {want}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn each_reason_that_a_daemon_knows() {
    let quiesces = "; what is down gets weight 0, and its connections go on (on_down = \"quiesce\")";
    hold(
        calm,
        vec![
            ("10.0.0.11:80", |_| {}, format!("has weight 100 in the kernel. So says the configuration. {UP}")),
            (
                "10.0.0.13:80",
                |_| {},
                format!(
                    "has weight 0 in the kernel. The configuration says 100. It has been down for 2m: http: status 500, \
                     expected 200-299{quiesces}."
                ),
            ),
            (
                "10.0.0.13:80",
                |picture| {
                    policy(picture).on_down = OnDown::Ignore;
                    of(picture, "10.0.0.13:80").effective = 100;
                    live(picture, "10.0.0.13:80", 100, (2, 0, 0));
                },
                "has weight 100 in the kernel. So says the configuration. It has been down for 2m: http: status 500, \
                 expected 200-299; what is down keeps its weight here (on_down = \"ignore\")."
                    .into(),
            ),
            (
                "10.0.0.14:80",
                |picture| policy(picture).slow_start = Duration::from_secs(30),
                "has weight 40 in the kernel. The configuration says 100. It has been up for 1h23m. It is on its way up \
                 (slow_start): 40 of 100, 40 %, which takes 30s in all."
                    .into(),
            ),
            (
                "10.0.0.15:80",
                |_| {},
                "has weight 0 in the kernel. The configuration does not have it any more. It drains: 12 connections are \
                 left (12 active), and it is deleted when they have ended, at 13:54 UTC (4m30s more) at the latest."
                    .into(),
            ),
            (
                "10.0.0.15:80",
                |picture| live(picture, "10.0.0.15:80", 0, (0, 0, 0)),
                "has weight 0 in the kernel. The configuration does not have it any more. It has no connections left, and \
                 is deleted, at 13:54 UTC (4m30s more) at the latest."
                    .into(),
            ),
            (
                "10.0.0.16:80",
                |_| {},
                format!(
                    "has weight 0 in the kernel. The configuration says 100. It has been down for 15s (it changes too \
                     often, and is held down): tcp: 6 changes in 1m, held down for 45s more{quiesces}."
                ),
            ),
            (
                "10.0.0.17:80",
                |picture| {
                    of(picture, "10.0.0.17:80").effective = 0;
                    live(picture, "10.0.0.17:80", 0, (0, 0, 0));
                },
                "has weight 0 in the kernel. The configuration says 100. Its checks have not spoken yet: until they do, it \
                 gets no connections."
                    .into(),
            ),
            (
                "10.0.0.18:80",
                |picture| policy(picture).on_down = OnDown::Delete,
                "is not in the kernel's table. The configuration says 100. It has been down for 1d1h: exec: exit status 1: \
                 \\u{1b}[31mno\\nroute; what is down is taken out of the table (on_down = \"delete\")."
                    .into(),
            ),
            (
                "10.0.0.13:80",
                |picture| {
                    status(picture).services.get_mut(&service(WEB)).unwrap().panic = true;
                    of(picture, "10.0.0.13:80").effective = 100;
                    live(picture, "10.0.0.13:80", 100, (0, 0, 0));
                },
                "has weight 100 in the kernel. So says the configuration. Its checks say that it is down for 2m: http: \
                 status 500, expected 200-299. But so many of the service's destinations went down at once that the checker \
                 is suspected (panic_threshold): their weights are kept."
                    .into(),
            ),
            (
                "10.0.0.14:80",
                |picture| {
                    let found = of(picture, "10.0.0.14:80");
                    (found.quiesced, found.ramp_to, found.effective) = (Some(Quiesced::Paused), None, 0);
                    live(picture, "10.0.0.14:80", 0, (0, 0, 0));
                },
                "has weight 0 in the kernel. The configuration says 100. Its container is paused, and so it gets no new \
                 connections. It has been up for 1h23m."
                    .into(),
            ),
        ],
    );
}

#[test]
fn what_operators_ordered_stands_beside_the_rest() {
    hold(
        calm,
        vec![
            (
                "10.0.0.12:80",
                |picture| {
                    give(picture, "10.0.0.12:80", drained(NOW - 600));
                    live(picture, "10.0.0.12:80", 0, (2, 1, 0));
                },
                "has weight 0 in the kernel. The configuration says 100. An operator has drained it since 13:40 UTC: it \
                 gets no new connections, and 3 connections are left (2 active, 1 inactive); `ipvsd undrain web \
                 10.0.0.12:80` takes that back. It has been up for 1h23m."
                    .into(),
            ),
            (
                "10.0.0.13:80",
                |picture| {
                    give(picture, "10.0.0.13:80", drained(NOW - 600));
                    live(picture, "10.0.0.13:80", 0, (0, 0, 1));
                },
                "has weight 0 in the kernel. The configuration says 100. An operator has drained it since 13:40 UTC: it \
                 gets no new connections, and 1 connection is left (1 persistent); `ipvsd undrain web 10.0.0.13:80` takes \
                 that back. What is persistent sends its clients here all the same, until they have been away for the \
                 service's persistence timeout (unless net.ipv4.vs.expire_quiescent_template is 1). It has been down for \
                 2m: http: status 500, expected 200-299; what is down gets weight 0, and its connections go on (on_down = \
                 \"quiesce\")."
                    .into(),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    give(picture, "10.0.0.11:80", weighs(10, Some(NOW + 900)));
                    of(picture, "10.0.0.11:80").effective = 10;
                    live(picture, "10.0.0.11:80", 10, (3, 0, 0));
                },
                format!(
                    "has weight 10 in the kernel. The configuration says 100. An operator has set 10 instead of 100, until \
                     14:05 UTC (15m more); `ipvsd weight web 10.0.0.11:80 --reset` takes that back. {UP}"
                ),
            ),
            (
                "10.0.0.14:80",
                |picture| {
                    give(picture, "10.0.0.14:80", weighs(50, None));
                    let found = of(picture, "10.0.0.14:80");
                    (found.ramp_to, found.effective) = (Some(50), 20);
                    live(picture, "10.0.0.14:80", 20, (0, 0, 0));
                },
                "has weight 20 in the kernel. The configuration says 100. An operator has set 50 instead of 100, since \
                 13:40 UTC; `ipvsd weight web 10.0.0.14:80 --reset` takes that back. It has been up for 1h23m. It is on its \
                 way up (slow_start): 20 of 50, 40 %."
                    .into(),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    give(picture, "10.0.0.11:80", counts_as(Forced::Down, Some(NOW + 60)));
                    let found = of(picture, "10.0.0.11:80");
                    (found.health, found.checks, found.effective) = (Some(Health::Down), Some(Health::Up), 0);
                    found.reason.clear();
                    live(picture, "10.0.0.11:80", 0, (0, 0, 0));
                },
                "has weight 0 in the kernel. The configuration says 100. An operator says that it is down, whatever its \
                 checks say (up), until 13:51 UTC (1m more); what is down gets weight 0, and its connections go on (on_down \
                 = \"quiesce\"); `ipvsd health web 10.0.0.11:80 auto` takes that back."
                    .into(),
            ),
            (
                "10.0.0.13:80",
                |picture| {
                    give(picture, "10.0.0.13:80", counts_as(Forced::Up, None));
                    let found = of(picture, "10.0.0.13:80");
                    (found.health, found.checks, found.effective) = (Some(Health::Up), Some(Health::Down), 100);
                    live(picture, "10.0.0.13:80", 100, (0, 0, 0));
                },
                "has weight 100 in the kernel. So says the configuration. An operator says that it is up, whatever its \
                 checks say (down: http: status 500, expected 200-299), since 13:40 UTC; `ipvsd health web 10.0.0.13:80 \
                 auto` takes that back."
                    .into(),
            ),
        ],
    );
}

#[test]
fn what_is_not_as_it_should_be_has_its_reason() {
    hold(
        calm,
        vec![
            (
                "10.0.0.11:80",
                |picture| {
                    live(picture, "10.0.0.11:80", 7, (0, 0, 0));
                    left(picture, "10.0.0.11:80", 100);
                },
                format!(
                    "has weight 7 in the kernel. The configuration says 100. {UP} ipvsd had left it at 100, and somebody \
                     else has changed it: that is drift, and the next pass repairs it."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    live(picture, "10.0.0.11:80", 7, (0, 0, 0));
                    left(picture, "10.0.0.11:80", 7);
                },
                format!(
                    "has weight 7 in the kernel. The configuration says 100. {UP} It should be 100: the next pass sees to \
                     that."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    gone(picture, "10.0.0.11:80");
                    left(picture, "10.0.0.11:80", 100);
                },
                format!(
                    "is not in the kernel's table. The configuration says 100. {UP} ipvsd had put it there, and somebody \
                     else has taken it away: that is drift, and the next pass repairs it."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    gone(picture, "10.0.0.11:80");
                    status(picture).failing = vec![failing(Some(destination("10.0.0.11:80")), "no route to it")];
                },
                format!(
                    "is not in the kernel's table. The configuration says 100. {UP} The kernel does not do what it is asked \
                     for it (3 times since 13:49 UTC, again in 8s): no route to it. It should have weight 100."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    picture.live.services.clear();
                    status(picture).failing = vec![failing(None, "there is no scheduler nonesuch")];
                },
                format!(
                    "is not in the kernel's table, and nor is the service. The configuration says 100. {UP} The kernel does \
                     not do what it is asked for its service (3 times since 13:49 UTC, again in 8s): there is no scheduler \
                     nonesuch. It should have weight 100."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    let web = picture.live.services.get_mut(&service(WEB)).unwrap();
                    let live = web.destinations.get_mut(&destination("10.0.0.11:80")).unwrap();
                    live.settings.max_connections = 3;
                },
                format!(
                    "has weight 100 in the kernel. So says the configuration. {UP} It has 3 connections, and may have 3 \
                     (max_connections): the kernel gives it no more for now."
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    let status = status(picture);
                    (status.trouble, status.outdated) = (Some("the kernel did not answer".into()), true);
                },
                format!(
                    "has weight 100 in the kernel. So says the configuration. {UP} The last pass, 12s ago, came to nothing: \
                     the kernel did not answer. The files are refused (see `ipvsd check`), and what is in force is an older \
                     configuration."
                ),
            ),
        ],
    );
}
