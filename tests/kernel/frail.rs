//! Servers that fail on demand, and what they have met: checks, requests, connections that stay.
//!
//! One speaks what the servers of [`crate::network`] speak (`?` and `+`), and HTTP to what begins with `G`. It runs on
//! one of their hosts, on a port of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use crate::network::Host;

/// A client that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// As many connections at the same time, so that one that is slow to speak holds up no other.
const WORKERS: usize = 4;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Its listener is closed: who connects is refused. Connections that stand go on.
    Gone,
    /// Answers HTTP with status 500, and everybody else as if it were well.
    Failing,
    /// Answers HTTP with status 301.
    Moved,
    /// Accepts, and says nothing. Connections that stand go on.
    Hanging,
}

/// What a connection was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// HTTP: a check.
    Check,
    /// Nothing was said: a check that only connects.
    Bare,
    Request,
    Long,
}

struct State {
    mood: Mood,
    listener: Option<Arc<TcpListener>>,
    /// What it hangs with.
    held: Vec<TcpStream>,
    met: Vec<(Instant, Met)>,
}

/// A server that can fail.
pub(crate) struct Frail {
    address: SocketAddr,
    number: usize,
    state: Arc<Mutex<State>>,
}

impl Frail {
    /// Starts one that is well. It answers with its number.
    pub(crate) fn start(host: &Host, number: usize, address: &str) -> Self {
        let state = State { mood: Mood::Well, listener: None, held: Vec::new(), met: Vec::new() };
        let this = Self { address: address.parse().unwrap(), number, state: Arc::new(Mutex::new(state)) };
        this.listen(host);
        this
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn listen(&self, host: &Host) {
        let (address, number, state) = (self.address, self.number, Arc::clone(&self.state));
        host.run(move || {
            let listener = Arc::new(TcpListener::bind(address).unwrap());
            state.lock().unwrap().listener = Some(Arc::clone(&listener));
            for _ in 0..WORKERS {
                let (listener, state) = (Arc::clone(&listener), Arc::clone(&state));
                thread::spawn(move || {
                    // It ends when the listener is shut down.
                    while let Ok((stream, _)) = listener.accept() {
                        // A client that gave up is its own affair.
                        let _ = answer(stream, number, &state);
                    }
                });
            }
        });
    }

    /// How it is from now on.
    pub(crate) fn become_(&self, host: &Host, mood: Mood) {
        let before = {
            let mut state = self.state();
            state.held.clear();
            if mood == Mood::Gone
                && let Some(listener) = state.listener.take()
            {
                rustix::net::shutdown(&*listener, Shutdown::Both).unwrap();
            }
            std::mem::replace(&mut state.mood, mood)
        };
        if before == Mood::Gone && mood != Mood::Gone {
            self.listen(host);
        }
    }

    /// What it has met so far.
    pub(crate) fn met(&self) -> Vec<(Instant, Met)> {
        self.state().met.clone()
    }

    /// When it met this.
    pub(crate) fn times_of(&self, what: Met) -> Vec<Instant> {
        self.met().into_iter().filter(|(_, met)| *met == what).map(|(at, _)| at).collect()
    }

    pub(crate) fn count(&self, what: Met) -> usize {
        self.times_of(what).len()
    }
}

fn answer(mut stream: TcpStream, number: usize, state: &Mutex<State>) -> io::Result<()> {
    let at = Instant::now();
    let mood = state.lock().unwrap().mood;
    if mood == Mood::Hanging {
        state.lock().unwrap().held.push(stream);
        return Ok(());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut wish = [0];
    let said = stream.read_exact(&mut wish);
    let met = match (&said, wish) {
        (Err(_), _) => Met::Bare,
        (Ok(()), [b'?']) => Met::Request,
        (Ok(()), [b'+']) => Met::Long,
        (Ok(()), _) => Met::Check,
    };
    state.lock().unwrap().met.push((at, met));
    said?;
    match met {
        Met::Bare => Ok(()),
        Met::Request => write!(stream, "{number}"),
        Met::Long => {
            stream.set_read_timeout(None)?;
            thread::spawn(move || {
                let mut buffer = [0; 256];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
            });
            Ok(())
        }
        Met::Check => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut more = [0; 512];
                match stream.read(&mut more)? {
                    0 => return Ok(()),
                    length => head.extend_from_slice(&more[..length]),
                }
            }
            let status = match mood {
                Mood::Failing => "500 Internal Server Error",
                Mood::Moved => "301 Moved Permanently\r\nLocation: http://elsewhere.example/",
                Mood::Well | Mood::Gone | Mood::Hanging => "200 OK",
            };
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{number}")
        }
    }
}
