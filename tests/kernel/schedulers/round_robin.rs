//! `rr` and `wrr`.

use std::collections::BTreeMap;

use super::{WEB, short, web};
use crate::balance::{Scene, counts, real};
use crate::oracle::wait_connections;

/// What `ipvsadm` is to say of the connections of servers 1, 2, …
fn counted(counts: &[usize]) -> BTreeMap<String, u64> {
    counts.iter().zip(1..).map(|(count, server)| (format!("{}:80", real(server)), *count as u64)).collect()
}

#[test]
fn rr_takes_turns_whatever_the_weights_are() {
    let scene = Scene::set(4);
    scene.apply(&web("rr", &[1, 5, 100, 0]));
    let answers = short(&scene, 80, 301);
    for turn in answers.windows(3) {
        assert_eq!(counts(turn, 4), [1, 1, 1, 0], "{answers:?}");
    }
    wait_connections("what the clients saw", &WEB, &counted(&counts(&answers, 4)));

    // It goes on where it was, without those that have left.
    scene.apply(&web("rr", &[1, 0, 100, 1]));
    for turn in short(&scene, 80, 90).windows(3) {
        assert_eq!(counts(turn, 4), [1, 0, 1, 1]);
    }
}

#[test]
fn wrr_keeps_to_the_weights_over_a_thousand_connections() {
    let scene = Scene::set(4);
    // The greatest common divisor is 50: a round has 2 + 5 + 3 connections, and is whole wherever it begins.
    scene.apply(&web("wrr", &[100, 250, 150, 0]));
    let answers = short(&scene, 80, 1000);
    assert_eq!(counts(&answers, 4), [200, 500, 300, 0]);
    for round in answers.windows(10) {
        assert_eq!(counts(round, 4), [2, 5, 3, 0]);
    }
    wait_connections("what the clients saw", &WEB, &counted(&[200, 500, 300, 0]));

    // A round of 7, and 1000 is not a multiple of it: each is within its own share of one round.
    let weights = [1, 2, 0, 4];
    scene.apply(&web("wrr", &weights));
    let counts = counts(&short(&scene, 80, 1000), 4);
    for (count, weight) in counts.iter().zip(weights) {
        let rounds = (1000 / 7 * weight as usize)..=(1000_usize.div_ceil(7) * weight as usize);
        assert!(rounds.contains(count), "weights {weights:?}, connections {counts:?}");
    }
}
