//! `fo` and `ovf`: one after another.

use std::time::Duration;

use super::{one, short, vip, web};
use crate::balance::{Held, Scene, client, is_refused, service, weighted};
use crate::table;

/// Connections of many clients that last are all with this one.
#[track_caller]
fn all_at(scene: &Scene, server: usize) {
    let all: Vec<Held> = (0..40).map(|host| scene.hold(client(0, host), vip(80)).unwrap()).collect();
    assert_eq!(all.iter().map(|held| held.server).collect::<Vec<usize>>(), [server; 40]);
}

#[test]
fn fo_sends_all_to_the_highest_weight() {
    let scene = Scene::set(3);
    scene.apply(&web("fo", &[10, 30, 20]));
    all_at(&scene, 2);
    // Quiesced, deleted, and back again.
    scene.apply(&web("fo", &[10, 0, 20]));
    all_at(&scene, 3);
    scene.apply(&web("fo", &[10, 0]));
    all_at(&scene, 1);
    scene.apply(&web("fo", &[0, 0]));
    assert!(is_refused(&scene.hold(one(), vip(80))), "nobody has weight");
    scene.apply(&web("fo", &[10, 30, 20]));
    all_at(&scene, 2);
}

/// Servers 1 to 3; the second has the highest weight and at most so many connections.
fn with_limit(limit: u32) -> String {
    let mut destinations = weighted(&[10, 30, 20]);
    destinations[1] += &format!("\nmax_connections = {limit}");
    service("port-80", "tcp://192.0.2.10:80", "scheduler = \"fo\"", &destinations)
}

#[test]
fn fo_passes_over_who_is_full() {
    let scene = Scene::set(3);
    scene.apply(&with_limit(2));
    let hold = || scene.hold(one(), vip(80)).unwrap();
    let all: Vec<Held> = (0..4).map(|_| hold()).collect();
    assert_eq!(all.iter().map(|held| held.server).collect::<Vec<usize>>(), [2, 2, 3, 3]);
    scene.apply(&with_limit(3));
    assert_eq!([hold(), hold()].map(|held| held.server), [2, 3], "a higher limit is in force at once");
}

/// 6.12.117 looks at once whether a new limit has been reached (`ip_vs_dest_update_overload`), 6.1.176 only when it adds a connection
/// (`ip_vs_bind_dest`): there one more gets through.
#[test]
fn a_lower_limit_is_in_force_after_one_more_connection_at_the_latest() {
    let scene = Scene::set(3);
    scene.apply(&with_limit(0));
    let hold = || scene.hold(one(), vip(80)).unwrap();
    let all: Vec<Held> = (0..4).map(|_| hold()).collect();
    assert!(all.iter().all(|held| held.server == 2), "{all:?}");
    scene.apply(&with_limit(1));
    let next = hold();
    println!("the next one is at {}", next.server);
    assert!([2, 3].contains(&next.server), "{next:?}");
    all_at(&scene, 3);
}

/// Weights are numbers of connections to `ovf`: a server with weight w takes new ones until it has more than w, so w + 1
/// (`activeconns > w` in `ip_vs_ovf_schedule`).
#[test]
fn ovf_fills_the_highest_weight_and_flows_over_to_the_next() {
    let scene = Scene::set(4);
    scene.apply(&web("ovf", &[1, 3, 2, 0]));
    let mut all: Vec<Held> = (0..9).map(|_| scene.hold(one(), vip(80)).unwrap()).collect();
    let servers: Vec<usize> = all.iter().map(|held| held.server).collect();
    assert_eq!(servers, [2, 2, 2, 2, 3, 3, 3, 1, 1]);
    assert!(is_refused(&scene.hold(one(), vip(80))), "all of them are full");

    // Two of the first's end: it gets the next two.
    all.drain(1..3);
    table::wait("two have ended", Duration::from_secs(5), |table| {
        table.row("tcp 192.0.2.10:80", "10.2.0.21:80").unwrap().active == 2
    });
    all.extend((0..2).map(|_| scene.hold(one(), vip(80)).unwrap()));
    assert_eq!(all[7..].iter().map(|held| held.server).collect::<Vec<usize>>(), [2, 2]);
    assert!(is_refused(&scene.hold(one(), vip(80))), "all of them are full");
}

/// Only active connections count: it never flows over for short ones, nor for UDP, whose connections are none.
#[test]
fn ovf_does_not_see_what_has_ended() {
    let scene = Scene::set(2);
    scene.apply(&web("ovf", &[1, 2]));
    assert_eq!(short(&scene, 80, 20), [2; 20]);
    let all: Vec<Held> = (0..5).map(|_| scene.hold(one(), vip(80)).unwrap()).collect();
    assert_eq!(all.iter().map(|held| held.server).collect::<Vec<usize>>(), [2, 2, 2, 1, 1]);
    scene.apply(&service("dns", "udp://192.0.2.10:53", "scheduler = \"ovf\"", &weighted(&[1, 2])));
    let from = (2000..2020).map(|port| (one(), port).into());
    assert_eq!(scene.datagrams(from, "192.0.2.10:53".parse().unwrap()), [2; 20]);
}
