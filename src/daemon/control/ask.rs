//! The side of whoever asks.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Answer, Ask, Happened, PATH_MAX, Request, path};

/// How long a daemon may be silent.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer, in bytes: a table of some hundred thousand destinations.
const ANSWER_MAX: u64 = 256 << 20;

/// Why a daemon that is there gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("may not ask the running daemon: {0} (run as root)")]
    NotPermitted(io::Error),
    #[error("the running daemon does not answer: {0}")]
    Silent(io::Error),
    #[error("the running daemon answers what is not understood here: {0}; is it of another version?")]
    Odd(String),
}

#[derive(Deserialize)]
struct Failed {
    error: String,
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct History {
    events: Vec<Happened>,
}

/// Asks the daemon of `state_dir` what happened last, the oldest first; `None` if there is none.
pub fn ask_events(state_dir: &Path) -> Result<Option<Vec<Happened>>, AskError> {
    Ok(ask::<History>(state_dir, Ask::Events)?.map(|history| history.events))
}

/// Asks the daemon of `state_dir` for its status; `None` if there is none.
pub fn ask_status(state_dir: &Path) -> Result<Option<Answer>, AskError> {
    ask(state_dir, Ask::Status)
}

/// Tells the daemon of `state_dir` to read the overrides again, and says whether there is one.
pub fn tell_overrides(state_dir: &Path) -> Result<bool, AskError> {
    ask::<Nothing>(state_dir, Ask::Overrides).map(|answer| answer.is_some())
}

fn ask<A: DeserializeOwned>(state_dir: &Path, question: Ask) -> Result<Option<A>, AskError> {
    let path = path(state_dir);
    if path.as_os_str().len() > PATH_MAX {
        // No daemon can listen there.
        return Ok(None);
    }
    let bytes = match connect(&path) {
        Ok(stream) => exchange(stream, question).map_err(AskError::Silent)?,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                return Ok(None);
            }
            io::ErrorKind::PermissionDenied => return Err(AskError::NotPermitted(error)),
            _ => return Err(AskError::Silent(error)),
        },
    };
    if let Ok(Failed { error }) = serde_json::from_slice(&bytes) {
        return Err(AskError::Odd(error));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| AskError::Odd(error.to_string()))
}

fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It bounds the connect as well, which waits while the queue of a daemon that does not move is full: socket(7).
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

fn exchange(mut stream: UnixStream, ask: Ask) -> io::Result<Vec<u8>> {
    let mut request = serde_json::to_vec(&Request { ask })?;
    request.push(b'\n');
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_MAX).read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing for {}s", PATIENCE.as_secs())))
        }
        Err(error) => Err(error),
    }
}
