//! What `check` says of a configuration because of the settings of the machine it is for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;

use ipvsd::config::{self, Facts, Problem, Severity, Source};

/// With every setting as drains want it.
const TUNED: Facts = Facts { expire_nodest_conn: true, expire_quiescent_template: true, conn_reuse_mode: 1 };

fn warnings(name: &str, text: &str, facts: &Facts) -> Vec<Problem> {
    let sources = [Source { path: PathBuf::from(name), text: text.to_owned() }];
    assert_eq!(config::parse(&sources).unwrap().warnings, [], "without a machine there is nothing to say");
    assert_eq!(
        config::parse_for(&sources, &TUNED).unwrap().warnings,
        [],
        "nothing is wrong with a machine that is set"
    );
    let warnings = config::parse_for(&sources, facts).unwrap().warnings;
    for warning in &warnings {
        assert_eq!(warning.severity, Severity::Warning);
        assert!(warning.help.is_some() && warning.line.is_some(), "{}", warning.message);
    }
    warnings
}

fn toml(keys: &str) -> String {
    format!("version = 1\n[[services]]\nname = \"web\"\n{keys}\ndestinations = [{{ address = \"10.0.0.1\" }}]\n")
}

/// One warning that has these words, in this line.
fn one(text: &str, facts: &Facts, line: usize, words: &[&str]) {
    let found = warnings("a.toml", text, facts);
    let [warning] = &found[..] else { panic!("{text}: {found:#?}") };
    assert_eq!(warning.line, Some(line), "{text}");
    let said = format!("{} {}", warning.message, warning.help.as_ref().unwrap());
    for word in words {
        assert!(said.contains(word), "no {word} in: {said}");
    }
}

fn none(text: &str, facts: &Facts) {
    assert_eq!(warnings("a.toml", text, facts), [], "{text}");
}

/// Pain 4: udp flows stick to a destination that drains, and fall into a black hole when it is deleted.
#[test]
fn pain_4_udp_flows_fall_into_a_black_hole_after_a_drain() {
    let facts = Facts { expire_nodest_conn: false, ..TUNED };
    let words = ["`web`", "black hole", "\"5m\"", "net.ipv4.vs.expire_nodest_conn", "shorter `drain`"];
    one(&toml("address = \"udp://192.0.2.1:53\""), &facts, 4, &words);
    // Of several addresses, once, and at the one that is udp.
    let several = "address = [\"tcp://192.0.2.1:53\",\n\"udp://192.0.2.1:53\",\n\"udp://192.0.2.2:53\"]";
    one(&toml(several), &facts, 5, &words);
    one(&toml("address = \"udp://192.0.2.1:53\"\ndrain = \"90s\""), &facts, 4, &["\"1m30s\""]);
    none(&toml("address = \"udp://192.0.2.1:53\"\ndrain = \"0s\""), &facts);
    none(&toml("address = \"tcp://192.0.2.1:53\""), &facts);
    none(&toml("address = \"fwmark:7\""), &facts);
    none("version = 1\n[[services]]\nname = \"web\"\naddress = \"udp://192.0.2.1:53\"\n", &facts);
}

/// Pain 5: persistence keeps sending known clients to a destination of weight 0.
#[test]
fn pain_5_persistent_clients_keep_going_to_a_quiesced_destination() {
    let facts = Facts { expire_quiescent_template: false, ..TUNED };
    let words = ["`web`", "quiesced", "net.ipv4.vs.expire_quiescent_template"];
    one(&toml("address = \"tcp://192.0.2.1:80\"\npersistence = {}"), &facts, 5, &words);
    one(&toml("address = [\"tcp://192.0.2.1:80\", \"tcp://192.0.2.2:80\"]\npersistence = {}"), &facts, 5, &words);
    let base = "address = \"tcp://192.0.2.1:80\"\npersistence = {}\ndrain = \"0s\"";
    none(&toml(base), &facts);
    one(&toml(&format!("{base}\ncheck = \"tcp\"")), &facts, 5, &words);
    none(&toml(&format!("{base}\ncheck = \"tcp\"\non_down = \"delete\"")), &facts);
    none(&toml("address = \"tcp://192.0.2.1:80\""), &facts);
}

/// Pain 6: a client that uses its port again is bound to the destination that it had.
#[test]
fn pain_6_a_port_that_is_used_again_leads_to_a_quiesced_destination() {
    let facts = Facts { conn_reuse_mode: 0, ..TUNED };
    let words = ["`web`", "port again", "net.ipv4.vs.conn_reuse_mode"];
    one(&toml("address = \"tcp://192.0.2.1:80\""), &facts, 4, &words);
    one(&toml("address = \"fwmark:7\""), &facts, 4, &words);
    one(&toml("address = \"tcp://192.0.2.1:80\"\ndrain = \"0s\"\ncheck = \"tcp\""), &facts, 4, &words);
    none(&toml("address = \"tcp://192.0.2.1:80\"\ndrain = \"0s\""), &facts);
    none(&toml("address = \"udp://192.0.2.1:80\""), &facts);
    none(&toml("address = \"tcp://192.0.2.1:80\""), &Facts { conn_reuse_mode: 2, ..TUNED });
}

/// Out of the box, the kernel has two of three as drains do not want them.
#[test]
fn the_defaults_of_the_kernel_are_warned_of() {
    assert_eq!(
        Facts::default(),
        Facts { expire_nodest_conn: false, expire_quiescent_template: false, conn_reuse_mode: 1 }
    );
    let yaml = "version: 1\nservices:\n- name: dns\n  address: udp://192.0.2.1:53\n  persistence: { timeout: 1m }\n  \
        destinations:\n  - address: 10.0.0.1\n";
    let lines: Vec<_> = warnings("a.yaml", yaml, &Facts::default()).iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [Some(4), Some(5)]);
}

/// What the configuration sets itself counts, whatever the machine has now.
#[test]
fn what_the_configuration_sets_is_as_it_is_set() {
    let parse = |sysctls: &str, facts: &Facts| {
        let text = format!("{}[host.sysctls]\n{sysctls}\n", toml("address = \"udp://192.0.2.1:53\"\npersistence = {}"));
        let sources = [Source { path: PathBuf::from("a.toml"), text }];
        config::parse_for(&sources, facts).unwrap().warnings
    };
    let both = "net.ipv4.vs.expire_nodest_conn = 1\n\"net/ipv4/vs/expire_quiescent_template\" = true";
    assert_eq!(parse(both, &Facts::default()), []);
    assert_eq!(parse("", &Facts::default()).len(), 2);
    let neither = "net.ipv4.vs.expire_nodest_conn = 0\nnet.ipv4.vs.expire_quiescent_template = false";
    assert_eq!(parse(neither, &TUNED).len(), 2);
    let tcp = format!("{}[host.sysctls]\nnet.ipv4.vs.conn_reuse_mode = 0\n", toml("address = \"tcp://192.0.2.1:80\""));
    let sources = [Source { path: PathBuf::from("a.toml"), text: tcp }];
    assert_eq!(config::parse_for(&sources, &TUNED).unwrap().warnings.len(), 1);
}
