//! What was written for another program: that program fills one network namespace with it, `ipvsd import` and `ipvsd apply` another,
//! and `ipvsadm` shows the same of both.

mod handover;
mod ipvsadm;
mod keepalived;
mod ldirectord;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::netns::{self, ipvsadm};
use crate::program::{Program, end};
use crate::rules::Rules;

/// Longer than any of them takes.
const WITHIN: Duration = Duration::from_secs(120);
const CONFIG: &str = "ipvsd.toml";

/// Another program at work. It is told to end when this goes.
struct Peer(Option<Child>);

impl Peer {
    #[track_caller]
    fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let what = format!("{:?} is needed for these tests", command.get_program());
        Self(Some(started.unwrap_or_else(|error| panic!("{what}: {error}"))))
    }

    fn keepalived(program: &Program, file: &str, options: &[&str]) -> Self {
        let mut command = Command::new("keepalived");
        command.args(["--dont-fork", "--check", "--no-syslog"]).args(options);
        command.arg("--use-file").arg(program.path(file));
        command.arg("--pid").arg(program.path("pid")).arg("--checkers_pid").arg(program.path("checkers"));
        Self::start(&mut command)
    }

    fn ldirectord(program: &Program, file: &str) -> Self {
        // Without a package that is installed it takes an ipvsadm of its own folder.
        let folders = std::env::var_os("PATH").unwrap();
        let mut all = std::env::split_paths(&folders).map(|folder| folder.join("ipvsadm"));
        symlink(all.find(|path| path.exists()).unwrap(), program.path("ipvsadm")).unwrap();
        let mut command = Command::new("ldirectord");
        command.arg("-d").arg(program.path(file)).arg("start").env("LC_ALL", "C").current_dir(program.path("."));
        Self::start(&mut command)
    }

    /// Tells it to end, and waits until it has.
    fn stop(mut self) {
        let child = self.0.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        end(child);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = kill_process(Pid::from_child(&child), Signal::TERM);
            let _ = child.wait();
        }
    }
}

/// A file among those of this folder, where a program finds it.
#[track_caller]
fn fixture(program: &Program, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/import/fixtures").join(name);
    program.write(name, &std::fs::read_to_string(path).unwrap());
}

/// Imports a file, as a configuration that `ipvsd check` takes.
#[track_caller]
fn import(program: &Program, from: &str, file: &str) {
    let path = program.path(file).display().to_string();
    let text = program.runs(CONFIG, &["import", "--from", from, &path], 0);
    program.write(CONFIG, &text);
    program.runs(CONFIG, &["check"], 0);
}

/// The table that `ipvsd apply` makes of it, in a namespace of its own.
#[track_caller]
fn applied(program: &Program) -> Rules {
    let _kernel = netns::enter();
    program.runs(CONFIG, &["apply"], 0);
    let rules = Rules::live();
    assert_ne!(rules, Rules::default());
    rules
}

/// Waits until the other program's table is that one, and sees that ipvsd has nothing to do there.
#[track_caller]
fn becomes(program: &Program, wanted: &Rules, what: &str) {
    let begin = Instant::now();
    // Two listings of a table that is being filled do not fit together, so thresholds are looked at in the end.
    while !Rules::parse(&ipvsadm(&["-Sn"], "")).is_but_for_thresholds(wanted) && begin.elapsed() < WITHIN {
        // Two programs that start want the processor, and so does each look.
        sleep(Duration::from_millis(500));
    }
    let plan = program.run(CONFIG, &["plan"]);
    Rules::live().assert_are(wanted, &what);
    assert_eq!(plan.code, Some(0), "{what}: {}{}", plan.out, plan.err);
}
