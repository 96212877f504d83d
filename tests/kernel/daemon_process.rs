//! `ipvsd run` as a process: started, waited for by what it logs, signalled, ended.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::Program;

/// Far longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(30);

/// A line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Line(Value);

impl Line {
    pub(crate) fn message(&self) -> &str {
        self.0["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn level(&self) -> &str {
        self.0["level"].as_str().unwrap_or_default()
    }

    /// A field that is a text, or nothing.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// Whether that is a reason of a pass; it may have several.
    pub(crate) fn is_for(&self, why: &str) -> bool {
        self.text("why").split('+').any(|word| word == why)
    }

    #[track_caller]
    pub(crate) fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("no number {field} in: {self}"))
    }

    /// The line that sums a pass up.
    pub(crate) fn is_pass(&self) -> bool {
        self.message() == "pass"
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A running daemon. Dropped, it is killed.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    /// All that it has logged and that was read.
    pub(crate) log: Vec<Line>,
    /// The lines of `log` that a wait has gone past.
    seen: usize,
}

impl Daemon {
    /// Starts `ipvsd run` and waits for the end of its first pass.
    pub(crate) fn start(program: &Program, config: &str) -> Self {
        Self::start_command(program.command(config, &["run", "--log-format", "json"]))
    }

    /// As [`Self::start`], for a command with other arguments.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut daemon = Self { child, lines, log: Vec::new(), seen: 0 };
        daemon.wait("its first pass", |line| {
            line.is_for("start") && (line.is_pass() || line.message().starts_with("pass"))
        });
        daemon
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line, behind those that were waited for before, that `is_it`.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, is_it: impl Fn(&Line) -> bool) -> Line {
        let deadline = Instant::now() + WITHIN;
        loop {
            while let Some(line) = self.log.get(self.seen) {
                self.seen += 1;
                if is_it(line) {
                    return line.clone();
                }
            }
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(text) => self.take(text),
                Err(RecvTimeoutError::Timeout) => panic!("waited {WITHIN:?} for {what}\n{}", self.tail()),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {what}\n{}", self.tail()),
            }
        }
    }

    /// The next pass of which this is true.
    #[track_caller]
    pub(crate) fn pass(&mut self, what: &str, is_it: impl Fn(&Line) -> bool) -> Line {
        self.wait(what, |line| line.is_pass() && is_it(line))
    }

    /// The next pass that changes something; it must not fail.
    #[track_caller]
    pub(crate) fn change(&mut self, what: &str) -> Line {
        let line = self.pass(what, |line| line.number("changed") + line.number("failed") > 0);
        assert_eq!(line.number("failed"), 0, "{what}\n{}", self.tail());
        line
    }

    /// Forgets the lines that are there already: waits look at what comes from now on.
    pub(crate) fn skip(&mut self) {
        self.drain();
        self.seen = self.log.len();
    }

    /// Reads what is there already.
    pub(crate) fn drain(&mut self) {
        while let Ok(text) = self.lines.try_recv() {
            self.take(text);
        }
    }

    /// The lines that came after the last one that was waited for.
    pub(crate) fn unseen(&mut self) -> &[Line] {
        self.drain();
        &self.log[self.seen..]
    }

    fn take(&mut self, text: String) {
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON: {error}: {text}"));
        self.log.push(Line(value));
    }

    fn tail(&self) -> String {
        let lines: Vec<String> = self.log.iter().rev().take(20).rev().map(Line::to_string).collect();
        lines.join("\n")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Signals it, waits for its end, and reads the rest of its log.
    pub(crate) fn end(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let deadline = Instant::now() + WITHIN;
        // The log ends with the process.
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(text) => self.take(text),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it goes on {WITHIN:?} after {signal:?}\n{}", self.tail())
                }
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
