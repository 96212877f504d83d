//! What might cut connections that are open, or leave clients without a server, and must not.

use super::*;

fn deleting() -> Policy {
    Policy { on_down: OnDown::Delete, ..plain() }
}

#[test]
fn a_weight_that_is_configured_to_be_0_says_nothing_of_health_at_the_start() {
    let world = World::new();
    let wanted = checked(&[(A, 10), (B, 0)], Policy { min_healthy: Some(Share::Count(2)), ..deleting() });
    let process = up(&world, &wanted, &[A, B]);
    world.connections(WEB, B, 3);
    drop(process);
    let mut process = world.begin(&wanted, 100_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0)]), "its connections would be cut");
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    assert_eq!(world.notices(), []);
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10)]));
}

#[test]
fn a_drain_by_hand_says_nothing_of_health_at_the_start() {
    let world = World::new();
    let wanted = checked(&[(A, 10), (B, 10)], deleting());
    let mut process = up(&world, &wanted, &[A, B]);
    world.connections(WEB, B, 3);
    world.give(B, Override { drained_since: Some(UNIX), ..Override::default() });
    process.pass(Why { overrides: true, ..Why::default() });
    drop(process);
    let mut process = world.begin(&wanted, 100_000);
    world.give(B, Override::default());
    process.pass(Why { overrides: true, ..Why::default() });
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
}

#[test]
fn what_comes_back_from_a_drain_while_ipvsd_is_not_there_is_not_down() {
    for policy in [plain(), deleting()] {
        let world = World::new();
        let wanted = checked(&[(A, 10), (B, 10)], policy.clone());
        let mut process = up(&world, &wanted, &[A, B]);
        world.connections(WEB, B, 3);
        process.configure(&checked(&[(A, 10)], policy));
        assert_eq!(world.weight_of(B), Some(0));
        drop(process);
        world.begin(&wanted, 100_000);
        assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
    }
}

#[test]
fn what_drains_without_a_check_and_comes_back_with_one_is_not_down() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10), (B, 10)])]), 0);
    world.connections(WEB, B, 3);
    process.configure(&desired(&[(WEB, &[(A, 10)])]));
    assert_eq!(world.weight_of(B), Some(0));
    process.configure(&checked(&[(A, 10), (B, 10)], deleting()));
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
}

#[test]
fn a_checker_that_is_suspected_ends_no_drain() {
    let world = World::new();
    let policy = Policy { panic_threshold: Some(50), ..plain() };
    let mut process = up(&world, &checked(&[(A, 1), (B, 2), (C, 3)], policy.clone()), &[A, B, C]);
    world.connections(WEB, C, 3);
    process.configure(&checked(&[(A, 1), (B, 2)], policy));
    process.found(&[(A, Health::Down), (B, Health::Down), (C, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 0)]));
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2)]), "and one that is not ends it");
}

#[test]
fn a_check_that_is_ignored_ends_no_drain() {
    for service_goes in [false, true] {
        let world = World::new();
        let policy = || Policy { on_down: OnDown::Ignore, ..plain() };
        let mut process = up(&world, &checked(&[(A, 10), (B, 10)], policy()), &[A, B]);
        process.found(&[(B, Health::Down)]);
        world.connections(WEB, B, 3);
        assert_eq!(world.weight_of(B), Some(10));
        process.configure(&match service_goes {
            false => checked(&[(A, 10)], policy()),
            true => desired(&[(DNS, &[(A, 1)])]),
        });
        process.wait(10_000);
        assert_eq!(world.weight_of(B), Some(0));
        assert!(!world.oracle.0.borrow().assigned.contains_key(&(key(WEB), destination(B))), "nobody asks it");
    }
}

#[test]
fn servers_that_are_drained_and_stopped_are_no_panic() {
    let world = World::new();
    let policy = Policy { panic_threshold: Some(50), ..plain() };
    let mut process = up(&world, &checked(&[(A, 1), (B, 2), (C, 3), (D, 4)], policy), &[A, B, C, D]);
    for at in [A, B, C] {
        world.give(at, Override { drained_since: Some(UNIX), ..Override::default() });
    }
    process.pass(Why { overrides: true, ..Why::default() });
    process.found(&[(A, Health::Down), (B, Health::Down), (C, Health::Down)]);
    assert!(!world.notices().iter().any(|notice| matches!(notice, Notice::PanicBegun { .. })));
    process.found(&[(D, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (C, 0), (D, 0)]));
}

#[test]
fn what_is_replaced_serves_until_one_of_those_that_replace_it_has_spoken() {
    for on_down in [OnDown::Quiesce, OnDown::Delete] {
        for verdict in [Health::Up, Health::Down] {
            let world = World::new();
            let policy = Policy { on_down, ..plain() };
            let mut process = up(&world, &checked(&[(A, 10), (B, 10)], policy.clone()), &[A, B]);
            world.connections(WEB, B, 3);
            process.configure(&checked(&[(C, 10), (D, 10)], policy));
            process.wait(100);
            assert_eq!((world.weight_of(A), world.weight_of(B)), (Some(10), Some(10)), "nobody else can serve");
            process.found(&[(C, verdict)]);
            if verdict == Health::Down {
                assert_eq!(world.weight_of(B), Some(10), "there is hope");
                process.found(&[(D, verdict)]);
            }
            assert_eq!((world.weight_of(A), world.weight_of(B)), (None, Some(0)), "{on_down:?} {verdict:?}");
        }
    }
}

#[test]
fn what_is_replaced_serves_over_a_restart_and_until_all_good_results_are_in() {
    let world = World::new();
    let mut process = up(&world, &checked(&[(A, 10)], plain()), &[A]);
    world.connections(WEB, A, 3);
    let new = checked(&[(C, 10)], plain());
    process.configure(&new);
    drop(process);
    let of = (key(WEB), destination(C));
    world.oracle.0.borrow_mut().well.insert(of);
    // One without weight counts as down, and one good result is not enough.
    let mut process = world.begin(&new, 100_000);
    process.wait(1_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (C, 0)]));
    world.oracle.0.borrow_mut().well.clear();
    process.wait(31_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (C, 0)]), "a bad one ends the hope");
}

#[test]
fn a_fallback_is_not_for_what_is_being_replaced() {
    let world = World::new();
    let policy = Policy { fallback: Some((destination(SORRY), weight(1))), ..plain() };
    let mut process = up(&world, &checked(&[(A, 10)], policy.clone()), &[A]);
    world.connections(WEB, A, 3);
    process.configure(&checked(&[(C, 10)], policy.clone()));
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (C, 0)]));
    process.found(&[(C, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (C, 0), (SORRY, 1)]));
    // And it stays for who replaces those that were down.
    process.configure(&checked(&[(D, 10)], policy));
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (D, 0), (SORRY, 1)]));
}

#[test]
fn a_clock_that_is_set_makes_a_drain_neither_longer_nor_shorter() {
    for set in [-3600, 3600] {
        let world = World::new();
        let one = desired(&[(WEB, &[(A, 10)])]);
        let mut process = world.begin(&desired(&[(WEB, &[(A, 10), (B, 10)])]), 0);
        world.connections(WEB, B, 3);
        process.configure(&one);
        process.wait(100_000);
        process.set = set;
        process.wait(100_000);
        assert_eq!(world.weight_of(B), Some(0));
        let drain = world.status().services[&key(WEB)].destinations[&destination(B)].drain.unwrap();
        assert_eq!(drain.until, UNIX.checked_add_signed(set + 300).unwrap());
        assert_eq!(world.kept.0.borrow().drains[&key(WEB)][&destination(B)].until, drain.until, "nor for the next one");
        process.wait(110_000);
        assert_eq!(world.weight_of(B), None);
    }
    // Set back while nobody is there: it begins anew.
    let world = World::new();
    let one = desired(&[(WEB, &[(A, 10)])]);
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10), (B, 10)])]), 1_000_000);
    world.connections(WEB, B, 3);
    process.configure(&one);
    drop(process);
    let mut process = world.begin(&one, 0);
    process.wait(290_000);
    assert_eq!(world.weight_of(B), Some(0));
    process.wait(15_000);
    assert_eq!(world.weight_of(B), None);
}

#[test]
fn what_happened_is_told_even_if_the_kernel_cannot_be_talked_to() {
    let world = World::new();
    let policy = Policy { min_healthy: Some(Share::Count(2)), ..plain() };
    let mut process = up(&world, &checked(&[(A, 10), (B, 10)], policy), &[A, B]);
    *world.kernel.1.borrow_mut() = Some(Error::Protocol("no".into()));
    process.found(&[(B, Health::Down)]);
    process.wait(10_000);
    assert_eq!(world.weight_of(B), Some(0));
    let told = world.notices();
    assert!(matches!(told[..], [Notice::DestinationDown { .. }, Notice::ServiceFailed { .. }]), "{told:?}");
}

#[test]
fn the_end_of_a_drain_is_told_for_each_destination_as_it_was() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10), (B, 10)]), (DNS, &[(A, 1)])]), 0);
    world.connections(WEB, B, 3);
    process.configure(&desired(&[(DNS, &[(A, 1)])]));
    process.wait(310_000);
    let told = |at, connections, why| Notice::DrainDone {
        service: key(WEB),
        name: None,
        destination: destination(at),
        connections,
        why,
    };
    assert_eq!(world.notices(), [told(A, 0, DrainEnd::Idle), told(B, 3, DrainEnd::Deadline)]);
}

#[test]
fn a_drain_that_is_made_shorter_shows_it_and_ends_by_its_deadline() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10), (B, 10)])]), 0);
    world.connections(WEB, B, 3);
    process.configure(&desired(&[(WEB, &[(A, 10)])]));
    let mut shorter = desired(&[(WEB, &[(A, 10)])]);
    shorter.policies.insert(key(WEB), Policy::new(Duration::from_secs(40)));
    process.configure(&shorter);
    let drain = world.status().services[&key(WEB)].destinations[&destination(B)].drain.unwrap();
    assert_eq!(drain.until, UNIX + 40);
    process.wait(45_000);
    assert!(matches!(world.notices()[..], [Notice::DrainDone { connections: 3, why: DrainEnd::Deadline, .. }]));
}

#[test]
fn a_helpers_mark_in_the_other_family_is_foreign() {
    let world = World::new();
    let mut wanted = checked(&[(A, 10)], plain());
    let through = shared(Check { via: Via::Vip, ..check() });
    wanted.policies.get_mut(&key(WEB)).unwrap().checks.insert(destination(A), through);
    wanted.table.services.get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().forward =
        Forward::Dr;
    let mut process = world.begin(&wanted, 0);
    process.wait(1_000);
    let other = format!("fwmark6:{}", wanted.check_marks);
    world.kernel.0.borrow_mut().table().insert(key(&other), live(&service(&[("[2001:db8::1]:80", 7)])));
    process.wait(61_000);
    assert_eq!(world.weights(&other), pairs(&[("[2001:db8::1]:80", 7)]));
}

#[test]
fn what_comes_back_from_a_drain_gets_its_weight_without_a_daemon_too() {
    let world = World::new();
    let all = checked(&[(A, 10), (B, 10)], plain());
    let options = Options { force: false, only: None, held: &|_| None, host_held: &|_| None };
    let (mut ipvs, mut store, mut record) = (world.kernel.clone(), world.kept.clone(), Record::default());
    let mut apply = |wanted: &Desired| {
        let ground = Ground { ipvs: &mut ipvs, host: &mut Surroundings::default() };
        let hands = Hands { ground, record: &mut record, store: &mut store };
        pass(hands, terms(wanted), &mut Sight::Once { status: None }, &options).unwrap();
    };
    apply(&all);
    world.connections(WEB, B, 3);
    apply(&checked(&[(A, 10)], plain()));
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0)]));
    apply(&all);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
}

#[test]
fn a_configuration_that_deletes_too_much_waits_and_health_goes_on_without_it() {
    let world = World::new();
    let limit = |wanted: Desired| Desired { max_delete: MaxDelete::Count(1), ..wanted };
    let mut process = up(&world, &limit(checked(&[(A, 10), (B, 10), (C, 10)], plain())), &[A, B, C]);
    process.configure(&limit(checked(&[(A, 99)], plain())));
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10), (C, 10)]), "nothing of it is applied");
    process.found(&[(B, Health::Down)]);
    assert_eq!(world.weight_of(B), Some(0), "what it would delete is checked as well");
    let told = world.status();
    assert!(told.trouble.is_some_and(|text| text.contains("would delete 2 of 4")) && told.outdated);
    process.found(&[(B, Health::Up)]);
    process.wait(120_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10), (C, 10)]), "resyncs do not let it through");
    // Somebody else deletes one: what is left to delete is allowed, and the resync sees it.
    world.kernel.0.borrow_mut().table().get_mut(&key(WEB)).unwrap().destinations.remove(&destination(C));
    process.wait(31_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 99)]));
    assert!(world.status().trouble.is_none() && !world.status().outdated);
}

#[test]
fn what_drains_is_shown_while_passes_are_refused_and_makes_none() {
    let world = World::new();
    let limit = |wanted: Desired| Desired { max_delete: MaxDelete::Count(1), ..wanted };
    let slowly = || Policy { slow_start: Duration::from_secs(600), ..plain() };
    let mut process = up(&world, &limit(checked(&[(A, 10), (B, 10), (C, 10), (D, 10)], slowly())), &[A, B, C, D]);
    process.wait(600_000);
    world.connections(WEB, D, 3);
    process.configure(&limit(checked(&[(A, 10), (B, 10), (C, 10)], slowly())));
    process.found(&[(A, Health::Down)]);
    process.found(&[(A, Health::Up)]);
    process.wait(10_000);
    let now = process.now;
    drop(process);
    // With nothing in force from before, nothing can be done.
    let process = world.begin(&limit(checked(&[(A, 10)], slowly())), now);
    let told = world.status();
    assert!(told.trouble.is_some());
    assert_eq!(told.services[&key(WEB)].destinations[&destination(D)].drain.unwrap().connections, 3);
    // The next look is the resync, be there a ramp and a drain.
    assert!(process.looping.idle(process.moment().at) > Duration::from_secs(6));
}

#[test]
fn a_helper_that_the_kernel_refuses_makes_no_spin() {
    let world = World::new();
    let mut wanted = checked(&[(A, 10)], plain());
    let through = shared(Check { via: Via::Vip, ..check() });
    wanted.policies.get_mut(&key(WEB)).unwrap().checks.insert(destination(A), through);
    wanted.table.services.get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().forward =
        Forward::Dr;
    let helper = format!("fwmark:{}", wanted.check_marks);
    world.kernel.0.borrow_mut().refuse(key(&helper), None, Errno::BUSY);
    let mut process = world.begin(&wanted, 0);
    process.wait(300_000);
    assert!(process.looping.idle(process.moment().at) > Duration::from_millis(100));
    let before = process.passes;
    process.wait(60_000);
    assert!(process.passes - before < 10, "{} passes in a minute", process.passes - before);
    world.kernel.0.borrow_mut().relent();
    process.wait(80_000);
    assert!(world.oracle.0.borrow().assigned.contains_key(&(key(WEB), destination(A))));
}
