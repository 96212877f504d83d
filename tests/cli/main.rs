//! The command line where no kernel is needed: exit codes, and what goes to which stream.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod daemon;
mod overrides;

use std::io::Write;
use std::process::{Command, Output, Stdio};

const GOOD: &str = r#"
version = 1
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
destinations = [{ address = "10.0.0.11:8080" }]
"#;

fn ipvsd(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
        .args(arguments)
        .env_remove("IPVSD_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends before it has read its input is not what is tested here.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn a_good_configuration_is_good() {
    let output = ipvsd(&["check", "-"], GOOD);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "The configuration is good: 1 service, 1 destination.\n");
    assert_eq!(text(&output.stderr), "");
    let output = ipvsd(&["check", "--config", "-", "--output", "json"], GOOD);
    assert_eq!(json(&output.stdout), serde_json::json!({ "problems": [], "services": 1, "destinations": 1 }));
}

#[test]
fn a_wrong_one_says_where_and_exits_with_78() {
    let bad = GOOD.replace("name", "nmae").replace("8080", "808080");
    for command in ["check", "plan", "apply"] {
        let output = ipvsd(&[command, "--config", "-"], &bad);
        assert_eq!(output.status.code(), Some(78), "{command}");
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).contains("--> -:4:1"), "{}", text(&output.stderr));
        let output = ipvsd(&[command, "--config", "-", "--output", "json"], &bad);
        assert_eq!(output.status.code(), Some(78), "{command}");
        let problems = json(&output.stdout)["problems"].as_array().unwrap().len();
        assert!(problems >= 2, "all of them at once: {}", text(&output.stdout));
    }
}

#[test]
fn a_configuration_that_is_not_there_is_a_wrong_one() {
    for command in ["check", "plan", "apply", "run"] {
        let output = ipvsd(&[command, "--config", "/nonexistent/ipvsd.toml"], "");
        assert_eq!(output.status.code(), Some(78), "{command}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("/nonexistent/ipvsd.toml"));
    }
}

#[test]
fn a_draft_is_checked_with_the_parts_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("conf.d")).unwrap();
    std::fs::write(path("main.toml"), "version = 1\ninclude = [\"conf.d/*.toml\"]\nservices = []\n").unwrap();
    std::fs::write(path("conf.d/a.toml"), GOOD).unwrap();
    let check = |at: &str| ipvsd(&["check", "--config", &path("main.toml"), "--as", &path(at), "-"], GOOD);
    let output = check("conf.d/b.toml");
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    assert!(said.contains("conf.d/b.toml:") && said.contains("conf.d/a.toml:"), "{said}");
    assert_eq!(check("conf.d/a.toml").status.code(), Some(0), "in the place of what is there");
    let output = check("b.toml");
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("it would be no part of the configuration"), "{}", text(&output.stderr));
    let output = ipvsd(&["check", "--as", &path("conf.d/b.toml"), "-"], GOOD);
    assert_eq!(output.status.code(), Some(0), "alone it is good");
}

#[test]
fn commands_are_given_the_environment_of_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("default");
    let file = file.to_str().unwrap();
    let config = dir.path().join("ipvsd.toml");
    let config = config.to_str().unwrap();
    std::fs::write(config, GOOD.replace("192.0.2.10", "${IPVSD_TEST_VIP}")).unwrap();
    std::fs::write(file, "# of the daemon\nIPVSD_TEST_VIP='192.0.2.10'\n").unwrap();
    let code = |arguments: &[&str]| ipvsd(arguments, GOOD).status.code();
    assert_eq!(code(&["check", config]), Some(78));
    assert_eq!(code(&["check", "--environment", file, config]), Some(0));
    assert_eq!(code(&["--environment", file, "diff", config, "-"]), Some(0), "of one and the same address");
    std::fs::write(file, "IPVSD_TEST_VIP 192.0.2.10\n").unwrap();
    for arguments in [&["plan", "--config"][..], &["apply", "--config"], &["check", "--config"]] {
        let output = ipvsd(&[arguments, &[config, "--environment", file]].concat(), "");
        assert_eq!(output.status.code(), Some(78));
        let said = text(&output.stderr);
        assert!(said.contains("this is no line `NAME=VALUE`") && said.contains("default:1:1"), "{said}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    for arguments in [
        &["bogus"][..],
        &[],
        &["plan", "--bogus"],
        &["apply", "--only", "create"],
        &["show", "--output", "xml"],
        &["run", "--config", "-"],
        &["run", "--log-level", "loud"],
        &["drain", "web"],
        &["drain", "web", "10.0.0.11", "--timeout", "3s"],
        &["drain", "web", "10.0.0.11", "--wait", "--timeout", "soon"],
        &["undrain"],
        &["weight", "web", "10.0.0.11"],
        &["weight", "web", "10.0.0.11", "65536"],
        &["weight", "web", "10.0.0.11", "-1"],
        &["weight", "web", "10.0.0.11", "10", "--reset"],
        &["weight", "web", "10.0.0.11", "10", "--for", "0s"],
        &["weight", "web", "10.0.0.11", "10", "--for", "1500ms"],
        &["weight", "web", "10.0.0.11", "10", "--for", "10y"],
        &["weight", "web", "10.0.0.11", "--reset", "--for", "10m"],
        &["health", "web", "10.0.0.11"],
        &["health", "web", "10.0.0.11", "unknown"],
        &["health", "web", "10.0.0.11", "down", "--for", "0s"],
        &["health", "web", "10.0.0.11", "auto", "--for", "10m"],
        &["health", "web", "10.0.0.11", "down", "--reset"],
        &["overrides", "web"],
        &["diff", "a.toml"],
        &["diff", "-", "-"],
        &["explain", "web"],
        &["show", "web"],
        &["show", "--watch", "0"],
        &["show", "--watch", "soon"],
        &["top", "--interval", "0"],
        // Neither standard input nor standard output is a terminal.
        &["top"],
    ] {
        let output = ipvsd(arguments, GOOD);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert_ne!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

#[test]
fn whoever_shows_one_service_is_told_of_explain() {
    let said = |arguments: &[&str]| text(&ipvsd(arguments, "").stderr).contains("ipvsd explain SERVICE DESTINATION");
    assert!(said(&["show", "web"]) && said(&["show", "--output", "json", "web"]));
    assert!(!said(&["show", "--web"]) && !said(&["check", "--web"]) && !said(&["overrides", "web"]));
}

#[test]
fn two_configurations_are_compared_without_a_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(at("conf.d")).unwrap();
    std::fs::write(
        at("conf.d/web.yaml"),
        "version: 1\nservices:\n  - name: web\n    address: tcp://192.0.2.10:80\n    \
        destinations: [{ address: '10.0.0.11:8080' }, { address: '10.0.0.12:8080' }]\n",
    )
    .unwrap();
    let output = ipvsd(&["diff", "-", &at("conf.d")], GOOD);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "Changes:\n\n    tcp://192.0.2.10:80 (web)\n      + 10.0.0.12:8080  forward nat, weight 100\n\n\
         Difference: 1 to add, 0 to edit, 0 to delete; 2 unchanged.\n"
    );
    let output = ipvsd(&["diff", &at("conf.d"), "-", "--output", "json"], GOOD);
    assert_eq!(output.status.code(), Some(2));
    let document = json(&output.stdout);
    assert_eq!((&document["equal"], &document["operations"][0]["op"]), (&false.into(), &"delete".into()));
    let output = ipvsd(&["diff", &at("conf.d"), &at("conf.d/web.yaml")], "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "No difference: both ask for the same (3 entries).\n");

    // What is wrong with either is said, and with both at once.
    std::fs::write(at("bad.toml"), GOOD.replace("name", "nmae")).unwrap();
    let output = ipvsd(&["diff", &at("bad.toml"), "/nonexistent.toml"], "");
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    assert!(said.contains("bad.toml:4:1") && said.contains("/nonexistent.toml"), "{said}");
    assert_eq!(text(&output.stdout), "");
    let output = ipvsd(&["diff", &at("bad.toml"), &at("bad.toml")], "");
    assert_eq!((output.status.code(), text(&output.stderr).matches("bad.toml:4:1").count()), (Some(78), 1));
}

#[test]
fn help_and_version_are_data() {
    for arguments in [&["--help"][..], &["--version"], &["apply", "--help"]] {
        let output = ipvsd(arguments, "");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output.stdout).contains("ipvsd"), "{arguments:?}");
    }
}

#[test]
fn no_colour_goes_into_a_pipe_unless_asked_for() {
    let bad = GOOD.replace("name", "nmae");
    let output = ipvsd(&["check", "-"], &bad);
    assert!(!text(&output.stderr).contains('\u{1b}'));
    let output = ipvsd(&["check", "-", "--color", "always"], &bad);
    assert!(text(&output.stderr).contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.code().is_some(), "it was not killed: {:?}", output.status);
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_die() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("a.toml");
    // The scheduler looks like a slip, which the log says; and a state directory beneath a file ends it before the kernel.
    std::fs::write(&config, GOOD.replace("name", "scheduler = \"wlcr\"\nname")).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
        .args(["run", "--log-format", "json", "--config"])
        .arg(&config)
        .arg("--state-dir")
        .arg(config.join("state"))
        .stdin(Stdio::null())
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn an_error_says_each_reason_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = ipvsd(&["plan", "--config", "-", "--state-dir", file.join("state").to_str().unwrap()], GOOD);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).matches("Not a directory").count(), 1, "{}", text(&output.stderr));
}

#[test]
fn what_was_written_for_another_program_becomes_a_configuration() {
    let rules = "-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m\n";
    let output = ipvsd(&["import", "--from", "ipvsadm", "-"], rules);
    assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(0), 1), "{output:?}");
    assert_eq!(ipvsd(&["check", "-"], text(&output.stdout)).status.code(), Some(0), "{output:?}");
    let output = ipvsd(&["import", "--from", "ipvsadm", "-", "--output", "json"], &format!("{rules}-Q\n"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(json(&output.stdout)["services"][0]["address"], "tcp://192.0.2.10:80");
    assert!(text(&output.stderr).contains("--> -:3:1"), "{output:?}");
    for wrong in [&["import", "--from", "ipvsadm"][..], &["import", "-"], &["import", "--from", "f5", "-"]] {
        assert_eq!(ipvsd(wrong, rules).status.code(), Some(64), "{wrong:?}");
    }
}
