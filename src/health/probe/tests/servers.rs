//! Servers for one test each, on a port of their own. They end with the test's runtime.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Calls `handle` with each connection.
pub(super) async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    serve_on(V4, handle).await
}

pub(super) async fn serve_on<F>(address: IpAddr, handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            // A connection may be reset before it is accepted.
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(handle(stream));
            }
        }
    });
    address
}

/// Reads a request of HTTP/1 up to its empty line, and returns it.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Waits until the other side has closed.
pub(super) async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

/// Requests that a server has seen.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

/// Answers each request of HTTP/1 with these bytes, and leaves it to the other side to close.
pub(super) async fn answering(answer: &'static str) -> (SocketAddr, Seen) {
    answering_on(V4, answer).await
}

pub(super) async fn answering_on(address: IpAddr, answer: &'static str) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    let address = serve_on(address, move |mut stream| {
        let log = log.clone();
        async move {
            let head = read_head(&mut stream).await;
            log.lock().unwrap().push(head);
            let _ = stream.write_all(answer.as_bytes()).await;
            until_closed(&mut stream).await;
        }
    });
    (address.await, seen)
}

/// Says something after a request, and closes.
pub(super) async fn closing_after(answer: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        until_closed(&mut stream).await;
    })
    .await
}

/// Accepts and says nothing.
pub(super) async fn hanging() -> SocketAddr {
    serve(|mut stream| async move { until_closed(&mut stream).await }).await
}

/// Reads a request and resets the connection.
pub(super) async fn resetting_after_request() -> SocketAddr {
    serve(|mut stream| async move {
        read_head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await
}

/// Resets each connection as soon as it is there.
pub(super) async fn resetting() -> SocketAddr {
    serve(|stream| async move { stream.set_zero_linger().unwrap() }).await
}

/// A port where nobody listens. It is out of the range that others get theirs from, so it stays so.
pub(super) fn closed_port() -> SocketAddr {
    (V4, 1).into()
}

pub(super) const NO_SOCKETS: [u8; 0] = [];

/// Sockets towards an address of IPv4, as the kernel shows them: their states, 1 for established, 6 for TIME_WAIT.
///
/// A program that another test starts at this moment has a copy of each descriptor until it runs, so a socket that is
/// closed may outlast its close by as long as that takes. This waits for it without letting the test's runtime go on,
/// so that whatever a check has left to a task, or to the kernel in TIME_WAIT, is still there at the end.
pub(super) fn sockets_towards(address: SocketAddr) -> Vec<u8> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let states = states_towards(address);
        if states.is_empty() || Instant::now() > deadline {
            return states;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn states_towards(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else { panic!("{address} is in another table") };
    let remote = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<&str>>());
    rows.filter(|row| row[2] == remote).map(|row| u8::from_str_radix(row[3], 16).unwrap()).collect()
}
