//! What a client gets that asks containers for their names.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::engine::PATIENCE;
use crate::network::Host;

/// One request over a connection of its own: the name of the container that answered.
fn ask_here(to: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to.parse().unwrap(), PATIENCE / 6)?;
    stream.set_read_timeout(Some(PATIENCE / 6))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.trim().to_owned()),
        _ => Err(io::Error::other(format!("answered {answer:?}"))),
    }
}

/// One request of the client's.
pub(crate) fn ask(client: &Host, to: &'static str) -> io::Result<String> {
    client.run(move || ask_here(to))
}

/// So many requests of the client's, which all are answered: how often by whom.
#[track_caller]
pub(crate) fn spread(client: &Host, to: &'static str, requests: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..requests {
        *answers.entry(ask(client, to).unwrap()).or_default() += 1;
    }
    answers
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) answered: BTreeMap<String, usize>,
    /// Each with when it was begun.
    pub(crate) failed: Vec<(Instant, String)>,
}

impl Tally {
    pub(crate) fn total(&self) -> usize {
        self.answered.values().sum()
    }

    pub(crate) fn of(&self, name: &str) -> usize {
        self.answered.get(name).copied().unwrap_or(0)
    }
}

/// A client that never pauses.
pub(crate) struct Requests {
    over: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    thread: JoinHandle<()>,
}

impl Requests {
    pub(crate) fn start(client: &Host, to: &'static str) -> Self {
        let (over, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Tally::default())));
        let thread = client.run({
            let (over, tally) = (Arc::clone(&over), Arc::clone(&tally));
            move || {
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let begin = Instant::now();
                        let answer = ask_here(to);
                        let mut tally = tally.lock().unwrap();
                        match answer {
                            Ok(name) => *tally.answered.entry(name).or_default() += 1,
                            Err(error) => tally.failed.push((begin, error.to_string())),
                        }
                    }
                })
            }
        });
        Self { over, tally, thread }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Waits for something.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Tally) -> bool) {
        let begin = Instant::now();
        while !is_it(&self.tally()) {
            assert!(begin.elapsed() < PATIENCE, "waited for {what}: {:?}", self.tally());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for so many more answers, whatever becomes of them.
    #[track_caller]
    pub(crate) fn go_on(&self, requests: usize) {
        let until = self.tally().total() + requests;
        self.wait("more requests", |tally| tally.total() >= until);
    }

    /// None has failed.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let tally = self.tally();
        assert!(tally.failed.is_empty(), "{tally:?}");
    }

    pub(crate) fn end(self) -> Tally {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::into_inner(self.tally).unwrap().into_inner().unwrap()
    }
}
