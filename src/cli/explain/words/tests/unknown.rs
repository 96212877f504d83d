//! What is in no configuration, and what can be said without a daemon.

use super::*;

#[test]
fn fallbacks_foreign_ones_and_those_of_no_configuration() {
    fn fallback(picture: &mut Picture, in_use: bool) {
        let settings = DestinationSettings { forward: Forward::Nat, weight: 1, max_connections: 0, min_connections: 0 };
        policy(picture).fallback = Some((destination("10.0.0.99:80"), settings));
        status(picture).services.get_mut(&service(WEB)).unwrap().fallback = in_use;
    }
    hold(
        calm,
        vec![
            (
                "10.0.0.99:80",
                |picture| fallback(picture, false),
                "is not in the kernel's table. It is the fallback of the service: it is not in use, for others have weight."
                    .into(),
            ),
            (
                "10.0.0.99:80",
                |picture| fallback(picture, true),
                "is not in the kernel's table. It is the fallback of the service: it is in use, for no other destination of \
                 the service has weight. It should be there with weight 1: the next pass adds it."
                    .into(),
            ),
            (
                "10.0.0.99:80",
                |_| {},
                "is not in the kernel's table. No configuration has it.".into(),
            ),
            (
                "10.0.0.19:80",
                |picture| {
                    let web = picture.live.services.get_mut(&service(WEB)).unwrap();
                    let other = web.destinations[&destination("10.0.0.11:80")].clone();
                    web.destinations.insert(destination("10.0.0.19:80"), other);
                },
                "has weight 100 in the kernel. No configuration has it, and ipvsd did not put it there: it is foreign, its \
                 weight is what somebody else has set, and ipvsd leaves it alone."
                    .into(),
            ),
            (
                "10.0.0.19:80",
                |picture| {
                    let web = picture.live.services.get_mut(&service(WEB)).unwrap();
                    let other = web.destinations[&destination("10.0.0.11:80")].clone();
                    web.destinations.insert(destination("10.0.0.19:80"), other);
                    desired(picture).manage = Manage::All;
                },
                "has weight 100 in the kernel. No configuration has it, and the files are the whole truth here (`manage`): \
                 a pass deletes it."
                    .into(),
            ),
        ],
    );
}

#[test]
fn without_a_daemon_it_says_what_can_be_known() {
    fn checked(picture: &mut Picture, at: &str) {
        let timing = Timing {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
            jitter: 10,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        };
        let probe = Probe::Tcp { send: None, expect: None };
        let check = Check { probe, timing, address: None, port: None, via: Via::default(), flap: None };
        let list = vec![NamedCheck { name: "port".into(), check }];
        let checks = SharedChecks::new(Checks { list, ..Checks::default() });
        policy(picture).checks.insert(destination(at), checks);
    }
    fn configure(picture: &mut Picture, at: &str, weight: u32) {
        let web = desired(picture).table.services.get_mut(&service(WEB)).unwrap();
        web.destinations.get_mut(&destination(at)).unwrap().weight = weight;
    }
    hold(
        quiet,
        vec![
            ("10.0.0.11:80", |_| {}, format!("has weight 100 in the kernel. So says the configuration. {QUIET}")),
            (
                "10.0.0.12:80",
                |_| {},
                format!(
                    "has weight 0 in the kernel. So says the configuration: it gets no new connections, and those that it \
                     has go on. {QUIET}"
                ),
            ),
            (
                "10.0.0.11:80",
                |picture| give(picture, "10.0.0.11:80", drained(NOW - 600)),
                "has weight 100 in the kernel. So says the configuration. An operator has drained it since 13:40 UTC: \
                     it gets no new connections, and 3 connections are left (3 active); `ipvsd undrain web 10.0.0.11:80` \
                     takes that back. It has no checks, and counts as up. It should be 0: `ipvsd apply` sees to that. No \
                     daemon is running: nothing of this changes by itself."
                    .into(),
            ),
            (
                "10.0.0.12:80",
                |picture| {
                    configure(picture, "10.0.0.12:80", 50);
                    checked(picture, "10.0.0.12:80");
                },
                "has weight 0 in the kernel. The configuration says 50. No daemon is running that would make its checks \
                 (port); until one does, a weight of 0 stands for down, and stays. No daemon is running: nothing of this \
                 changes by itself."
                    .into(),
            ),
            (
                "10.0.0.11:80",
                |picture| {
                    let web = desired(picture).table.services.get_mut(&service(WEB)).unwrap();
                    web.destinations.remove(&destination("10.0.0.11:80"));
                    let drain = Drain { since: NOW - 30, until: NOW + 270, quiesced: true, checks: Checks::default() };
                    let drains = picture.record.drains.entry(service(WEB)).or_default();
                    drains.insert(destination("10.0.0.11:80"), drain);
                    live(picture, "10.0.0.11:80", 0, (3, 0, 0));
                },
                "has weight 0 in the kernel. The configuration does not have it any more. It drains: 3 connections are left \
                 (3 active), and it is deleted when they have ended, at 13:54 UTC (4m30s more) at the latest. No daemon is \
                 running: nothing of this changes by itself."
                    .into(),
            ),
            (
                "10.0.0.11:80",
                |picture| picture.desired = None,
                "10.0.0.11:80 of tcp://192.0.2.10:80 has weight 100 in the kernel. Whether it is configured is not known, for \
                 the configuration is not good: see `ipvsd check`."
                    .into(),
            ),
        ],
    );
}

#[test]
fn programs_get_the_weights_and_a_word_for_each_sentence() {
    let target = Target { service: service(WEB), destination: destination("10.0.0.14:80") };
    let document = explain(&calm(), target).document();
    assert_eq!(
        (&document["weight"], &document["configured"], &document["effective"]),
        (&40.into(), &100.into(), &40.into())
    );
    let kinds: Vec<&str> =
        document["reasons"].as_array().unwrap().iter().map(|of| of["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["weight", "configured", "up", "slow_start"]);
    assert_eq!((&document["name"], &document["service"]), (&"web".into(), &WEB.into()));
}
