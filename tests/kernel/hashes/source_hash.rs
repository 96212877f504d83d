//! `sh`: a client is where the hash of its address leads.
//!
//! The kernel has a table of 256 places, and fills it from its list of destinations: each in turn gets as many places as its weight,
//! one with weight 0, until all are filled. A client's place follows from its address (with `sh-port` from address and port added up).
//! So, exactly:
//!
//! - a client stays while neither the list nor a weight changes, whatever else does;
//! - any change of either fills the table anew, and most clients move, those as well whose server is still there.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{BUCKETS, WEB, moved, number_of, one, place, places, vip, web, with};
use crate::balance::{Scene, VIP6, client, counts, is_refused, real6, service, weighted};

const FALLBACK: &str = "scheduler_flags = [\"sh-fallback\"]";

fn all() -> impl Iterator<Item = IpAddr> {
    (0..256).map(|host| client(1, host))
}

/// Who answers each of 256 clients. It has to be as the table says.
#[track_caller]
fn mapping(scene: &Scene) -> Vec<usize> {
    let answers = scene.answers(all(), vip(80));
    let places = places(&WEB, |weight| weight.max(1) as usize);
    assert_eq!(answers, all().map(|from| places[place(number_of(from))]).collect::<Vec<usize>>());
    answers
}

#[test]
fn sh_keeps_each_client_where_its_address_leads() {
    let scene = Scene::set(4);
    scene.apply(&web("sh", &[1, 1, 1, 1]));
    let before = mapping(&scene);
    assert!(counts(&before, 4).iter().all(|count| (60..=68).contains(count)), "{before:?}");
    assert_eq!(mapping(&scene), before);
    // Another scheduler in between changes nothing: the list is the same.
    scene.apply(&web("rr", &[1, 1, 1, 1]));
    scene.apply(&web("sh", &[1, 1, 1, 1]));
    assert_eq!(mapping(&scene), before);

    // The table is filled anew without one of four: two thirds of the clients of the other three are moved.
    scene.apply(&with("sh", "", &weighted(&[1, 1, 1, 1])[1..]));
    let after = mapping(&scene);
    assert_eq!(counts(&after, 4)[0], 0);
    let moved = moved(&before, &after, 1);
    println!("{moved} % of the clients whose server stayed have been moved");
    assert!((60..=70).contains(&moved), "{moved} %");
}

#[test]
fn sh_gives_places_by_weight_and_none_to_those_for_whom_none_are_left() {
    let scene = Scene::set(4);
    scene.apply(&web("sh", &[1, 3, 4, 4]));
    let shares = counts(&mapping(&scene), 4);
    for (share, weight) in shares.iter().zip([1_usize, 3, 4, 4]) {
        // A twelfth of 256 is a little more than 21; neighbours among addresses are far from each other in the table.
        assert!((21 * weight).abs_diff(*share) <= 10, "{shares:?}");
    }

    // Each in turn gets as many places as its weight. With the default weight, 100, two get theirs, the third gets 56, the fourth none.
    scene.apply(&web("sh", &[100, 100, 100, 100]));
    let table = counts(&places(&WEB, |weight| weight as usize), 4);
    let clients = counts(&mapping(&scene), 4);
    for (places, clients) in table.iter().zip(&clients) {
        assert!([0, 56, 100].contains(places) && places.abs_diff(*clients) <= 10, "{table:?}, {clients:?}");
    }
    assert_eq!(clients.iter().filter(|clients| **clients == 0).count(), 1, "{clients:?}");
}

/// Where the clients belong with `sh-fallback`, without a server: who has a place of its own is looked after once more, from twice the
/// place on, until there is another (`ip_vs_sh_get_fallback` adds the place to the hash, which is the place).
fn with_fallback(without: usize) -> Vec<usize> {
    let places = places(&WEB, |weight| weight.max(1) as usize);
    let choose = |from| {
        let place = place(number_of(from));
        let second = (0..BUCKETS).map(|offset| places[(2 * place + offset) % BUCKETS]);
        std::iter::once(places[place]).chain(second).find(|server| *server != without).unwrap()
    };
    all().map(choose).collect()
}

#[test]
fn sh_refuses_the_clients_of_who_has_no_weight_and_with_fallback_sends_them_elsewhere() {
    let scene = Scene::set(4);
    let ones = |first| web("sh", &[first, 1, 1, 1]);
    scene.apply(&ones(1));
    let before = mapping(&scene);
    scene.apply(&ones(0));
    for (answer, server) in scene.ask(all().map(|from| (from, vip(80)))).iter().zip(&before) {
        match answer {
            Ok(now) => assert_eq!((now, *server != 1), (server, true)),
            Err(_) => assert!(is_refused(answer) && *server == 1, "{answer:?}, and it was at {server}"),
        }
    }

    scene.apply(&with("sh", FALLBACK, &weighted(&[0, 1, 1, 1])));
    let after = scene.answers(all(), vip(80));
    assert_eq!(after, with_fallback(1));
    assert_eq!(scene.answers(all(), vip(80)), after);
    assert_eq!(moved(&before, &after, 1), 0, "the others stay");
    // With weights of 1, who has every fourth place has twice that place as well: all of its clients come to one and the same server.
    let second: BTreeSet<usize> =
        before.iter().zip(&after).filter(|(before, _)| **before == 1).map(|(_, after)| *after).collect();
    assert!(second.len() == 1 && !second.contains(&1), "{second:?}");
    scene.apply(&with("sh", FALLBACK, &weighted(&[1, 1, 1, 1])));
    assert_eq!(mapping(&scene), before, "they are back");
}

/// Weight 0 has one place, so whoever had more leaves places for others: all of the table is shifted. Only with weights of 1 does
/// quiescing one destination leave the clients of the others alone.
#[test]
fn sh_moves_clients_of_others_when_a_weight_over_one_becomes_none() {
    let scene = Scene::set(4);
    let fives = |first| with("sh", FALLBACK, &weighted(&[first, 5, 5, 5]));
    scene.apply(&fives(5));
    let before = mapping(&scene);
    scene.apply(&fives(0));
    let after = scene.answers(all(), vip(80));
    assert_eq!(after, with_fallback(1));
    let moved = moved(&before, &after, 1);
    println!("{moved} % of the clients whose server stayed have been moved");
    assert!(moved > 50, "{moved} %");
}

#[test]
fn sh_takes_who_is_full_for_one_without_weight() {
    let scene = Scene::set(3);
    let limited = |flags: &str, limit: u32| {
        let mut destinations = weighted(&[1, 1, 1]);
        destinations[0] += &format!("\nmax_connections = {limit}");
        with("sh", flags, &destinations)
    };
    scene.apply(&limited("", 1));
    let table = places(&WEB, |weight| weight as usize);
    let at =
        |server: usize| all().filter(|from| table[place(number_of(*from))] == server).take(10).collect::<Vec<IpAddr>>();
    let (full, other) = (at(1), at(2));
    let _held = scene.hold(full[0], vip(80)).unwrap();
    let ask = |from: &[IpAddr]| scene.ask(from.iter().map(|from| (*from, vip(80))));
    assert!(ask(&full).iter().all(is_refused));
    assert!(ask(&other).iter().all(|answer| matches!(answer, Ok(2))));
    scene.apply(&limited(FALLBACK, 1));
    assert!(ask(&full).iter().all(|answer| matches!(answer, Ok(2 | 3))));
    assert!(ask(&other).iter().all(|answer| matches!(answer, Ok(2))));
    scene.apply(&limited("", 0));
    assert!(ask(&full).iter().all(|answer| matches!(answer, Ok(1))));
}

/// Datagrams that are scheduled one by one: so the same port can be used twice.
#[test]
fn sh_port_tells_the_ports_of_a_client_apart() {
    let scene = Scene::set(4);
    let dns = |flags: &str| {
        let keys = format!("scheduler = \"sh\"\none_packet = true\n{flags}");
        service("dns", "udp://192.0.2.10:53", &keys, &weighted(&[1, 1, 1, 1]))
    };
    let ports = 5000..5256;
    let ask = || scene.datagrams(ports.clone().map(|port| SocketAddr::new(one(), port)), vip(53));
    scene.apply(&dns(""));
    let without = ask();
    assert_eq!(without, [without[0]; 256]);

    scene.apply(&dns("scheduler_flags = [\"sh-port\"]"));
    let places = places(&["-u", "192.0.2.10:53"], |weight| weight as usize);
    let expected: Vec<usize> = ports.clone().map(|port| places[place(number_of(one()) + u32::from(port))]).collect();
    assert_eq!(ask(), expected);
    assert_eq!(ask(), expected, "each port stays where it is");
    assert!(counts(&expected, 4).iter().all(|count| (60..=68).contains(count)));
}

/// The four words of an address are folded into one; then as with IPv4.
#[test]
fn sh_folds_ipv6_addresses() {
    let scene = Scene::set(3);
    let destinations: Vec<String> =
        (1..=3).map(|server| format!("address = \"{}\"\nweight = 1", real6(server))).collect();
    let six = service("six", &format!("tcp://[{VIP6}]:80"), "scheduler = \"sh\"", &destinations);
    scene.apply(&(six + &web("sh", &[1, 1, 1])));
    let all: Vec<IpAddr> = (0..64).map(|host| format!("2001:db8:9:{host:x}::{host:x}01").parse().unwrap()).collect();
    let to = format!("[{VIP6}]:80").parse().unwrap();
    let answers = scene.answers(all.iter().copied(), to);
    assert_eq!(scene.answers(all.iter().copied(), to), answers);
    assert!(counts(&answers, 3).iter().all(|count| *count > 10), "{answers:?}");
    // The list of the other family has the same order, so its table is the same.
    let places = places(&WEB, |weight| weight as usize);
    for (address, server) in all.iter().zip(answers) {
        let IpAddr::V6(address) = address else { panic!("an IPv6 address") };
        let words = address.octets();
        let folded = words.chunks_exact(4).fold(0, |all, word| all ^ u32::from_be_bytes(word.try_into().unwrap()));
        assert_eq!(server, places[place(folded)], "{address}");
    }
}
