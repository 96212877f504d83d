//! Passes over some services: they read and write those, and come to what a pass over everything would.

use super::*;
use crate::model::Host;

/// Two services with checks, and many without.
fn wanted() -> Desired {
    let many: Vec<String> = (1..=50).map(|number| format!("tcp://192.0.2.{number}:81")).collect();
    let mut services: Vec<(&str, &[(&str, u32)])> =
        many.iter().map(|at| (at.as_str(), &[(A, 1), (B, 1)][..])).collect();
    services.extend([(WEB, &[(A, 10), (B, 10)][..]), (DNS, &[(C, 10), (D, 10)][..])]);
    let mut desired = desired(&services);
    for (service, destinations) in [(WEB, [A, B]), (DNS, [C, D])] {
        let checks = destinations.iter().map(|at| (destination(at), shared(check()))).collect();
        desired.policies.insert(key(service), Policy { checks, ..plain() });
    }
    desired
}

fn begun(world: &World, desired: &Desired) -> Process {
    let mut process = world.begin(desired, 0);
    for (service, at) in [(WEB, A), (WEB, B), (DNS, C), (DNS, D)] {
        world.find(service, at, Health::Up);
    }
    process.pass(Why { health: true, ..Why::default() });
    world.sent();
    process
}

/// How many dumps of the whole table the kernel was asked for while `act` ran, and what was sent.
fn dumps(world: &World, act: impl FnOnce()) -> (usize, Vec<String>) {
    let before = world.kernel.0.borrow().reads();
    act();
    let after = world.kernel.0.borrow().reads();
    (after - before, world.sent())
}

/// Somebody else sets the weight of a destination of a service that nothing has happened to.
fn meddle(world: &World) {
    let mut fake = world.kernel.0.borrow_mut();
    let untouched = fake.table().get_mut(&key("tcp://192.0.2.7:81")).unwrap();
    untouched.destinations.get_mut(&destination(A)).unwrap().settings.weight = 9;
}

const REPAIR: &str = "edit destination 10.0.0.1:80 of tcp://192.0.2.7:81: weight 9 → 1";

#[test]
fn a_verdict_an_override_or_an_edit_reads_and_writes_what_it_is_about() {
    let world = World::new();
    let mut desired = wanted();
    let mut process = begun(&world, &desired);
    meddle(&world);
    let quiesced = |at: &str, of: &str| vec![format!("edit destination {at} of {of}: weight 10 → 0")];

    world.find(WEB, A, Health::Down);
    let seen = dumps(&world, || process.pass(Why { health: true, ..Why::default() }));
    assert_eq!(seen, (0, quiesced(A, WEB)));

    let given = Some(WeightOverride { weight: 0, since: UNIX, until: None });
    world.heard.0.borrow_mut().2.set(key(DNS), destination(C), Override { weight: given, ..Override::default() });
    let seen = dumps(&world, || process.pass(Why { overrides: true, ..Why::default() }));
    assert_eq!(seen, (0, quiesced(C, DNS)));

    let edited = key("tcp://192.0.2.3:81");
    let service = desired.table.services.get_mut(&edited).unwrap();
    service.destinations.insert(destination(B), weight(5));
    service.destinations.insert(destination(D), weight(5));
    let seen = dumps(&world, || process.configure(&desired));
    let want = [
        "add destination 10.0.0.4:80 of tcp://192.0.2.3:81: forward nat, weight 5",
        "edit destination 10.0.0.2:80 of tcp://192.0.2.3:81: weight 1 → 5",
    ];
    assert_eq!(seen, (0, want.map(str::to_owned).to_vec()));
    let owned = world.kept.0.borrow().services[&edited].destinations.clone();
    assert_eq!(owned[&destination(D)], Some(weight(5)), "it is on record as it was left");

    // What nobody told of is found by the resync.
    let seen = dumps(&world, || process.wait(30_000));
    assert!(seen.0 >= 1 && seen.1 == [REPAIR], "{seen:?}");
    assert_eq!(world.kept.0.borrow().services.len(), 52, "all are owned still");
}

#[test]
fn what_a_part_leaves_is_shown_beside_what_was() {
    let world = World::new();
    let mut process = begun(&world, &wanted());
    process.pass(Why { resync: true, ..Why::default() });
    world.find(WEB, A, Health::Down);
    process.pass(Why { health: true, ..Why::default() });
    let status = world.status();
    assert_eq!(status.pass_why, "health");
    let health = |service: &str, at: &str| status.services[&key(service)].destinations[&destination(at)].health;
    assert_eq!(health(WEB, A), Some(Health::Down));
    assert_eq!([health(WEB, B), health(DNS, C), health(DNS, D)], [Some(Health::Up); 3]);
    assert_eq!((status.services[&key(WEB)].up, status.services[&key(DNS)].up), (1, 2));
}

#[test]
fn a_pass_that_failed_is_followed_by_one_over_everything() {
    let world = World::new();
    let mut process = begun(&world, &wanted());
    meddle(&world);
    world.find(WEB, A, Health::Down);
    *world.kernel.1.borrow_mut() = Some(Error::Protocol("lost".to_owned()));
    process.pass(Why { health: true, ..Why::default() });
    assert!(world.sent().is_empty());
    let shown = world.status();
    assert!(shown.trouble.is_some() && shown.services.len() == 2, "{shown:?}");
    let (reads, mut sent) = dumps(&world, || process.wait(2_000));
    sent.sort();
    assert!(reads >= 1, "it is not known what was done");
    assert_eq!(sent, ["edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 10 → 0", REPAIR]);
}

#[test]
fn what_is_everybodys_takes_a_pass_over_everything() {
    let world = World::new();
    let mut desired = wanted();
    let mut process = begun(&world, &desired);
    desired.manage = Manage::All;
    assert!(dumps(&world, || process.configure(&desired)).0 >= 1);
    desired.host = Host { addresses: Some("lo0".into()), ..Host::default() };
    assert!(dumps(&world, || process.configure(&desired)).0 >= 1);
    desired.table.services.insert(key("tcp://192.0.2.99:80"), service(&[]));
    assert!(dumps(&world, || process.configure(&desired)).0 >= 1, "its address comes with it");
    desired.table.services.get_mut(&key(WEB)).unwrap().destinations.insert(destination(A), weight(3));
    assert!(dumps(&world, || process.configure(&desired)).0 >= 1, "services may not have changed, but who knows");
    for why in [Why { reload: true, ..Why::default() }, Why { resync: true, ..Why::default() }] {
        assert!(dumps(&world, || process.pass(why)).0 >= 1);
    }
}

#[test]
fn the_share_that_may_be_deleted_is_one_of_everything() {
    let world = World::new();
    let mut desired = wanted();
    desired.max_delete = MaxDelete::Percent(2);
    desired.drain = Duration::ZERO;
    let mut process = begun(&world, &desired);
    // 156 entries are owned, and three are two percent of them.
    let gone = [key("tcp://192.0.2.3:81"), key("tcp://192.0.2.4:81")];
    let mut fewer = desired.clone();
    fewer.table.services.remove(&gone[0]);
    let seen = dumps(&world, || process.configure(&fewer));
    assert_eq!(seen, (0, vec!["delete service tcp://192.0.2.3:81 and its 2 destinations".to_owned()]));
    for key in gone {
        fewer.table.services.remove(&key);
    }
    fewer.table.services.remove(&key("tcp://192.0.2.5:81"));
    let seen = dumps(&world, || process.configure(&fewer));
    assert!(seen.1.is_empty(), "six are more: {:?}", seen.1);
    assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("would delete 6 of 153 owned entries")));
}

#[test]
fn a_destination_that_fails_is_tried_again_with_its_service_only() {
    let world = World::new();
    let mut desired = wanted();
    let mut process = begun(&world, &desired);
    world.kernel.0.borrow_mut().refuse(key(WEB), Some(destination(C)), Errno::INVAL);
    desired.table.services.get_mut(&key(WEB)).unwrap().destinations.insert(destination(C), weight(1));
    process.configure(&desired);
    world.sent();
    meddle(&world);
    // A verdict of another service between two tries takes nothing from the tries.
    world.find(DNS, D, Health::Down);
    process.pass(Why { health: true, ..Why::default() });
    world.sent();
    let (reads, sent) = dumps(&world, || process.wait(1_500));
    assert_eq!(
        (reads, sent),
        (0, vec!["add destination 10.0.0.3:80 of tcp://192.0.2.10:80: forward nat, weight 1".to_owned()])
    );
}

#[test]
fn a_drain_goes_on_beside_everything_else() {
    let world = World::new();
    let mut desired = wanted();
    desired.max_delete = MaxDelete::Percent(100);
    let mut process = begun(&world, &desired);
    world.connections(WEB, B, 1);
    desired.table.services.get_mut(&key(WEB)).unwrap().destinations.remove(&destination(B));
    desired.policies.get_mut(&key(WEB)).unwrap().checks.remove(&destination(B));
    process.configure(&desired);
    assert_eq!(world.sent(), ["edit destination 10.0.0.2:80 of tcp://192.0.2.10:80: weight 10 → 0"]);
    meddle(&world);
    world.find(DNS, D, Health::Down);
    let seen = dumps(&world, || process.pass(Why { health: true, ..Why::default() }));
    assert_eq!(seen.0, 0);
    assert_eq!(process.passes, 0);
    world.connections(WEB, B, 0);
    let (reads, sent) = dumps(&world, || process.wait(5_000));
    assert_eq!(sent, ["delete destination 10.0.0.2:80 of tcp://192.0.2.10:80"], "after {reads} dumps");
    assert_eq!(reads, 0);
}

mod law;

#[test]
fn what_a_pass_over_everything_may_not_do_is_not_done_piece_by_piece() {
    let world = World::new();
    let mut desired = wanted();
    desired.drain = Duration::ZERO;
    begun(&world, &desired);
    // The next process finds a configuration that drops most of it.
    desired.max_delete = MaxDelete::Percent(10);
    let most: Vec<ServiceKey> = desired.table.services.keys().skip(1).take(45).copied().collect();
    for key in &most {
        desired.table.services.get_mut(key).unwrap().destinations.remove(&destination(B));
    }
    let mut process = world.begin(&desired, 100_000);
    assert!(world.status().trouble.is_some_and(|trouble| trouble.contains("would delete 45 of 156 owned entries")));
    let given = Some(WeightOverride { weight: 3, since: UNIX, until: None });
    for service in &most[..3] {
        world.heard.0.borrow_mut().2.set(*service, destination(A), Override { weight: given, ..Override::default() });
        process.pass(Why { overrides: true, ..Why::default() });
        world.find(WEB, A, Health::Down);
        process.pass(Why { health: true, ..Why::default() });
        process.pass(Why { retry: true, step: true, ..Why::default() });
    }
    process.wait(60_000);
    assert_eq!(world.sent(), Vec::<String>::new());
    assert!(process.passes <= 3, "{} passes", process.passes);
}

#[test]
fn frequent_verdicts_put_off_nobodys_ramp_drain_or_retry() {
    let world = World::new();
    let mut desired = wanted();
    desired.resync = Duration::from_secs(600);
    desired.policies.get_mut(&key(DNS)).unwrap().slow_start = Duration::from_secs(20);
    desired.policies.insert(key("tcp://192.0.2.9:81"), Policy::new(Duration::from_secs(3)));
    let mut process = begun(&world, &desired);
    process.wait(30_000);
    world.find(DNS, D, Health::Down);
    process.pass(Why { health: true, ..Why::default() });
    world.find(DNS, D, Health::Up);
    process.pass(Why { health: true, ..Why::default() });
    world.connections("tcp://192.0.2.9:81", B, 1);
    desired.table.services.get_mut(&key("tcp://192.0.2.9:81")).unwrap().destinations.remove(&destination(B));
    world.kernel.0.borrow_mut().refuse(key("tcp://192.0.2.8:81"), Some(destination(C)), Errno::INVAL);
    desired.table.services.get_mut(&key("tcp://192.0.2.8:81")).unwrap().destinations.insert(destination(C), weight(1));
    process.configure(&desired);
    world.sent();
    world.kernel.0.borrow_mut().relent();
    let mut sent = Vec::new();
    for turn in 0..20 {
        world.find(WEB, A, if turn % 2 == 0 { Health::Down } else { Health::Up });
        process.pass(Why { health: true, ..Why::default() });
        sent.extend(world.sent());
        process.wait(400);
        sent.extend(world.sent());
    }
    let other: Vec<&String> = sent.iter().filter(|line| !line.contains("of tcp://192.0.2.10:80")).collect();
    let ramp = other.iter().filter(|line| line.starts_with("edit destination 10.0.0.4:80 of udp://")).count();
    assert!((3..=5).contains(&ramp), "the ramp goes on, by one in two seconds: {other:?}");
    let has = |line: &str| assert_eq!(other.iter().filter(|sent| **sent == line).count(), 1, "{line}: {other:?}");
    has("delete destination 10.0.0.2:80 of tcp://192.0.2.9:81");
    has("add destination 10.0.0.3:80 of tcp://192.0.2.8:81: forward nat, weight 1");
}

#[test]
fn the_share_that_may_be_deleted_is_one_of_what_may_be_deleted() {
    let world = World::new();
    let mut desired = wanted();
    let net = "192.0.2.0/30".parse().unwrap();
    desired.manage = Manage::Within(vec![crate::model::Scope::Prefix(net)]);
    desired.max_delete = MaxDelete::Percent(50);
    desired.table.services.retain(|key, _| desired.manage.covers(key));
    desired.policies.clear();
    // What lies outside of the list was adopted once.
    let outside: Vec<ServiceKey> = (50..90).map(|number| key(&format!("tcp://192.0.2.{number}:81"))).collect();
    for service in &outside {
        world.kept.0.borrow_mut().services.entry(*service).or_default().destinations.insert(destination(A), None);
        world.kernel.0.borrow_mut().table().insert(*service, live(&super::super::service(&[(A, 1)])));
    }
    let mut process = world.begin(&desired, 0);
    world.sent();
    let kept = *desired.table.services.keys().next().unwrap();
    desired.table.services.retain(|key, _| *key == kept);
    process.configure(&desired);
    assert_eq!(world.sent(), Vec::<String>::new());
    let trouble = world.status().trouble.unwrap();
    assert!(trouble.contains("would delete 6 of 9 owned entries"), "{trouble}");
}
