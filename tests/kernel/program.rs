//! The program under test as a process, with a configuration and a state directory of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any command takes, on the slowest machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Where one ipvsd lives. It runs in the network namespace of the thread that starts it.
pub(crate) struct Program {
    dir: tempfile::TempDir,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A file beside the configuration, in a directory that nothing else uses.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("etc").join(name)
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Replaces a configuration file as editors do: a new file, then a rename.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new~");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
    }

    /// `ipvsd` on a configuration of this place.
    pub(crate) fn command(&self, config: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipvsd"));
        command.arg("--config").arg(self.path(config)).arg("--state-dir").arg(self.state());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `ipvsd` to its end.
    pub(crate) fn run(&self, config: &str, arguments: &[&str]) -> Ended {
        end(self.command(config, arguments).spawn().unwrap())
    }

    /// Runs `ipvsd`, which has to end with this exit code; gives its standard output.
    #[track_caller]
    pub(crate) fn runs(&self, config: &str, arguments: &[&str], code: i32) -> String {
        let ended = self.run(config, arguments);
        assert_eq!(ended.code, Some(code), "ipvsd {arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }
}

/// Waits for the end of a process, and ends it if that takes too long.
pub(crate) fn end(child: Child) -> Ended {
    let pid = Pid::from_child(&child);
    let (done, wait) = channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = wait.recv_timeout(SOON) else {
        let _ = kill_process(pid, Signal::KILL);
        panic!("process {pid:?} has not ended after {SOON:?}");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}
