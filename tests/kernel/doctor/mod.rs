//! `ipvsd doctor` on real ailments: each is provoked, found, mended by nothing but the finding's own mend, and gone then.
//!
//! Where a mend is a command, a shell runs it as it stands; where it is configuration, it is written behind the rest, and
//! `ipvsd apply` puts it into force. What a mend promises of packets, packets show, mostly in `doctor_packets`.
//!
//! Some findings need a kernel or a host that cannot be had in this lab: `tests/docs.rs` names them, with the reason.

mod addresses;
mod command;
mod connections;
mod permission;
mod processes;
mod routes;
mod tunnels;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::crowd::request;
use crate::network::Host;
use crate::program::{Ended, Program, end};

pub(crate) const FILE: &str = "ipvsd.toml";

/// The service of [`crate::network::VIP`], by nat to what the default route leads to.
pub(crate) const WEB: &str = "version = 1\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"rr\"\n\
                              destinations = [{ address = \"10.0.0.11:8080\" }]\n";

/// An ipvsd with a configuration, and what a finding's commands need around it.
pub(crate) struct Clinic {
    pub(crate) program: Program,
    /// A folder of programs, in front of the path.
    bin: tempfile::TempDir,
}

impl Clinic {
    pub(crate) fn open(configuration: &str) -> Self {
        let clinic = Self { program: Program::new(), bin: tempfile::tempdir().unwrap() };
        clinic.configure(configuration);
        symlink(env!("CARGO_BIN_EXE_ipvsd"), clinic.bin.path().join("ipvsd")).unwrap();
        clinic
    }

    pub(crate) fn configure(&self, text: &str) {
        self.program.write(FILE, text);
    }

    /// A script on the path: the lab has its modules and packages in places of their own.
    pub(crate) fn script(&self, name: &str, line: &str) {
        let path = self.bin.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nexec {line} \"$@\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self) -> String {
        format!("{}:{}", self.bin.path().display(), std::env::var("PATH").unwrap())
    }

    /// `ipvsd` with these arguments.
    pub(crate) fn ipvsd(&self, arguments: &[&str]) -> Ended {
        end(self.program.command(FILE, arguments).env("PATH", self.path()).spawn().unwrap())
    }

    /// What a run of `doctor` or `check --host` found. Its exit code has to go with that.
    #[track_caller]
    pub(crate) fn findings_of(&self, ended: &Ended) -> Vec<Value> {
        let document: Value =
            serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}{}", ended.out, ended.err));
        let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}")).clone();
        let count = |severity: &str| findings.iter().filter(|finding| finding["severity"] == severity).count();
        for severity in ["error", "warning", "hint"] {
            assert_eq!(document[format!("{severity}s")], count(severity), "{document:#}");
        }
        assert_eq!(ended.code, Some(i32::from(count("error") > 0)), "{document:#}");
        findings
    }

    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<Value> {
        self.findings_of(&self.ipvsd(&["doctor", "--output", "json"]))
    }

    /// The ids of all findings.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<String> {
        self.findings().iter().map(id).collect()
    }

    /// The one finding of that id.
    #[track_caller]
    pub(crate) fn finding(&self, wanted: &str) -> Value {
        let findings = self.findings();
        let mut of_it = findings.iter().filter(|finding| id(finding) == wanted);
        match (of_it.next(), of_it.next()) {
            (Some(finding), None) => finding.clone(),
            (None, _) => panic!("{wanted} is not among {findings:#?}"),
            (Some(_), Some(_)) => panic!("{wanted} is there more than once: {findings:#?}"),
        }
    }

    /// There is no finding of that id.
    #[track_caller]
    pub(crate) fn is_gone(&self, unwanted: &str) {
        let findings = self.findings();
        assert!(findings.iter().all(|finding| id(finding) != unwanted), "{unwanted} is still there: {findings:#?}");
    }

    /// Runs a command of a finding, as it stands, in a shell of root.
    #[track_caller]
    pub(crate) fn run(&self, command: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-ec", command]).env("PATH", self.path());
        let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ended = end(child);
        assert_eq!(ended.code, Some(0), "{command}\n{}{}", ended.out, ended.err);
    }

    /// The ailment that `provoke` makes is found, and each of its mends that is a command or configuration makes an end of
    /// it, alone. Gives the finding.
    #[track_caller]
    pub(crate) fn mends(&self, id: &str, provoke: impl Fn()) -> Value {
        let healthy = fs::read_to_string(self.program.path(FILE)).unwrap();
        provoke();
        let finding = self.finding(id);
        let mends: Vec<(&str, String)> = ["command", "configuration"]
            .into_iter()
            .flat_map(|kind| texts(&finding, kind).into_iter().map(move |text| (kind, text)))
            .collect();
        assert!(!mends.is_empty(), "only words: {finding:#}");
        for (number, (kind, text)) in mends.iter().enumerate() {
            if number > 0 {
                provoke();
            }
            if *kind == "command" {
                self.run(text);
            } else {
                self.configure(&format!("{healthy}\n{text}\n"));
                // Before it is in force it is known that it will be well then.
                let ended = self.ipvsd(&["check", "--host", "--output", "json"]);
                let later = self.findings_of(&ended);
                assert!(later.iter().all(|finding| self::id(finding) != id), "{text}\n{later:#?}");
                let finding = self.finding(id);
                let apply = texts(&finding, "command");
                assert!(
                    apply.iter().any(|command| command.ends_with(" apply")),
                    "what is written takes an apply: {finding:#}"
                );
                self.run(&apply[0]);
            }
            self.is_gone(id);
            self.configure(&healthy);
        }
        finding
    }
}

/// A finding's id.
pub(crate) fn id(finding: &Value) -> String {
    finding["id"].as_str().unwrap().to_owned()
}

/// Its mends of a kind.
pub(crate) fn texts(finding: &Value, kind: &str) -> Vec<String> {
    let mends = finding["mend"].as_array().unwrap();
    mends.iter().filter_map(|mend| Some(mend[kind].as_str()?.to_owned())).collect()
}

/// Its one command.
#[track_caller]
pub(crate) fn command(finding: &Value) -> String {
    let commands = texts(finding, "command");
    assert_eq!(commands.len(), 1, "{finding:#}");
    commands[0].clone()
}

/// Sets a sysctl of `net.` in this thread's namespace: `ipv4/conf/v0/rp_filter`.
#[track_caller]
pub(crate) fn set(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value).unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait(what: &str, is_it: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_it() {
        assert!(begin.elapsed() < Duration::from_secs(30), "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `ip -force -batch`: what fails is left out.
pub(crate) fn ip_batch_forced(batch: &str) {
    let mut child =
        Command::new("ip").args(["-force", "-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
    child.wait().unwrap();
}

/// Whether a server answers to clients on that host.
pub(crate) fn answers(host: &Host, service: &'static str) -> bool {
    ask(host, service, Duration::from_secs(5))
}

/// Whether none does, for long enough on a network without a distance.
pub(crate) fn is_silent(host: &Host, service: &'static str) -> bool {
    !ask(host, service, Duration::from_millis(700))
}

fn ask(host: &Host, service: &'static str, patience: Duration) -> bool {
    host.run(move || request(service.parse().unwrap(), patience).is_ok())
}
