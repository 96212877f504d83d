//! Operators' overrides, given on a live table. Nobody carries them out here: no daemon runs.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::{CONFIG, WEB, assert_says, host, json_of};
use crate::netns::{self, ipvsadm};

#[test]
fn a_drain_waits_until_no_connection_is_left() {
    let (_kernel, program) = host();
    netns::ip_batch("addr add 192.0.2.10/32 dev lo\n");
    let _server = TcpListener::bind(("192.0.2.254", 8081)).unwrap();
    program.write(CONFIG, &WEB.replace("10.0.0.1\"", "192.0.2.254:8081\"").replace("rr\"", "lc\""));
    program.runs(CONFIG, &["apply"], 0);
    ipvsadm(&["-e", "-t", "192.0.2.10:80", "-r", "10.0.0.2:8080", "-m", "-w", "0"], "");
    // The kernel forgets connections that are idle for so long.
    ipvsadm(&["--set", "8", "8", "8"], "");
    let service: SocketAddr = "192.0.2.10:80".parse().unwrap();
    let client = TcpStream::connect_timeout(&service, Duration::from_secs(20)).unwrap();

    let drain = ["drain", "web", "192.0.2.254", "--wait", "--timeout", "1s"];
    let ended = program.run(CONFIG, &drain);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert_says(&ended.out, "192.0.2.254:8081 of tcp://192.0.2.10:80 (web) is drained\n");
    assert_says(&ended.err, "no other destination of tcp://192.0.2.10:80 (web) has weight");
    assert_says(
        &ended.err,
        "error: weight is still 1, 1 connection left (1 active, 0 inactive, 0 persistent) after 1s",
    );

    ipvsadm(&["-e", "-t", "192.0.2.10:80", "-r", "192.0.2.254:8081", "-m", "-w", "0"], "");
    let ended = program.run(CONFIG, &["drain", "web", "192.0.2.254", "--wait"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert_says(&ended.out, "is drained already, since ");
    assert_says(&ended.out, "\nno connections are left\n");
    drop(client);
}

#[test]
fn overrides_are_checked_against_the_table() {
    let (_kernel, program) = host();
    program.runs(CONFIG, &["apply"], 0);
    ipvsadm(&["-a", "-t", "192.0.2.10:80", "-r", "10.0.0.9:80", "-m"], "");
    ipvsadm(&["-A", "-f", "5"], "");
    for arguments in [["drain", "web", "10.0.0.9"], ["drain", "fwmark:5", "10.0.0.9"]] {
        let ended = program.run(CONFIG, &arguments);
        assert_eq!(ended.code, Some(64), "{}", ended.err);
    }
    program.write(CONFIG, &WEB.replace(", { address = \"10.0.0.2:8080\", weight = 2 }", ""));
    let said = program.runs(CONFIG, &["drain", "web", "10.0.0.2"], 0);
    assert_says(&said, "is not in the configuration any more, and on its way out already");
    let ended = program.run(CONFIG, &["weight", "web", "10.0.0.2", "5"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(!program.state().join("overrides.json").exists(), "nothing was overridden");

    program.runs(CONFIG, &["weight", "web", "10.0.0.1", "5", "--for", "10m"], 0);
    let table = json_of(&program.runs(CONFIG, &["show", "--output", "json"], 0));
    assert_eq!(table["services"][0]["destinations"][0]["override"]["weight"]["weight"], json!(5));
    assert_eq!(table["overrides"][0]["destination"], json!("10.0.0.1:80"));
    let text = program.runs(CONFIG, &["show"], 0);
    assert_says(
        &text,
        "\nOverrides, until they are lifted:\n  10.0.0.1:80 of tcp://192.0.2.10:80 (web): weight 5 by override until ",
    );
}
