//! What clients do that mean harm: each a round of it, to be gone through again and again, with what must not be answered.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::{finish, request};

const PATIENCE: Duration = Duration::from_secs(5);

/// One kind of harm, until it is over.
pub type Harm = fn(SocketAddr, &dyn Fn() -> bool);

pub const PLAIN: [(&str, Harm); 13] = [
    ("slow heads", slow_heads),
    ("idle connections", idle),
    ("large and odd bodies", bodies),
    ("half bodies", half_bodies),
    ("odd requests", odd_requests),
    ("floods of headers", headers),
    ("pipelines", pipelines),
    ("smuggling", smuggling),
    ("readers that do not read", unread),
    ("streams that nobody reads", streams),
    ("paths that climb", paths),
    ("many questions", questions),
    ("many more questions", questions),
];

pub const TLS: [(&str, Harm); 4] = [
    ("half a hello", half_hello),
    ("a hello and nothing more", hello_only),
    ("hellos as fast as they go", hellos),
    ("no TLS at all", odd_requests),
];

/// The connection, if there is one to be had.
fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

pub fn ask(address: SocketAddr, bytes: &[u8]) -> u16 {
    connect(address).map_or(0, |stream| finish(stream, bytes).0)
}

/// What is no good request: refused, or hung up on.
#[track_caller]
fn refused(status: u16, what: &[u8]) {
    let is_fine = matches!(status, 0 | 400..=499 | 503 | 505);
    assert!(is_fine, "{status}: {}", String::from_utf8_lossy(&what[..what.len().min(200)]));
}

fn slow_heads(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let mut slow: Vec<TcpStream> = (0..200).filter_map(|_| connect(address)).collect();
    while goes_on() && !slow.is_empty() {
        slow.retain_mut(|stream| stream.write_all(b"x").is_ok());
        thread::sleep(Duration::from_millis(500));
    }
}

fn idle(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let mut idle = VecDeque::new();
    while goes_on() {
        idle.extend(connect(address));
        if idle.len() > 10_000 {
            idle.pop_front();
        }
        // A thousand a second: they are not to keep the processor from all the others here.
        thread::sleep(Duration::from_millis(1));
    }
}

fn json(method: &str, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{kind}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn bodies(address: SocketAddr, _: &dyn Fn() -> bool) {
    const JSON: &str = "content-type: application/json\r\n";
    let ways = [("POST", "/v1/weight"), ("POST", "/v1/drain"), ("PUT", "/service/x"), ("PATCH", "/service/flips/y")];
    let bodies = [
        vec![b'['; 10 << 20],
        vec![b'['; 1 << 20],
        format!("{{\"service\":{}", "{\"a\":".repeat(100_000)).into_bytes(),
        b"{\"service\":\"flips\",\"dest".to_vec(),
        b"{\"service\":[],\"destination\":{},\"port\":\"x\",\"weight\":{}}".to_vec(),
        b"{\"service\":\"flips\",\"destination\":\"10.0.0.1:80\",\"weight\":1e400,\"port\":-1}".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        Vec::new(),
    ];
    for (method, path) in ways {
        for body in &bodies {
            let bytes = json(method, path, JSON, body);
            refused(ask(address, &bytes), &bytes);
        }
        let bytes =
            json(method, path, "content-type: application/x-what\r\ncontent-encoding: gzip\r\n", b"\x1f\x8b\x08");
        refused(ask(address, &bytes), &bytes);
    }
}

fn half_bodies(address: SocketAddr, _: &dyn Fn() -> bool) {
    let half = request("PUT", "/service/x", &vec![b'x'; 1 << 20])[..700_000].to_vec();
    let held: Vec<_> = (0..60)
        .filter_map(|_| {
            let mut stream = connect(address)?;
            let _ = stream.write_all(&half);
            Some(stream)
        })
        .collect();
    held.into_iter().for_each(|stream| refused(finish(stream, b"").0, &half));
}

fn odd_requests(address: SocketAddr, _: &dyn Fn() -> bool) {
    let odd: [&[u8]; 14] = [
        b"\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET http:///x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"BREW /v1/status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        b"POST /v1/reload HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\nconnection: close\r\n\r\n",
        b"GET /v1/status?token=0123456789abcdef HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\n host: localhost\r\nconnection: close\r\n\r\n",
    ];
    for bytes in odd {
        let Some(stream) = connect(address) else { continue };
        let _ = (&stream).write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        refused(finish(stream, b"").0, bytes);
    }
}

fn headers(address: SocketAddr, _: &dyn Fn() -> bool) {
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    let large = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(1 << 20));
    for bytes in [many, large, long] {
        refused(ask(address, bytes.as_bytes()), bytes.as_bytes());
    }
    // One after the other, without an end.
    if let Some(mut stream) = connect(address) {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
        for number in 0..20_000 {
            if write!(stream, "x-{number}: y\r\n").is_err() {
                break;
            }
        }
    }
}

fn pipelines(address: SocketAddr, _: &dyn Fn() -> bool) {
    let one = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let _ = connect(address).map(|mut stream| stream.write_all(&one.repeat(5000)));
    if let Some(mut stream) = connect(address) {
        let _ = stream.write_all(&one.repeat(100));
        let _ = stream.write_all(&request("GET", "/livez", b""));
        let mut answers = Vec::new();
        if stream.read_to_end(&mut answers).is_ok() {
            let count = answers.windows(12).filter(|at| at == b"HTTP/1.1 200").count();
            // All, unless somebody else needed the place.
            assert!(count <= 101, "{count}");
        }
    }
}

/// Two requests in one, as far as somebody in between may see it: there must not be two answers.
fn smuggling(address: SocketAddr, _: &dyn Fn() -> bool) {
    let second = "GET /v1/me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let length = second.len();
    let firsts = [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n"),
        format!("content-length: 0\r\ncontent-length: {length}\r\n\r\n"),
        "transfer-encoding: xchunked\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n0;\r\nx\r\n\r\n".to_owned(),
        format!("content-length: +{length}\r\n\r\n"),
        format!("content-length: 0x{length:x}\r\n\r\n"),
        format!("content-length: 0,{length}\r\n\r\n"),
    ];
    for first in firsts {
        let bytes = format!("PUT /service/x HTTP/1.1\r\nhost: localhost\r\n{first}{second}");
        let Some(mut stream) = connect(address) else { continue };
        let _ = stream.write_all(bytes.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answers = answer.windows(9).filter(|at| at == b"HTTP/1.1 ").count();
        assert!(answers <= 1, "{bytes}\n----\n{}", String::from_utf8_lossy(&answer));
    }
}

/// Takes next to nothing of what it asks for.
fn unread(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let mut held: VecDeque<(TcpStream, Instant)> = VecDeque::new();
    while goes_on() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let _ = socket.set_recv_buffer_size(4096);
        if socket.connect_timeout(&address.into(), PATIENCE).is_ok() {
            let mut stream = TcpStream::from(socket);
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let path = if held.len().is_multiple_of(2) { "/v1/services" } else { "/metrics" };
            let _ = stream.write_all(&request("GET", path, b""));
            held.push_back((stream, Instant::now()));
        }
        while held.front().is_some_and(|(_, since)| since.elapsed() > Duration::from_secs(60)) {
            held.pop_front();
        }
        for (stream, _) in &held {
            let _ = stream.set_nonblocking(true);
            let _ = { stream }.read(&mut [0]);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn streams(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let held: Vec<_> = (0..150)
        .filter_map(|_| {
            let mut stream = connect(address)?;
            let _ = SockRef::from(&stream).set_recv_buffer_size(4096);
            stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 1\r\n\r\n").ok()?;
            Some(stream)
        })
        .collect();
    for _ in 0..100 {
        if goes_on() {
            thread::sleep(Duration::from_millis(200));
        }
    }
    drop(held);
}

fn paths(address: SocketAddr, _: &dyn Fn() -> bool) {
    let long = "%C3%A4".repeat(1024);
    let longer = "x".repeat(1024);
    for path in [
        "/../../etc/passwd",
        "/service/..%2f..%2f..%2fetc%2fpasswd",
        "/service/%2e%2e/%2e%2e",
        "/v1/services/..%2f..%2fetc%2fpasswd",
        "/v1/services/%00",
        "/%ff%fe",
        "/service/%ff",
        "//",
        "/%",
        &format!("/service/{long}"),
        &format!("/service/{longer}"),
        &format!("/v1/services/{longer}"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let bytes = request(method, path, b"{\"port\":80}");
            refused(ask(address, &bytes), &bytes);
        }
    }
}

/// As fast as they are answered, on many connections.
fn questions(address: SocketAddr, _: &dyn Fn() -> bool) {
    thread::scope(|scope| {
        for path in ["/livez", "/v1/status", "/metrics", "/v1/services/flips", "/service", "/openapi.json"] {
            scope.spawn(move || {
                let Some(mut stream) = connect(address) else { return };
                let bytes = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").repeat(16);
                let mut answers = vec![0; 1 << 20];
                let until = Instant::now() + Duration::from_secs(1);
                while Instant::now() < until && stream.write_all(bytes.as_bytes()).is_ok() {
                    let Ok(1..) = stream.read(&mut answers) else { return };
                }
            });
        }
    });
}

/// The first message of a client, as it is on the wire.
fn hello() -> Vec<u8> {
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut bytes = Vec::new();
    ClientConnection::new(Arc::new(client), name).unwrap().write_tls(&mut bytes).unwrap();
    bytes
}

fn begin(address: SocketAddr, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = connect(address)?;
    stream.write_all(bytes).ok()?;
    Some(stream)
}

fn half_hello(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let hello = hello();
    let held: Vec<_> = (0..300).filter_map(|_| begin(address, &hello[..hello.len() / 2])).collect();
    for _ in 0..50 {
        if goes_on() {
            thread::sleep(Duration::from_millis(200));
        }
    }
    drop(held);
}

fn hello_only(address: SocketAddr, goes_on: &dyn Fn() -> bool) {
    let hello = hello();
    let held: Vec<_> = (0..300).filter_map(|_| begin(address, &hello)).collect();
    for _ in 0..50 {
        if goes_on() {
            thread::sleep(Duration::from_millis(200));
        }
    }
    drop(held);
}

fn hellos(address: SocketAddr, _: &dyn Fn() -> bool) {
    let hello = hello();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let until = Instant::now() + Duration::from_secs(1);
                while Instant::now() < until {
                    // Until it has reckoned.
                    let _ = begin(address, &hello).map(|mut stream| stream.read(&mut [0]));
                }
            });
        }
    });
}
