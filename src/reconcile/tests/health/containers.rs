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
