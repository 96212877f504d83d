//! The daemon's side.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{Answer, Ask, PATH_MAX, Request, StatusCell, overlay_verdicts, path};
use crate::api::Broadcast;
use crate::daemon::SourcesReader;
use crate::reconcile::{Event, Place, Verdicts};

/// The longest request, in bytes.
const REQUEST_MAX: usize = 4 << 10;
/// So many connections at a time; one more ends the oldest, which has had its chance.
const MOST_CONNECTIONS: usize = 64;
/// A connection is over after so long, whatever its other end does.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait where connections cannot be accepted.
const NAP: Duration = Duration::from_millis(100);

/// Why a daemon cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("{} is longer than the path of a socket may be ({PATH_MAX} bytes): choose a shorter daemon.state_dir", _0.display())]
    TooLong(PathBuf),
    #[error("{} is no socket: move it away", _0.display())]
    Taken(PathBuf),
    #[error("cannot listen on {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The socket in the state directory; its file goes away with it.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // What is left behind is replaced by the next daemon, and refuses connections until then.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens in `state_dir`, whose lock the caller holds until the socket is dropped: a socket that is there was left by a
/// daemon that was killed, and is replaced.
pub fn bind(state_dir: &Path) -> Result<ControlSocket, ControlError> {
    let path = path(state_dir);
    if path.as_os_str().len() > PATH_MAX {
        return Err(ControlError::TooLong(path));
    }
    match fs::symlink_metadata(&path) {
        Ok(file) if !file.file_type().is_socket() => return Err(ControlError::Taken(path)),
        Ok(_) | Err(_) => {}
    }
    match listen(&path) {
        Ok(listener) => Ok(ControlSocket { listener, path }),
        Err(source) => Err(ControlError::Io { path, source }),
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before it listens: nobody else gets in through the gap.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    Ok(UnixListener::from(OwnedFd::from(socket)))
}

/// What answers are made of.
pub struct Shared {
    /// What the loop posted last.
    pub board: StatusCell,
    /// What the checkers say at the moment, if there are any.
    pub verdicts: Option<Box<dyn Fn() -> Arc<Verdicts> + Send + Sync>>,
    /// What happened last.
    pub broadcast: Broadcast,
    /// How that is which destinations come from.
    pub sources: Option<SourcesReader>,
    /// Wakes the loop.
    pub wake: Box<dyn Fn(Event) + Send + Sync>,
    /// The time, and the same in seconds since 1970.
    pub clock: Box<dyn Fn() -> (Instant, u64) + Send + Sync>,
    /// When the daemon started, in seconds since 1970.
    pub started: u64,
    pub place: Place,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: &'a str,
}

impl Shared {
    /// The answer to a request, without its line end.
    fn answer(&self, request: &[u8]) -> String {
        let json = match serde_json::from_slice(request) {
            Ok(Request { ask: Ask::Status }) => serde_json::to_string(&self.status()),
            Ok(Request { ask: Ask::Events }) => return self.broadcast.history(),
            Ok(Request { ask: Ask::Overrides }) => {
                (self.wake)(Event::Overrides);
                return "{}".to_owned();
            }
            Err(error) => serde_json::to_string(&Failed { error: &format!("not understood: {error}") }),
        };
        // Only maps whose keys are not text cannot be written, and there are none.
        json.unwrap_or_else(|_| "{\"error\":\"the answer cannot be written\"}".to_owned())
    }

    fn status(&self) -> Answer {
        let mut status = (*self.board.get()).clone();
        if let Some(verdicts) = &self.verdicts {
            let (now, unix) = (self.clock)();
            overlay_verdicts(&mut status, &verdicts(), now, unix);
        }
        if let Some(sources) = &self.sources {
            sources(&mut status);
        }
        Answer {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            place: self.place.clone(),
            status,
        }
    }
}

/// Answers for ever, or until it is dropped, which ends all connections. An error is that the runtime does not take the
/// socket.
pub async fn serve(socket: ControlSocket, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(socket.listener.try_clone()?)?;
    let mut connections = JoinSet::new();
    let mut ages: VecDeque<AbortHandle> = VecDeque::new();
    let mut said = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                said = false;
                while connections.try_join_next().is_some() {}
                ages.retain(|connection| !connection.is_finished());
                if ages.len() >= MOST_CONNECTIONS
                    && let Some(oldest) = ages.pop_front()
                {
                    oldest.abort();
                }
                ages.push_back(connections.spawn(converse(stream, Arc::clone(&shared))));
            }
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    warn!("cannot accept connections on {}: {error}", socket.path.display());
                }
                sleep(NAP).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, shared: Arc<Shared>) {
    let exchange = async {
        let request = read_request(&mut stream).await?;
        let mut answer = match &request {
            Some(request) => shared.answer(request),
            None => format!("{{\"error\":\"the request is longer than {REQUEST_MAX} bytes\"}}"),
        };
        answer.push('\n');
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // Who does not listen does not get an answer.
    let _: Result<io::Result<()>, _> = timeout(PATIENCE, exchange).await;
}

/// A line, or what there is before the other end closes; nothing if it is too long.
async fn read_request(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut chunk = [0; 512];
    loop {
        let read = stream.read(&mut chunk).await?;
        let chunk = chunk.get(..read).unwrap_or_default();
        let end = chunk.iter().position(|byte| *byte == b'\n');
        request.extend_from_slice(chunk.get(..end.unwrap_or(read)).unwrap_or_default());
        if request.len() > REQUEST_MAX {
            return Ok(None);
        }
        if end.is_some() || read == 0 {
            return Ok(Some(request));
        }
    }
}

#[cfg(test)]
mod tests;
