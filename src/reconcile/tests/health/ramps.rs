//! Slow start.

use super::*;

fn ramped() -> Desired {
    checked(&[(A, 100), (B, 100)], Policy { slow_start: Duration::from_secs(30), ..plain() })
}

#[test]
fn what_comes_up_comes_along_a_ramp_that_ends_in_time() {
    let world = World::new();
    let mut process = up(&world, &ramped(), &[A, B]);
    process.found(&[(B, Health::Down)]);
    process.wait(10_000);
    process.found(&[(B, Health::Up)]);
    assert_eq!(world.weight_of(B), Some(1), "never 0");
    let mut last = 1;
    for _ in 0..29 {
        process.wait(1_000);
        let now = world.weight_of(B).unwrap();
        assert!(now >= last && now < 100, "{last}, then {now}");
        last = now;
    }
    assert!(last >= 90, "{last} a second before the end");
    process.wait(1_600);
    assert_eq!(world.weight_of(B), Some(100));
    assert_eq!(world.weight_of(A), Some(100));
    world.sent();
    process.wait(29_000);
    assert_eq!(world.sent(), [""; 0]);
}

#[test]
fn a_check_that_is_quicker_than_the_first_pass_skips_no_ramp() {
    let world = World::new();
    let policy = || Policy { slow_start: Duration::from_secs(30), ..plain() };
    let mut process = up(&world, &checked(&[(A, 100)], policy()), &[A]);
    process.wait(31_000);
    world.find(WEB, B, Health::Up);
    process.configure(&ramped());
    assert_eq!(world.weight_of(B), Some(1));
    assert_eq!(world.weight_of(A), Some(100));
    process.wait(15_000);
    let half = world.weight_of(B).unwrap();
    assert!((45..=50).contains(&half), "{half}");
    process.wait(16_000);
    assert_eq!(world.weight_of(B), Some(100));
}

#[test]
fn unrelated_passes_do_not_interrupt_a_ramp_and_a_restart_resumes_it() {
    let world = World::new();
    let mut process = up(&world, &ramped(), &[A, B]);
    process.found(&[(B, Health::Down)]);
    process.found(&[(B, Health::Up)]);
    process.wait(15_000);
    let half = world.weight_of(B).unwrap();
    assert!((45..=50).contains(&half), "{half}");
    for why in [Why { resync: true, ..Why::default() }, Why { reload: true, ..Why::default() }] {
        process.pass(why);
        assert!((half..=50).contains(&world.weight_of(B).unwrap()));
    }
    let heavier = checked(&[(A, 50), (B, 100)], Policy { slow_start: Duration::from_secs(30), ..plain() });
    process.configure(&heavier);
    assert_eq!(world.weight_of(A), Some(50));
    let before = world.weight_of(B).unwrap();
    assert!((half..=50).contains(&before));
    let now = process.now;
    drop(process);
    world.sent();
    let mut process = world.begin(&heavier, now + 5_000);
    assert_eq!(world.weight_of(B), Some(before), "the restart moves nothing");
    assert_eq!(world.sent(), [""; 0]);
    process.wait(8_000);
    let later = world.weight_of(B).unwrap();
    assert!((before + 20..before + 30).contains(&later), "{before}, and 8 s later {later}");
    process.wait(9_000);
    assert_eq!(world.weight_of(B), Some(100));
}

/// GORB left a destination that went down in the middle of its recovery at the weight it had got to.
#[test]
fn gorb_flapping_in_mid_recovery_goes_down_to_0_and_starts_over() {
    let world = World::new();
    let mut process = up(&world, &ramped(), &[A, B]);
    process.found(&[(B, Health::Down)]);
    for _ in 0..5 {
        process.found(&[(B, Health::Up)]);
        process.wait(12_000);
        assert!((35..=40).contains(&world.weight_of(B).unwrap()));
        process.found(&[(B, Health::Down)]);
        assert_eq!(world.weight_of(B), Some(0));
        process.wait(3_000);
        assert_eq!(world.weight_of(B), Some(0));
    }
}

/// gorb #47, for the loop as a whole.
#[test]
fn gorb_weight_1_never_rounds_to_0() {
    let world = World::new();
    let wanted = checked(&[(A, 1), (B, 2)], Policy { slow_start: Duration::from_secs(30), ..plain() });
    let mut process = up(&world, &wanted, &[A, B]);
    process.found(&[(A, Health::Down), (B, Health::Down)]);
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    for _ in 0..40 {
        assert_eq!(world.weight_of(A), Some(1));
        assert!(world.weight_of(B).unwrap() >= 1);
        process.wait(1_000);
    }
    assert_eq!(world.weight_of(B), Some(2));
}

/// A weight that an operator ordered is not a ramp at the start, and one of 0 says nothing of health.
#[test]
fn a_restart_takes_no_override_for_a_ramp_or_for_a_failure() {
    let world = World::new();
    let (slow_start, min_healthy) = (Duration::from_secs(30), Some(Share::Percent(100)));
    let wanted = checked(&[(A, 100), (B, 100)], Policy { slow_start, min_healthy, ..plain() });
    let mut process = up(&world, &wanted, &[A, B]);
    let ordered =
        |weight| Override { weight: Some(WeightOverride { weight, since: UNIX, until: None }), ..Override::default() };
    world.give(A, ordered(10));
    world.give(B, Override { drained_since: Some(UNIX), ..Override::default() });
    process.pass(Why { overrides: true, ..Why::default() });
    assert_eq!((world.weight_of(A), world.weight_of(B)), (Some(10), Some(0)));
    drop(process);
    world.sent();
    world.notices();
    let mut process = world.begin(&wanted, 1_000);
    process.wait(3_000);
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    process.wait(10_000);
    assert_eq!(world.sent(), [""; 0], "the restart moves nothing");
    assert_eq!(world.notices(), [], "nothing has failed");
    world.give(B, Override::default());
    process.pass(Why { overrides: true, ..Why::default() });
    assert_eq!((world.weight_of(A), world.weight_of(B)), (Some(10), Some(100)));
}

/// Whose alarm was false: the weight of what was never taken out is left alone.
#[test]
fn what_kept_its_weight_while_it_was_down_gets_no_ramp() {
    let world = World::new();
    let slowly = || Policy { slow_start: Duration::from_secs(30), ..plain() };
    let all = [(A, 100), (B, 100), (C, 100), (D, 100)];
    let panics = Policy { panic_threshold: Some(20), ..slowly() };
    let mut process = up(&world, &checked(&all, panics), &[A, B, C, D]);
    process.wait(31_000);
    let down = |at| (at, Health::Down);
    process.found(&[down(B), down(C), down(D)]);
    assert_eq!(world.weights(WEB), pairs(&all), "it is the checker that is suspected");
    process.found(&[(B, Health::Up)]);
    assert_eq!(world.weight_of(B), Some(100));
    process.found(&[(C, Health::Up), (D, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&all));

    let world = World::new();
    let mut process = up(&world, &checked(&all, Policy { on_down: OnDown::Ignore, ..slowly() }), &[A, B, C, D]);
    process.wait(31_000);
    process.found(&[down(A)]);
    process.found(&[(A, Health::Up)]);
    process.wait(10_000);
    assert_eq!(world.weights(WEB), pairs(&all));
}
