use super::*;
use crate::cli::layout::length;
use crate::cli::picture::testing::{NOW, WEB, destination, night, overridden, quiet, service};
use crate::model::{Forced, Health, HealthOverride, Override};

#[test]
fn without_health_the_table_is_what_it_was() {
    assert_eq!(
        text(&quiet(), false, None),
        r"SERVICE / DESTINATION      SCHEDULER / FORWARD  WEIGHT  ACTIVE  INACTIVE  CONNECTIONS  CONN/S  IN B/S  OUT B/S  OWNER
tcp://192.0.2.10:80 (web)  wlc                               3         0            0       0       0        0  owned
  10.0.0.11:80             nat                     100       3         0            0       0       0        0  owned
  10.0.0.12:80             nat                       0       0         0            0       0       0        0  owned
1 service, 2 destinations
1 helper service of checks not shown; --all shows them
"
    );
}

#[test]
fn overrides_are_listed_without_a_daemon_too() {
    let mut picture = quiet();
    overridden(&mut picture);
    picture.all = true;
    picture.live.unknown.push("a service of family 77".into());
    assert_eq!(
        text(&picture, false, None),
        r"SERVICE / DESTINATION                                           SCHEDULER / FORWARD  WEIGHT  ACTIVE  INACTIVE  CONNECTIONS  CONN/S  IN B/S  OUT B/S  OWNER
tcp://192.0.2.10:80 (web)                                       wlc                               3         0            0       0       0        0  owned
  10.0.0.11:80                                                  nat                     100       3         0            0       0       0        0  owned
  10.0.0.12:80                                                  nat                       0       0         0            0       0       0        0  owned
fwmark:1768947712 (checks 10.0.0.11:80 of tcp://192.0.2.10:80)  wlc                               0         0            0       0       0        0  owned
  10.0.0.11:80                                                  nat                       1       0         0            0       0       0        0  owned
2 services, 3 destinations
not understood: a service of family 77

Overrides, until they are lifted:
  10.0.0.9:80 of tcp://192.0.2.10:80 (web): drained by override since 13:40 UTC; the configuration does not have it
  10.0.0.11:80 of tcp://192.0.2.10:80 (web): weight 10 by override until 14:05 UTC (15m more)
  10.0.0.12:80 of tcp://192.0.2.10:80 (web): drained by override since 13:40 UTC
"
    );
}

#[test]
fn what_an_operator_says_of_health_stands_beside_what_the_checks_say() {
    let mut picture = night();
    for (at, health, checks, reason) in [
        ("10.0.0.11:80", Forced::Down, Some(Health::Up), ""),
        ("10.0.0.13:80", Forced::Up, Some(Health::Down), "http: status 500, expected 200-299"),
        ("10.0.0.16:80", Forced::Up, Some(Health::Down), "tcp: 6 changes in 1m, held down for 45s more"),
        ("10.0.0.17:80", Forced::Down, None, ""),
        ("10.0.0.18:80", Forced::Down, Some(Health::Down), "tcp: refused"),
    ] {
        let given = HealthOverride { health, since: NOW - 600, until: Some(NOW + 60) };
        picture.overrides.set(service(WEB), destination(at), Override { health: Some(given), ..Override::default() });
        let web = picture.daemon.as_mut().unwrap().status.services.get_mut(&service(WEB)).unwrap();
        let status = web.destinations.get_mut(&destination(at)).unwrap();
        (status.health, status.checks, status.since) = (Some(health.into()), checks, Some(NOW - 600));
        (status.reason, status.why) = (reason.to_owned(), format!("slow start to 100; {health} by override"));
    }
    let said = |at: &str, live: bool| {
        let live = picture.live.services[&service(WEB)].destinations.get(&destination(at)).filter(|_| live);
        let said = health::destination(&picture, &service(WEB), &destination(at), live);
        (format!("{}: {}", said.health, said.why), said.mood)
    };
    let until = "by override until 13:51 UTC (1m more); slow start to 100";
    for (at, live, want, mood) in [
        ("10.0.0.11:80", true, format!("down: its checks say up; down {until}"), Mood::Quiesced),
        (
            "10.0.0.13:80",
            true,
            format!("up: its checks say down: http: status 500, expected 200-299; up {until}"),
            Mood::Quiesced,
        ),
        (
            "10.0.0.16:80",
            true,
            format!("up: its checks say down: tcp: 6 changes in 1m, held down for 45s more; up {until}"),
            Mood::Quiesced,
        ),
        ("10.0.0.17:80", true, format!("down: down {until}"), Mood::Quiesced),
        (
            "10.0.0.18:80",
            false,
            format!("down: its checks say down: tcp: refused; down {until}; not in the kernel's table"),
            Mood::Quiesced,
        ),
    ] {
        assert_eq!(said(at, live), (want, mood), "{at}");
    }
    assert!(
        text(&picture, false, None).contains("\n  10.0.0.17:80 of tcp://192.0.2.10:80 (web): down by override until")
    );
}

#[test]
fn a_bad_night_is_told_with_its_reasons() {
    assert_eq!(
        text(&night(), false, None),
        r"SERVICE / DESTINATION      SCHEDULER / FORWARD  WEIGHT  ACTIVE  INACTIVE  CONNECTIONS  CONN/S  IN B/S  OUT B/S  OWNER  HEALTH    WHY
tcp://192.0.2.10:80 (web)  wlc                              17         0            0       0       0        0  owned  failed    failed: 1 of 4 up, min_healthy 2; fallback in use
  10.0.0.11:80             nat                     100       3         0            0       0       0        0  owned  up        last check: http: timeout after 1s
  10.0.0.12:80             nat                       0       0         0            0       0       0        0  owned  drained   drained by override since 13:40 UTC
  10.0.0.13:80             nat                       0       2         0            0       0       0        0  owned  down      down 2m: http: status 500, expected 200-299
  10.0.0.14:80             nat                      40       0         0            0       0       0        0  owned  up        slow start: 40 of 100
  10.0.0.15:80             nat                       0      12         0            0       0       0        0  owned  draining  draining: 12 connections, at most 4m30s more
  10.0.0.16:80             nat                       0       0         0            0       0       0        0  owned  flapping  down 15s: tcp: 6 changes in 1m, held down for 45s more
  10.0.0.17:80             nat                     100       0         0            0       0       0        0  owned  unknown
  10.0.0.18:80             –                         –       –         –            –       –       –        –         down      down 1d1h: exec: exit status 1: \u{1b}[31mno\nroute; not in the kernel's table
tcp://192.0.2.11:80 (api)  wlc                               0         0            0       0       0        0  owned  panic     panic: 1 of 1 up, and so many went down at once that the checker is suspected: weights are kept
  10.0.0.11:80             nat                     100       0         0            0       0       0        0  owned  –
2 services, 8 destinations
1 helper service of checks not shown; --all shows them
timeouts: tcp 1m30s, tcp_fin 1m30s, udp 1m30s
connections are synchronised as master: interface eth1 id 7 group 224.0.0.81 port 8848 ttl 1 sync_maxlen 1472

Overrides, until they are lifted:
  10.0.0.12:80 of tcp://192.0.2.10:80 (web): drained by override since 13:40 UTC

Attention:
  the configuration in force is older than the files, which are refused; see `ipvsd check`
  the last pass, 12s ago: the kernel did not answer
  all 12 http checks fail: is this host cut off?
  sysctl net.ipv4.vs.conntrack: /proc/sys is mounted read-only
"
    );
}

#[test]
fn on_a_narrow_terminal_reasons_stand_under_their_rows() {
    assert_eq!(
        text(&night(), false, Some(100)),
        r"SERVICE / DESTINATION      WEIGHT  ACTIVE  INACTIVE  CONN/S  IN B/S  OWNER  HEALTH
tcp://192.0.2.10:80 (web)              17         0       0       0  owned  failed
      failed: 1 of 4 up, min_healthy 2; fallback in use
  10.0.0.11:80                100       3         0       0       0  owned  up
      last check: http: timeout after 1s
  10.0.0.12:80                  0       0         0       0       0  owned  drained
      drained by override since 13:40 UTC
  10.0.0.13:80                  0       2         0       0       0  owned  down
      down 2m: http: status 500, expected 200-299
  10.0.0.14:80                 40       0         0       0       0  owned  up
      slow start: 40 of 100
  10.0.0.15:80                  0      12         0       0       0  owned  draining
      draining: 12 connections, at most 4m30s more
  10.0.0.16:80                  0       0         0       0       0  owned  flapping
      down 15s: tcp: 6 changes in 1m, held down for 45s more
  10.0.0.17:80                100       0         0       0       0  owned  unknown
  10.0.0.18:80                  –       –         –       –       –         down
      down 1d1h: exec: exit status 1: \u{1b}[31mno\nroute; not in the kernel's table
tcp://192.0.2.11:80 (api)               0         0       0       0  owned  panic
      panic: 1 of 1 up, and so many went down at once that the checker is suspected: weights are
      kept
  10.0.0.11:80                100       0         0       0       0  owned  –
2 services, 8 destinations
1 helper service of checks not shown; --all shows them
timeouts: tcp 1m30s, tcp_fin 1m30s, udp 1m30s
connections are synchronised as master: interface eth1 id 7 group 224.0.0.81 port 8848 ttl 1
  sync_maxlen 1472

Overrides, until they are lifted:
  10.0.0.12:80 of tcp://192.0.2.10:80 (web): drained by override since 13:40 UTC

Attention:
  the configuration in force is older than the files, which are refused; see `ipvsd check`
  the last pass, 12s ago: the kernel did not answer
  all 12 http checks fail: is this host cut off?
  sysctl net.ipv4.vs.conntrack: /proc/sys is mounted read-only
"
    );
}

#[test]
fn no_terminal_is_too_narrow() {
    let mut picture = night();
    overridden(&mut picture);
    let long = "http: the body does not hold what it should: 世界 ".repeat(4);
    picture.daemon.as_mut().unwrap().status.suspicions.push(long);
    for width in [60, 80, 100, 200] {
        let text = text(&picture, false, Some(width));
        let wide = text.lines().max_by_key(|line| length(line)).unwrap();
        assert!(length(wide) <= width, "{width}: {wide}");
        for needed in ["WEIGHT", "HEALTH", "10.0.0.13:80", "flapping", "status 500", "is this host"] {
            assert!(text.contains(needed), "no {needed} on {width} columns:\n{text}");
        }
    }
}
