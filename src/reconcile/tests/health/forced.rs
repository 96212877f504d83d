//! What an operator says of the health of a destination.

use super::*;
use crate::model::{Forced, HealthOverride};
use crate::reconcile::{DestinationStatus, ServiceStatus};

const API: &str = "tcp://192.0.2.11:80";

fn forced(health: Forced, until: Option<u64>) -> Override {
    Override { health: Some(HealthOverride { health, since: UNIX, until }), ..Override::default() }
}

fn down() -> Override {
    forced(Forced::Down, None)
}

impl Process {
    /// An operator says something of a destination's health, or nothing more.
    fn told(&mut self, at: &str, given: Override) {
        self.world.give(at, given);
        self.pass(Why { overrides: true, ..Why::default() });
    }
}

fn status_of(world: &World, at: &str) -> DestinationStatus {
    world.status().services[&key(WEB)].destinations[&destination(at)].clone()
}

#[test]
fn it_goes_over_the_checks_which_go_on_and_hold_again_when_it_is_lifted() {
    let world = World::new();
    let policy =
        Policy { fallback: Some((destination(SORRY), weight(1))), min_healthy: Some(Share::Count(2)), ..plain() };
    let wanted = checked(&[(A, 10), (B, 10)], policy);
    let mut process = up(&world, &wanted, &[A, B]);
    let assignments = world.oracle.0.borrow().assignments;

    process.told(B, down());
    assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 0)]));
    let told = status_of(&world, B);
    assert_eq!((told.health, told.checks, told.since), (Some(Health::Down), Some(Health::Up), Some(UNIX)));
    assert_eq!((told.why.as_str(), told.reason.as_str()), ("down by override", ""));
    let service = world.status().services[&key(WEB)].clone();
    assert!(service.failed && service.up == 1 && !service.fallback, "{service:?}");
    let by_override =
        |notice: &Notice| matches!(notice, Notice::DestinationDown { reason, .. } if reason == "by override");
    let notices = world.notices();
    assert!(notices.iter().any(by_override), "{notices:?}");
    assert!(notices.iter().any(|notice| matches!(notice, Notice::ServiceFailed { up: 1, of: 2, .. })), "{notices:?}");

    // The other one dies as well: the fallback knows nothing better of this one than what was said.
    process.found(&[(A, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (SORRY, 1)]));
    process.told(A, forced(Forced::Up, None));
    assert_eq!(world.weight_of(A), Some(10), "its check is broken");
    let told = status_of(&world, A);
    assert_eq!((told.health, told.checks), (Some(Health::Up), Some(Health::Down)));
    assert_eq!((told.why.as_str(), told.reason.as_str()), ("up by override", "tcp: connection refused"));
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::DestinationUp { .. })));

    // What the checks found meanwhile holds at once.
    process.found(&[(B, Health::Down)]);
    process.found(&[(B, Health::Up)]);
    assert_eq!(world.weight_of(B), Some(0));
    process.told(B, Override::default());
    assert_eq!(world.weight_of(B), Some(10));
    process.told(A, Override::default());
    assert_eq!(world.weight_of(A), Some(0));
    let refused =
        |notice: &Notice| matches!(notice, Notice::DestinationDown { reason, .. } if reason.contains("refused"));
    assert!(world.notices().iter().any(refused));
    assert_eq!(world.oracle.0.borrow().assignments, assignments, "the checks hear nothing of it");
}

#[test]
fn on_down_says_what_becomes_of_it() {
    for (on_down, want, why) in [
        (OnDown::Quiesce, vec![(A, 10), (B, 0)], "down by override"),
        (OnDown::Delete, vec![(A, 10)], "down by override"),
        (OnDown::Ignore, vec![(A, 10), (B, 10)], "down by override, which on_down ignores"),
    ] {
        for with_checks in [true, false] {
            let world = World::new();
            let mut wanted = checked(&[(A, 10), (B, 10)], Policy { on_down, ..plain() });
            if !with_checks {
                wanted.policies.get_mut(&key(WEB)).unwrap().checks.clear();
            }
            let mut process = if with_checks { up(&world, &wanted, &[A, B]) } else { world.begin(&wanted, 0) };
            process.told(B, down());
            assert_eq!(world.weights(WEB), pairs(&want), "{on_down:?} {with_checks}");
            assert_eq!(status_of(&world, B).why, why);
            process.told(B, Override::default());
            assert_eq!(world.weights(WEB), pairs(&[(A, 10), (B, 10)]), "{on_down:?} {with_checks}");
        }
    }
}

#[test]
fn it_runs_out_by_itself_and_comes_back_along_the_ramp() {
    for with_checks in [true, false] {
        let world = World::new();
        let mut wanted = checked(&[(A, 100), (B, 100)], Policy { slow_start: Duration::from_secs(20), ..plain() });
        if !with_checks {
            wanted.policies.get_mut(&key(WEB)).unwrap().checks.clear();
        }
        let mut process = if with_checks { up(&world, &wanted, &[A, B]) } else { world.begin(&wanted, 0) };
        let now = UNIX + process.now / 1000;
        process.told(B, forced(Forced::Down, Some(now + 600)));
        process.wait(599_000);
        assert_eq!(world.weight_of(B), Some(0), "checks: {with_checks}");
        process.wait(2_000);
        let begun = world.weight_of(B).unwrap();
        assert!((1..=10).contains(&begun), "checks: {with_checks}: {begun}");
        process.wait(10_000);
        process.pass(Why { resync: true, ..Why::default() });
        let half = world.weight_of(B).unwrap();
        assert!((50..=60).contains(&half), "checks: {with_checks}: {half}");
        process.wait(10_000);
        assert_eq!(world.weights(WEB), pairs(&[(A, 100), (B, 100)]), "checks: {with_checks}");
        assert!(world.notices().iter().any(|notice| matches!(notice, Notice::DestinationUp { .. })));
        world.sent();
        process.wait(29_000);
        assert_eq!(world.sent(), [""; 0]);
    }
}

#[test]
fn without_checks_up_changes_nothing_and_a_service_that_failed_is_restored() {
    let world = World::new();
    let policy = Policy { min_healthy: Some(Share::Percent(100)), slow_start: Duration::from_secs(20), ..plain() };
    let mut wanted = checked(&[(A, 10), (B, 10)], policy);
    wanted.policies.get_mut(&key(WEB)).unwrap().checks.clear();
    let mut process = world.begin(&wanted, 0);
    world.sent();
    process.told(A, forced(Forced::Up, None));
    process.told(A, Override::default());
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.notices(), []);
    process.told(A, down());
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::ServiceFailed { up: 1, of: 2, .. })));
    // Its service cares for nothing any more, once this is lifted and the ramp is over.
    process.told(A, Override::default());
    process.wait(21_000);
    assert!(world.notices().iter().any(|notice| matches!(notice, Notice::ServiceRestored { up: 2, of: 2, .. })));
    assert!(world.status().services.is_empty());
}

#[test]
fn others_who_share_the_check_do_not_go_along() {
    let world = World::new();
    let mut wanted = checked(&[(A, 10), (B, 10)], plain());
    let api = desired(&[(API, &[(A, 10)])]);
    wanted.table.services.extend(api.table.services);
    wanted.policies.insert(key(API), wanted.policies[&key(WEB)].clone());
    wanted.policies.get_mut(&key(API)).unwrap().checks.remove(&destination(B));
    let mut process = world.begin(&wanted, 0);
    world.oracle.0.borrow_mut().verdicts.insert((key(API), destination(A)), Health::Up);
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    process.told(A, down());
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 10)]));
    assert_eq!(world.weights(API), pairs(&[(A, 10)]));
}

#[test]
fn what_an_operator_says_is_no_reason_to_suspect_the_checker() {
    let world = World::new();
    let policy = Policy { panic_threshold: Some(50), ..plain() };
    let wanted = checked(&[(A, 1), (B, 2), (C, 3), (D, 4)], policy);
    let mut process = up(&world, &wanted, &[A, B, C, D]);
    for at in [A, B, C] {
        process.told(at, down());
    }
    process.found(&[(D, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 0), (C, 0), (D, 0)]));
    assert!(!world.notices().iter().any(|notice| matches!(notice, Notice::PanicBegun { .. })));
    for at in [A, B, C] {
        process.told(at, Override::default());
    }
    process.found(&[(D, Health::Up)]);
    process.wait(60_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 3), (D, 4)]));

    // In a panic he is believed, whatever he says, and the rest is not for that.
    process.found(&[(A, Health::Down), (B, Health::Down), (C, Health::Down)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 3), (D, 4)]));
    process.told(A, down());
    process.told(D, forced(Forced::Up, None));
    process.wait(120_000);
    assert_eq!(world.weights(WEB), pairs(&[(A, 0), (B, 2), (C, 3), (D, 4)]));
    process.told(A, Override::default());
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 3), (D, 4)]), "as if nothing had been said");
    assert!(!world.notices().iter().any(|notice| matches!(notice, Notice::PanicEnded { .. })));
    process.told(D, Override::default());
    process.found(&[(A, Health::Up), (B, Health::Up)]);
    assert_eq!(world.weights(WEB), pairs(&[(A, 1), (B, 2), (C, 0), (D, 4)]));
}

#[test]
fn a_check_that_waits_for_its_helper_starts_from_what_the_checks_said() {
    let world = World::new();
    let mut wanted = checked(&[(A, 10), (B, 10)], plain());
    for settings in wanted.table.services.get_mut(&key(WEB)).unwrap().destinations.values_mut() {
        settings.forward = Forward::Dr;
    }
    let mut process = up(&world, &wanted, &[A, B]);
    process.told(B, down());
    let through = shared(Check { via: Via::Vip, ..check() });
    wanted.policies.get_mut(&key(WEB)).unwrap().checks.insert(destination(B), through);
    process.configure(&wanted);
    let of = (key(WEB), destination(B));
    assert!(!world.oracle.0.borrow().assigned.contains_key(&of));
    assert_eq!(world.weight_of(B), Some(0));
    process.wait(1_000);
    assert_eq!(world.oracle.0.borrow().assigned[&of].seed, Health::Up);
    process.told(B, Override::default());
    assert_eq!(world.weight_of(B), Some(10));
}

#[test]
fn a_restart_moves_no_weight_whatever_was_said() {
    for with_checks in [true, false] {
        let world = World::new();
        let mut wanted = checked(&[(A, 100), (B, 100)], Policy { slow_start: Duration::from_secs(30), ..plain() });
        if !with_checks {
            wanted.policies.get_mut(&key(WEB)).unwrap().checks.clear();
        }
        let mut process = if with_checks { up(&world, &wanted, &[A, B]) } else { world.begin(&wanted, 0) };
        let half = WeightOverride { weight: 50, since: UNIX, until: None };
        process.told(A, Override { weight: Some(half), ..forced(Forced::Up, None) });
        process.told(B, down());
        process.wait(60_000);
        assert_eq!(world.weights(WEB), pairs(&[(A, 50), (B, 0)]));
        let now = process.now;
        drop(process);
        world.sent();
        world.notices();
        world.begin(&wanted, now + 100_000).wait(60_000);
        assert_eq!(world.sent(), [""; 0], "checks: {with_checks}");
        assert_eq!(world.notices(), [], "checks: {with_checks}");
    }
}

#[test]
fn what_is_said_to_be_up_is_drained_to_the_end_when_it_is_removed() {
    for (given, want) in
        [(forced(Forced::Up, None), pairs(&[(A, 10), (B, 0)])), (Override::default(), pairs(&[(A, 10)]))]
    {
        let world = World::new();
        let mut process = up(&world, &checked(&[(A, 10), (B, 10)], plain()), &[A, B]);
        process.told(B, given);
        world.connections(WEB, B, 3);
        process.configure(&checked(&[(A, 10)], plain()));
        process.wait(1_000);
        process.found(&[(B, Health::Down)]);
        process.wait(10_000);
        assert_eq!(world.weights(WEB), want);
    }
}

/// The weights after a pass without checks, with what a daemon has told.
fn once(
    wanted: &Desired,
    live_weights: &[(&str, u32)],
    overrides: &Overrides,
    status: Option<&Status>,
) -> Vec<(String, u32)> {
    let world = World::new();
    world.kernel.0.borrow_mut().table().insert(key(WEB), live(&service(live_weights)));
    let (mut ipvs, mut store, mut record) = (world.kernel.clone(), world.kept.clone(), Record::default());
    let options = Options { force: false, only: None, held: &|_| None, host_held: &|_| None };
    let farewells = BTreeMap::new();
    let terms = Terms { overrides, farewells: &farewells, ..Terms::plain(wanted, UNIX) };
    let ground = Ground { ipvs: &mut ipvs, host: &mut Surroundings::default() };
    let hands = Hands { ground, record: &mut record, store: &mut store };
    pass(hands, terms, &mut Sight::Once { status }, &options).unwrap();
    world.weights(WEB)
}

#[test]
fn a_single_pass_hears_it_too() {
    let wanted = checked(&[(A, 10), (B, 10)], plain());
    let plainly = desired(&[(WEB, &[(A, 10), (B, 10)])]);
    let mut overrides = Overrides::default();
    overrides.set(key(WEB), destination(A), down());
    overrides.set(key(WEB), destination(B), forced(Forced::Up, None));
    for desired in [&wanted, &plainly] {
        assert_eq!(once(desired, &[(A, 10), (B, 0)], &overrides, None), pairs(&[(A, 0), (B, 10)]));
    }
    // What a daemon has told is what its checks say, with what was said to it put aside.
    let mut status = Status::default();
    let told = |health, checks| DestinationStatus { health: Some(health), checks: Some(checks), ..Default::default() };
    let web = status.services.entry(key(WEB)).or_default();
    web.destinations.insert(destination(A), told(Health::Down, Health::Up));
    web.destinations.insert(destination(B), told(Health::Up, Health::Down));
    let none = Overrides::default();
    assert_eq!(once(&wanted, &[(A, 0), (B, 10)], &none, Some(&status)), pairs(&[(A, 10), (B, 0)]));
    assert_eq!(once(&wanted, &[(A, 0), (B, 10)], &overrides, Some(&status)), pairs(&[(A, 0), (B, 10)]));
    // In a panic, what has its weight still keeps it, and nothing else that is down gets any.
    let panic = ServiceStatus { panic: true, ..status.services[&key(WEB)].clone() };
    let mut panicked = Status { services: [(key(WEB), panic)].into(), ..Status::default() };
    let web = panicked.services.get_mut(&key(WEB)).unwrap();
    web.destinations.insert(destination(A), told(Health::Down, Health::Down));
    assert_eq!(once(&wanted, &[(A, 10), (B, 0)], &none, Some(&panicked)), pairs(&[(A, 10), (B, 0)]));
    // A weight that was set is no ramp under way.
    let half = WeightOverride { weight: 5, since: UNIX, until: None };
    overrides.set(key(WEB), destination(A), Override { weight: Some(half), ..Override::default() });
    let slowly = checked(&[(A, 10), (B, 10)], Policy { slow_start: Duration::from_secs(30), ..plain() });
    assert_eq!(once(&slowly, &[(A, 5), (B, 10)], &overrides, Some(&status)), pairs(&[(A, 5), (B, 10)]));
}
