//! `twos`: of two that are picked at random, by weight, the one with less load. Linux 5.12 has it; Debian's kernels for User Mode Linux
//! are built without.

use std::time::Duration;

use super::{at_port, one, short, vip, web};
use crate::balance::{Held, Scene, counts};
use crate::table;

#[test]
fn twos_takes_the_less_loaded_of_two_or_is_refused_with_the_kernels_reason() {
    let scene = Scene::set(3);
    if std::env::var("LAB").unwrap() == "uml" {
        let said = scene.refused(&web("twos", &[100, 100, 0]));
        let reason = "scheduler `twos` is not available in this kernel (its module ip_vs_twos could not be loaded)";
        assert!(said.contains(reason), "{said}");
        return;
    }
    scene.apply(&(web("twos", &[100, 100, 0]) + &at_port(443, "twos", &[100, 300, 0])));
    let mut held: Vec<Held> = (0..60).map(|_| scene.hold(one(), vip(80)).unwrap()).collect();
    let servers: Vec<usize> = held.iter().map(|held| held.server).collect();
    let held_at = counts(&servers, 3);
    println!("{held_at:?}");
    assert!(held_at[2] == 0 && held_at[0].abs_diff(held_at[1]) <= 20, "{held_at:?}");

    // One gets idle. Both picks are the other in a quarter of the cases; else the idle one is at least one of them, and is taken. Of
    // 400, that is 300, with a standard deviation of 9.
    held.retain(|held| held.server != 2);
    table::wait("no active connections", Duration::from_secs(5), |table| {
        table.row("tcp 192.0.2.10:80", "10.2.0.21:80").unwrap().active == 0
    });
    let answers = counts(&short(&scene, 80, 400), 3);
    println!("{answers:?}");
    assert!(answers[2] == 0 && (250..=350).contains(&answers[1]), "{answers:?}");

    // Picks are by weight, and so is what counts as load.
    let by_weight = counts(&short(&scene, 443, 1000), 3);
    println!("{by_weight:?}");
    assert!(by_weight[2] == 0 && (200..=300).contains(&by_weight[0]), "{by_weight:?}");
}
