//! Clients that mean harm, against a real server in a process of its own tests: others are answered all the same, and memory
//! is steady.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are for people")]

mod daemon;
mod harms;
mod siege;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, put};
use ipvsd::api;
use ipvsd::model::{Api, ApiListen};
use tokio::sync::watch;

const AMPLE: Duration = Duration::from_secs(60);

/// Memory is of the whole process: one at a time.
static TURN: Mutex<()> = Mutex::new(());

struct Server {
    address: SocketAddr,
    _wanted: watch::Sender<Option<Arc<Api>>>,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    fn start() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let listen = ApiListen::Tcp(([127, 0, 0, 1], 0).into());
        let (wanted, of_server) =
            watch::channel(Some(Arc::new(Api { listen, writes_per_second: 1_000_000, ..Api::default() })));
        let (told, listening) = watch::channel(None);
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { vec![b'x'; 8 << 20] }))
            .route("/thing", put(|body: Bytes| async move { format!("{}", body.len()) }));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(api::serve(router, of_server, told));
        });
        let started = Instant::now();
        let address = loop {
            if let Some(ApiListen::Tcp(address)) = listening.borrow().clone() {
                break address;
            }
            assert!(started.elapsed() < AMPLE);
            thread::sleep(Duration::from_millis(5));
        };
        Self { address, _wanted: wanted, _turn: turn }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(AMPLE)).unwrap();
        stream
    }

    fn send(&self, bytes: &[u8]) -> (u16, usize) {
        finish(self.connect(), bytes)
    }

    fn is_well(&self) -> bool {
        let started = Instant::now();
        let answer = self.send(&request("GET", "/", b""));
        answer == (200, 4) && started.elapsed() < Duration::from_secs(10)
    }
}

fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Status and length of the body; what hung up without an answer is 0.
fn finish(mut stream: TcpStream, bytes: &[u8]) -> (u16, usize) {
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    (status, answer.len() - end)
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether this process may have as many files as that.
fn may_have(files: u64) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
        && maximum.is_none_or(|maximum| maximum >= files)
}

#[test]
fn ten_thousand_idle_connections_shut_nobody_out() {
    let server = Server::start();
    if !may_have(4000) {
        eprintln!("skipped: this process may not have enough files");
        return;
    }
    let mut idle = VecDeque::new();
    let mut before = 0;
    for number in 0..10_000 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        // Some have begun to ask.
        if number % 3 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: local").unwrap();
        }
        idle.push_back(stream);
        if idle.len() > 1500 {
            idle.pop_front();
        }
        if number == 2000 {
            before = resident();
        }
        if number % 2000 == 0 {
            assert!(server.is_well());
        }
    }
    assert!(server.is_well());
    assert!(resident() < before + 20_000, "{} KiB after {before}", resident());
}

#[test]
fn idle_connections_give_way_and_busy_ones_do_not() {
    let server = Server::start();
    if !may_have(4000) {
        eprintln!("skipped: this process may not have enough files");
        return;
    }
    // The oldest one is busy: its answer does not fit into what the system takes.
    let mut busy = server.connect();
    busy.write_all(&request("GET", "/large", b"")).unwrap();
    thread::sleep(Duration::from_millis(300));
    let idle: Vec<TcpStream> = (0..1224).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    assert!(server.is_well());
    let ended = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        !matches!((&*stream).read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    };
    let started = Instant::now();
    while idle.iter().filter(|stream| ended(stream)).count() < 150 {
        assert!(started.elapsed() < AMPLE);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(ended(&idle[0]), "the oldest first");
    assert!(!ended(idle.last().unwrap()));
    assert_eq!(finish(busy, b""), (200, 8 << 20));
}

#[test]
fn large_bodies_and_answers_that_nobody_reads_leave_nothing_behind() {
    let server = Server::start();
    let nested = vec![b'['; 10 << 20];
    let round = || {
        for _ in 0..3 {
            assert_eq!(server.send(&request("PUT", "/thing", &nested)).0, 413);
            let mut unread = server.connect();
            unread.write_all(&request("GET", "/large", b"")).unwrap();
            let mut half = server.connect();
            half.write_all(&request("PUT", "/thing", &vec![b'['; 1 << 20])[..600_000]).unwrap();
        }
    };
    for _ in 0..3 {
        round();
    }
    let before = resident();
    for _ in 0..15 {
        round();
    }
    assert!(server.is_well());
    assert!(resident() < before + 30_000, "{} KiB after {before}", resident());
}

/// More than is received at once, by many that never come to their end: what they hold has a bound.
#[test]
fn many_halves_of_bodies_are_bounded() {
    let server = Server::start();
    let half = request("PUT", "/thing", &vec![b'x'; 1 << 20])[..1_000_000].to_vec();
    let before = resident();
    let streams: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = server.connect();
            stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            let _ = stream.write_all(&half);
            stream
        })
        .collect();
    assert!(server.is_well());
    assert!(resident() < before + 80_000, "{} KiB after {before}", resident());
    let refused = streams.into_iter().map(|stream| finish(stream, b"").0).filter(|status| *status == 503).count();
    assert!(refused >= 50, "only {refused} were refused");
}

#[test]
fn slow_ones_are_ended_and_hold_up_nobody() {
    let server = Server::start();
    let mut slow: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    let started = Instant::now();
    let mut gone = 0;
    // A byte of a head every now and then, and none of them ever comes to its end.
    while gone < slow.len() {
        assert!(started.elapsed() < AMPLE, "{gone} of {}", slow.len());
        gone = slow.iter_mut().map(|stream| stream.write_all(b"x")).filter(Result::is_err).count();
        assert!(server.is_well());
        thread::sleep(Duration::from_millis(500));
    }
    assert!(started.elapsed() > Duration::from_secs(20), "they have had their time");
}

#[test]
fn odd_requests_get_a_4xx_or_nothing() {
    let server = Server::start();
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(100_000));
    let odd: Vec<Vec<u8>> = vec![
        b"\0".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET http:///x HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"PUT /thing HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"PUT /thing HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n".to_vec(),
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_vec(),
        request("GET", "/..%2f..%2fetc%2fpasswd", b""),
        request("GET", "/%2e%2e/%00", b""),
        request("BREW", "/", b""),
        request("GET", &format!("/{}", "%C3%A4".repeat(1024)), b""),
        long.into_bytes(),
    ];
    for bytes in odd {
        let stream = server.connect();
        // Whatever is still missing does not come.
        let mut writer = stream.try_clone().unwrap();
        let _ = writer.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let (status, _) = finish(stream, b"");
        let is_fine = status == 0 || (400..500).contains(&status) || status == 505;
        assert!(is_fine, "{status}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]));
    }
    assert!(server.is_well());
}
