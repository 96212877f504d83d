//! What verdicts do to the table.

use super::*;

#[test]
fn pain_17_at_the_start_health_is_what_the_kernel_shows_and_only_what_is_new_waits() {
    let world = World::new();
    world.kernel.0.borrow_mut().table().insert(key(WEB), live(&service(&[(A, 10), (B, 0)])));
    let wanted = checked(&[(A, 10), (B, 10), (C, 10)], plain());
    let mut process = world.begin(&wanted, 0);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0), (C, 0)]));
    process.wait(120_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0), (C, 0)]), "until somebody has spoken");
    process.found(&[(B, Health::Up), (C, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10), (C, 10)]));
}

#[test]
fn initial_up_and_down_count_whatever_is_live() {
    for (initial, want) in [(Initial::Up, 10), (Initial::Down, 0)] {
        let world = World::new();
        let wanted = checked(&[(A, 10)], Policy { initial, ..plain() });
        world.begin(&wanted, 0);
        assert_eq!(world.weights(WEB), pairs(&[(A, want)]), "{initial:?}");
    }
}

#[test]
fn on_down_quiesces_deletes_or_ignores() {
    for (on_down, want) in [
        (OnDown::Quiesce, vec![(A, 10), (B, 0)]),
        (OnDown::Delete, vec![(A, 10)]),
        (OnDown::Ignore, vec![(A, 10), (B, 10)]),
    ] {
        let world = World::new();
        let wanted =
            Desired { max_delete: MaxDelete::Count(0), ..checked(&[(A, 10), (B, 10)], Policy { on_down, ..plain() }) };
        let mut process = up(&world, &wanted, &[A, B]);
        process.found(&[(B, Health::Down)]);
        assert_eq!(world.weights(WEB), pairs(&want), "{on_down:?}: max_delete is for what the files drop");
        let told = world.status().services[&key(WEB)].destinations[&destination(B)].clone();
        assert_eq!((told.health, told.reason.as_str()), (Some(Health::Down), "tcp: connection refused"));
        process.found(&[(B, Health::Up)]);
        assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]), "{on_down:?}");
    }
}

#[test]
fn a_restart_moves_no_weight() {
    let world = World::new();
    let wanted = checked(&[(A, 10), (B, 10)], plain());
    let mut process = up(&world, &wanted, &[A, B]);
    process.found(&[(B, Health::Down)]);
    world.sent();
    drop(process);
    world.begin(&wanted, 100_000).wait(60_000);
    assert_eq!(world.sent(), [""; 0]);
}

#[test]
fn pain_15_a_reload_that_keeps_a_check_keeps_it_and_one_that_changes_it_keeps_the_health() {
    let world = World::new();
    let wanted = checked(&[(A, 10), (B, 10)], plain());
    let mut process = up(&world, &wanted, &[A, B]);
    process.found(&[(B, Health::Down)]);
    let assignments = world.oracle.0.borrow().assignments;
    world.sent();
    let mut heavier = checked(&[(A, 20), (B, 10)], plain());
    process.configure(&heavier);
    assert_eq!(world.oracle.0.borrow().assignments, assignments, "nothing is assigned anew");
    assert_eq!(world.sent(), ["edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 10 → 20"]);
    let mut slower = check();
    slower.timing.interval = Duration::from_secs(9);
    heavier.policies.get_mut(&key(WEB)).unwrap().checks.insert(destination(B), shared(slower));
    process.configure(&heavier);
    assert_eq!(world.oracle.0.borrow().assignments, assignments + 1);
    process.wait(60_000);
    assert_eq!(world.sent(), [""; 0]);
    // Without any check it is as it is configured.
    process.configure(&desired(&[(WEB, &[(A, 20), (B, 10)])]));
    assert_eq!(world.weight_of(B), Some(10));
}

#[test]
fn a_fallback_comes_when_none_is_up_and_drains_when_one_is() {
    let world = World::new();
    let policy =
        Policy { fallback: Some((destination(SORRY), weight(1))), min_healthy: Some(Share::Count(1)), ..plain() };
    let wanted = Desired { max_delete: MaxDelete::Count(0), ..checked(&[(A, 10), (B, 10)], policy) };
    let mut process = up(&world, &wanted, &[A, B]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
    process.found(&[(A, Health::Down), (B, Health::Down)]);
    assert_eq!(
        world.sent(),
        [
            "add destination 10.0.0.99:80 of tcp://192.0.2.10:80: forward nat, weight 1",
            "edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 10 → 0",
            "edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 10 → 0",
        ],
        "first it comes, then they go"
    );
    let told = world.status().services[&key(WEB)].clone();
    assert!(told.fallback && told.failed && told.up == 0 && told.of == 2, "{told:?}");
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::ServiceFailed { up: 0, of: 2, .. })));
    world.connections(WEB, SORRY, 2);
    process.found(&[(A, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0), (SORRY, 0)]));
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::ServiceRestored { .. })));
    world.connections(WEB, SORRY, 0);
    process.wait(3_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0)]));
    // A restart while it is in use leaves it there.
    process.found(&[(A, Health::Down)]);
    drop(process);
    world.sent();
    world.begin(&wanted, 200_000).wait(60_000);
    assert_eq!(world.sent(), [""; 0]);
}

#[test]
fn pain_11_when_too_many_go_down_at_once_the_checker_is_suspected_and_weights_stay() {
    let world = World::new();
    let policy = Policy { panic_threshold: Some(50), ..plain() };
    let wanted = checked(&[(A, 1), (B, 2), (C, 3), (D, 4)], policy);
    let mut process = up(&world, &wanted, &[A, B, C, D]);
    process.found(&[(A, Health::Down)]);
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (C, 3), (D, 4)]), "half is not more than half");
    process.wait(500);
    world.notices();
    process.found(&[(C, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 3), (D, 4)]), "the first ones come back, too");
    assert!(world.status().services[&key(WEB)].panic);
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::PanicBegun { down: 3, of: 4, .. })));
    process.found(&[(D, Health::Down)]);
    process.wait(600_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 3), (D, 4)]), "for as long as it lasts");
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 0), (D, 0)]), "half are up: the rest is believed");
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::PanicEnded { .. })));
}

#[test]
fn servers_that_die_one_after_another_are_no_panic() {
    let world = World::new();
    let policy = Policy { panic_threshold: Some(50), ..plain() };
    let wanted = checked(&[(A, 1), (B, 2), (C, 3)], policy);
    let mut process = up(&world, &wanted, &[A, B, C]);
    for at in [A, B, C] {
        process.found(&[(at, Health::Down)]);
        process.wait(60_000);
    }
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (C, 0)]));
    // Nor is what was down when we came.
    drop(process);
    world.begin(&wanted, 1_000_000).wait(10_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (C, 0)]));
}

#[test]
fn overrides_stand_for_the_configured_weight_until_they_end() {
    let world = World::new();
    let wanted = checked(&[(A, 10), (B, 10)], plain());
    let mut process = up(&world, &wanted, &[A, B]);
    let ask = Why { overrides: true, ..Why::default() };
    let until = UNIX + process.now / 1000 + 600;
    let five = WeightOverride { weight: 5, since: UNIX, until: Some(until) };
    world.give(A, Override { weight: Some(five), ..Override::default() });
    world.give(B, Override { drained_since: Some(UNIX), ..Override::default() });
    process.pass(ask);
    assert_eq!(world.weights(WEB), pairs(&[(A, 5), (B, 0)]));
    let told = world.status().services[&key(WEB)].destinations[&destination(B)].clone();
    assert_eq!((told.configured, told.effective, told.why.as_str()), (Some(10), 0, "drained by override"));
    // They survive a restart, and a destination that goes down and comes up again.
    drop(process);
    world.sent();
    let mut process = world.begin(&wanted, 130_000);
    assert_eq!(world.sent(), [""; 0]);
    process.found(&[(A, Health::Down)]);
    process.found(&[(A, Health::Up)]);
    assert_eq!(world.weight_of(A), Some(5));
    process.wait(600_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0)]), "one has run out, the other stays");
    world.give(B, Override::default());
    process.pass(ask);
    // It was seen without weight at the start, so its check has to say that it is up.
    process.found(&[(B, Health::Up)]);
    assert_eq!(world.weight_of(B), Some(10));
}

#[test]
fn checks_through_ipvs_have_a_helper_before_they_begin_and_take_it_with_them() {
    let world = World::new();
    let mut wanted = checked(&[(A, 10), (B, 10)], plain());
    let through = shared(Check { via: Via::Vip, ..check() });
    let policy = wanted.policies.get_mut(&key(WEB)).unwrap();
    policy.checks.insert(destination(A), through);
    for settings in wanted.table.services.get_mut(&key(WEB)).unwrap().destinations.values_mut() {
        settings.forward = Forward::Dr;
    }
    let mut process = world.begin(&wanted, 0);
    let of = (key(WEB), destination(A));
    assert!(!world.oracle.0.borrow().assigned.contains_key(&of), "what is marked would go anywhere");
    let helper = format!("fwmark:{}", wanted.check_marks);
    assert_eq!(world.weights(&helper), pairs(&[(A, 1)]));
    process.wait(1_000);
    assert_eq!(world.oracle.0.borrow().assigned[&of].mark, Some(wanted.check_marks));
    assert_eq!(world.status().helpers, [key(&helper)].into());
    world.sent();
    process.wait(60_000);
    // A restart keeps the mark; somebody who deletes the helper sees it come back.
    drop(process);
    let mut process = world.begin(&wanted, 100_000);
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.oracle.0.borrow().assigned[&of].mark, Some(wanted.check_marks));
    world.kernel.0.borrow_mut().table().remove(&key(&helper));
    process.wait(31_000);
    assert_eq!(world.weights(&helper), pairs(&[(A, 1)]));
    // A foreign service of a mark of ours is left alone, and another mark is taken.
    let last = checked(&[(A, 10), (B, 10)], plain());
    world.sent();
    process.configure(&last);
    assert_eq!(world.weights(&helper), pairs(&[]));
    assert!(world.kept.0.borrow().helpers.is_empty());
    world.foreign_mark(wanted.check_marks);
    process.configure(&wanted);
    assert_eq!(world.weights(&format!("fwmark:{}", wanted.check_marks + 1)), pairs(&[(A, 1)]));
    assert_eq!(world.weights(&helper), pairs(&[(D, 7)]));
}

impl World {
    fn foreign_mark(&self, mark: u32) {
        let at = key(&format!("fwmark:{mark}"));
        self.kernel.0.borrow_mut().table().insert(at, live(&service(&[(D, 7)])));
    }
}
