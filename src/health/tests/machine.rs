use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::health::testing::check;
use Health::{Down, Unknown, Up};

const SECOND: Duration = Duration::from_secs(1);

fn machine(rise: u32, fall: u32, flap: Option<Flap>, seed: Health, now: Instant) -> Machine {
    let mut check = check("tcp");
    check.timing.rise = rise;
    check.timing.fall = fall;
    check.flap = flap;
    Machine::new(Arc::new(check), seed, now)
}

fn outcome(good: bool) -> Result<(), String> {
    if good { Ok(()) } else { Err("refused".to_owned()) }
}

/// Feeds one result a second: `+` is good, `-` bad. The states after each, as `?`, `U` and `D`.
fn states(machine: &mut Machine, results: &str, start: Instant) -> String {
    let letter = |health| match health {
        Unknown => '?',
        Up => 'U',
        Down => 'D',
    };
    let mut now = start;
    results
        .chars()
        .map(|result| {
            now += SECOND;
            machine.result(outcome(result == '+'), Duration::ZERO, now);
            letter(machine.health())
        })
        .collect()
}

#[test]
fn results_make_states() {
    for (rise, fall, seed, results, want) in [
        (2, 3, Unknown, "+", "U"),
        (2, 3, Unknown, "-", "D"),
        (2, 3, Unknown, "+--+---", "UUUUUUD"),
        (2, 3, Unknown, "-+-++", "DDDDU"),
        (2, 3, Up, "--+---+-++", "UUUUUDDDDU"),
        (2, 3, Down, "+-++", "DDDU"),
        (1, 1, Up, "-+-+", "DUDU"),
        (3, 1, Down, "++-+++", "DDDDDU"),
        // Nobody's configuration says 0; it is taken as 1.
        (0, 0, Up, "-+", "DU"),
    ] {
        let start = Instant::now();
        let mut machine = machine(rise, fall, None, seed, start);
        assert_eq!(states(&mut machine, results, start), want, "rise {rise}, fall {fall}, {seed}: {results}");
    }
}

#[test]
fn who_keeps_changing_is_held_down_and_then_has_to_prove_itself() {
    let start = Instant::now();
    let flap = Flap { changes: 3, within: 60 * SECOND, hold: 10 * SECOND };
    let mut machine = machine(2, 1, Some(flap), Up, start);
    // Three changes are allowed; the fourth, up at second 6, is not.
    assert_eq!(states(&mut machine, "-++-++", start), "DDUDDD");
    let now = start + 6 * SECOND;
    assert!(machine.is_flapping(now));
    assert_eq!(machine.why(now), "flapping: 4 changes in 1m, held down for 10s more");
    assert_eq!(machine.why(now + Duration::from_millis(2500)), "flapping: 4 changes in 1m, held down for 8s more");
    // However good it is, it stays down to second 16; then it takes two.
    assert_eq!(states(&mut machine, "++++++++++", now), "DDDDDDDDDD");
    assert!(!machine.is_flapping(now + 10 * SECOND));
    assert_eq!(machine.why(now + 10 * SECOND), "refused; 1 of 2 good results since");
    assert_eq!(states(&mut machine, "+", now + 10 * SECOND), "U");
    assert_eq!(machine.why(now + 11 * SECOND), "");
}

#[test]
fn a_hold_that_begins_going_down_is_down() {
    let start = Instant::now();
    let flap = Flap { changes: 2, within: 60 * SECOND, hold: 5 * SECOND };
    let mut machine = machine(1, 1, Some(flap), Up, start);
    assert_eq!(states(&mut machine, "-+-+++++++", start), "DUDDDDDUUU");
}

#[test]
fn changes_that_are_far_apart_are_no_flapping() {
    let start = Instant::now();
    let flap = Flap { changes: 2, within: 3 * SECOND, hold: 100 * SECOND };
    let mut machine = machine(1, 1, Some(flap), Up, start);
    assert_eq!(states(&mut machine, "--++--++--++", start), "DDUUDDUUDDUU");
}

#[test]
fn the_memory_of_changes_is_bounded() {
    let start = Instant::now();
    let flap = Flap { changes: u32::MAX, within: Duration::from_secs(u64::MAX), hold: SECOND };
    let mut machine = machine(1, 1, Some(flap), Up, start);
    let mut now = start;
    for index in 0..10_000 {
        now += SECOND;
        machine.result(outcome(index % 2 == 1), Duration::ZERO, now);
        assert!(machine.changes.len() <= 256);
    }
}

#[test]
fn the_reason_is_that_of_the_last_failure() {
    let start = Instant::now();
    let mut machine = machine(2, 2, None, Unknown, start);
    assert_eq!((machine.found(), machine.why(start).as_str()), ("", ""));
    machine.result(Err("status 500".to_owned()), SECOND, start);
    machine.result(Err("status 502".to_owned()), SECOND, start);
    assert_eq!((machine.found(), machine.why(start).as_str()), ("status 502", "status 502"));
    machine.result(Ok(()), SECOND, start);
    assert_eq!((machine.found(), machine.why(start).as_str()), ("", "status 502; 1 of 2 good results since"));
    machine.result(Ok(()), SECOND, start);
    assert_eq!((machine.found(), machine.why(start).as_str()), ("", ""));
    machine.result(Err("status 503".to_owned()), SECOND, start);
    assert_eq!((machine.found(), machine.why(start).as_str()), ("status 503", ""), "it is still up");
}

#[test]
fn what_is_seeded_down_says_so() {
    let start = Instant::now();
    let mut machine = machine(3, 1, None, Down, start);
    assert_eq!(machine.why(start), "not checked yet");
    machine.result(Ok(()), SECOND, start);
    assert_eq!(machine.why(start), "1 of 3 good results");
}

#[test]
fn the_interval_follows_the_state() {
    let (normal, fast, down) = (2 * SECOND, SECOND / 2, 10 * SECOND);
    for (fast_interval, down_interval, results, want) in [
        (Some(fast), Some(down), "", vec![]),
        // Up, on the way down, down, long down (from the third second after the fall on), on the way up, up.
        (Some(fast), Some(down), "+--++++", vec![normal, fast, normal, fast, normal, normal, normal]),
        (Some(fast), Some(down), "-----++", vec![normal, normal, normal, down, down, fast, normal]),
        (None, Some(down), "-----++", vec![normal, normal, normal, down, down, normal, normal]),
        (Some(fast), None, "-----++", vec![normal, normal, normal, normal, normal, fast, normal]),
    ] {
        let mut check = check("tcp");
        (check.timing.rise, check.timing.fall) = (2, 2);
        check.timing.interval = normal;
        check.timing.fast_interval = fast_interval;
        check.timing.down_interval = down_interval;
        check.timing.down_after = 3 * SECOND;
        let start = Instant::now();
        let mut machine = Machine::new(Arc::new(check), Unknown, start);
        assert_eq!(machine.interval(start), normal);
        let mut now = start;
        let got: Vec<Duration> = results
            .chars()
            .map(|result| {
                now += SECOND;
                machine.result(outcome(result == '+'), Duration::ZERO, now);
                machine.interval(now)
            })
            .collect();
        assert_eq!(got, want, "{fast_interval:?} {down_interval:?} {results}");
    }
}

proptest! {
    /// Without flap damping, the last results say it all: down after `fall` bad ones, up after `rise` good ones,
    /// else as before.
    #[test]
    fn it_turns_when_and_only_when_enough_in_a_row_say_so(
        rise in 1u32..5, fall in 1u32..5, seed in 0usize..3, results in vec(any::<bool>(), 0..60),
    ) {
        let start = Instant::now();
        let mut machine = machine(rise, fall, None, [Unknown, Up, Down][seed], start);
        let mut before = machine.health();
        for index in 0..results.len() {
            let changed = machine.result(outcome(results[index]), Duration::ZERO, start + SECOND * (index as u32));
            let last = |count: u32, good: bool| {
                let seen = &results[..=index];
                seen.len() >= count as usize && seen[seen.len() - count as usize..].iter().all(|result| *result == good)
            };
            let want = match before {
                Unknown => if results[index] { Up } else { Down },
                _ if last(rise, true) => Up,
                _ if last(fall, false) => Down,
                same => same,
            };
            prop_assert_eq!(machine.health(), want);
            prop_assert_eq!(changed, want != before);
            before = want;
        }
    }

    /// With flap damping it never comes up without `rise` good results in a row after the hold, never goes down
    /// without `fall` bad ones or too many changes, and never changes more often than allowed.
    #[test]
    fn damping_only_ever_holds_down(
        rise in 1u32..4, fall in 1u32..4, changes in 1u32..5, within in 1u32..40, hold in 1u32..40,
        results in vec((any::<bool>(), 0u32..10), 0..120),
    ) {
        let start = Instant::now();
        let (within, hold) = (within * SECOND, hold * SECOND);
        let mut machine = machine(rise, fall, Some(Flap { changes, within, hold }), Up, start);
        let mut now = start;
        let mut seen: Vec<(bool, Instant)> = Vec::new();
        let mut turned: Vec<Instant> = Vec::new();
        let mut held_until = start;
        for (good, wait) in results {
            now += wait * SECOND;
            let was = machine.health();
            machine.result(outcome(good), Duration::ZERO, now);
            seen.push((good, now));
            let row = |good: bool| seen.iter().rev().take_while(move |(result, _)| *result == good).map(|(_, at)| *at);
            match (was, machine.health()) {
                (Down, Up) => {
                    prop_assert!(row(true).filter(|at| *at >= held_until).count() >= rise as usize);
                    turned.push(now);
                }
                (Up, Down) => {
                    prop_assert!(row(false).count() >= fall as usize);
                    turned.push(now);
                }
                _ => {}
            }
            if machine.is_flapping(now) && held_until <= now {
                held_until = now + hold;
            }
            prop_assert!(!machine.is_flapping(now) || machine.health() == Down);
            let recent = turned.iter().filter(|at| now - **at < within.min(hold)).count();
            prop_assert!(recent <= changes as usize + 1, "{recent} changes");
        }
    }

    /// The interval is always one of the three, and the same results at the same times make the same machine.
    #[test]
    fn it_is_a_function_of_its_results(
        results in vec((any::<bool>(), 0u32..20), 0..60), seed in 0usize..3,
    ) {
        let start = Instant::now();
        let mut check = check("tcp");
        check.timing.fast_interval = Some(SECOND / 4);
        check.timing.down_interval = Some(30 * SECOND);
        check.timing.down_after = 20 * SECOND;
        check.flap = Some(Flap { changes: 3, within: 60 * SECOND, hold: 30 * SECOND });
        let allowed = [check.timing.interval, SECOND / 4, 30 * SECOND];
        let check = Arc::new(check);
        let replay = || {
            let mut machine = Machine::new(check.clone(), [Unknown, Up, Down][seed], start);
            let mut now = start;
            results.iter().map(|(good, wait)| {
                now += *wait * SECOND;
                machine.result(outcome(*good), Duration::ZERO, now);
                (machine.health(), machine.interval(now), machine.why(now))
            }).collect::<Vec<_>>()
        };
        let states = replay();
        for (_, interval, _) in &states {
            prop_assert!(allowed.contains(interval));
        }
        prop_assert_eq!(states, replay());
    }
}
