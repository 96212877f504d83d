//! When the time of a drain begins, and that it ends: whatever weight its destination had before.

use super::*;

fn two() -> Desired {
    desired(&[(WEB, &[(A, 10), (B, 10)])])
}

fn one() -> Desired {
    desired(&[(WEB, &[(A, 10)])])
}

fn drained() -> Override {
    Override { drained_since: Some(UNIX), ..Override::default() }
}

/// B was drained by hand, and three connections stay at it.
fn by_hand(world: &World) -> Process {
    let mut process = world.begin(&two(), 0);
    world.connections(WEB, B, 3);
    world.give(B, drained());
    process.pass(Why { overrides: true, ..Why::default() });
    assert_eq!(world.weight_of(B), Some(0));
    world.sent();
    process
}

#[test]
fn what_was_drained_by_hand_and_is_removed_then_goes_at_its_deadline() {
    let world = World::new();
    let mut process = by_hand(&world);
    process.configure(&one());
    process.wait(299_000);
    assert_eq!((world.weight_of(B), world.sent()), (Some(0), vec![]));
    process.wait(2_000);
    assert_eq!(world.weight_of(B), None);
}

#[test]
fn what_was_down_and_is_removed_goes_when_it_is_found_down_still() {
    let world = World::new();
    let mut process = up(&world, &checked(&[(A, 10), (B, 10)], plain()), &[A, B]);
    world.connections(WEB, B, 3);
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weight_of(B), Some(0));
    process.configure(&checked(&[(A, 10)], plain()));
    process.wait(3_000);
    assert_eq!(world.weight_of(B), Some(0), "its last checks are under way");
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weight_of(B), None);
}

#[test]
fn a_service_all_of_whose_weights_are_0_goes_at_its_deadline() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 0), (B, 0)]), (DNS, &[(A, 1)])]), 0);
    world.connections(WEB, B, 3);
    process.configure(&desired(&[(DNS, &[(A, 1)])]));
    process.wait(299_000);
    assert_eq!(world.weight_of(B), Some(0));
    process.wait(2_000);
    assert_eq!(world.weights(WEB), []);
}

#[test]
fn what_is_not_ours_and_may_go_does_at_its_deadline() {
    let world = World::new();
    let all = Desired { manage: Manage::All, ..desired(&[(DNS, &[(A, 1)])]) };
    let mut process = world.begin(&all, 0);
    world.kernel.0.borrow_mut().table().insert(key(WEB), live(&service(&[(A, 10), (B, 0)])));
    world.connections(WEB, A, 3);
    world.connections(WEB, B, 3);
    process.pass(Why { resync: true, ..Why::default() });
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0)]));
    world.sent();
    process.wait(299_000);
    assert_eq!((world.weight_of(A), world.sent()), (Some(0), vec![]));
    process.wait(2_000);
    assert_eq!(world.weights(WEB), []);
}

#[test]
fn the_limit_is_asked_when_such_a_drain_begins_and_not_when_it_ends() {
    let world = World::new();
    let with =
        |of: &[(&str, u32)], percent| Desired { max_delete: MaxDelete::Percent(percent), ..checked(of, plain()) };
    let mut process = up(&world, &with(&[(A, 10), (B, 10), (C, 10), (D, 10)], 50), &[A, B, C, D]);
    for at in [B, C, D] {
        world.connections(WEB, at, 1);
        world.give(at, drained());
    }
    process.pass(Why { overrides: true, ..Why::default() });
    process.configure(&with(&[(A, 10)], 50));
    assert!(world.status().trouble.is_some(), "three of five");
    process.configure(&with(&[(A, 10)], 60));
    process.configure(&with(&[(A, 10)], 50));
    assert_eq!(world.status().trouble, None, "they were let begin");
    for at in [B, C, D] {
        world.connections(WEB, at, 0);
    }
    process.wait(60_000);
    process.found(&[(A, Health::Down)]);
    assert_eq!((world.weights(WEB), world.status().trouble), (pairs(&[(A, 0)]), None));
}

#[test]
fn a_drain_whose_beginning_is_held_back_has_its_whole_time() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10)])]), 0);
    world.connections(WEB, A, 3);
    world.kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    process.configure(&desired(&[(WEB, &[(B, 10)])]));
    process.wait(400_000);
    assert_eq!(world.weight_of(A), Some(10), "nobody else serves");
    world.kernel.0.borrow_mut().relent();
    process.wait(70_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 10)]));
    process.wait(200_000);
    assert_eq!(world.weight_of(A), Some(0));
    process.wait(100_000);
    assert_eq!(world.weight_of(A), None);
}

#[test]
fn a_crash_before_the_quiescing_takes_nothing_of_its_time() {
    let world = World::new();
    let mut process = world.begin(&two(), 0);
    world.connections(WEB, B, 3);
    *world.kernel.1.borrow_mut() = Some(Error::Protocol("lost".to_owned()));
    process.configure(&one());
    drop(process);
    assert_eq!(world.weight_of(B), Some(10));
    let mut process = world.begin(&one(), 400_000);
    process.wait(290_000);
    assert_eq!(world.weight_of(B), Some(0));
    process.wait(20_000);
    assert_eq!(world.weight_of(B), None);
}

#[test]
fn weight_that_somebody_else_gives_it_is_taken_again_and_changes_no_deadline() {
    let world = World::new();
    let limited = |of, most| Desired { max_delete: MaxDelete::Count(most), ..of };
    let mut process = world.begin(&limited(two(), 1), 0);
    world.connections(WEB, B, 3);
    process.configure(&limited(one(), 1));
    process.configure(&limited(one(), 0));
    for _ in 0..9 {
        process.wait(31_000);
        assert_eq!((world.weight_of(B), world.status().trouble), (Some(0), None));
        let mut fake = world.kernel.0.borrow_mut();
        let found = fake.table().get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(B)).unwrap();
        found.settings.weight = 7;
    }
    process.wait(25_000);
    assert_eq!(world.weight_of(B), None, "after the drain's 300 s");
}

#[test]
fn a_crash_before_the_quiescing_forgets_no_last_checks() {
    let world = World::new();
    let mut process = up(&world, &checked(&[(A, 10), (B, 10)], plain()), &[A, B]);
    world.connections(WEB, B, 3);
    *world.kernel.1.borrow_mut() = Some(Error::Protocol("lost".to_owned()));
    process.configure(&checked(&[(A, 10)], plain()));
    drop(process);
    let mut process = world.begin(&checked(&[(A, 10)], plain()), 61_000);
    process.wait(3_000);
    assert_eq!(world.weight_of(B), Some(0));
    assert_eq!(world.kept.0.borrow().drains[&key(WEB)][&destination(B)].checks.list.len(), 1);
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weight_of(B), None);
}
