//! `lc`, `wlc`, `sed` and `nq`: where the fewest connections are.
//!
//! `lc` and `wlc` count an inactive connection, too, as one 256th of an active one (`ip_vs_dest_conn_overhead`); `sed` and `nq` count
//! active ones only. Between equals it is the first in the kernel's list. A connection that was reset is inactive for 10 s.

use std::time::Duration;

use super::{at_port, one, short, vip, web};
use crate::balance::{Held, Scene, counts};
use crate::table;

const WEIGHTS: [u32; 4] = [1, 2, 3, 0];
/// A multiple of all weights, so that costs are whole numbers.
const UNIT: u32 = 6;

/// What one more connection costs at a server with so many active ones, and this weight.
type Cost = fn(u32, u32) -> u32;

/// Opens connections, and keeps them. Each has to be where that costs least.
#[track_caller]
fn each_goes_where_it_costs_least(scene: &Scene, connections: usize, cost: Cost) -> Vec<Held> {
    let mut active = [0; WEIGHTS.len()];
    let mut all = Vec::new();
    for number in 1..=connections {
        let held = scene.hold(one(), vip(80)).unwrap();
        let costs: Vec<Option<u32>> =
            active.iter().zip(WEIGHTS).map(|(active, weight)| (weight > 0).then(|| cost(*active, weight))).collect();
        let least = costs.iter().flatten().min();
        let chosen = held.server - 1;
        assert_eq!(costs[chosen].as_ref(), least, "connection {number} to server {}: {active:?}", held.server);
        active[chosen] += 1;
        all.push(held);
    }
    all
}

/// At port 80 with [`WEIGHTS`], at port 443 with others.
fn two_services(scheduler: &str, weights: [u32; 4]) -> String {
    web(scheduler, &WEIGHTS) + &at_port(443, scheduler, &weights)
}

/// How many connections are with servers 1, 2, …
fn at(all: &[Held]) -> Vec<usize> {
    counts(&all.iter().map(|held| held.server).collect::<Vec<usize>>(), WEIGHTS.len())
}

/// Ends the connections with a server, and waits until the kernel has seen that.
fn end_at(server: usize, all: &mut Vec<Held>) -> usize {
    let before = all.len();
    all.retain(|held| held.server != server);
    table::wait("no active connections", Duration::from_secs(5), |table| {
        let row = table.row("tcp 192.0.2.10:80", &format!("10.2.0.{server}1:80")).unwrap();
        row.active == 0 && row.inactive as usize >= before - all.len()
    });
    before - all.len()
}

#[test]
fn lc_prefers_the_idle_one() {
    let scene = Scene::set(4);
    scene.apply(&two_services("lc", WEIGHTS));
    let mut all = each_goes_where_it_costs_least(&scene, 30, |active, _| active);
    assert_eq!(at(&all), [10, 10, 10, 0]);

    // One gets idle: all new ones go there, until it has as many as the others.
    assert_eq!(end_at(2, &mut all), 10);
    all.extend((0..10).map(|_| scene.hold(one(), vip(80)).unwrap()));
    assert_eq!(at(&all), [10, 10, 10, 0]);

    // Connections that have ended count as well: while nobody has active ones, servers take turns.
    assert_eq!(counts(&short(&scene, 443, 90), 4), [30, 30, 30, 0]);
}

#[test]
fn wlc_has_connections_in_proportion_to_the_weights() {
    let scene = Scene::set(4);
    scene.apply(&two_services("wlc", WEIGHTS));
    let mut all = each_goes_where_it_costs_least(&scene, 36, |active, weight| active * UNIT / weight);
    assert_eq!(at(&all), [6, 12, 18, 0]);
    assert_eq!(end_at(3, &mut all), 18);
    all.extend((0..18).map(|_| scene.hold(one(), vip(80)).unwrap()));
    assert_eq!(at(&all), [6, 12, 18, 0]);

    assert_eq!(counts(&short(&scene, 443, 90), 4), [15, 30, 45, 0], "what has ended counts as well");
}

/// The cost of a connection is what the server has then: (active + 1) / weight.
#[test]
fn sed_expects_the_shortest_delay() {
    let scene = Scene::set(4);
    scene.apply(&two_services("sed", [1, 10, 0, 0]));
    let cost: Cost = |active, weight| (active + 1) * UNIT / weight;
    let all = each_goes_where_it_costs_least(&scene, 36, cost);
    assert_eq!(at(&all), [6, 12, 18, 0]);

    // What has ended does not count: one after another, all of them are for the strongest.
    assert_eq!(counts(&short(&scene, 443, 90), 4), [0, 90, 0, 0]);
    // A server of a tenth of the strength stays idle until nine wait at the other: (9 + 1) / 10 = (0 + 1) / 1.
    let all: Vec<Held> = (0..11).map(|_| scene.hold(one(), vip(443)).unwrap()).collect();
    assert_eq!(at(&all[..9]), [0, 9, 0, 0]);
    assert_eq!(at(&all), [1, 10, 0, 0]);
}

/// To one without an active connection, whatever its weight; if there is none, as `sed`.
#[test]
fn nq_lets_nobody_wait_while_a_server_is_idle() {
    let scene = Scene::set(4);
    scene.apply(&two_services("nq", [1, 10, 0, 0]));
    let cost: Cost = |active, weight| if active == 0 { 0 } else { (active + 1) * UNIT / weight };
    let all = each_goes_where_it_costs_least(&scene, 36, cost);
    assert_eq!(at(&all), [6, 12, 18, 0]);

    // Both are idle for each of them: the first in the list gets all.
    let answers = short(&scene, 443, 30);
    assert_eq!(answers, [answers[0]; 30]);
    let all: Vec<Held> = (0..11).map(|_| scene.hold(one(), vip(443)).unwrap()).collect();
    assert_eq!(at(&all[..2]), [1, 1, 0, 0], "the weak one is idle: it gets the second at the latest");
    assert_eq!(at(&all), [1, 10, 0, 0]);
}
