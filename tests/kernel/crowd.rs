//! Clients that never pause: what came of each of their connections, and when it began.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::network::Host;

/// No answer after so long is a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// … for those who are to notice a dead server: a client that waits for it makes no new connections.
const HASTE: Duration = Duration::from_millis(800);
/// As many clients, so that some go on while others wait.
const CLIENTS: usize = 5;
/// Longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(30);

/// A connection of its own, and one request.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) at: Instant,
    /// The server that answered, or what went wrong.
    pub(crate) answer: Result<usize, String>,
}

impl Try {
    /// Whether it was this server's, as far as can be told: nobody else fails.
    pub(crate) fn was_for(&self, server: usize) -> bool {
        self.answer.as_ref().map_or(true, |answer| *answer == server)
    }
}

/// The clients.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    /// How long each of them waits, in milliseconds.
    patience: Arc<AtomicU64>,
    tries: Arc<Mutex<Vec<Try>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Patient ones: where nobody is to fail.
    pub(crate) fn start(client: &Host, service: &str) -> Self {
        Self::start_with(client, service, PATIENCE)
    }

    /// Hasty ones: where somebody fails.
    pub(crate) fn hasty(client: &Host, service: &str) -> Self {
        Self::start_with(client, service, HASTE)
    }

    fn start_with(client: &Host, service: &str, patience: Duration) -> Self {
        let service: SocketAddr = service.parse().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let patience = Arc::new(AtomicU64::new(patience.as_millis() as u64));
        let tries = Arc::new(Mutex::new(Vec::new()));
        let threads = client.run({
            let (stop, patience, tries) = (Arc::clone(&stop), Arc::clone(&patience), Arc::clone(&tries));
            move || {
                let start = || {
                    let (stop, patience, tries) = (Arc::clone(&stop), Arc::clone(&patience), Arc::clone(&tries));
                    thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            let at = Instant::now();
                            let patience = Duration::from_millis(patience.load(Ordering::Relaxed));
                            let answer = request(service, patience).map_err(|error| error.to_string());
                            tries.lock().unwrap().push(Try { at, answer });
                        }
                    })
                };
                (0..CLIENTS).map(|_| start()).collect()
            }
        });
        Self { stop, patience, tries, threads }
    }

    /// From now on nobody is to fail: they wait as patient ones do.
    pub(crate) fn calm(&self) {
        self.patience.store(PATIENCE.as_millis() as u64, Ordering::Relaxed);
    }

    /// What has ended so far and began in a time.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<Try> {
        self.tries.lock().unwrap().iter().filter(|one| from <= one.at && one.at < to).cloned().collect()
    }

    /// What has ended so far and began after a time.
    pub(crate) fn since(&self, from: Instant) -> Vec<Try> {
        self.tries.lock().unwrap().iter().filter(|one| from <= one.at).cloned().collect()
    }

    /// Waits until something is true of what began after a time.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, from: Instant, is_it: impl Fn(&[Try]) -> bool) {
        let begin = Instant::now();
        loop {
            let tries = self.since(from);
            if is_it(&tries) {
                return;
            }
            assert!(begin.elapsed() < WITHIN, "waited for {what}: {:?}", &tries[tries.len().saturating_sub(20)..]);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it, after what is under way.
    pub(crate) fn end(mut self) -> Vec<Try> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        std::mem::take(&mut *self.tries.lock().unwrap())
    }
}

/// A test that fails leaves no crowd to the next one.
impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One request over a connection of its own: the number of the server that answered.
pub(crate) fn request(service: SocketAddr, patience: Duration) -> io::Result<usize> {
    let mut stream = TcpStream::connect_timeout(&service, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"?")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.parse().map_err(|_| io::Error::other(format!("answered {text:?}")))
}

/// How many of these a server answered.
pub(crate) fn answered(tries: &[Try], server: usize) -> usize {
    tries.iter().filter(|one| one.answer == Ok(server)).count()
}

/// The share of the answers that a server gave, 0.0 to 1.0.
pub(crate) fn share(tries: &[Try], server: usize) -> f64 {
    let all = tries.iter().filter(|one| one.answer.is_ok()).count();
    answered(tries, server) as f64 / all.max(1) as f64
}
