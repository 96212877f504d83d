//! `[sync]`.

use super::*;
use crate::daemon_process::{Daemon, Line};
use crate::netns::{self, ip_batch};
use crate::oracle::shown_text;

const MASTER: &str = "master sync daemon (mcast=v0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";
const BACKUP: &str = "backup sync daemon (mcast=v1, syncid=0, maxlen=8952, group=ff05::51, port=8849, ttl=3)";

#[test]
fn daemons_are_started_restarted_and_stopped() {
    let _kernel = netns::enter();
    ip_batch("link set v1 mtu 9000\n");
    let program = Program::new();
    let backup = "backup = { interface = \"v1\", group = \"ff05::51\", port = 8849, ttl = 3 }\n";
    write(&program, &format!("[sync]\nmaster = {{ interface = \"v0\", id = 7 }}\n{backup}"));
    let plan = program.runs(FILE, &["plan"], 2);
    has(
        &plan,
        &[
            "+ sync master  interface v0 id 7 group 224.0.0.81 port 8848 ttl 1 sync_maxlen 1472\n",
            "+ sync backup  interface v1 id 0 group ff05::51 port 8849 ttl 3\n",
        ],
    );
    assert_eq!(daemons(), [""; 0], "a plan changes nothing");
    assert_eq!(applied(&program, &[]), "changed=2 failed=0 unchanged=0");
    assert_eq!(daemons(), [MASTER, BACKUP]);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=2");
    program.runs(FILE, &["plan"], 0);
    let shown = shown_text(&program, FILE);
    has(&shown, &["interface v0 id 7 group 224.0.0.81 port 8848", "interface v1 id 0 group ff05::51 port 8849"]);

    // An edit ends one and begins another; the other one is left alone.
    let threads = threads();
    write(&program, &format!("[sync]\nmaster = {{ interface = \"v0\", id = 8, sync_maxlen = 1400 }}\n{backup}"));
    let said = program.runs(FILE, &["apply"], 0);
    has(&said, &["edit sync master: id 7 → 8, sync_maxlen 1472 → 1400\n", "changed=1 failed=0 unchanged=1"]);
    assert_eq!(daemons(), [&MASTER.replace("syncid=7, maxlen=1472", "syncid=8, maxlen=1400"), BACKUP]);
    let after = self::threads();
    assert_eq!((after.len(), after.iter().filter(|thread| threads.contains(thread)).count()), (2, 1));
    // The length that is not asked for any more is the kernel's again.
    write(&program, &format!("[sync]\nmaster = {{ interface = \"v0\", id = 7 }}\n{backup}"));
    let said = program.runs(FILE, &["apply"], 0);
    has(&said, &["edit sync master: id 8 → 7, sync_maxlen 1400 → 1472\n"]);
    assert_eq!(daemons(), [MASTER, BACKUP]);

    // What is not written any more stops.
    write(&program, &format!("[sync]\n{backup}"));
    let said = program.runs(FILE, &["apply"], 0);
    has(&said, &["delete sync master\n", "changed=1 failed=0 unchanged=1"]);
    assert_eq!(daemons(), [BACKUP]);
    write(&program, "");
    assert_eq!(applied(&program, &[]), "changed=1 failed=0 unchanged=0");
    assert_eq!(daemons(), [""; 0]);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=0");
}

/// The processes of this namespace's daemons, which are threads of the kernel: `ipvs-m:12:0`, with the number of the
/// namespace. Of those that are there the latest is this one; others may be on their way out.
fn threads() -> Vec<String> {
    let name = |id: &str| std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    let ids = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let threads = ids.filter_map(|id| {
        let name = name(&id);
        let rest = name.strip_prefix("ipvs-m:").or_else(|| name.strip_prefix("ipvs-b:"))?;
        Some((rest.split(':').next()?.parse::<u32>().ok()?, id))
    });
    let threads: Vec<(u32, String)> = threads.collect();
    let latest = threads.iter().map(|(namespace, _)| *namespace).max();
    threads.into_iter().filter(|(namespace, _)| Some(*namespace) == latest).map(|(_, id)| id).collect()
}

#[test]
fn a_daemon_of_somebody_else_is_left_alone() {
    let _kernel = netns::enter();
    let program = Program::new();
    ipvsadm(&["--start-daemon", "backup", "--mcast-interface", "v1", "--syncid", "9"], "");
    let foreign = "backup sync daemon (mcast=v1, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)";
    write(&program, "[sync]\nmaster = { interface = \"v0\", id = 7 }\n");
    let plan = program.runs(FILE, &["plan"], 2);
    has(&plan, &["sync backup is foreign: left alone\n"]);
    assert!(!plan.contains("- sync"), "{plan}");
    let said = program.runs(FILE, &["apply"], 0);
    has(&said, &["sync backup is foreign: left alone\n", "changed=1 failed=0 unchanged=0"]);
    assert_eq!(daemons(), [MASTER, foreign]);
    write(&program, "");
    has(&program.runs(FILE, &["apply"], 0), &["delete sync master\n", "sync backup is foreign: left alone\n"]);
    assert_eq!(daemons(), [foreign]);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=0");
    assert_eq!(daemons(), [foreign]);

    // One that runs as it is wanted is taken over without a restart, and stops with the last word of it.
    let before = threads();
    write(&program, "[sync]\nbackup = { interface = \"v1\", id = 9 }\n");
    program.runs(FILE, &["plan"], 0);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=1");
    assert_eq!(threads(), before);
    write(&program, "");
    assert_eq!(applied(&program, &[]), "changed=1 failed=0 unchanged=0");
    assert_eq!(daemons(), [""; 0]);
}

#[test]
fn drift_is_repaired_and_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    write(&program, "[sync]\nmaster = { interface = \"v0\", id = 7 }\n");
    let mut daemon = Daemon::start(&program, FILE);
    assert_eq!(daemons(), [MASTER]);
    let is_repair = |line: &Line| line.message().starts_with("drift repaired");

    ipvsadm(&["--stop-daemon", "master"], "");
    let line = daemon.wait("the repair", is_repair);
    assert_eq!(
        line.message(),
        "drift repaired: add sync master: interface v0 id 7 group 224.0.0.81 port 8848 ttl 1 sync_maxlen 1472"
    );
    assert_eq!(daemons(), [MASTER]);

    // Somebody stops it and starts another: one line in between at most, if a pass comes right then.
    ipvsadm(&["--stop-daemon", "master"], "");
    let other = ["--start-daemon", "master", "--mcast-interface", "v1", "--syncid", "9", "--mcast-ttl", "5"];
    let started = std::process::Command::new("ipvsadm").args(other).status().unwrap();
    let line = daemon.wait("the repair", is_repair);
    if started.success() {
        assert_eq!(line.message(), "drift repaired: edit sync master: interface v1 → v0, id 9 → 7, ttl 5 → 1");
    }
    daemon.pass("a pass of rest", |line| line.number("changed") == 0);
    assert_eq!(daemons(), [MASTER]);

    // Restarted, it starts nothing anew.
    let before = threads();
    daemon.end(rustix::process::Signal::KILL);
    let mut daemon = Daemon::start(&program, FILE);
    daemon.pass("a pass of rest", |line| line.number("changed") == 0 && line.number("failed") == 0);
    assert_eq!(threads(), before);
    assert!(!daemon.log.iter().any(is_repair));
}
