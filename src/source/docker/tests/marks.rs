//! Who gets no new connections before a list can say so, and for how long.

use super::machine::{MS, SECOND, event, following, stopping, terms};
use super::*;
use crate::source::docker::machine::{Heed, Machine};

/// Of the engine's clock, in seconds.
fn at(seconds: i64, event: Event) -> Event {
    Event { time: seconds, nanos: seconds * 1_000_000_000, ..event }
}

fn quit(id: &str) -> Event {
    event("kill", id, &[("signal", "3")])
}

#[test]
fn one_that_starts_again_waits_for_a_list_that_knows_where() {
    let start = std::time::Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let mut now = start + SECOND * 60;
    machine.event(&event("die", "id-one", &[]), now);
    assert!(machine.begin_list(now + MS * 50), "an old list");
    machine.event(&event("start", "id-one", &[]), now + MS * 60);
    machine.listed(vec![web("one", 2)], now + MS * 70);
    assert_eq!(stopping(&machine), ["id-one"], "that list may have its address of before");
    now += SECOND;
    assert!(machine.begin_list(now));
    machine.listed(vec![web("one", 7)], now);
    assert!(stopping(&machine).is_empty());

    // Where no list comes, what was known is as good as any.
    for fails in [true, false] {
        machine.event(&event("die", "id-one", &[]), now);
        machine.event(&event("start", "id-one", &[]), now);
        now += SECOND;
        assert!(machine.begin_list(now));
        assert_eq!(stopping(&machine), ["id-one"]);
        if fails {
            _ = machine.list_failed("it answers 500".into(), now)
        } else {
            machine.lost("gone".into(), now)
        }
        assert!(stopping(&machine).is_empty());
        machine.connected(false, now);
        assert!(machine.begin_list(now));
        machine.listed(vec![web("one", 7)], now);
    }
}

#[test]
fn what_has_been_before_the_stream_is_told_with_its_first_list() {
    let now = std::time::Instant::now();
    let mut machine = Machine::new(terms(), &seen(vec![web("one", 2), web("two", 3)]), now);
    machine.events_since(Some(1_000));
    machine.connected(false, now);
    let quit = at(900, quit("id-one"));
    let Heed::Inspect { of, signal, .. } = machine.event(&quit, now) else { panic!("it is asked") };
    let two = |action: &str| at(901, event(action, "id-two", &[("signal", "15")]));
    for event in [at(901, event("die", "id-one", &[])), at(902, event("start", "id-one", &[])), two("kill"), two("die")]
    {
        assert_eq!(machine.event(&event, now), Heed::Nothing);
    }
    assert_eq!(machine.event(&at(903, event("start", "id-two", &[])), now), Heed::Nothing);
    assert!(stopping(&machine).is_empty(), "both run again");
    // The answer is to a signal that came before its start.
    assert_eq!(machine.inspected(of, signal, 3, now), Heed::Nothing);
    assert!(stopping(&machine).is_empty(), "it would get nothing for ten minutes");
    // What comes from now on is told at once.
    assert_eq!(machine.event(&at(1_002, event("die", "id-two", &[])), now), Heed::Changed);
}

#[test]
fn an_answer_that_comes_after_a_new_start_says_nothing() {
    let now = std::time::Instant::now();
    let mut machine = following(vec![web("one", 2)], now);
    assert!(matches!(machine.event(&quit("id-one"), now), Heed::Inspect { .. }));
    machine.event(&event("die", "id-one", &[]), now);
    machine.event(&event("start", "id-one", &[]), now);
    assert_eq!(machine.inspected("id-one".into(), 3, 3, now), Heed::Nothing);
    assert!(machine.begin_list(now + SECOND));
    machine.listed(vec![web("one", 2)], now + SECOND);
    assert!(stopping(&machine).is_empty());
}

#[test]
fn a_signal_without_a_name_may_be_any() {
    let now = std::time::Instant::now();
    let mut machine = following(vec![web("one", 2)], now);
    // Podman tells of `podman kill -s HUP` like this.
    assert_eq!(machine.event(&event("kill", "id-one", &[]), now), Heed::Nothing);
    assert_eq!(machine.event(&event("kill", "id-one", &[("signal", "SIGWHATEVER")]), now), Heed::Nothing);
    assert!(stopping(&machine).is_empty());
    assert!(machine.due().is_some_and(|due| due <= now + SECOND), "but a list tells what became of it");
}

#[test]
fn a_task_is_asked_by_its_container() {
    let now = std::time::Instant::now();
    let mut machine = following(vec![web("task", 2)], now);
    machine.connected(true, now);
    let quit = event("kill", "container", &[("signal", "3"), ("com.docker.swarm.task.id", "id-task")]);
    let (id, of) = ("container".to_owned(), "id-task".to_owned());
    assert_eq!(machine.event(&quit, now), Heed::Inspect { id, of: of.clone(), signal: 3 });
    assert_eq!(machine.inspected(of, 3, 3, now), Heed::Changed);
    assert_eq!(stopping(&machine), ["id-task"]);
}

#[test]
fn one_that_was_told_to_stop_has_not_died() {
    let now = std::time::Instant::now();
    let mut machine = following(vec![web("one", 2)], now);
    machine.event(&event("kill", "id-one", &[("signal", "15")]), now);
    assert!(machine.snapshot().dead.is_empty());
    machine.event(&event("die", "id-one", &[]), now);
    assert_eq!(machine.snapshot().dead, ["id-one".to_owned()].into());
}

#[test]
fn a_stream_that_was_opened_again_for_its_silence_is_not_at_once_again() {
    let start = std::time::Instant::now();
    let mut machine = following(vec![web("one", 2)], start);
    let mut now = start + SECOND * 30;
    assert!(machine.begin_list(now));
    assert!(machine.listed(vec![], now));
    // Who changes with every list, and never says so, is listed as often as others.
    machine.connected(false, now);
    now += MS;
    assert!(machine.begin_list(now));
    assert!(!machine.listed(vec![web("one", 2)], now));
    assert!(machine.due().is_some_and(|due| due > now + SECOND * 20));
}
