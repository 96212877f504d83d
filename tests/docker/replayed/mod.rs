//! A Docker engine that is none: it answers on a unix socket what a test puts into it, streams the events that the test sends, and
//! misbehaves when told to. It counts what it is asked.
//!
//! Its answers have the heads and the shapes that were recorded from a real engine (`recorded`). As there: a list without `all=1` has what
//! runs only, `filters` are kept to, `/services` and `/tasks` answer 503 where there is no swarm, and a prefix `/v1.41` is optional.

#![allow(dead_code, reason = "of its users each needs another part")]

mod answers;
mod connection;

use std::collections::BTreeMap;
use std::fs;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::recorded;

/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// An error of the engine's: 500, 503, …
    Status(u16),
    /// 200, and a body that is no JSON.
    Garbage,
    /// 200, and so many bytes of JSON that do not end.
    Oversized(usize),
    /// The head and half of the body, and then the connection is closed.
    Truncated,
    /// The connection is closed without a word.
    Closed,
    /// Nothing is answered, until the trouble is over; then it is, as if nothing had been.
    Stalled,
    /// The answer comes in so many pieces, with so much time between them.
    Slow(usize, Duration),
}

#[derive(Default)]
struct State {
    /// What `/containers/json?all=1` has.
    containers: Vec<Value>,
    /// What `/containers/ID/json` has, by identifier and by name.
    inspected: BTreeMap<String, Value>,
    /// `/services` and `/tasks`: on a swarm manager.
    swarm: Option<(Vec<Value>, Vec<Value>)>,
    /// By path.
    troubles: BTreeMap<String, Trouble>,
    /// How often each path was asked for.
    counts: BTreeMap<String, usize>,
    /// Every request, as path and query.
    requests: Vec<String>,
    /// The open event streams: bytes to send as one chunk each.
    streams: BTreeMap<u64, (connection::Filters, Sender<Vec<u8>>)>,
    /// All connections, to cut them.
    connections: BTreeMap<u64, UnixStream>,
    next: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

struct Listening {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// The engine. Dropped, it goes away with all its connections.
pub(crate) struct Replayed {
    socket: PathBuf,
    shared: Arc<Shared>,
    listening: Option<Listening>,
    /// Holds the socket.
    _folder: tempfile::TempDir,
}

impl Replayed {
    /// One that has no containers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let mut this = Self { socket, shared: Arc::default(), listening: None, _folder: folder };
        this.come_back();
        this
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Replaces what the list has.
    pub(crate) fn set_containers(&self, containers: Vec<Value>) {
        self.shared.state().containers = containers;
    }

    /// Changes what the list has.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.shared.state().containers);
    }

    /// What `/containers/NAME/json` has. Without this it is "no such container".
    pub(crate) fn set_inspected(&self, name: &str, inspected: Value) {
        self.shared.state().inspected.insert(name.to_owned(), inspected);
    }

    /// Makes it a swarm manager with these services and tasks, or a plain engine again.
    pub(crate) fn set_swarm(&self, swarm: Option<(Vec<Value>, Vec<Value>)>) {
        self.shared.state().swarm = swarm;
    }

    /// From now on something goes wrong with `/containers/json`, `/events`, …; or nothing any more.
    pub(crate) fn trouble(&self, path: &str, trouble: Option<Trouble>) {
        let mut state = self.shared.state();
        match trouble {
            Some(trouble) => state.troubles.insert(path.to_owned(), trouble),
            None => state.troubles.remove(path),
        };
        self.shared.changed.notify_all();
    }

    /// Streams an event to everyone who listens, and whose filters it passes.
    pub(crate) fn event(&self, event: &Value) {
        let line = format!("{event}\n").into_bytes();
        for (filters, stream) in self.shared.state().streams.values() {
            if filters.pass_event(event) {
                // Whoever has gone away hears nothing.
                let _ = stream.send(line.clone());
            }
        }
    }

    /// Streams bytes as they are, in a chunk of their own: garbage, half a line, a line without an end.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        for (_, stream) in self.shared.state().streams.values() {
            let _ = stream.send(bytes.to_vec());
        }
    }

    /// Ends the event streams properly, as an engine does that shuts down.
    pub(crate) fn end_streams(&self) {
        self.shared.state().streams.clear();
        self.shared.changed.notify_all();
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        for connection in self.shared.state().connections.values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// The socket is gone, and so is every connection; what the list has stays.
    pub(crate) fn go_away(&mut self) {
        let Some(Listening { over, thread }) = self.listening.take() else { return };
        over.store(true, Ordering::Relaxed);
        // A connection wakes it.
        drop(UnixStream::connect(&self.socket));
        thread.join().unwrap();
        fs::remove_file(&self.socket).unwrap();
        self.end_streams();
        self.cut();
    }

    /// Listens (again).
    pub(crate) fn come_back(&mut self) {
        assert!(self.listening.is_none(), "it is there");
        let listener = UnixListener::bind(&self.socket).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (shared, over) = (Arc::clone(&self.shared), Arc::clone(&over));
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    connection::start(&shared, stream);
                }
            }
        });
        self.listening = Some(Listening { over, thread });
    }

    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.shared.state().counts.get(path).copied().unwrap_or(0)
    }

    /// Every request so far, as path and query.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state().requests.clone()
    }

    /// How many listen to events.
    pub(crate) fn streams(&self) -> usize {
        self.shared.state().streams.len()
    }

    /// Waits until a path has been asked for so often.
    #[track_caller]
    pub(crate) fn wait_count(&self, path: &str, times: usize) {
        self.wait(&format!("{times} requests for {path}"), |state| {
            state.counts.get(path).copied().unwrap_or(0) >= times
        });
    }

    /// Waits until so many listen to events.
    #[track_caller]
    pub(crate) fn wait_streams(&self, number: usize) {
        self.wait(&format!("{number} event streams"), |state| state.streams.len() == number);
    }

    #[track_caller]
    fn wait(&self, what: &str, is_it: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        while !is_it(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}: {:?}, {} streams", state.counts, state.streams.len());
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl Drop for Replayed {
    fn drop(&mut self) {
        self.shared.state().troubles.clear();
        self.shared.changed.notify_all();
        self.go_away();
    }
}
