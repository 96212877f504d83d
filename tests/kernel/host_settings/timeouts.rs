//! `[timeouts]`.

use super::*;
use crate::daemon_process::Daemon;
use crate::netns;

#[test]
fn they_are_set_remembered_and_put_back() {
    let _kernel = netns::enter();
    let program = Program::new();
    ipvsadm(&["--set", "0", "0", "301"], "");
    assert_eq!(timeouts(), "900 120 301");
    write(&program, "[timeouts]\ntcp = \"1h\"\ntcp_fin = \"2m\"\nudp = \"1m30s\"\n");
    let plan = program.runs(FILE, &["plan"], 2);
    has(&plan, &["~ timeout tcp  15m → 1h\n", "~ timeout udp  5m1s → 1m30s\n"]);
    assert!(!plan.contains("tcp_fin"), "what is as it should be is not set: {plan}");
    assert_eq!(timeouts(), "900 120 301", "a plan changes nothing");
    assert_eq!(applied(&program, &[]), "changed=2 failed=0 unchanged=1");
    assert_eq!(timeouts(), "3600 120 90");
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=3");
    program.runs(FILE, &["plan"], 0);

    // What is not written any more is left as it is, and said.
    write(&program, "[timeouts]\ntcp = \"2h\"\n");
    let said = program.runs(FILE, &["apply"], 0);
    let kept = "timeout udp is not written any more, and stays 1m30s: it was 5m1s before; `ipvsd apply --restore-host` puts \
                it back\n";
    has(&said, &["edit timeout tcp: 1h → 2h\n", kept, "changed=1 failed=0 unchanged=0"]);
    assert!(!said.contains("tcp_fin"), "what was as it should be is nothing to put back: {said}");
    assert_eq!(timeouts(), "7200 120 90");
    let dry = program.runs(FILE, &["apply", "--dry-run", "--restore-host"], 0);
    has(&dry, &["~ timeout tcp  2h → 15m\n", "~ timeout udp  1m30s → 5m1s\n"]);
    assert_eq!(timeouts(), "7200 120 90");
    assert_eq!(applied(&program, &["--restore-host"]), "changed=2 failed=0 unchanged=0");
    assert_eq!(timeouts(), "900 120 301", "also what is still written");
    assert_eq!(applied(&program, &[]), "changed=1 failed=0 unchanged=0");
    assert_eq!(timeouts(), "7200 120 301");
}

#[test]
fn drift_is_repaired_and_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    write(&program, "[timeouts]\ntcp = \"10m\"\nudp = \"1m\"\n");
    let mut daemon = Daemon::start(&program, FILE);
    assert_eq!(timeouts(), "600 120 60");
    // All that is somebody else's stays.
    ipvsadm(&["--set", "0", "77", "33"], "");
    let line = daemon.wait("the repair", |line| line.message().starts_with("drift repaired"));
    assert_eq!(line.message(), "drift repaired: edit timeout udp: 33s → 1m");
    assert_eq!(timeouts(), "600 77 60");
    // Another value that is asked for is no drift.
    write(&program, "[timeouts]\ntcp = \"11m\"\nudp = \"1m\"\n");
    let line = daemon.wait("the edit", |line| line.message().contains("timeout"));
    assert_eq!(line.message(), "edit timeout tcp: 10m → 11m");
    assert_eq!(timeouts(), "660 77 60");
    daemon.pass("a pass of rest", |line| line.number("changed") == 0);
}

#[test]
fn the_longest_is_taken_by_every_kernel() {
    let _kernel = netns::enter();
    let program = Program::new();
    let longest = i32::MAX / 1000;
    write(&program, &format!("[timeouts]\ntcp = \"{longest}s\"\ntcp_fin = \"{longest}s\"\nudp = \"1s\"\n"));
    assert_eq!(applied(&program, &[]), "changed=3 failed=0 unchanged=0");
    assert_eq!(timeouts(), format!("{longest} {longest} 1"));
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=3");
}
