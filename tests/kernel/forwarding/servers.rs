//! What runs on a real server: one that answers over TCP or SCTP and says what it saw, or a DNS server, dnsmasq.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::network::Host;

/// No progress for so long is a failure.
const PATIENCE: Duration = Duration::from_secs(8);

/// Bytes of a request's body and of an answer's: many packets of any size.
pub(super) const REQUEST: usize = 200_000;
pub(super) const ANSWER: usize = 300_000;

/// What is written at once: a message of SCTP has to fit into the send buffer.
const CHUNK: usize = 16_384;

/// What a server saw of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) local: SocketAddr,
    pub(crate) peer: IpAddr,
}

/// A body that tells a missing, doubled or moved byte, and from whom it is.
pub(super) fn body(seed: u64, length: usize) -> Vec<u8> {
    let mut body = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut body);
    body
}

pub(super) fn write_chunks(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(CHUNK).try_for_each(|chunk| stream.write_all(chunk))
}

/// A socket of a protocol, with patience.
pub(super) fn socket(protocol: Protocol, address: IpAddr) -> io::Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Answers over TCP or SCTP, until it is dropped.
pub(crate) struct Streams {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
    thread: Option<JoinHandle<()>>,
}

impl Streams {
    /// Starts one on a host. It answers with its number.
    pub(crate) fn start(host: &Host, number: u64, protocol: Protocol, at: SocketAddr) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let thread = host.run({
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            move || {
                let listener = socket(protocol, at.ip()).unwrap();
                listener.set_reuse_address(true).unwrap();
                listener.bind(&at.into()).unwrap();
                listener.listen(64).unwrap();
                listener.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Ok((stream, peer)) = listener.accept() {
                            let local = stream.local_addr().unwrap().as_socket().unwrap();
                            let peer = peer.as_socket().unwrap().ip();
                            seen.lock().unwrap().push(Seen { local, peer });
                            // One that hangs holds up no other. A client that gave up is its own affair.
                            thread::spawn(move || drop(answer(&stream, number)));
                        }
                    }
                })
            }
        });
        Self { stop, seen, thread: Some(thread) }
    }

    /// The connections so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads a request, its seed first, and answers with the number and what follows from that, if the request arrived whole.
fn answer(mut stream: &Socket, number: u64) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut seed, mut request) = ([0; 8], vec![0; REQUEST]);
    stream.read_exact(&mut seed)?;
    stream.read_exact(&mut request)?;
    if request != body(u64::from_be_bytes(seed), REQUEST) {
        return Err(io::Error::other("the request is another than was sent"));
    }
    stream.write_all(&number.to_be_bytes())?;
    write_chunks(stream, &body(number, ANSWER))
}

/// dnsmasq, until it is dropped. It says its number for `who.test`, and something long for `long.test`.
pub(crate) struct Dns {
    child: Child,
    log: tempfile::NamedTempFile,
}

/// What `long.test` has as text, in pieces of this many bytes: more than one packet together.
pub(super) const LONG: [usize; 16] = [200; 16];

impl Dns {
    /// Starts one on a host, and waits until it listens.
    pub(crate) fn start(host: &Host, number: u8, at: SocketAddr) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let path: PathBuf = log.path().to_owned();
        let child = host.run(move || {
            let text: Vec<String> = LONG.iter().map(|length| "x".repeat(*length)).collect();
            let child = Command::new("dnsmasq")
                .args(["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv"])
                .args(["--no-hosts", "--bind-interfaces", "--log-queries", "--edns-packet-max=4096"])
                .arg(format!("--log-facility={}", path.display()))
                .arg(format!("--listen-address={}", at.ip()))
                .arg(format!("--port={}", at.port()))
                .arg(format!("--address=/who.test/{}", Ipv4Addr::new(10, 9, 9, number)))
                .arg(format!("--address=/who.test/{}", Ipv6Addr::new(0xfd09, 0, 0, 0, 0, 0, 0, number.into())))
                .arg(format!("--txt-record=long.test,{}", text.join(",")))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("dnsmasq is needed for these tests");
            let mut this = Waiting { child, port: at.port() };
            this.wait();
            this.child
        });
        Self { child, log }
    }

    /// Whom each query came from, so far.
    pub(crate) fn seen(&self) -> Vec<IpAddr> {
        let log = fs::read_to_string(self.log.path()).unwrap();
        let queries = log.lines().filter(|line| line.contains(" query["));
        queries.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }
}

struct Waiting {
    child: Child,
    port: u16,
}

impl Waiting {
    /// Until a UDP socket of this namespace has the port (`/proc/net/udp`, proc(5)).
    fn wait(&mut self) {
        let begin = Instant::now();
        let bound = format!(":{:04X}", self.port);
        let listens = || {
            ["udp", "udp6"].iter().any(|table| {
                let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
                text.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&bound))
            })
        };
        while !listens() {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut said = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("dnsmasq ended: {status}: {said}");
            }
            assert!(begin.elapsed() < PATIENCE, "dnsmasq does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
