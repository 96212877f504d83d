//! Destinations that what they come from speaks for: containers that stop, are paused, or have ended.

use super::*;
use crate::model::Quiesced;

fn policy(desired: &mut Desired) -> &mut Policy {
    desired.policies.get_mut(&key(WEB)).unwrap()
}

#[test]
fn one_that_stops_goes_on_with_what_it_has_and_one_that_has_ended_goes_at_once() {
    let world = World::new();
    let mut wanted = Desired { max_delete: MaxDelete::Count(0), ..checked(&[(A, 10), (B, 10)], plain()) };
    let mut process = up(&world, &wanted, &[A, B]);
    world.connections(WEB, A, 3);
    policy(&mut wanted).quiesced.insert(destination(A), Quiesced::Stopping);
    process.configure(&wanted);
    assert_eq!(world.sent(), ["edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 10 → 0"]);
    let status = world.status();
    let shown = &status.services[&key(WEB)];
    assert_eq!((shown.up, shown.of), (1, 2), "it takes no new connections");
    assert_eq!(shown.destinations[&destination(A)].why, "its container is stopping");
    process.wait(400_000);
    assert_eq!(world.sent(), Vec::<String>::new(), "however long that takes");

    wanted.table.services.get_mut(&key(WEB)).unwrap().destinations.remove(&destination(A));
    let of = policy(&mut wanted);
    of.checks.remove(&destination(A));
    of.quiesced.clear();
    of.ended.insert(destination(A));
    process.configure(&wanted);
    assert_eq!(
        world.sent(),
        ["delete destination 10.0.0.1:80 of tcp://192.0.2.10:80"],
        "nobody answers there: neither its connections are waited for, nor has max_delete a say"
    );
}

#[test]
fn with_all_of_them_paused_the_fallback_is_in_use() {
    let world = World::new();
    let fallback = Some((destination(SORRY), weight(1)));
    let mut wanted = checked(&[(A, 10)], Policy { fallback, min_healthy: Some(Share::Count(1)), ..plain() });
    let mut process = up(&world, &wanted, &[A]);
    policy(&mut wanted).quiesced.insert(destination(A), Quiesced::Paused);
    process.configure(&wanted);
    let status = world.status();
    let shown = &status.services[&key(WEB)];
    assert!(shown.failed && shown.fallback && shown.up == 0, "{shown:?}");
    world.sent();
    policy(&mut wanted).quiesced.clear();
    process.configure(&wanted);
    let sent = world.sent();
    assert!(
        sent.contains(&"edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 0 → 10".to_owned()),
        "{sent:?}"
    );
    assert!(!world.status().services[&key(WEB)].fallback);
}

#[test]
fn one_that_starts_again_waits_for_a_check_whatever_it_was_before() {
    let world = World::new();
    let slow = Policy { slow_start: Duration::from_secs(30), ..plain() };
    let mut wanted = checked(&[(A, 100), (B, 100)], slow);
    let mut process = up(&world, &wanted, &[A, B]);
    policy(&mut wanted).quiesced.insert(destination(A), Quiesced::Stopping);
    process.configure(&wanted);
    assert_eq!(world.weight_of(A), Some(0));
    // Nobody asks it how it is, so its end is no failure.
    assert!(!world.oracle.0.borrow().assigned.contains_key(&(key(WEB), destination(A))));
    process.wait(20_000);
    assert_eq!(world.notices().len(), 0);
    // It runs, and what runs in it may take its time.
    policy(&mut wanted).quiesced.clear();
    process.configure(&wanted);
    process.wait(20_000);
    assert_eq!((world.weight_of(A), world.weight_of(B)), (Some(0), Some(100)));
    process.found(&[(A, Health::Up)]);
    assert_eq!(world.weight_of(A), Some(1), "along its ramp");
    process.wait(31_000);
    assert_eq!(world.weight_of(A), Some(100));
}
