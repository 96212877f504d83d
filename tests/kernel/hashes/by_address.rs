//! `dh`, `lblc` and `lblcr`: by the address that clients connect to. So they want several of them in one service: here a firewall
//! mark for port 80 of all of [`VIPS`]. Made for caches, where an address is a web site.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{BUCKETS, moved, number_of, one, place, places};
use crate::balance::{Held, Scene, VIPS, client, counts, is_refused, service, weighted};
use crate::marking::{self, Mark};
use crate::oracle::active;

const SERVICE: [&str; 2] = ["-f", "7"];

fn site(number: usize) -> SocketAddr {
    format!("203.0.113.{number}:80").parse().unwrap()
}

fn set(servers: usize) -> Scene {
    let scene = Scene::set(servers);
    marking::set(&[Mark { mark: 7, to: VIPS, protocol: "tcp", ports: &[80] }]);
    scene
}

fn sites(scheduler: &str, destinations: &[String]) -> String {
    service("sites", "fwmark:7", &format!("scheduler = \"{scheduler}\""), destinations)
}

/// Who answers for each of the addresses, to one client.
#[track_caller]
fn mapping(scene: &Scene, from: IpAddr) -> Vec<usize> {
    scene.ask((0..BUCKETS).map(|number| (from, site(number)))).into_iter().map(|answer| answer.unwrap()).collect()
}

/// A table of 256 places as that of `sh`, but each destination gets one place in turn, whatever its weight, and the place follows from
/// the destination address. There is no flag for a fallback.
#[test]
fn dh_has_a_server_for_each_address() {
    let scene = set(4);
    scene.apply(&sites("dh", &weighted(&[1, 50, 100, 7])));
    let before = mapping(&scene, one());
    let expected = |scene: &Scene| {
        let places = places(&SERVICE, |_| 1);
        let expected: Vec<usize> = (0..BUCKETS).map(|number| places[place(number_of(site(number).ip()))]).collect();
        assert_eq!(mapping(scene, client(3, 3)), expected);
        expected
    };
    assert_eq!(before, expected(&scene), "who asks makes no difference");
    assert!(counts(&before, 4).iter().all(|count| (60..=68).contains(count)), "{before:?}");

    // Quiesced: who asks for its addresses is refused. Its places stay its own.
    scene.apply(&sites("dh", &weighted(&[0, 50, 100, 7])));
    for (answer, server) in scene.ask((0..BUCKETS).map(|number| (one(), site(number)))).iter().zip(&before) {
        assert!(if *server == 1 { is_refused(answer) } else { answer.as_ref().unwrap() == server }, "{answer:?}");
    }
    // Deleted: the table is filled anew, and most addresses move.
    scene.apply(&sites("dh", &weighted(&[0, 50, 100, 7])[1..]));
    let moved = moved(&before, &expected(&scene), 1);
    println!("{moved} % of the addresses whose server stayed have been moved");
    assert!((60..=70).contains(&moved), "{moved} %");
}

/// Connections to one address, one after another, from different clients.
fn hold(scene: &Scene, number: usize, count: usize) -> (Vec<Held>, Vec<usize>) {
    let held: Vec<Held> = (0..count).map(|host| scene.hold(client(5, host), site(number)).unwrap()).collect();
    let servers = held.iter().map(|held| held.server).collect();
    (held, servers)
}

/// An address is where it was first sent to, and there was the least load then.
#[track_caller]
fn is_local(scene: &Scene) {
    let (_first, first) = hold(scene, 1, 3);
    assert_eq!(first, [first[0]; 3]);
    let (_second, second) = hold(scene, 2, 3);
    assert_eq!(second, [second[0]; 3]);
    assert_ne!(first[0], second[0], "it has connections, the other has none");
    let (_third, third) = hold(scene, 3, 2);
    assert_eq!(third, [third[0]; 2]);
    assert!(third[0] != first[0] && third[0] != second[0]);
    assert_eq!(hold(scene, 1, 1).1, [first[0]], "it is still there");
}

fn all_quiesced_but(servers: &[usize], count: usize, weight: u32) -> Vec<String> {
    let weights = (1..=count).map(|server| if servers.contains(&server) { weight } else { 0 });
    weighted(&weights.collect::<Vec<u32>>())
}

/// Overloaded is who has more active connections than its weight while somebody has less than half of its own (`is_overloaded`).
/// So a server of weight 2 takes three of an address; then the address moves to the one with the least load, and is forgotten where
/// it was: it stays at the new one although the old one gets idle.
#[test]
fn lblc_moves_an_address_from_who_is_overloaded() {
    let scene = set(3);
    scene.apply(&sites("lblc", &weighted(&[100, 100, 100])));
    is_local(&scene);

    scene.apply(&sites("lblc", &weighted(&[2, 2, 2])));
    let (mut held, servers) = hold(&scene, 9, 6);
    let (first, second) = (servers[0], servers[3]);
    assert_eq!(servers, [first, first, first, second, second, second]);
    assert_ne!(first, second);
    // No one has less than half of its weight but the third: it is the next.
    let (more, servers) = hold(&scene, 9, 5);
    let third = servers[0];
    assert_eq!(servers, [third; 5], "all are overloaded, so nobody is: there is nobody to move to");
    assert_eq!(first + second + third, 6);

    held.drain(..3);
    wait_active(first, 0);
    drop(more);
    wait_active(third, 0);
    assert_eq!(hold(&scene, 9, 3).1, [third; 3], "the first is idle, and has been forgotten");

    // Quiesced: it moves.
    scene.apply(&sites("lblc", &all_quiesced_but(&[first], 3, 2)));
    assert_eq!(hold(&scene, 9, 3).1, [first; 3]);
}

/// As `lblc`, but an address has a set of servers: one that is overloaded gets help, and stays in the set. Within it the least loaded
/// is taken. After `lblcr_expiration` without a change the one with the most connections leaves the set.
#[test]
fn lblcr_adds_a_server_to_an_address_whose_server_is_overloaded() {
    let scene = set(3);
    scene.apply(&sites("lblcr", &weighted(&[100, 100, 100])));
    is_local(&scene);

    scene.apply(&sites("lblcr", &weighted(&[2, 2, 2])));
    let (mut held, servers) = hold(&scene, 9, 6);
    let (first, second) = (servers[0], servers[3]);
    assert_eq!(servers, [first, first, first, second, second, second]);
    // The first is idle again: it is still in the set, and least loaded.
    held.drain(..3);
    wait_active(first, 0);
    assert_eq!(hold(&scene, 9, 1).1, [first]);

    // The set shrinks: who has the most connections, the second with three, leaves it.
    fs::write("/proc/sys/net/ipv4/vs/lblcr_expiration", "1").unwrap();
    // Only the time decides, since the last change of the set.
    sleep(Duration::from_millis(1200));
    assert_eq!(hold(&scene, 9, 1).1, [first], "the set gets smaller after this one");
    fs::write("/proc/sys/net/ipv4/vs/lblcr_expiration", "86400").unwrap();
    drop(held);
    wait_active(second, 0);
    let (_held, servers) = hold(&scene, 9, 3);
    assert_eq!(servers, [first; 3], "the second is idle, and out of the set");
}

/// Waits until a server has so many active connections.
#[track_caller]
fn wait_active(server: usize, count: u64) {
    let begin = Instant::now();
    loop {
        let now = active(&SERVICE);
        let at = format!("10.2.0.{server}1:0");
        if now[&at] == count {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "{now:?}");
        sleep(Duration::from_millis(20));
    }
}
