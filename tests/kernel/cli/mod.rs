//! What the commands print and how they end, on a live table that `ipvsadm` knows.

mod import;
mod overrides;
mod refusals;
mod show;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::netns::{self, ipvsadm};
use crate::program::{Ended, Program, end};
use crate::rules::Rules;

const CONFIG: &str = "ipvsd.toml";

const WEB: &str = r#"version = 1

[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "wrr"
destinations = [{ address = "10.0.0.1", weight = 1 }, { address = "10.0.0.2:8080", weight = 2 }]
"#;

const WEB_RULES: &str = "\
-A -t 192.0.2.10:80 -s wrr
-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 1
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 2
";

#[track_caller]
fn live_is(what: &str, rules: &str) {
    Rules::live().assert_are(&Rules::parse(rules), &what);
}

#[track_caller]
fn assert_says(said: &str, words: &str) {
    assert!(said.contains(words), "`{words}` is not in: {said}");
}

#[track_caller]
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON: {error}: {text}"))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

/// A namespace, and a program with the configuration [`WEB`].
fn host() -> (ipvsd::ipvs::Kernel, Program) {
    let kernel = netns::enter();
    let program = Program::new();
    program.write(CONFIG, WEB);
    (kernel, program)
}

#[test]
fn apply_sums_up_and_is_idempotent() {
    let (_kernel, program) = host();
    let said = program.runs(CONFIG, &["apply"], 0);
    assert_eq!(
        said,
        "add service tcp://192.0.2.10:80: scheduler wrr\n\
         add destination 10.0.0.1:80 of tcp://192.0.2.10:80: forward nat, weight 1\n\
         add destination 10.0.0.2:8080 of tcp://192.0.2.10:80: forward nat, weight 2\n\
         changed=3 failed=0 unchanged=0\n"
    );
    assert_eq!(program.runs(CONFIG, &["apply"], 0), "changed=0 failed=0 unchanged=3\n");
    program.write(CONFIG, &WEB.replace("weight = 2", "weight = 5"));
    assert_eq!(
        program.runs(CONFIG, &["apply"], 0),
        "edit destination 10.0.0.2:8080 of tcp://192.0.2.10:80: weight 2 → 5\nchanged=1 failed=0 unchanged=2\n"
    );
    let report = json_of(&program.runs(CONFIG, &["apply", "--output", "json"], 0));
    assert_eq!((&report["changed"], &report["failed"], &report["unchanged"]), (&json!(0), &json!(0), &json!(3)));
    program.write(CONFIG, WEB);
    let report = json_of(&program.runs(CONFIG, &["apply", "--output", "json"], 0));
    assert_eq!(report["operations"].as_array().unwrap().len(), 1);
    assert_eq!(report["operations"][0]["ok"], json!(true));
    assert_eq!(report["operations"][0]["changed"], json!(["weight"]));
    live_is("after all", WEB_RULES);
}

#[test]
fn a_configuration_from_standard_input() {
    let (_kernel, program) = host();
    let feed = |text: &str, arguments: &[&str]| -> Ended {
        // Not of this place: `-` has to reach the program as it is.
        let mut child = Command::new(env!("CARGO_BIN_EXE_ipvsd"))
            .args(["--config", "-", "--state-dir"])
            .arg(program.state())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        end(child)
    };
    assert_eq!(feed(WEB, &["check"]).code, Some(0));
    assert_eq!(feed(WEB, &["plan"]).code, Some(2));
    let applied = feed(WEB, &["apply"]);
    assert_eq!((applied.code, last_line(&applied.out)), (Some(0), "changed=3 failed=0 unchanged=0"));
    let yaml = "version: 1\nservices:\n  - name: web\n    address: tcp://192.0.2.10:80\n    scheduler: wrr\n    \
                destinations: [{ address: 10.0.0.1, weight: 1 }, { address: '10.0.0.2:8080', weight: 2 }]\n";
    assert_eq!(feed(yaml, &["plan"]).code, Some(0), "YAML is understood there, too");
    live_is("from standard input", WEB_RULES);
    let empty = feed("", &["apply", "--force"]);
    assert_eq!(empty.code, Some(78), "nothing is not an empty configuration: {}{}", empty.out, empty.err);
    live_is("still there", WEB_RULES);
    let run = feed(WEB, &["run"]);
    assert_eq!(run.code, Some(64));
    assert_says(&run.err, "standard input");
}

#[test]
fn exit_codes() {
    let (_kernel, program) = host();
    program.write("bad.toml", &WEB.replace("scheduler", "schedular"));
    program.write("empty.toml", "");
    program.write("refused.toml", &WEB.replace("\"wrr\"", "\"nonesuch\""));
    for (config, arguments, code) in [
        (CONFIG, &["check"][..], 0),
        (CONFIG, &["check", "--output", "json"], 0),
        (CONFIG, &["plan"], 2),
        (CONFIG, &["plan", "--output", "json"], 2),
        (CONFIG, &["apply", "--dry-run"], 0),
        (CONFIG, &["apply"], 0),
        (CONFIG, &["plan"], 0),
        (CONFIG, &["plan", "--output", "json"], 0),
        (CONFIG, &["show"], 0),
        (CONFIG, &["show", "--output", "json"], 0),
        (CONFIG, &["import"], 0),
        (CONFIG, &["import", "--output", "yaml"], 0),
        (CONFIG, &["import", "--output", "json"], 0),
        (CONFIG, &["schema"], 0),
        (CONFIG, &["--version"], 0),
        (CONFIG, &["--help"], 0),
        (CONFIG, &["apply", "--help"], 0),
        ("bad.toml", &["check"], 78),
        ("bad.toml", &["check", "--output", "json"], 78),
        ("bad.toml", &["plan"], 78),
        ("bad.toml", &["apply"], 78),
        ("bad.toml", &["run"], 78),
        // The table can be looked at all the same.
        ("bad.toml", &["show"], 0),
        ("empty.toml", &["apply", "--force"], 78),
        ("absent.toml", &["check"], 78),
        ("absent.toml", &["apply"], 78),
        ("absent.toml", &["run"], 78),
        ("refused.toml", &["plan"], 2),
        ("refused.toml", &["apply"], 1),
        ("refused.toml", &["apply", "--output", "json"], 1),
        (CONFIG, &[], 64),
        (CONFIG, &["update"], 64),
        (CONFIG, &["apply", "--nonesuch"], 64),
        (CONFIG, &["plan", "--output", "yaml"], 64),
        (CONFIG, &["run", "--log-level", "loud"], 64),
    ] {
        let Ended { code: got, out, err } = program.run(config, arguments);
        assert_eq!(got, Some(code), "{config} {arguments:?}: {out}{err}");
        if code != 78 && code != 64 {
            continue;
        }
        // Said, and nothing done; as JSON it is on standard output.
        assert!(!err.is_empty() || json_of(&out) != Value::Null, "{config} {arguments:?} says nothing");
        live_is(config, WEB_RULES);
    }
    // An error stands on standard error, with its place and a caret.
    let Ended { out, err, .. } = program.run("bad.toml", &["apply"]);
    assert_eq!(out, "");
    assert_says(&err, "bad.toml:6:1");
    assert_says(&err, "unknown key `schedular`");
    assert_says(&err, "there is `scheduler`");
    // The state directory that is no directory is an error, and nothing is applied without a record.
    fs::write(program.path("../occupied"), "").unwrap();
    program.write(CONFIG, &WEB.replace("weight = 2", "weight = 9"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipvsd"));
    command.arg("--config").arg(program.path(CONFIG)).arg("--state-dir").arg(program.path("../occupied")).arg("apply");
    let ended = end(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert_says(&ended.err, "occupied");
    live_is("no state directory", WEB_RULES);
}

#[test]
fn the_plan_as_json_is_what_apply_does() {
    let (_kernel, program) = host();
    program.runs(CONFIG, &["apply"], 0);
    ipvsadm(&["-A", "-f", "5", "-s", "rr"], "");
    let changed = r#"version = 1
[daemon]
max_delete = "100%"
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "mh"
scheduler_flags = ["mh-port"]
persistence = { timeout = "90s", netmask = 24 }
destinations = [{ address = "10.0.0.1", weight = 0, max_connections = 10 }, { address = "10.0.0.3", weight = 4 }]
[[services]]
name = "dns"
address = "udp://[2001:db8::10]:53"
scheduler = "rr"
one_packet = true
destinations = [{ address = "2001:db8:1::1", forward = "tunnel", tunnel = { type = "gue", port = 6080 } }]
"#;
    program.write(CONFIG, changed);
    let plan = json_of(&program.runs(CONFIG, &["plan", "--output", "json"], 2));
    let short = |operations: &Value| -> Vec<String> {
        let word = |operation: &Value, key: &str| operation[key].as_str().unwrap_or("-").to_owned();
        let line = |operation: &Value| {
            ["op", "kind", "service", "destination", "name", "cause"].map(|key| word(operation, key)).join(" ")
        };
        operations.as_array().unwrap().iter().map(line).collect()
    };
    let expected = [
        "edit service tcp://192.0.2.10:80 - web change",
        "add destination tcp://192.0.2.10:80 10.0.0.3:80 web change",
        "add service udp://[2001:db8::10]:53 - dns change",
        "add destination udp://[2001:db8::10]:53 [2001:db8:1::1]:53 dns change",
        "edit destination tcp://192.0.2.10:80 10.0.0.1:80 web change",
        "delete destination tcp://192.0.2.10:80 10.0.0.2:8080 web change",
    ];
    assert_eq!(short(&plan["operations"]), expected);
    let operations = &plan["operations"];
    assert_eq!(operations[0]["changed"], json!(["scheduler", "scheduler_flags", "persistence"]));
    assert_eq!(
        operations[0]["to"],
        json!({ "scheduler": "mh", "scheduler_flags": ["mh-port"], "one_packet": false,
            "persistence": { "timeout": "1m30s", "netmask": 24, "engine": null } })
    );
    assert_eq!(
        operations[3]["to"],
        json!({ "forward": "tunnel", "tunnel": { "type": "gue", "port": 6080, "checksum": false }, "weight": 100,
            "max_connections": 0, "min_connections": 0 })
    );
    assert_eq!(operations[4]["changed"], json!(["weight", "max_connections"]));
    assert_eq!(operations[5]["to"], Value::Null);
    assert_eq!(
        plan["summary"],
        json!({ "add": { "services": 1, "destinations": 2 }, "edit": { "services": 1, "destinations": 1 },
            "delete": { "services": 0, "destinations": 1 }, "unchanged": 0, "owned": 3, "drift": 0 })
    );
    assert_eq!(plan["notes"][0]["kind"], json!("foreign_service"));
    assert_eq!(plan["notes"][0]["service"], json!("fwmark:5"));
    assert_eq!(plan["refused"], Value::Null);
    let keys = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let known = ["host", "notes", "operations", "overrides", "refused", "summary", "unknown", "version"];
    assert_eq!(keys(&plan), known, "packaging/doc/plan.md has them all");
    let detailed = json_of(&program.runs(CONFIG, &["plan", "--output", "json", "--detailed"], 2));
    assert_eq!(keys(&detailed).len(), known.len() + 1);
    assert_eq!(
        detailed["operations"][4]["text"],
        "edit destination 10.0.0.1:80 of tcp://192.0.2.10:80: weight 1 → 0, max_connections none → 10"
    );
    assert_eq!(detailed["operations"][0]["origin"]["line"], json!(6));
    assert_eq!(detailed["unchanged_entries"], json!([]));

    let applied = json_of(&program.runs(CONFIG, &["apply", "--output", "json"], 0));
    assert_eq!(short(&applied["operations"]), expected);
    assert_eq!((&applied["changed"], &applied["failed"]), (&json!(6), &json!(0)));
    let mut rules = Rules::parse(
        "-A -t 192.0.2.10:80 -s mh -p 90 -M 255.255.255.0 -b mh-port\n\
         -a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 0\n\
         -a -t 192.0.2.10:80 -r 10.0.0.3:80 -m -w 4\n\
         -A -u [2001:db8::10]:53 -s rr -o\n\
         -a -u [2001:db8::10]:53 -r [2001:db8:1::1]:53 -i -w 100 --tun-type gue --tun-port 6080 --tun-nocsum\n\
         -A -f 5 -s rr\n",
    );
    rules.add_thresholds("TCP 192.0.2.10:80 10.0.0.1:80 10 0\n");
    Rules::live().assert_are(&rules, &"what the plan said");
}
