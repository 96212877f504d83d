//! What the kernel, another ipvsd or a missing permission refuses.

use std::process::{Command, Stdio};
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::{CONFIG, WEB, WEB_RULES, assert_says, host, json_of, last_line, live_is};
use crate::daemon_process::Daemon;
use crate::netns;
use crate::program::{Ended, Program, end};
use crate::rules::Rules;

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
