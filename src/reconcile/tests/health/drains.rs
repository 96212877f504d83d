//! Draining.

use super::*;

/// The service with one destination less than in [`two`].
fn one() -> Desired {
    desired(&[(WEB, &[(A, 10)])])
}

fn two() -> Desired {
    desired(&[(WEB, &[(A, 10), (B, 10)])])
}

fn busy(world: &World) -> Process {
    let process = world.begin(&two(), 0);
    world.connections(WEB, B, 3);
    world.sent();
    process
}

const QUIESCE: &str = "edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 10 → 0";
const DELETE: &str = "delete destination 10.0.0.2:80 of tcp://192.0.2.10:80";

#[test]
fn pain_1_what_is_removed_is_quiesced_and_deleted_when_it_has_no_connections() {
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    assert_eq!(world.sent(), [QUIESCE]);
    process.wait(60_000);
    assert_eq!(world.sent(), [""; 0], "it only waits");
    let drain = world.status().services[&key(WEB)].destinations[&destination(B)].drain.unwrap();
    assert_eq!((drain.connections, drain.until), (3, UNIX + 300));
    world.connections(WEB, B, 0);
    process.wait(2_000);
    assert_eq!(world.sent(), [DELETE]);
    assert!(matches!(world.notices()[..], [Notice::DrainDone { connections: 0, why: DrainEnd::Idle, .. }]));
    assert!(world.kept.0.borrow().drains.is_empty());
}

#[test]
fn what_nobody_uses_is_gone_at_once_and_drain_0_asks_nobody() {
    let world = World::new();
    let mut process = world.begin(&two(), 0);
    world.sent();
    process.configure(&one());
    assert_eq!(world.sent(), [QUIESCE, DELETE]);

    let world = World::new();
    let mut process = busy(&world);
    let at_once = Desired { drain: Duration::ZERO, ..one() };
    process.configure(&at_once);
    assert_eq!(world.sent(), [DELETE], "and its connections are cut");
}

#[test]
fn pain_2_a_drain_ends_when_its_time_is_up() {
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    world.sent();
    process.wait(299_000);
    assert_eq!(world.sent(), [""; 0]);
    process.wait(3_000);
    assert_eq!(world.sent(), [DELETE]);
    assert!(matches!(world.notices()[..], [Notice::DrainDone { connections: 3, why: DrainEnd::Deadline, .. }]));
}

#[test]
fn pain_2_what_drains_and_is_down_is_removed_at_once() {
    let world = World::new();
    let both = checked(&[(A, 10), (B, 10)], plain());
    let mut process = up(&world, &both, &[A, B]);
    world.connections(WEB, B, 3);
    process.configure(&checked(&[(A, 10)], plain()));
    assert_eq!(world.sent(), [QUIESCE]);
    process.wait(5_000);
    assert!(world.oracle.0.borrow().assigned.contains_key(&(key(WEB), destination(B))), "its check goes on");
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.sent(), [DELETE]);
    assert!(matches!(world.notices()[..], [Notice::DrainDone { connections: 3, why: DrainEnd::Down, .. }]));
    process.wait(31_000);
    assert!(!world.oracle.0.borrow().assigned.contains_key(&(key(WEB), destination(B))), "and ends with it");
}

#[test]
fn what_comes_back_gets_its_weight_back_in_place() {
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    process.wait(10_000);
    world.sent();
    process.configure(&two());
    assert_eq!(world.sent(), ["edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 0 → 10"]);
    assert!(world.kept.0.borrow().drains.is_empty(), "its deadline is forgotten");
}

#[test]
fn pain_3_a_drain_survives_a_restart_with_its_deadline_and_weights_do_not_stay_0() {
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    process.wait(200_000);
    world.sent();
    drop(process);
    let mut process = world.begin(&one(), 220_000);
    process.wait(79_000);
    assert_eq!(world.sent(), [""; 0], "the second process waits on");
    process.wait(3_000);
    assert_eq!(world.sent(), [DELETE], "as long as the first one would have");

    // One that is desired again when the next process starts is no drain: it gets its weight.
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    drop(process);
    world.sent();
    world.begin(&two(), 5_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
}

#[test]
fn a_deleted_service_drains_and_goes_when_all_of_its_destinations_may() {
    let world = World::new();
    let mut process = busy(&world);
    let none = desired(&[(DNS, &[(A, 1)])]);
    process.configure(&none);
    world.sent();
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0)]));
    process.wait(30_000);
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.status().services[&key(WEB)].destinations[&destination(B)].drain.unwrap().connections, 3);
    world.connections(WEB, B, 0);
    process.wait(2_000);
    assert_eq!(world.sent(), ["delete service tcp://192.0.2.10:80 and its 2 destinations"]);
}

#[test]
fn a_deleted_service_is_waited_for_as_long_as_it_asked_itself() {
    let world = World::new();
    let mut first = two();
    first.policies.insert(key(WEB), Policy::new(Duration::from_secs(20)));
    let mut process = world.begin(&first, 0);
    world.connections(WEB, B, 3);
    process.wait(31_000);
    process.configure(&desired(&[(DNS, &[(A, 1)])]));
    process.wait(19_000);
    assert_eq!(world.weights(WEB).len(), 2);
    process.wait(3_000);
    assert_eq!(world.weights(WEB).len(), 0);
}

#[test]
fn a_drain_that_is_made_shorter_ends_sooner_and_a_clock_set_back_makes_none_longer() {
    let world = World::new();
    let mut process = busy(&world);
    process.configure(&one());
    process.wait(30_000);
    let mut shorter = one();
    shorter.policies.insert(key(WEB), Policy::new(Duration::from_secs(40)));
    process.configure(&shorter);
    world.sent();
    process.wait(9_000);
    assert_eq!(world.sent(), [""; 0]);
    process.wait(3_000);
    assert_eq!(world.sent(), [DELETE]);
}

#[test]
fn the_limit_counts_a_drain_at_its_beginning_and_not_again() {
    let world = World::new();
    let mut all = desired(&[(WEB, &[(A, 1), (B, 1), (C, 1), (D, 1)])]);
    all.max_delete = MaxDelete::Count(1);
    let mut process = world.begin(&all, 0);
    for at in [B, C, D] {
        world.connections(WEB, at, 1);
    }
    world.sent();
    let three = Desired { max_delete: MaxDelete::Count(1), ..desired(&[(WEB, &[(A, 1), (B, 1), (C, 1)])]) };
    process.configure(&three);
    process.wait(60_000);
    let two = Desired { max_delete: MaxDelete::Count(1), ..desired(&[(WEB, &[(A, 1), (B, 1)])]) };
    process.configure(&two);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 1), (C, 0), (D, 0)]));
    world.connections(WEB, C, 0);
    world.connections(WEB, D, 0);
    process.wait(60_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 1)]));
    // Two at a time are refused before anything is quiesced.
    let none = Desired { max_delete: MaxDelete::Count(1), ..desired(&[(WEB, &[])]) };
    process.configure(&none);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 1)]));
    assert!(world.status().trouble.is_some());
}

#[test]
fn what_somebody_else_added_to_a_managed_table_drains_as_well() {
    let world = World::new();
    let all = Desired { manage: Manage::All, ..one() };
    let mut process = world.begin(&all, 0);
    world.kernel.0.borrow_mut().table().insert(key(WEB), live(&service(&[(A, 10), (B, 10)])));
    world.connections(WEB, B, 3);
    world.sent();
    process.wait(31_000);
    assert_eq!(world.sent(), [QUIESCE]);
    world.connections(WEB, B, 0);
    process.wait(2_000);
    assert_eq!(world.sent(), [DELETE]);
}
