//! Programs that are run for others: bounded in time, and ended with all that they started.
//!
//! [`run`] starts a program without a shell, in `/`, with no environment but PATH and what it is given, in a process
//! group of its own. When its main process has ended, when its time is over, or when nobody waits any more (the
//! future is dropped), the whole group is killed and reaped. A process that has left the group (setsid) lives on: it
//! is waited for no longer than the program itself, and a short while for what it has yet to write.
//!
//! Each run holds three descriptors at most, and a few KiB, however much the program writes. What it writes beyond 1 MiB
//! is read slowly, so that a flood costs this side little.

mod group;
mod output;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{Instant, sleep, timeout};

use group::Group;
use output::Tail;

/// How long the pipes are read once the group is killed. Only a process that has left the group makes use of it.
const GRACE: Duration = Duration::from_millis(100);

/// PATH of the program, if there is none here.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to run.
#[derive(Debug)]
pub struct Program<'a> {
    /// The program and its arguments. Without a slash it is looked for in PATH.
    pub argv: &'a [String],
    /// Its environment, besides PATH.
    pub env: &'a [(&'a str, String)],
    /// What it finds on standard input; nothing, if absent. It need not read it.
    pub input: Option<Vec<u8>>,
    /// It is killed when it takes longer.
    pub timeout: Duration,
}

/// What became of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub how: How,
    /// The end of what it wrote to standard output and standard error, at most 1 KiB: one line of UTF-8 without control
    /// characters.
    pub output: String,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// With this exit status, 0..=255.
    Exited(i32),
    /// Killed by this signal.
    Signalled(i32),
    /// Killed, because it took longer than this.
    TimedOut(Duration),
    /// Never begun, and why.
    NotStarted(String),
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            How::Exited(status) => write!(f, "exit status {status}"),
            How::Signalled(signal) => write!(f, "killed by signal {signal}"),
            How::TimedOut(timeout) => write!(f, "not ended within {}", humantime::format_duration(*timeout)),
            How::NotStarted(why) => write!(f, "cannot be started: {why}"),
        }
    }
}

impl From<ExitStatus> for How {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => How::Exited(code),
            (None, Some(signal)) => How::Signalled(signal),
            // It is one or the other (wait(2)), unless it is stopped, and those are not waited for.
            (None, None) => How::Exited(status.into_raw()),
        }
    }
}

/// Runs a program to its end, which is at most `timeout` and a tenth of a second away.
///
/// On a tokio runtime with IO and time. Dropping the future kills what it runs. Starting a program takes the thread for
/// about a millisecond.
pub async fn run(program: Program<'_>) -> Ended {
    let mut tail = Tail::default();
    let how = match start(&program) {
        Ok(running) => running.to_the_end(program.input, program.timeout, &mut tail).await,
        Err(error) => How::NotStarted(why_not_started(&error, program.argv)),
    };
    Ended { how, output: tail.into_text() }
}

/// A program that runs, and our ends of its pipes.
struct Running {
    group: Group,
    stdin: Option<Sender>,
    output: Receiver,
}

fn start(program: &Program<'_>) -> io::Result<Running> {
    let Some((name, arguments)) = program.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"));
    };
    // Our ends are on the runtime before the program starts: what fails here leaves nothing behind.
    let (read, write) = io::pipe()?;
    let output = Receiver::from_owned_fd(OwnedFd::from(read))?;
    let (stdin, their_stdin) = match &program.input {
        None => (None, Stdio::null()),
        Some(_) => {
            let (read, write) = io::pipe()?;
            (Some(Sender::from_owned_fd(OwnedFd::from(write))?), Stdio::from(read))
        }
    };
    // Signal mask and SIGPIPE are as usual in the child: std sees to that. Its end of the pipes goes with the command.
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| PATH.into()))
        .envs(program.env.iter().map(|(name, value)| (*name, value.as_str())))
        .current_dir("/")
        .process_group(0)
        .stdin(their_stdin)
        .stdout(write.try_clone()?)
        .stderr(write);
    Ok(Running { group: Group::start(&mut command)?, stdin, output })
}

impl Running {
    async fn to_the_end(self, input: Option<Vec<u8>>, limit: Duration, tail: &mut Tail) -> How {
        let Self { mut group, stdin, output } = self;
        let started = Instant::now();
        let mut deadline = pin!(sleep(limit));
        let mut pipes = pin!(async {
            tokio::join!(feed(stdin, input), tail.read(output));
        });
        let mut pipes_open = true;
        let in_time = loop {
            tokio::select! {
                biased;
                () = group.ended() => break true,
                () = &mut deadline => break false,
                () = &mut pipes, if pipes_open => pipes_open = false,
            }
        };
        // The main process is alive or a zombie: the group's id is still its own.
        group.kill();
        let grace = if in_time { GRACE.min(limit.saturating_sub(started.elapsed())) } else { GRACE };
        let rest = async {
            if pipes_open {
                pipes.await;
            }
        };
        // Whatever holds out longer than that is given up: the pipes are closed, the process is reaped when it ends.
        let _ = timeout(grace, async { tokio::join!(group.ended(), rest) }).await;
        let status = group.reap().await;
        match status {
            _ if !in_time => How::TimedOut(limit),
            Ok(Some(status)) => status.into(),
            Ok(None) => How::NotStarted("its exit status was not to be had".to_owned()),
            Err(error) => How::NotStarted(format!("its exit status was not to be had: {}", plain(&error))),
        }
    }
}

/// Writes the input and closes the pipe. A program that does not read it is no mistake.
async fn feed(stdin: Option<Sender>, input: Option<Vec<u8>>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        let _ = stdin.write_all(&input).await;
    }
}

fn why_not_started(error: &io::Error, argv: &[String]) -> String {
    let why = plain(error);
    match argv.first() {
        // execve(2) says the same of a script whose interpreter is missing.
        Some(name) if error.kind() == io::ErrorKind::NotFound && Path::new("/").join(name).is_file() => {
            format!("{why} (the file is there, its interpreter is not)")
        }
        _ => why,
    }
}

/// The system's words without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
