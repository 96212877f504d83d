//! What the kernel has, by `ipvsadm`, and what ipvsd says of it.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::netns::ipvsadm;
use crate::program::Program;

/// Longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(30);

/// The weights of a service's destinations in the kernel. `service` as `ipvsadm -Sn` says it: `-t 192.0.2.10:80`.
pub(crate) fn weights(service: &str) -> BTreeMap<String, u32> {
    let start = format!("-a {service} -r ");
    let saved = ipvsadm(&["-Sn"], "");
    let of_service = saved.lines().filter_map(|line| line.strip_prefix(&start));
    of_service
        .map(|rest| {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let weight = words.iter().position(|word| *word == "-w").and_then(|at| words.get(at + 1)).unwrap();
            (words[0].to_owned(), weight.parse().unwrap())
        })
        .collect()
}

/// The weight of a destination, if the kernel has it.
pub(crate) fn weight(service: &str, destination: &str) -> Option<u32> {
    weights(service).get(destination).copied()
}

/// Waits until the weights of a service are such.
#[track_caller]
pub(crate) fn wait_weights(what: &str, service: &str, are_they: impl Fn(&BTreeMap<String, u32>) -> bool) {
    let begin = Instant::now();
    loop {
        let weights = weights(service);
        if are_they(&weights) {
            return;
        }
        assert!(begin.elapsed() < WITHIN, "waited for {what}: {weights:?}");
        sleep(Duration::from_millis(20));
    }
}

/// What `ipvsd show` says, for programs.
#[track_caller]
pub(crate) fn shown(program: &Program, config: &str) -> Value {
    serde_json::from_str(&program.runs(config, &["show", "--output", "json"], 0)).unwrap()
}

/// What `ipvsd show` says, for people.
#[track_caller]
pub(crate) fn shown_text(program: &Program, config: &str) -> String {
    program.runs(config, &["show"], 0)
}

/// A service of [`shown`] by its name.
#[track_caller]
pub(crate) fn service_in<'v>(shown: &'v Value, name: &str) -> &'v Value {
    let services = shown["services"].as_array().unwrap();
    services.iter().find(|service| service["name"] == name).unwrap_or_else(|| panic!("no service {name} in {shown}"))
}

/// What [`shown`] knows of a destination's health.
#[track_caller]
pub(crate) fn status_in<'v>(shown: &'v Value, name: &str, destination: &str) -> &'v Value {
    let destinations = service_in(shown, name)["destinations"].as_array().unwrap();
    let found = destinations.iter().find(|found| found["address"] == destination);
    &found.unwrap_or_else(|| panic!("no destination {destination} in {shown}"))["status"]
}

/// Waits until `ipvsd show` says something, and gives that.
#[track_caller]
pub(crate) fn wait_shown(program: &Program, config: &str, what: &str, does_it: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let shown = shown(program, config);
        if does_it(&shown) {
            return shown;
        }
        assert!(begin.elapsed() < WITHIN, "waited for {what}: {shown:#}");
        sleep(Duration::from_millis(50));
    }
}
