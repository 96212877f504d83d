//! When it lists, and what events say before a list can.

use std::time::{Duration, Instant};

use super::*;
use crate::source::docker::machine::{Heed, Machine, Terms, Word};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn terms() -> Terms {
    Terms::from(&Docker::default())
}

/// One that is connected, and has listed these.
pub(super) fn following(containers: Vec<Container>, now: Instant) -> Machine {
    let mut machine = Machine::new(terms(), &Snapshot::default(), now);
    machine.connected(false, now);
    assert!(machine.begin_list(now));
    assert!(!machine.listed(containers, now));
    machine
}

pub(super) fn event(action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
    let attributes: serde_json::Map<String, serde_json::Value> =
        attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let event =
        serde_json::json!({ "Type": "container", "Action": action, "Actor": { "ID": id, "Attributes": attributes } });
    serde_json::from_value(event).unwrap()
}

pub(super) fn stopping(machine: &Machine) -> Vec<String> {
    machine.snapshot().stopping.into_iter().collect()
}

/// Takes a recording, each event at a time of its own, and gives what was asked for at once.
fn play(machine: &mut Machine, name: &str, mut now: Instant) -> (Vec<Heed>, Instant) {
    let mut asked = Vec::new();
    for event in events(name) {
        now += MS;
        asked.push(machine.event(&event, now));
    }
    asked.retain(|heed| *heed != Heed::Nothing);
    (asked, now)
}

#[test]
fn a_burst_makes_one_list_or_two() {
    let start = Instant::now();
    let mut machine = following(vec![], start);
    let (mut now, mut lists) = (start + SECOND, 0);
    for number in 0..200 {
        now += MS;
        machine.event(&event("start", &format!("{number}"), &[]), now);
        lists += usize::from(machine.begin_list(now));
    }
    while let Some(due) = machine.due().filter(|due| *due < now + SECOND) {
        now = due;
        lists += usize::from(machine.begin_list(now));
        machine.listed((0..200).map(|number| web(&number.to_string(), 2)).collect::<Vec<_>>(), now);
    }
    assert_eq!(lists, 1);
    // While one is under way none begins, and what comes meanwhile makes one more.
    machine.event(&event("start", "a", &[]), now);
    now += SECOND;
    assert!(machine.begin_list(now));
    machine.event(&event("start", "b", &[]), now);
    now += SECOND;
    assert!(!machine.begin_list(now) && machine.due().is_none());
    machine.listed(vec![], now);
    assert!(!machine.begin_list(now), "it took a second, and rests for one");
    assert!(machine.begin_list(now + SECOND));
}

#[test]
fn a_stop_is_heeded_at_its_first_sign_and_over_when_it_has_gone() {
    let start = Instant::now();
    let one = list("start").remove(0);
    let mut machine = following(vec![one.clone()], start);
    let told = event("kill", &one.id, &[("signal", "15")]);
    assert_eq!(machine.event(&told, start + SECOND), Heed::Changed);
    assert_eq!(stopping(&machine), std::slice::from_ref(&one.id));
    assert_eq!(machine.event(&told, start + SECOND * 2), Heed::Nothing, "it is known");
    // A list has it still: it is stopping still.
    let mut now = start + SECOND * 3;
    assert!(machine.begin_list(now));
    machine.listed(vec![one.clone()], now);
    assert_eq!(stopping(&machine), std::slice::from_ref(&one.id));
    machine.event(&event("die", &one.id, &[]), now);
    now += SECOND;
    assert!(machine.begin_list(now));
    machine.listed(vec![], now);
    assert!(stopping(&machine).is_empty() && machine.snapshot().containers.is_empty());
    assert!(machine.take_words().is_empty());
}

#[test]
fn every_recording_is_understood() {
    #[rustfmt::skip]
    let cases: &[(&str, &[&str], bool)] = &[
        // What is asked for at once, and whether it is stopping before the next list.
        ("start",          &[],                     false),
        ("stop",           &["changed"],            true),
        ("stop-at-once",   &["changed"],            true),
        ("kill",           &["changed"],            true),
        ("kill-hup",       &["inspect 1"],          false),
        ("die",            &["changed"],            true),
        ("oom",            &["changed"],            true),
        // Where it runs now, a list will say.
        ("restart",        &["changed"],            true),
        ("restart-policy", &["changed"],            true),
        ("pause",          &[],                     false),
        ("unpause",        &[],                     false),
        ("rename",         &[],                     false),
        ("healthy",        &[],                     false),
        ("network-connect", &[],                    false),
    ];
    for (name, asked, is_stopping) in cases {
        let start = Instant::now();
        let id = events(name).iter().find(|event| event.kind == "container").unwrap().actor.id.clone();
        let one = Container { id, ..web("one", 2) };
        let mut machine = following(vec![one], start);
        let (heeds, now) = play(&mut machine, name, start + SECOND);
        let words: Vec<String> = heeds
            .iter()
            .map(|heed| match heed {
                Heed::Inspect { signal, .. } => format!("inspect {signal}"),
                Heed::Changed => "changed".to_owned(),
                Heed::Nothing => String::new(),
            })
            .collect();
        assert_eq!(words, *asked, "{name}");
        assert_eq!(!stopping(&machine).is_empty(), *is_stopping, "{name}");
        assert!(machine.due().is_some_and(|due| due <= now + SECOND), "{name}: it is listed again");
    }
}

#[test]
fn only_the_container_says_whether_another_signal_stops_it() {
    let now = Instant::now();
    let mut machine = following(vec![web("one", 2)], now);
    let id = || "id-one".to_owned();
    for (signal, said) in [("3", 3), ("SIGQUIT", 3), ("SIGRTMIN+3", 37), ("28", 28)] {
        let heed = machine.event(&event("kill", "id-one", &[("signal", signal)]), now);
        assert_eq!(heed, Heed::Inspect { id: id(), of: id(), signal: said });
    }
    assert_eq!(machine.inspected(id(), 1, 15, now), Heed::Nothing, "docker kill -s HUP");
    assert!(stopping(&machine).is_empty());
    assert_eq!(machine.inspected(id(), 3, 3, now), Heed::Changed, "it is what stops nginx");
    assert_eq!(stopping(&machine), ["id-one"]);
}

#[test]
fn one_that_does_not_listen_counts_as_running_again() {
    let start = Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    machine.event(&event("kill", "id-one", &[("signal", "15")]), start);
    for (after, is_stopping) in [(599, true), (640, false), (680, false)] {
        let now = start + SECOND * after;
        assert!(machine.begin_list(now));
        machine.listed(vec![web("one", 2)], now);
        assert_eq!(!stopping(&machine).is_empty(), is_stopping, "{after}");
    }
    assert_eq!(machine.take_words(), [Word::DoesNotStop { id: "id-one".into() }]);
}

#[test]
fn what_died_and_is_in_a_list_that_was_begun_well_after_it_runs_again() {
    let start = Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let mut now = start + SECOND * 60;
    assert!(machine.begin_list(now), "a list is under way");
    assert_eq!(machine.event(&event("die", "id-one", &[]), now + MS), Heed::Changed);
    machine.listed(vec![web("one", 2)], now + MS * 2);
    assert_eq!(stopping(&machine), ["id-one"], "that list is older");
    // An engine tells of it before its lists do.
    now += SECOND;
    assert!(machine.begin_list(now));
    machine.listed(vec![web("one", 2)], now);
    assert_eq!(stopping(&machine), ["id-one"], "that list may not know it yet");
    assert!(machine.due().is_some_and(|due| due <= now + SECOND * 5), "{:?}", machine.due());
    now += SECOND * 5;
    assert!(machine.begin_list(now));
    machine.listed(vec![web("one", 2)], now);
    assert!(stopping(&machine).is_empty(), "the start of it was missed");
}

#[test]
fn tasks_of_a_service_that_was_removed_serve_those_whom_they_have() {
    let mut now = Instant::now();
    let task = Container { swarm: Some("web".into()), ..web("task", 2) };
    let mut machine = following(vec![task.clone()], now);
    machine.connected(true, now);
    let mut list = |listed: Listed| {
        now += 6 * SECOND;
        assert!(machine.begin_list(now));
        machine.listed(listed, now);
        machine.snapshot().containers
    };
    let orphan = |id: &str| Listed { orphans: [id.to_owned()].into(), ..Listed::default() };
    let left = Container { ending: true, ..task.clone() };
    assert_eq!(list(orphan(&task.id)), std::slice::from_ref(&left), "it runs still");
    assert_eq!(list(orphan(&task.id)), [left]);
    assert_eq!(list(orphan("id-stranger")), [], "it has ended; and what was never known is nothing");
}

#[test]
fn an_engine_that_is_away_takes_nothing_away_and_is_told_of_once() {
    let start = Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let before = machine.snapshot();
    let mut now = start + SECOND;
    let mut waits = Vec::new();
    for _ in 0..8 {
        machine.lost("there is no socket".into(), now);
        let retry = machine.retry_at().unwrap();
        waits.push((retry - now).as_millis());
        now = retry;
    }
    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    assert_eq!(machine.snapshot(), before);
    let why = "there is no socket".to_owned();
    assert_eq!(machine.take_words(), [Word::Away { why: why.clone(), since: Duration::ZERO }]);
    machine.lost(why.clone(), start + SECOND * 700);
    assert_eq!(machine.take_words(), [Word::Away { why, since: SECOND * 699 }], "now and then it is said again");

    now = start + SECOND * 701;
    machine.connected(false, now);
    assert!(machine.condition().trouble.is_some(), "one list makes it right, not before");
    assert!(machine.begin_list(now));
    assert!(!machine.listed(vec![web("two", 3)], now));
    assert_eq!(machine.condition().trouble, None);
    assert_eq!(machine.take_words(), [Word::Back { after: SECOND * 700 }]);
    assert_eq!(machine.snapshot().containers, [web("two", 3)]);
}

#[test]
fn lists_that_fail_are_tried_again_and_then_all_of_it() {
    let start = Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let mut now = start + SECOND * 31;
    for (number, over) in [(1, false), (2, false), (3, true)] {
        assert!(machine.begin_list(now), "{number}");
        machine.event(&event("start", "x", &[]), now);
        assert_eq!(machine.list_failed("it answers 500".into(), now), over, "{number}");
        assert!(machine.due().unwrap() >= now + SECOND, "events do not hurry it");
        now = machine.due().unwrap();
    }
    assert_eq!(machine.snapshot().containers, [web("one", 2)]);
}

#[test]
fn a_stream_that_keeps_quiet_about_a_change_is_opened_again() {
    let start = Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let mut now = start + SECOND * 30;
    assert!(machine.begin_list(now));
    assert!(!machine.listed(vec![web("one", 2)], now), "nothing has changed");
    now += SECOND * 30;
    assert!(machine.begin_list(now));
    assert!(machine.listed(vec![], now), "nobody said so");
    machine.event(&event("start", "id-two", &[]), now);
    now += SECOND;
    assert!(machine.begin_list(now));
    assert!(!machine.listed(vec![web("two", 2)], now), "this was said");
}

#[test]
fn events_are_asked_for_from_where_they_ended() {
    let now = Instant::now();
    let mut machine = Machine::new(terms(), &Snapshot::default(), now);
    assert_eq!(machine.events_since(None), None);
    assert_eq!(machine.events_since(Some(1_000)), Some(400_000_000_000), "for as long as one may be stopping");
    let last = events("stop").last().unwrap().nanos;
    play(&mut machine, "stop", now);
    assert_eq!(machine.events_since(Some(1_000)), Some(last + 1));
}

#[test]
fn what_was_stopping_before_a_restart_is_stopping_still() {
    let now = Instant::now();
    let known = Snapshot::new(vec![web("one", 2)], ["id-one".to_owned()].into());
    let mut machine = Machine::new(terms(), &known, now);
    machine.connected(false, now);
    assert!(machine.begin_list(now + MS));
    machine.listed(vec![web("one", 2)], now + MS);
    assert_eq!(stopping(&machine), ["id-one"]);
    machine.event(&event("start", "id-one", &[]), now + MS * 2);
    assert!(machine.begin_list(now + SECOND));
    machine.listed(vec![web("one", 2)], now + SECOND);
    assert!(stopping(&machine).is_empty());
}

#[test]
fn health_checks_and_commands_are_no_reason_to_list() {
    let now = Instant::now();
    let mut machine = following(vec![], now);
    let next = machine.due();
    for action in ["exec_create: sh -c true", "exec_start: sh -c true", "exec_die", "top", "resize"] {
        machine.event(&event(action, "x", &[]), now);
    }
    assert_eq!(machine.due(), next);
    machine.event(&event("health_status: healthy", "x", &[]), now);
    assert!(machine.due() < next);
}
