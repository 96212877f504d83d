//! Who answers whom: servers that greet with their number, and clients that choose the address and the port they come from.
//!
//! ```text
//!  10.1.0.2                                                    server 1: 10.2.0.11, 2001:db8:2::1
//!  10.9.0.0/16        client ── director ── bridge ─┬───────── server 2: 10.2.0.21, 2001:db8:2::2
//!  2001:db8:9::/48              (the test's thread) └───────── …
//! ```
//!
//! A server greets each connection to one of [`PORTS`] with its number, and answers each datagram to one of them with it. Clients
//! end their connections with a reset. No two of their connections come from the same port: the kernel would take the second for
//! a part of the first, and schedule nothing (`ip_vs_in_hook` finds the entry, which stays for 10 s after a reset).

use std::cell::Cell;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use ipvsd::ipvs::Kernel;
use socket2::{Domain, SockRef, Socket, Type};

use crate::netns::{self, ip_batch};
use crate::network::{Host, Network};
use crate::program::Program;

/// The services' own addresses.
pub(crate) const VIP: &str = "192.0.2.10";
pub(crate) const VIP6: &str = "2001:db8::10";
/// Where servers listen, over TCP and UDP.
pub(crate) const PORTS: [u16; 3] = [53, 80, 443];
/// All of these are the director's own addresses as well.
pub(crate) const VIPS: &str = "203.0.113.0/24";
/// No answer after so long is a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// As many connections are made at a time in the client's namespace.
const BATCH: usize = 50;
const FILE: &str = "ipvsd.toml";

/// The address of a server.
pub(crate) fn real(server: usize) -> String {
    format!("10.2.0.{server}1")
}

/// … of IPv6.
pub(crate) fn real6(server: usize) -> String {
    format!("2001:db8:2::{server}")
}

/// One of the client's addresses: 10.9.x.y.
pub(crate) fn client(net: usize, host: usize) -> IpAddr {
    format!("10.9.{net}.{host}").parse().unwrap()
}

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) server: usize,
    /// Where the server was reached.
    pub(crate) port: u16,
}

/// A connection that stands.
#[derive(Debug)]
pub(crate) struct Held {
    /// Ends with a reset.
    _stream: TcpStream,
    pub(crate) server: usize,
    pub(crate) port: u16,
}

/// The hosts, and ipvsd.
pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) program: Program,
    _kernel: Kernel,
    _servers: Vec<Server>,
    port: Cell<u16>,
}

impl Scene {
    pub(crate) fn set(servers: usize) -> Self {
        let kernel = netns::enter();
        let network = Network::around_here(servers);
        ip_batch(&format!(
            "route add 10.9.0.0/16 via 10.1.0.2\nroute add local {VIPS} dev lo\n\
             address add {VIP6}/128 dev lo\naddress add 2001:db8:1::1/64 dev c0 nodad\n\
             address add 2001:db8:2::ffff/64 dev br0 nodad\nroute add 2001:db8:9::/48 via 2001:db8:1::2\n"
        ));
        write("net/ipv6/conf/all/forwarding", "1");
        // Each client that nobody is there for is told so, not one in a second.
        write("net/ipv4/icmp_ratelimit", "0");
        network.client.run(|| {
            // Addresses that are on no interface.
            write("net/ipv6/ip_nonlocal_bind", "1");
            ip_batch(
                "link set lo up\nroute add local 10.9.0.0/16 dev lo\naddress add 2001:db8:1::2/64 dev eth0 nodad\n\
                 route add ::/0 via 2001:db8:1::1\nroute add local 2001:db8:9::/48 dev lo\n",
            );
        });
        let mut servers = Vec::new();
        for (host, number) in network.servers.iter().zip(1..) {
            host.run(move || {
                ip_batch(&format!(
                    "address add {}/64 dev eth0 nodad\nroute add ::/0 via 2001:db8:2::ffff\n",
                    real6(number)
                ));
            });
            servers.push(Server::start(host, number));
        }
        Self { network, _servers: servers, program: Program::new(), _kernel: kernel, port: Cell::new(1024) }
    }

    /// Makes these the services, with `ipvsd apply`.
    #[track_caller]
    pub(crate) fn apply(&self, services: &str) {
        self.program.write(FILE, &configuration(services));
        self.program.runs(FILE, &["apply"], 0);
    }

    /// `ipvsd apply` fails: what it says.
    #[track_caller]
    pub(crate) fn refused(&self, services: &str) -> String {
        self.program.write(FILE, &configuration(services));
        let ended = self.program.run(FILE, &["apply"]);
        assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
        ended.out + &ended.err
    }

    fn next_port(&self) -> u16 {
        let port = self.port.get();
        self.port.set(port.checked_add(1).expect("each connection has a port of its own"));
        port
    }

    /// A connection.
    pub(crate) fn hold(&self, from: IpAddr, to: SocketAddr) -> io::Result<Held> {
        let from = SocketAddr::new(from, self.next_port());
        self.network.client.run(move || connect(from, to))
    }

    /// Short connections, one after another, from an address to an address and port: who answered.
    pub(crate) fn ask(&self, pairs: impl IntoIterator<Item = (IpAddr, SocketAddr)>) -> Vec<io::Result<usize>> {
        let with_port = |(from, to)| (SocketAddr::new(from, self.next_port()), to);
        let all: Vec<(SocketAddr, SocketAddr)> = pairs.into_iter().map(with_port).collect();
        self.in_batches(all, |(from, to)| connect(from, to).map(|held| held.server))
    }

    /// A short connection from each of the addresses, one after another. All are answered: by these.
    #[track_caller]
    pub(crate) fn answers(&self, from: impl IntoIterator<Item = IpAddr>, to: SocketAddr) -> Vec<usize> {
        self.ask(from.into_iter().map(|from| (from, to))).into_iter().map(|answer| answer.unwrap()).collect()
    }

    /// A datagram from each of these, one after another: who answered. An answer may come from any address.
    #[track_caller]
    pub(crate) fn datagrams(&self, from: impl IntoIterator<Item = SocketAddr>, to: SocketAddr) -> Vec<usize> {
        let all: Vec<(SocketAddr, SocketAddr)> = from.into_iter().map(|from| (from, to)).collect();
        let answers = self.in_batches(all, |(from, to)| {
            let socket = UdpSocket::bind(from)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            exchange(&socket, to).map(|(greeting, _)| greeting.server)
        });
        answers.into_iter().map(|answer| answer.unwrap()).collect()
    }

    fn in_batches<I: Send + Copy + 'static, T: Send + 'static>(
        &self,
        all: Vec<I>,
        each: impl Fn(I) -> T + Send + Copy + 'static,
    ) -> Vec<T> {
        let mut out = Vec::new();
        for batch in all.chunks(BATCH) {
            let batch = batch.to_vec();
            out.extend(self.network.client.run(move || batch.into_iter().map(each).collect::<Vec<T>>()));
        }
        out
    }
}

/// A configuration with these services. What is deleted goes at once, and with all of its connections.
pub(crate) fn configuration(services: &str) -> String {
    format!("version = 1\n[daemon]\nmax_delete = \"100%\"\ndrain = \"0s\"\n{services}")
}

/// A service: its name and address, its other keys, and its destinations as their keys.
pub(crate) fn service(name: &str, address: &str, keys: &str, destinations: &[String]) -> String {
    let mut text = format!("[[services]]\nname = \"{name}\"\naddress = \"{address}\"\n{keys}\n");
    for destination in destinations {
        text += &format!("[[services.destinations]]\n{destination}\n");
    }
    text
}

/// Destinations of these weights: servers 1, 2, …
pub(crate) fn weighted(weights: &[u32]) -> Vec<String> {
    let each = |(weight, server)| format!("address = \"{}\"\nweight = {weight}", real(server));
    weights.iter().zip(1..).map(each).collect()
}

/// Whether the director said that nobody is there to answer (`ip_vs_leave` sends an ICMP error).
pub(crate) fn is_refused<T>(answer: &io::Result<T>) -> bool {
    answer.as_ref().err().is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// How often each server is among the answers; servers are 1 to `servers`.
pub(crate) fn counts(answers: &[usize], servers: usize) -> Vec<usize> {
    (1..=servers).map(|server| answers.iter().filter(|answer| **answer == server).count()).collect()
}

fn write(path: &str, value: &str) {
    fs::write(format!("/proc/sys/{path}"), value).unwrap();
}

fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<Held> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&from.into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = [0; 3];
    stream.read_exact(&mut text)?;
    let Greeting { server, port } = decode(text);
    Ok(Held { _stream: stream, server, port })
}

/// A datagram there and its answer back, with the address that the answer came from.
pub(crate) fn exchange(socket: &UdpSocket, to: SocketAddr) -> io::Result<(Greeting, SocketAddr)> {
    socket.send_to(b"?", to)?;
    let mut text = [0; 3];
    let (_, from) = socket.recv_from(&mut text)?;
    Ok((decode(text), from))
}

fn decode([server, high, low]: [u8; 3]) -> Greeting {
    Greeting { server: server.into(), port: u16::from_be_bytes([high, low]) }
}

/// A server on [`PORTS`] of all addresses of a host. Ends its connections when it is dropped.
struct Server {
    listeners: Vec<TcpListener>,
    sockets: Vec<UdpSocket>,
}

impl Server {
    fn start(host: &Host, number: usize) -> Self {
        host.run(move || {
            let mut this = Self { listeners: Vec::new(), sockets: Vec::new() };
            for port in PORTS {
                let [high, low] = port.to_be_bytes();
                let greeting = [u8::try_from(number).unwrap(), high, low];
                let listener = TcpListener::bind(("::", port)).unwrap();
                this.listeners.push(listener.try_clone().unwrap());
                thread::spawn(move || greet(&listener, greeting));
                let socket = UdpSocket::bind(("::", port)).unwrap();
                this.sockets.push(socket.try_clone().unwrap());
                thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok((1.., from)) = socket.recv_from(&mut buffer) {
                        let _ = socket.send_to(&greeting, from);
                    }
                });
            }
            this
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for listener in &self.listeners {
            let _ = SockRef::from(listener).shutdown(Shutdown::Both);
        }
        for socket in &self.sockets {
            // The socket has no other end, so this is an error; it wakes who waits for a datagram all the same.
            let _ = SockRef::from(socket).shutdown(Shutdown::Both);
        }
    }
}

/// Greets each client, and keeps the connections that they keep. Files are scarce.
fn greet(listener: &TcpListener, greeting: [u8; 3]) {
    let mut streams = Vec::new();
    let mut enough = 4;
    while let Ok((mut stream, _)) = listener.accept() {
        // A client that gave up is its own affair.
        if stream.write_all(&greeting).is_ok() && stream.set_nonblocking(true).is_ok() {
            streams.push(stream);
        }
        if streams.len() >= enough {
            streams.retain(stands);
            enough = 4 + 2 * streams.len();
        }
    }
}

/// Whether a client has not ended its connection.
fn stands(stream: &TcpStream) -> bool {
    stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
