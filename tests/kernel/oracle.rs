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
        // A look takes as long, and what is waited for needs the processor, too.
        sleep(Duration::from_millis(100));
    }
}

/// A destination's line of an `ipvsadm` listing: its address, and its columns after that. In the kernel's own order, which is what
/// schedulers walk through: newest first. `service` as `ipvsadm -L` takes it: `["-t", "192.0.2.10:80"]`.
fn listed(service: &[&str], options: &[&str]) -> Vec<(String, Vec<String>)> {
    let said = ipvsadm(&[&["-Ln", "--nosort"], options, service].concat(), "");
    let lines = said.lines().filter_map(|line| line.trim_start().strip_prefix("-> "));
    let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<String>>());
    words
        .filter(|words| words[0] != "RemoteAddress:Port")
        .map(|words| (words[0].clone(), words[1..].to_vec()))
        .collect()
}

/// The destinations of a service in the kernel's own order, with their weights.
pub(crate) fn order(service: &[&str]) -> Vec<(String, u32)> {
    let listed = listed(service, &[]).into_iter();
    listed.map(|(destination, columns)| (destination, columns[1].parse().unwrap())).collect()
}

/// How many active connections each destination of a service has.
pub(crate) fn active(service: &[&str]) -> BTreeMap<String, u64> {
    let listed = listed(service, &[]).into_iter();
    listed.map(|(destination, columns)| (destination, columns[2].parse().unwrap())).collect()
}

/// How many connections each destination of a service has been given since it is there.
pub(crate) fn connections(service: &[&str]) -> BTreeMap<String, u64> {
    let listed = listed(service, &["--stats", "--exact"]).into_iter();
    listed.map(|(destination, columns)| (destination, columns[0].parse().unwrap())).collect()
}

/// Waits until the kernel has counted so many connections: it adds them up every two seconds (`estimation_timer`).
#[track_caller]
pub(crate) fn wait_connections(what: &str, service: &[&str], expected: &BTreeMap<String, u64>) {
    let begin = Instant::now();
    loop {
        let counted = connections(service);
        if counted == *expected {
            return;
        }
        assert!(begin.elapsed() < WITHIN, "waited for {what}: {counted:?}, expected {expected:?}");
        sleep(Duration::from_millis(100));
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
        // A look takes longer than that.
        sleep(Duration::from_millis(200));
    }
}
