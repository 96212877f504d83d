use std::cell::{Cell, RefCell};

use super::*;
use crate::ipvs::Fake;
use crate::model::{
    DestinationKey, DestinationSettings, Forward, LiveDestination, LiveService, Scheduler, ServiceFlags,
    ServiceSettings, Stats,
};

const SERVICE: &str = "tcp://192.0.2.10:80";
const DESTINATION: &str = "10.0.0.11:8080";

fn live(weight: u32, (active, inactive, persistent): (u32, u32, u32)) -> LiveService {
    let settings = ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags(0), persistence: None };
    let destination = LiveDestination {
        settings: DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 },
        active_connections: active,
        inactive_connections: inactive,
        persistent_connections: persistent,
        stats: Stats::default(),
    };
    let mut other = destination.clone();
    other.active_connections = 77;
    let key: DestinationKey = DESTINATION.parse().unwrap();
    let destinations = [(key, destination), ("10.0.0.12:8080".parse().unwrap(), other)].into();
    LiveService { settings, stats: Stats::default(), destinations }
}

/// Waits on a kernel that shows one state after another, and gives how it ended and what was shown.
fn waited(states: Vec<Option<LiveService>>, timeout: Option<u64>, pauses: usize) -> (End, Vec<String>) {
    let mut fake = Fake::new();
    for state in states {
        fake.before_next_read(move |table| {
            table.clear();
            table.extend(state.map(|state| (SERVICE.parse().unwrap(), state)));
        });
    }
    let now = Cell::new(Instant::now());
    let left = Cell::new(pauses);
    let shown = RefCell::new(Vec::new());
    let target = Target { service: SERVICE.parse().unwrap(), destination: DESTINATION.parse().unwrap() };
    let mut pause = |time: Duration| {
        assert!(time <= EVERY && !time.is_zero());
        now.set(now.get() + time);
        left.set(left.get().saturating_sub(1));
        if left.get() == 0 { Pause::Interrupted } else { Pause::Over }
    };
    let mut show = |left: &Left, _| shown.borrow_mut().push(left.words());
    let timeout = timeout.map(Duration::from_millis);
    let end = wait(&mut fake, &[target], timeout, &|| now.get(), &mut pause, &mut show).unwrap();
    (end, shown.into_inner())
}

#[test]
fn it_waits_for_the_weight_and_then_for_the_connections() {
    let states = vec![
        Some(live(100, (0, 0, 0))),
        Some(live(100, (3, 8, 1))),
        Some(live(0, (3, 8, 1))),
        Some(live(0, (0, 0, 1))),
        Some(live(0, (0, 0, 0))),
    ];
    let (end, shown) = waited(states, None, 1000);
    assert_eq!(end, End::Drained);
    assert_eq!(
        shown,
        [
            "weight is still 100, no connections left",
            "weight is still 100, 12 connections left (3 active, 8 inactive, 1 persistent)",
            "12 connections left (3 active, 8 inactive, 1 persistent)",
            "1 connection left (0 active, 0 inactive, 1 persistent)",
            "no connections left",
        ]
    );
}

#[test]
fn what_is_gone_has_nothing_left() {
    let mut without = live(0, (1, 0, 0));
    without.destinations.remove(&DESTINATION.parse().unwrap());
    for gone in [Some(without), None] {
        assert_eq!(waited(vec![Some(live(0, (1, 0, 0))), gone], None, 1000).0, End::Drained);
    }
}

#[test]
fn a_timeout_ends_it_after_a_last_look() {
    let left = Left { active_connections: 1, ..Left::default() };
    let (end, shown) = waited(vec![Some(live(0, (1, 0, 0)))], Some(1200), 1000);
    assert_eq!((end, shown.len()), (End::TimedOut(left), 4), "at 0, 0.5, 1 and 1.2 seconds");
    assert_eq!(left.after(30), "1 connection left (1 active, 0 inactive, 0 persistent) after 30s");
    let templates = Left { persistent_connections: 2, ..Left::default() };
    assert_eq!(
        templates.after(30),
        "2 connections left (0 active, 0 inactive, 2 persistent) after 30s: persistence templates are what is left; \
         each goes when its client has been away for the service's persistence timeout, and lets it come back until \
         then (unless net.ipv4.vs.expire_quiescent_template is 1)"
    );
    assert_eq!(waited(vec![Some(live(0, (1, 0, 0)))], Some(0), 1000).0, End::TimedOut(left));
}

#[test]
fn an_interrupt_ends_it() {
    let left = Left { active_connections: 1, ..Left::default() };
    assert_eq!(waited(vec![Some(live(0, (1, 0, 0)))], None, 3).0, End::Interrupted(left));
}

#[test]
fn progress_is_one_line_on_a_terminal_and_few_elsewhere() {
    let begin = Instant::now();
    let at = |milliseconds| begin + Duration::from_millis(milliseconds);
    let mut log = Progress::new(None);
    assert_eq!(log.end(), "");
    assert_eq!(log.line("3 left", at(0)).as_deref(), Some("3 left\n"));
    assert_eq!(log.line("2 left", at(500)), None, "too soon");
    assert_eq!(log.line("1 left", at(1000)).as_deref(), Some("1 left\n"));
    assert_eq!(log.line("1 left", at(5000)), None, "no change");
    assert_eq!(log.end(), "");

    let mut terminal = Progress::new(Some(6));
    assert_eq!(terminal.end(), "");
    assert_eq!(terminal.line("3 left", at(0)).as_deref(), Some("\r3 lef\u{1b}[K"));
    assert_eq!(terminal.line("2", at(1)).as_deref(), Some("\r2\u{1b}[K"));
    assert_eq!(terminal.line("2", at(2)), None);
    assert_eq!(terminal.end(), "\n");
}
