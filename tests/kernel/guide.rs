//! The guide to the ways of forwarding, done as it stands: each configuration is applied on a director, each command typed on
//! the real servers, and then both answer a client.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::forwarding::{Family, Forward, Mode, Protocol, Rig, Stage, Wiring, shell};
use crate::program::Program;

const FILE: &str = "ipvsd.toml";

/// A section of the guide that has a configuration and what to type on a real server.
struct Section {
    configuration: String,
    server: String,
}

/// The block of a language, if the text has just one.
fn block(text: &str, language: &str) -> Option<String> {
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    let block = blocks.next();
    assert!(blocks.next().is_none(), "one {language} in a section: {text}");
    block
}

/// By its heading, without what stands under headings below it.
fn section(heading: &str) -> Section {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doc/forwarding.md");
    let text = fs::read_to_string(path).unwrap();
    let mut found = text.split("\n## ").flat_map(|part| part.split("\n### ")).filter_map(|part| part.split_once('\n'));
    let (_, text) = found.find(|(title, _)| *title == heading).unwrap_or_else(|| panic!("the guide has no {heading}"));
    let get = |language| block(text, language).unwrap_or_else(|| panic!("{heading} has no {language}"));
    Section { configuration: get("toml"), server: get("sh server") }
}

/// Follows a section, and has the client ask.
fn follow(heading: &str, forward: Forward, wiring: Wiring) {
    let Section { configuration, server } = section(heading);
    let rig = Rig::new(wiring, 2);
    for host in &rig.servers {
        let server = server.clone();
        host.run(move || shell(&[server]));
    }
    let stage = Stage::serve(rig, Mode::new(forward, Family::V4), Protocol::Tcp);
    let program = Program::new();
    program.write(FILE, &configuration);
    program.runs(FILE, &["apply"], 0);
    let mut answered = stage.ask(4, Duration::from_secs(5)).unwrap();
    answered.sort_unstable();
    assert_eq!(answered, [1, 1, 2, 2], "{heading}");
    assert_eq!(program.runs(FILE, &["plan"], 0).lines().count(), 1, "nothing to do, and nothing to say");
}

#[test]
fn nat() {
    follow("nat", Forward::Nat, Wiring::Behind);
}

#[test]
fn dr() {
    follow("dr", Forward::Dr, Wiring::Lan);
}

#[test]
fn dr_to_macvlan_interfaces() {
    follow("dr", Forward::Macvlan, Wiring::Macvlan);
}

#[test]
fn tunnel() {
    follow("tunnel", Forward::Ipip, Wiring::Lan);
}

#[test]
fn gue() {
    follow("gue", Forward::Gue, Wiring::Lan);
}

#[test]
fn gre() {
    follow("gre", Forward::Gre, Wiring::Lan);
}

/// The tests above follow every section that can be followed.
#[test]
fn every_section_is_followed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/doc/forwarding.md");
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches("```sh server\n").count(), 5);
}
