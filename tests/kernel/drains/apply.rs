//! `ipvsd apply` without a daemon: each run takes a drain as far as it can go.

use std::time::Duration;

use serde_json::{Value, json};

use super::{A, B, FILE, SERVICE, Stage, web};
use crate::netns;
use crate::network::VIP;
use crate::program::Program;
use crate::sessions::{InUse, Session, last};
use crate::table::{self, Table};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON: {error}: {text}"))
}

#[test]
fn pain_1_apply_quiesces_what_has_connections_and_deletes_it_later() {
    let stage = Stage::new();
    stage.write("", &[A, B]);
    stage.apply();
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));

    stage.write("", &[B]);
    let plan = stage.program.runs(FILE, &["plan"], 2);
    assert!(plan.contains(A), "{plan}");
    let out = stage.apply();
    let line =
        format!("delete destination {A} of tcp://{VIP}: drains: 1 connection left, deleted after 5m at the latest\n");
    assert!(out.contains(&line), "{out}");
    assert_eq!(Table::read().weight(SERVICE, A), Some(0));
    assert_eq!(Session::open(&stage.network.client, VIP).unwrap().at, last(B));

    // Nothing is left to do but wait; that is no pending change.
    let plan = stage.program.runs(FILE, &["plan"], 0);
    assert!(plan.contains(&format!("{A} of tcp://{VIP} drains: 1 connection left, deleted after ")), "{plan}");
    let report = json_of(&stage.program.runs(FILE, &["apply", "--output", "json"], 0));
    assert_eq!((&report["changed"], &report["failed"]), (&json!(0), &json!(0)), "{report}");
    let note = &report["notes"][0];
    assert_eq!((&note["kind"], &note["destination"], &note["connections"]), (&json!("draining"), &json!(A), &json!(1)));
    assert!(note["seconds"].as_u64().is_some_and(|left| (240..=300).contains(&left)), "{note}");
    assert!(note["text"].as_str().unwrap().contains("1 connection left"), "{note}");
    session.goes_on(10);

    let _session = session.rest();
    table::wait("idle", Duration::from_secs(8), |table| {
        table.row(SERVICE, A).is_some_and(|row| row.connections() == 0)
    });
    let out = stage.apply();
    assert!(out.starts_with(&format!("delete destination {A} of tcp://{VIP}\n")), "{out}");
    assert_eq!(Table::read().row(SERVICE, A), None);
    assert_eq!(stage.apply(), "changed=0 failed=0 unchanged=2\n");
}

#[test]
fn pain_2_apply_deletes_what_is_past_its_time_with_connections() {
    let stage = Stage::new();
    stage.write("drain = \"2s\"", &[A, B]);
    stage.apply();
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    stage.write("drain = \"2s\"", &[B]);
    let report = json_of(&stage.program.runs(FILE, &["apply", "--output", "json"], 0));
    let operation = &report["operations"][0];
    assert_eq!(
        (&operation["op"], &operation["destination"], &operation["ok"]),
        (&json!("delete"), &json!(A), &json!(true))
    );
    assert_eq!(operation["result"], json!("drains: 1 connection left, deleted after 2s at the latest"));
    session.goes_on(10);
    // Whole seconds: in the third one it is over.
    std::thread::sleep(Duration::from_secs(3));
    session.goes_on(1);
    let out = stage.apply();
    assert!(out.contains(&format!("delete destination {A} of tcp://{VIP}\n")), "{out}");
    assert_eq!(Table::read().row(SERVICE, A), None);
}

#[test]
fn pain_3_a_drain_that_was_left_behind_leaves_no_weight_of_0() {
    let stage = Stage::new();
    stage.write("", &[A, B]);
    stage.apply();
    let session = InUse::new(Session::open_at(&stage.network.client, VIP, A));
    stage.write("", &[B]);
    stage.apply();
    assert_eq!(Table::read().weight(SERVICE, A), Some(0));
    // Another process, and nothing is remembered: what the configuration wants has its weight.
    std::fs::remove_dir_all(stage.program.state()).unwrap();
    stage.write("", &[A, B]);
    stage.apply();
    assert_eq!(Table::read().weight(SERVICE, A), Some(100));
    session.goes_on(5);
    let got: Vec<u8> = (0..4).map(|_| Session::open(&stage.network.client, VIP).unwrap().at).collect();
    assert!(got.contains(&last(A)), "{got:?}");
}

#[test]
fn a_thousand_destinations_go_at_once() {
    drop(netns::enter());
    let program = Program::new();
    let all: Vec<String> = (0..1000).map(|number| format!("10.9.{}.{}:80", number / 250, number % 250 + 1)).collect();
    let of = |count: usize| web("", &all[..count].iter().map(String::as_str).collect::<Vec<_>>());
    program.write(FILE, &of(1000));
    assert!(program.runs(FILE, &["apply"], 0).ends_with("changed=1001 failed=0 unchanged=0\n"));
    assert_eq!(Table::read().services[SERVICE].len(), 1000);
    program.write(FILE, &of(1));
    for pass in 1..=2 {
        let out = program.runs(FILE, &["apply"], 0);
        assert!(out.contains(" failed=0 "), "{out}");
        if Table::read().services[SERVICE].len() == 1 {
            println!("{pass} pass");
            break;
        }
    }
    assert_eq!(Table::read().services[SERVICE].keys().collect::<Vec<_>>(), [&all[0]]);
    assert_eq!(program.runs(FILE, &["apply"], 0), "changed=0 failed=0 unchanged=2\n");
}
