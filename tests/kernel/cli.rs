//! What the commands print and how they end, on a live table that `ipvsadm` knows.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::ipvs::Ipvs as _;
use ipvsd::model::{DestinationSettings, Forward};
use ipvsd::plan::Operation;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::daemon_process::Daemon;
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
            .arg(program.path("../state"))
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

/// Everything that a configuration can say, made by `ipvsadm`.
const EVERYTHING: &str = "\
-A -t 192.0.2.10:80 -s mh -p 600 -M 255.255.255.0 -b mh-fallback,mh-port
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 100
-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 0 -x 1000 -y 800 --tun-type gue --tun-port 6080 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.3:80 -g -w 65535 -x 7
-a -t 192.0.2.10:80 -r [2001:db8:1::4]:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gue --tun-port 1 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.6:80 -i -w 1 --tun-type ipip
-A -t 192.0.2.10:0 -s rr -p 300
-A -t [2001:db8::10]:80 -s fo
-a -t [2001:db8::10]:80 -r [2001:db8:1::1]:80 -m -w 2
-A -u 192.0.2.10:53 -s ovf -o
-a -u 192.0.2.10:53 -r 10.0.0.1:53 -m -w 5
-A -u 192.0.2.10:5060 -s dh -p 300 --pe sip
-a -u 192.0.2.10:5060 -r 10.0.0.1:5060 -m -w 1
-A --sctp-service [2001:db8::10]:2905 -s lblcr
-a --sctp-service [2001:db8::10]:2905 -r [2001:db8:1::1]:2905 -g -w 1
-A -u [2001:db8::10]:53 -s sh -p 300 -M 64 -b sh-fallback
-A -u [2001:db8::10]:54 -s sh -b sh-port
-A -f 20 -s wlc -b flag-1,flag-2,flag-3
-a -f 20 -r 10.0.0.1:0 -g -w 1
-A -f 20 -6 -s lblc -p 2678400 -M 56
-a -f 20 -6 -r 10.0.0.1:0 -i -w 1 --tun-type ipip
-A -f 4294967295 -s sed
-A -f 21 -s nq
";

#[test]
fn an_import_is_a_configuration_that_plans_to_nothing() {
    let (_kernel, program) = host();
    ipvsadm(&["-R"], EVERYTHING);
    let before = ipvsadm(&["-Sn"], "");
    for (command, format) in
        [("import", "toml"), ("import", "yaml"), ("import", "json"), ("show", "toml"), ("show", "yaml")]
    {
        let text = program.runs(CONFIG, &[command, "--output", format], 0);
        let file = format!("{command}.{}", if format == "json" { "yaml" } else { format });
        if format == "json" {
            json_of(&text);
        }
        program.write(&file, &text);
        program.runs(&file, &["check"], 0);
        let plan = program.run(&file, &["plan"]);
        assert_eq!(plan.code, Some(0), "{command} --output {format}: {}{}\n{text}", plan.out, plan.err);
        assert!(!plan.out.contains("foreign"), "all of it is in the text: {}", plan.out);
        let applied = program.runs(&file, &["apply"], 0);
        assert_eq!(applied, format!("changed=0 failed=0 unchanged={}\n", EVERYTHING.lines().count()));
        fs::remove_dir_all(program.path("../state")).unwrap();
    }
    assert_eq!(ipvsadm(&["-Sn"], ""), before);
    // From nothing the text makes the same table, thresholds included.
    let table = Rules::live();
    ipvsadm(&["-C"], "");
    program.runs("import.toml", &["apply"], 0);
    Rules::live().assert_are(&table, &"made anew from import.toml");
    ipvsadm(&["-C"], "");
    program.runs("import.yaml", &["apply"], 0);
    Rules::live().assert_are(&table, &"made anew from import.yaml");
}

#[test]
fn an_import_says_what_it_leaves_out() {
    let (mut kernel, program) = host();
    ipvsadm(&["-R"], "-A -t 192.0.2.10:80 -s rr -p 300 -M 255.0.255.0\n-A -t 192.0.2.10:81 -s rr\n");
    ipvsadm(&["-a", "-t", "192.0.2.10:81", "-r", "10.0.0.1:83", "-m"], "");
    // The kernel takes it, ipvsadm does not ask for it.
    let settings = DestinationSettings { forward: Forward::Dr, weight: 1, max_connections: 0, min_connections: 0 };
    let (service, destination) = ("tcp://192.0.2.10:81".parse().unwrap(), "10.0.0.1:82".parse().unwrap());
    kernel.execute(&[&Operation::AddDestination { service, destination, settings }]).unwrap().remove(0).unwrap();
    let ended = program.run(CONFIG, &["import"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert_says(&ended.err, "left out: tcp://192.0.2.10:80");
    assert_says(&ended.err, "10.0.0.1:82");
    program.write("rest.toml", &ended.out);
    program.runs("rest.toml", &["check"], 0);
    let plan = program.runs("rest.toml", &["plan"], 0);
    assert_says(&plan, "tcp://192.0.2.10:80 is foreign: left alone");
    assert_says(&plan, "10.0.0.1:82 of tcp://192.0.2.10:81 is foreign: left alone");
}

#[test]
fn show_counts_real_connections() {
    let (_kernel, program) = host();
    netns::ip(&["addr", "add", "192.0.2.10/32", "dev", "lo"]);
    // Two servers of this host, so that the connections need no other.
    let servers = [8081, 8082].map(|port| TcpListener::bind(("192.0.2.254", port)).unwrap());
    program.write(
        CONFIG,
        r#"version = 1
[[services]]
name = "web"
address = "tcp://192.0.2.10:80"
scheduler = "rr"
destinations = [{ address = "192.0.2.254:8081" }, { address = "192.0.2.254:8082" }]
"#,
    );
    program.runs(CONFIG, &["apply"], 0);
    ipvsadm(&["-A", "-f", "5", "-s", "rr"], "");
    let answers: Vec<_> = servers
        .into_iter()
        .map(|server| {
            thread::spawn(move || {
                for _ in 0..3 {
                    let (mut stream, _) = server.accept().unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    let mut question = [0; 4];
                    stream.read_exact(&mut question).unwrap();
                    stream.write_all(b"pong").unwrap();
                }
            })
        })
        .collect();
    let service: SocketAddr = "192.0.2.10:80".parse().unwrap();
    // They stay open until the table has been shown.
    let clients: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect_timeout(&service, Duration::from_secs(20)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"pong");
            stream
        })
        .collect();
    for answer in answers {
        answer.join().unwrap();
    }

    // The kernel sums its counters up every two seconds: until ipvsadm shows them, and shows the same before and after.
    let count = || ipvsadm(&["-Ln", "--stats", "--exact"], "");
    let deadline = Instant::now() + Duration::from_secs(20);
    let (listed, table) = loop {
        let before = count();
        let table = program.runs(CONFIG, &["show", "--output", "json"], 0);
        if before == count()
            && before.lines().any(|line| line.starts_with("TCP  192.0.2.10:80 ") && line.contains(" 6 "))
        {
            break (before, json_of(&table));
        }
        assert!(Instant::now() < deadline, "the counters do not come to rest: {before}");
    };
    let web = &table["services"][0];
    assert_eq!(web["address"], json!("tcp://192.0.2.10:80"));
    assert_eq!(web["name"], json!("web"));
    assert_eq!(web["owner"], json!("owned"));
    assert_eq!(web["settings"]["scheduler"], json!("rr"));
    assert_eq!(web["stats"]["connections"], json!(6));
    let keys = ["connections", "in_packets", "out_packets", "in_bytes", "out_bytes"];
    // `Prot LocalAddress:Port Conns InPkts OutPkts InBytes OutBytes`
    let row = |address: &str| -> Vec<u64> {
        let line = listed.lines().find(|line| line.contains(address)).unwrap();
        line.split_whitespace().rev().take(5).map(|word| word.parse().unwrap()).collect()
    };
    let counters = |stats: &Value| -> Vec<u64> { keys.iter().rev().map(|key| stats[key].as_u64().unwrap()).collect() };
    assert_eq!(counters(&web["stats"]), row("192.0.2.10:80"), "{listed}");
    for (number, address) in ["192.0.2.254:8081", "192.0.2.254:8082"].into_iter().enumerate() {
        let destination = &web["destinations"][number];
        assert_eq!(destination["address"], json!(address));
        assert_eq!(destination["owner"], json!("owned"));
        assert_eq!(destination["settings"]["weight"], json!(100));
        assert_eq!(destination["stats"]["connections"], json!(3));
        assert_eq!(counters(&destination["stats"]), row(address), "{listed}");
        let open =
            destination["active_connections"].as_u64().unwrap() + destination["inactive_connections"].as_u64().unwrap();
        assert_eq!(open, 3, "{destination}");
    }
    let foreign = &table["services"][1];
    assert_eq!(
        (&foreign["address"], &foreign["owner"], &foreign["name"]),
        (&json!("fwmark:5"), &json!("foreign"), &Value::Null)
    );

    let text = program.runs(CONFIG, &["show"], 0);
    let web =
        text.lines().find(|line| line.starts_with("tcp://192.0.2.10:80 (web)")).unwrap_or_else(|| panic!("{text}"));
    let cells: Vec<&str> = web.split_whitespace().collect();
    assert_eq!((cells[2], cells.last()), ("rr", Some(&"owned")), "{text}");
    assert!(cells.contains(&"6"), "six connections: {text}");
    assert_says(&text, "fwmark:5");
    assert_eq!(last_line(&text), "2 services, 2 destinations");
    drop(clients);
}

#[test]
fn what_the_kernel_refuses_is_said_and_the_rest_applied() {
    let (_kernel, program) = host();
    let with = |services: &str| format!("{WEB}\n{services}");
    let nonesuch = "[[services]]\nname = \"other\"\naddress = \"tcp://192.0.2.11:80\"\nscheduler = \"nonesuch\"\n\
                    destinations = [{ address = \"10.0.0.1\" }, { address = \"10.0.0.2\" }]\n";
    program.write(CONFIG, &with(nonesuch));
    for (changed, unchanged) in [(3, 0), (0, 3)] {
        let ended = program.run(CONFIG, &["apply"]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
        assert_eq!(last_line(&ended.out), format!("changed={changed} failed=3 unchanged={unchanged}"));
        assert_says(&ended.out, "FAILED add service tcp://192.0.2.11:80: scheduler nonesuch: ");
        assert_says(&ended.out, "scheduler `nonesuch` is not available in this kernel");
        assert_says(&ended.out, "modprobe ip_vs_nonesuch");
        assert_says(
            &ended.out,
            "FAILED add destination 10.0.0.1:80 of tcp://192.0.2.11:80: forward nat, weight 100: skipped",
        );
        live_is("a scheduler that is not there", WEB_RULES);
    }
    program.write(
        CONFIG,
        &with(&nonesuch.replace("nonesuch\"\n", "rr\"\npersistence = { engine = \"nope\" }\n").replace("tcp:", "udp:")),
    );
    let ended = program.run(CONFIG, &["apply"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert_says(&ended.out, "persistence engine `nope` is not available");
    live_is("an engine that is not there", WEB_RULES);

    // An edit that is refused leaves what is there.
    program.write(CONFIG, &WEB.replace("\"wrr\"", "\"nonesuch\"").replace("weight = 1", "weight = 7"));
    let ended = program.run(CONFIG, &["apply"]);
    assert_eq!((ended.code, last_line(&ended.out)), (Some(1), "changed=1 failed=1 unchanged=1"), "{}", ended.out);
    live_is("a refused edit", &WEB_RULES.replace("-w 1", "-w 7"));
    let report = json_of(&program.run(CONFIG, &["apply", "--output", "json"]).out);
    assert_eq!(report["failed"], json!(1));
    assert_eq!(report["operations"][0]["ok"], json!(false));
    assert_says(report["operations"][0]["result"].as_str().unwrap(), "scheduler `nonesuch` is not available");

    // An address that the kernel knows not to be a host's: the rest of the service is as it should be.
    let more = WEB.replace("weight = 2 }", "weight = 3 }, { address = \"192.0.2.255\" }, { address = \"192.0.2.9\" }");
    program.write(CONFIG, &more);
    let ended = program.run(CONFIG, &["apply"]);
    assert_eq!((ended.code, last_line(&ended.out)), (Some(1), "changed=3 failed=1 unchanged=1"), "{}", ended.out);
    assert_says(&ended.out, "FAILED add destination 192.0.2.255:80 of tcp://192.0.2.10:80");
    assert_says(&ended.out, "does not take 192.0.2.255 as a destination: it is the broadcast address");
    let rules = WEB_RULES.replace("-w 2", "-w 3") + "-a -t 192.0.2.10:80 -r 192.0.2.9:80 -m -w 100\n";
    live_is("a broadcast address", &rules);
    assert_eq!(program.run(CONFIG, &["plan"]).code, Some(2), "it is still wanted");
}

/// A namespace in which nothing was ever up has no routing table, and the kernel takes no destination (EINVAL).
#[test]
fn a_namespace_without_interfaces_takes_no_destination() {
    let (_kernel, program) = host();
    let script = "\"$@\"; echo exit=$?; ipvsadm -Sn; ip link set lo up; \"$@\"; echo exit=$?; ipvsadm -Sn";
    let apply = program.command(CONFIG, &["apply"]);
    let mut fresh = Command::new("unshare");
    fresh.args(["--net", "sh", "-c", script, "sh"]).arg(apply.get_program()).args(apply.get_args());
    let ended = end(fresh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 13, "{}{}", ended.out, ended.err);
    assert_eq!(lines[0], "add service tcp://192.0.2.10:80: scheduler wrr");
    for line in &lines[1..3] {
        assert!(line.starts_with("FAILED add destination 10.0.0."), "{line}");
        assert_says(line, "this network namespace has no interface that is up; see `ip address`");
    }
    assert_eq!(lines[3..6], ["changed=1 failed=2 unchanged=0", "exit=1", "-A -t 192.0.2.10:80 -s wrr"]);
    assert_eq!(lines[8..10], ["changed=2 failed=0 unchanged=1", "exit=0"]);
    Rules::parse(&lines[10..].join("\n")).assert_are(&Rules::parse(WEB_RULES), &"after lo came up");
}

#[test]
fn the_second_ipvsd_says_which_process_is_the_first() {
    let (_kernel, program) = host();
    let daemon = Daemon::start(&program, CONFIG);
    live_is("the first", WEB_RULES);
    program.write("other.toml", &WEB.replace("weight = 2", "weight = 9"));
    let who = format!("process {} (", daemon.id());
    for arguments in [&["apply"][..], &["run"], &["apply", "--force"]] {
        let ended = program.run("other.toml", arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}{}", ended.out, ended.err);
        assert_says(&ended.err, "another ipvsd is at work in this network namespace");
        assert_says(&ended.err, &who);
        assert_says(&ended.err, " run");
    }
    live_is("still the first's", WEB_RULES);
    // Looking is not in anybody's way.
    program.runs("other.toml", &["plan"], 2);
    program.runs("other.toml", &["apply", "--dry-run"], 0);
    program.runs(CONFIG, &["show"], 0);

    // Another namespace, the same state directory.
    thread::scope(|scope| {
        let elsewhere = scope.spawn(|| {
            let _kernel = netns::enter();
            let ended = program.run("other.toml", &["apply"]);
            assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
            assert_says(&ended.err, "another ipvsd uses the state directory");
            assert_says(&ended.err, &who);
            live_is("the other namespace", "");
            // With one of its own it may.
            let own = Program::new();
            own.write(CONFIG, WEB);
            own.runs(CONFIG, &["apply"], 0);
            live_is("the other namespace, a directory of its own", WEB_RULES);
        });
        elsewhere.join().unwrap();
    });

    // However it ends, the next one can start.
    daemon.signal(Signal::KILL);
    drop(daemon);
    program.runs("other.toml", &["apply"], 0);
    live_is("the next", &WEB_RULES.replace("-w 2", "-w 9"));
}

/// Runs `ipvsd` as root without CAP_NET_ADMIN.
fn without_the_capability(program: &Program, arguments: &[&str]) -> Ended {
    let command = program.command(CONFIG, arguments);
    let mut without = Command::new("setpriv");
    without.args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"]);
    without.arg(command.get_program()).args(command.get_args());
    end(without.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn without_the_capability_every_command_says_so() {
    let (_kernel, program) = host();
    program.runs(CONFIG, &["apply"], 0);
    program.write(CONFIG, &WEB.replace("weight = 2", "weight = 9"));
    for arguments in [&["plan"][..], &["apply"], &["apply", "--dry-run"], &["show"], &["import"], &["run"]] {
        let ended = without_the_capability(&program, arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}{}", ended.out, ended.err);
        assert_says(&ended.err, "not permitted: reading and changing IPVS takes CAP_NET_ADMIN");
        assert_eq!(ended.out, "", "{arguments:?}");
    }
    live_is("not permitted", WEB_RULES);
    // As JSON the error is data.
    let ended = without_the_capability(&program, &["show", "--output", "json"]);
    assert_says(json_of(&ended.out)["error"].as_str().unwrap(), "CAP_NET_ADMIN");
    // What needs no kernel works.
    assert_eq!(without_the_capability(&program, &["check"]).code, Some(0));
}
