//! What the kernel or `max_delete` has refused, and what follows from it.

use super::*;

#[test]
fn a_change_elsewhere_does_not_forget_what_failed() {
    let world = World::new();
    let with = |of| Desired { resync: Duration::from_secs(3600), ..desired(&[(WEB, &[(A, 10), (B, 10)]), (DNS, of)]) };
    world.kernel.0.borrow_mut().refuse(key(WEB), Some(destination(B)), Errno::INVAL);
    let mut process = world.begin(&with(&[(A, 1)]), 0);
    process.wait(300);
    process.configure(&with(&[(A, 2)]));
    assert_eq!(world.status().failing.len(), 1);
    world.kernel.0.borrow_mut().relent();
    process.wait(60_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]));
    assert!(world.status().failing.is_empty());
}

#[test]
fn it_makes_no_service_of_somebody_else_ours() {
    let world = World::new();
    let mut foreign = service(&[]);
    foreign.settings.scheduler = Scheduler::new("rr");
    world.kernel.0.borrow_mut().table().insert(key(WEB), live(&foreign));
    world.kernel.0.borrow_mut().without_module("wrr");
    world.kernel.0.borrow_mut().refuse(key(WEB), Some(destination(A)), Errno::INVAL);
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10)])]), 0);
    process.configure(&desired(&[]));
    process.wait(100_000);
    assert_eq!(world.kernel.0.borrow_mut().table().len(), 1);
}

#[test]
fn what_is_down_goes_though_something_beside_it_is_replaced() {
    let world = World::new();
    let policy = || Policy { on_down: OnDown::Delete, ..plain() };
    let mut process = up(&world, &checked(&[(A, 10), (B, 10)], policy()), &[A, B]);
    world.find(WEB, A, Health::Down);
    // B waits for the first good result of C; A does not.
    process.configure(&checked(&[(A, 10), (C, 10)], policy()));
    assert_eq!((world.weight_of(A), world.weight_of(B)), (None, Some(10)));
}

#[test]
fn an_override_without_an_end_that_a_clock_can_reach_is_one_without_end() {
    let world = World::new();
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10)])]), 0);
    let weight = Some(WeightOverride { weight: 3, since: UNIX, until: Some(u64::MAX) });
    world.give(A, Override { weight, ..Override::default() });
    process.pass(Why { overrides: true, ..Why::default() });
    process.wait(200_000_000);
    assert_eq!(world.weight_of(A), Some(3));
}

#[test]
fn a_restart_with_what_may_not_come_into_force_goes_on_with_what_was() {
    let world = World::new();
    let half = |of: &[(&str, u32)]| Desired { max_delete: MaxDelete::Percent(50), ..checked(of, plain()) };
    let all = half(&[(A, 10), (B, 10), (C, 10), (D, 10)]);
    let process = up(&world, &all, &[A, B, C, D]);
    drop(process);
    *world.news.1.borrow_mut() = Some(all);
    let mut process = world.begin(&half(&[(A, 10)]), 61_000);
    process.found(&[(A, Health::Up), (B, Health::Down), (C, Health::Up), (D, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0), (C, 10), (D, 10)]));
    // The new one is read again, and waits.
    process.configure(&half(&[(A, 10)]));
    assert!(world.status().trouble.is_some());
    process.found(&[(C, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0), (C, 0), (D, 10)]));
    process.configure(&half(&[(A, 10), (C, 10)]));
    assert_eq!(world.status().trouble, None);
    process.wait(60_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (C, 0)]));
}

#[test]
fn what_goes_on_after_a_restart_is_judged_by_its_own_rules() {
    let world = World::new();
    let half = |of: &[(&str, u32)], policy| Desired { max_delete: MaxDelete::Percent(50), ..checked(of, policy) };
    let all = half(&[(A, 10), (B, 10), (C, 10), (D, 10)], plain());
    let process = up(&world, &all, &[A, B, C, D]);
    drop(process);
    *world.news.1.borrow_mut() = Some(all);
    // Everybody would be down at first, or on a ramp of half a minute.
    for policy in [
        Policy { initial: Initial::Down, on_down: OnDown::Delete, ..plain() },
        Policy { slow_start: Duration::from_secs(60), ..plain() },
    ] {
        let mut process = world.begin(&half(&[(A, 20)], policy), 61_000);
        process.wait(500);
        assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10), (C, 10), (D, 10)]));
        assert_eq!(world.sent(), [""; 0]);
    }
}

/// The kernel cannot be talked to as the first pass is made, and when it can, another configuration waits.
#[test]
fn what_a_late_first_pass_puts_into_force_is_not_what_waits() {
    let half = |of: &[(&str, u32)]| Desired { max_delete: MaxDelete::Percent(50), ..checked(of, plain()) };
    for waits in [true, false] {
        let world = World::new();
        drop(up(&world, &half(&[(A, 10), (B, 10), (C, 10), (D, 10)]), &[A, B, C, D]));
        world.news.2.set(0);
        *world.kernel.1.borrow_mut() = Some(Error::Protocol("lost".to_owned()));
        let mut process = world.begin(&half(&[(A, 20), (B, 10), (C, 10), (D, 10)]), 61_000);
        assert_eq!(world.news.2.get(), 0);
        if waits {
            process.configure(&half(&[(A, 10)]));
        }
        process.wait(10_000);
        assert_eq!((world.weight_of(A), world.status().trouble.is_some()), (Some(20), waits));
        assert_eq!(world.news.2.get(), usize::from(!waits));
    }
}

#[test]
fn a_restart_that_may_not_do_what_was_in_force_either_does_nothing() {
    let world = World::new();
    let none = |of: &[(&str, u32)]| Desired { max_delete: MaxDelete::Count(0), ..checked(of, plain()) };
    let process = up(&world, &none(&[(A, 10), (B, 10), (C, 10)]), &[A, B, C]);
    drop(process);
    *world.news.1.borrow_mut() = Some(none(&[(A, 10), (B, 10)]));
    let mut process = world.begin(&none(&[(A, 10)]), 61_000);
    world.sent();
    process.configure(&none(&[(A, 10)]));
    process.wait(600_000);
    assert!(process.passes < 100, "{}", process.passes);
    assert_eq!(world.sent(), [""; 0]);
    assert!(world.status().trouble.is_some());
}

#[test]
fn while_one_waits_what_happens_beside_the_files_makes_no_pass() {
    let world = World::new();
    let none = |of: &[(&str, u32)]| Desired { max_delete: MaxDelete::Count(0), ..desired(&[(WEB, of)]) };
    let mut process = world.begin(&none(&[(A, 10), (B, 10)]), 0);
    process.configure(&none(&[(A, 10)]));
    let told = world.status();
    assert!(told.trouble.is_some());
    for _ in 0..3 {
        process.now += 1000;
        process.pass(Why { files: true, ..Why::default() });
    }
    assert_eq!(world.status().pass_at, told.pass_at);
}

#[test]
fn that_what_is_owned_cannot_be_written_down_is_told() {
    let world = World::new();
    world.kept.1.set(true);
    let mut process = world.begin(&desired(&[(WEB, &[(A, 10)])]), 0);
    let told = world.status().host;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].object, "the ownership record");
    assert!(told[0].reason.contains("/state") && told[0].reason.contains("free some space"), "{}", told[0].reason);
    world.kept.1.set(false);
    process.wait(31_000);
    assert_eq!(world.status().host, []);
    assert!(world.kept.0.borrow().owns(&key(WEB)));
}
