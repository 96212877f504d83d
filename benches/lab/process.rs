//! Other programs.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Runs a program to its good end, `input` on its standard input, and gives back what it printed.
pub fn run(program: &str, arguments: &[&str], input: &str) -> anyhow::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} is missing in the machine"))?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program to its good end, and gives back how long it took from its start to its end.
pub fn time(command: &mut Command) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let status = command.status().with_context(|| format!("{command:?} does not start"))?;
    let took = begin.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(took)
}

/// A program that stays, in a process group of its own with all that it starts. Ends with the value, without a chance to clean up.
pub struct Daemon {
    child: Child,
    name: String,
}

impl Daemon {
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = format!("{command:?}");
        let child = command.process_group(0).spawn().with_context(|| format!("{name} does not start"))?;
        Ok(Self { child, name })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails if it has ended, which it should not have.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "{} has ended: {ended:?}", self.name);
        Ok(())
    }

    /// Kills it and whatever it has started, and waits until all of them are gone.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::KILL);
        self.child.wait()?;
        let begin = Instant::now();
        while test_kill_process_group(group).is_ok() {
            ensure!(begin.elapsed() < Duration::from_secs(10), "{} left processes behind", self.name);
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
