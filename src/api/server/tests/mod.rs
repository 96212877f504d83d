//! A real server, asked over TCP, TLS and unix sockets.

mod changes;
mod counts;
mod limits;
mod tls;
mod who;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::routing::{any, get, put};
use tokio::sync::watch;

use crate::api::Role;

use super::*;
use crate::model::ApiTls;

/// Nothing takes so long.
const AMPLE: Duration = Duration::from_secs(30);

const READ: &str = "read-read-read-read";
const WRITE: &str = "write-write-write-write";

/// A server on a thread of its own. Ends with the value.
struct Bench {
    folder: tempfile::TempDir,
    wanted: watch::Sender<Option<Arc<Api>>>,
    listening: watch::Receiver<Option<ApiListen>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

/// A stream in which nothing comes after the first word.
struct Quiet(Option<Bytes>);

impl hyper::body::Body for Quiet {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(Poll::Pending, |word| Poll::Ready(Some(Ok(hyper::body::Frame::data(word)))))
    }
}

fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { "read" }))
        .route("/livez", get(|| async { "alive" }))
        .route("/role", get(|Extension(role): Extension<Role>| async move { role.as_str() }))
        .route("/traffic", get(counts::traffic))
        .route("/thing", put(|body: Bytes| async move { format!("{} bytes", body.len()) }))
        .route("/stream", get(|| async { Body::new(Quiet(Some(Bytes::from_static(b"hello")))) }))
        .route("/large", get(|| async { vec![b'x'; 8 << 20] }))
        .route("/slow", get(|| async { sleep(Duration::from_millis(300)).await }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route("/any", any(|| async { "any" }))
        .fallback(crate::api::problem::no_such_path)
        .method_not_allowed_fallback(crate::api::problem::no_such_method)
}

impl Bench {
    /// On loopback, for everybody there, unless `change` says otherwise.
    fn new(change: impl FnOnce(&Path, &mut Api)) -> Self {
        Self::with(HEAD_WITHIN, change)
    }

    fn with(head_within: Duration, change: impl FnOnce(&Path, &mut Api)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut api = Api { listen: ApiListen::Tcp(([127, 0, 0, 1], 0).into()), ..Api::default() };
        change(folder.path(), &mut api);
        let (wanted, of_server) = watch::channel(Some(Arc::new(api)));
        let (told, listening) = watch::channel(None);
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve_with(routes(), of_server, told, head_within) => {}
                    _ = ended => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { folder, wanted, listening, end: Some(end), thread: Some(thread) }
    }

    fn with_tokens() -> Self {
        Self::new(|folder, api| {
            let path = folder.join("tokens");
            std::fs::write(&path, format!("read {READ}\nwrite {WRITE}\n")).unwrap();
            api.tokens = Some(path);
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it listens, when it does.
    fn listens(&self) -> ApiListen {
        self.listens_where(|_| true)
    }

    fn listens_where(&self, is_it: impl Fn(&ApiListen) -> bool) -> ApiListen {
        let started = Instant::now();
        loop {
            if let Some(listen) = self.listening.borrow().clone().filter(&is_it) {
                return listen;
            }
            assert!(started.elapsed() < AMPLE, "it does not listen there");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn address(&self) -> SocketAddr {
        match self.listens() {
            ApiListen::Tcp(address) => address,
            other => panic!("{other:?}"),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(AMPLE)).unwrap();
        stream
    }

    /// Sends this, and gets what comes until the other end closes.
    fn send(&self, bytes: &[u8]) -> Answer {
        exchange(self.connect(), bytes)
    }

    fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        self.send(request(method, path, headers, "").as_bytes())
    }

    fn want(&self, change: impl FnOnce(&mut Api)) {
        let mut api = (**self.wanted.borrow().as_ref().unwrap()).clone();
        change(&mut api);
        self.wanted.send_replace(Some(Arc::new(api)));
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.end.take().unwrap().send(());
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{length}{headers}\r\n{body}")
}

fn exchange(mut stream: impl io::Read + io::Write, bytes: &[u8]) -> Answer {
    // It may have hung up already, with an answer.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Answer::of(&String::from_utf8_lossy(&answer))
}

/// Waits until it is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < AMPLE);
        thread::sleep(Duration::from_millis(20));
    }
}

/// What comes until the stream says this.
fn read_to(stream: &mut impl io::Read, word: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(word.as_bytes()) {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ends before {word:?}: {}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(AMPLE)).unwrap();
    stream
}

#[test]
fn it_answers_and_says_what_is_wrong() {
    let bench = Bench::new(|_, _| {});
    let answer = bench.ask("GET", "/", "");
    assert_eq!((answer.status, answer.body.as_str()), (200, "read"));
    assert!(answer.head.contains("x-content-type-options: nosniff"), "{}", answer.head);
    assert_eq!(bench.ask("HEAD", "/", "").body, "");
    let missing = bench.ask("GET", "/missing", "");
    assert_eq!(missing.status, 404);
    assert!(missing.head.contains("application/problem+json"), "{}", missing.head);
    assert!(missing.body.contains("there is nothing at /missing"), "{}", missing.body);
    for method in ["TRACE", "BREW", "CONNECT", "DELETE"] {
        assert_eq!(bench.ask(method, "/", "").status, 405, "{method}");
    }
    let put = bench.send(request("PUT", "/thing", "", "four").as_bytes());
    assert_eq!((put.status, put.body.as_str()), (200, "4 bytes"));
    let chunked = "PUT /thing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    // With a length beside it, a proxy may see another request in what follows: whoever sends that is hung up on.
    let twice =
        "PUT /thing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = bench.send(format!("{twice}GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(!answer.body.contains("HTTP/1.1"), "there was no second answer: {}", answer.body);
    let put = bench.send(format!("{chunked}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").as_bytes());
    assert_eq!((put.status, put.body.as_str()), (200, "5 bytes"));
}

#[test]
fn a_connection_is_kept_and_a_panic_ends_only_its_own() {
    let bench = Bench::new(|_, _| {});
    let mut stream = bench.connect();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer).unwrap();
        assert_eq!(Answer::of(std::str::from_utf8(&answer[..count]).unwrap()).status, 200);
    }
    assert_eq!(bench.ask("GET", "/panic", "").status, 0, "cut off");
    assert_eq!(bench.ask("GET", "/", "").status, 200);
}

#[test]
fn a_unix_socket_has_its_mode_and_goes_away() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new(|folder, api| {
        api.listen = ApiListen::Unix { path: folder.join("deep/api.sock"), mode: 0o640, group: Some("root".into()) };
    });
    bench.listens();
    let path = bench.path("deep/api.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let request = request("GET", "/", "", "").replace("localhost", "whatever");
    assert_eq!(exchange(unix(&path), request.as_bytes()).status, 200);
    bench.wanted.send_replace(None);
    until(|| !path.exists());
    // What a killed process left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    bench.wanted.send_replace(Some(Arc::new(Api {
        listen: ApiListen::Unix { path: path.clone(), mode: 0o600, group: None },
        ..Api::default()
    })));
    until(|| UnixStream::connect(&path).is_ok());
    assert_eq!(exchange(unix(&path), request.as_bytes()).status, 200);
}
