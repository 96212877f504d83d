//! What the kernel does not take, in its words, and what becomes of it.

use super::*;
use crate::daemon_process::{Daemon, Line};
use crate::netns::{self, ip_batch};

const ASKED: &str = "interface late0 id 7 group 224.0.0.81 port 8848 ttl 1";
const MASTER: &str = "master sync daemon (mcast=late0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";
const BACKUP: &str = "backup sync daemon (mcast=late0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";

fn wants(program: &Program, more: &str) {
    let daemon = "{ interface = \"late0\", id = 7 }";
    write(program, &format!("[sync]\nmaster = {daemon}\nbackup = {daemon}\n{more}"));
}

#[test]
fn a_daemon_waits_for_its_interface() {
    let _kernel = netns::enter();
    let program = Program::new();
    wants(&program, "[timeouts]\ntcp = \"1m\"\n");
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    has(
        &ended.out,
        &[
            &format!("FAILED add sync master: {ASKED} sync_maxlen 1472: there is no interface late0\n"),
            &format!("FAILED add sync backup: {ASKED}: there is no interface late0\n"),
            "edit timeout tcp: 15m → 1m\n",
            "changed=1 failed=2 unchanged=0",
        ],
    );
    assert_eq!((timeouts(), daemons()), ("60 120 300".to_owned(), Vec::new()), "one that fails stops no other");

    let mut daemon = Daemon::start(&program, FILE);
    daemon.wait("the failure", |line| line.to_string().contains("there is no interface late0"));
    // A master wants it up, a backup takes it as it is.
    ip_batch("link add late0 type dummy\n");
    daemon.wait("the other failure", |line| line.to_string().contains("try `ip link set late0 up`"));
    assert!(daemons().contains(&BACKUP.to_owned()), "{:?}", daemons());
    ip_batch("link set late0 up\n");
    let is_start = |line: &Line| line.message().starts_with("add sync master");
    daemon.wait("the start", is_start);
    assert_eq!(daemons(), [MASTER, BACKUP]);
    daemon.pass("a pass of rest", |line| line.number("changed") == 0 && line.number("failed") == 0);
}

#[test]
fn one_that_runs_stays_until_the_other_can_be_had() {
    let _kernel = netns::enter();
    ip_batch("link add late0 type dummy\nlink set late0 up\nlink add down0 type dummy\n");
    let program = Program::new();
    wants(&program, "");
    assert_eq!(applied(&program, &[]), "changed=2 failed=0 unchanged=0");
    for (interface, why) in [
        ("nowhere0", "there is no interface nowhere0"),
        ("down0", "the interface down0 is down; try `ip link set down0 up`"),
    ] {
        write(&program, &format!("[sync]\nmaster = {{ interface = \"{interface}\", id = 7 }}\n"));
        let ended = program.run(FILE, &["apply", "--output", "text"]);
        assert_eq!(ended.code, Some(1), "{}", ended.out);
        has(&ended.out, &[&format!("FAILED edit sync master: interface late0 → {interface}: {why}\n")]);
        assert_eq!(daemons(), [MASTER]);
    }
    ip_batch("link set down0 up\n");
    assert_eq!(applied(&program, &[]), "changed=1 failed=0 unchanged=0");
    assert_eq!(daemons(), [MASTER.replace("late0", "down0")]);
}

#[test]
fn nothing_is_synchronised_beside_a_mixed_service_of_somebody_else() {
    let _kernel = netns::enter();
    ip_batch("link add late0 type dummy\nlink set late0 up\n");
    let program = Program::new();
    ipvsadm(&["-A", "-t", "192.0.2.77:80", "-s", "rr"], "");
    let mixed = ["-t", "192.0.2.77:80", "-r", "[2001:db8::1]:80", "-i"];
    ipvsadm(&[&["-a"], &mixed[..]].concat(), "");
    wants(&program, "");
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    let why =
        "the kernel synchronises no connections while a destination is of another address family than its service\n";
    has(&ended.out, &[why, "changed=0 failed=2 unchanged=0"]);
    ipvsadm(&["-d", "-t", "192.0.2.77:80", "-r", "[2001:db8::1]:80"], "");
    assert_eq!(applied(&program, &[]), "changed=2 failed=0 unchanged=0");
    assert_eq!(daemons(), [MASTER, BACKUP]);
}
