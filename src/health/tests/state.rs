use std::time::Duration;

use super::*;
use crate::health::testing::{assignment, check, key};
use crate::model::{Health, Pass};

const SECOND: Duration = Duration::from_secs(1);

/// So many destinations with a tcp check each.
fn many(count: usize, seed: Health) -> Assignments {
    let one = assignment(seed, Pass::All, &[("web", check("tcp"))]);
    let key = |index: usize| key("tcp://192.0.2.1:80", &format!("10.0.{}.{}:80", index / 250, index % 250 + 1));
    (0..count).map(|index| (key(index), one.clone())).collect()
}

/// What starts at `now`, in order.
fn starts(state: &mut State, now: Instant) -> Vec<Start> {
    let mut starts = Vec::new();
    while let Next::Run(start) = state.next(now) {
        starts.push(start);
    }
    starts
}

fn ended(start: &Start, started: Instant, ended: Instant, result: Result<(), String>) -> Finish {
    Finish { id: start.id, planned: start.planned, started, ended, result }
}

#[test]
fn no_more_run_at_once_than_allowed_and_the_others_wait_in_order() {
    let start = Instant::now();
    let mut state = State::new(10, 1);
    state.assign(None, &many(100, Health::Up), start);
    let late = start + SECOND;
    let first = starts(&mut state, late);
    assert_eq!(first.len(), 10);
    assert!(matches!(state.next(late), Next::Rest), "a result is what it waits for");
    let mut planned: Vec<Instant> = first.iter().map(|start| start.planned).collect();
    let mut queue: std::collections::VecDeque<Start> = first.into();
    while let Some(run) = queue.pop_front() {
        state.finish(ended(&run, late, late, Ok(())));
        let more = starts(&mut state, late);
        assert!(more.len() <= 1 && state.meter().in_flight <= 10);
        planned.extend(more.iter().map(|start| start.planned));
        queue.extend(more);
    }
    assert!(planned.len() >= 100 && planned[..100].is_sorted());
    let meter = state.meter();
    assert_eq!((meter.max_in_flight, meter.in_flight, meter.targets), (10, 0, 100));
    assert!(meter.lateness(0.5) > SECOND * 4 / 10, "their lateness counts");
    state.set_at_once(0);
    assert_eq!(starts(&mut state, late + SECOND).len(), 1, "none at all would be no checking");
}

#[test]
fn the_loop_is_told_once_until_it_looks() {
    let start = Instant::now();
    let mut state = State::new(10, 1);
    state.assign(None, &many(3, Health::Unknown), start);
    assert!(!state.has_to_tell(), "it knows what it assigned");
    let runs = starts(&mut state, start + SECOND);
    assert_eq!(runs.len(), 3);
    let now = start + SECOND;
    state.finish(ended(&runs[0], now, now, Ok(())));
    assert!(state.has_to_tell());
    assert!(!state.has_to_tell());
    state.finish(ended(&runs[1], now, now, Ok(())));
    assert!(!state.has_to_tell(), "it has not looked yet");
    state.verdicts(now);
    assert!(!state.has_to_tell(), "others may look, and the loop has not");
    assert_eq!(state.take_changed().len(), 1, "three destinations of one service");
    assert!(!state.has_to_tell(), "it has seen both");
    state.finish(ended(&runs[2], now, now, Err("refused".to_owned())));
    assert!(state.has_to_tell());
    // A result that changes nothing is nothing to tell.
    state.take_changed();
    for run in starts(&mut state, now + 2 * SECOND) {
        state.finish(ended(&run, now, now + 2 * SECOND, Ok(())));
    }
    assert!(!state.has_to_tell());
}

#[test]
fn a_run_whose_target_is_gone_is_given_up_and_its_result_means_nothing() {
    let start = Instant::now();
    let mut state = State::new(10, 1);
    state.assign(None, &many(2, Health::Up), start);
    let runs = starts(&mut state, start + SECOND);
    state.assign(None, &many(0, Health::Up), start);
    let mut orphans = state.take_orphans();
    orphans.sort();
    let mut ids: Vec<Id> = runs.iter().map(|run| run.id).collect();
    ids.sort();
    assert_eq!(orphans, ids);
    assert!(state.take_orphans().is_empty());
    // The places are used again by others, before the old runs are over.
    state.assign(None, &many(2, Health::Up), start);
    state.finish(ended(&runs[0], start, start, Err("refused".to_owned())));
    state.give_up();
    assert_eq!(state.meter().in_flight, 0);
    let checks: Vec<_> = state.verdicts(start).destinations.values().map(|one| one.checks[0].took).collect();
    assert_eq!(checks, [None, None]);
}

#[test]
fn a_reload_that_changes_nothing_leaves_the_schedule_alone() {
    let start = Instant::now();
    let times = |reload: bool| {
        let mut state = State::new(1000, 7);
        state.assign(None, &many(20, Health::Unknown), start);
        let mut times = Vec::new();
        for step in 0..300 {
            let now = start + Duration::from_millis(10) * step;
            for run in starts(&mut state, now) {
                times.push(run.planned);
                state.finish(ended(&run, now, now, Ok(())));
            }
            if reload && step % 7 == 0 {
                state.assign(None, &many(20, Health::Up), now);
            }
        }
        times
    };
    assert_eq!(times(false), times(true));
}
