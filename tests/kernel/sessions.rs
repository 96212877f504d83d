//! Servers that say which address they were reached at, and clients that keep count of what becomes of their connections.
//!
//! A server answers each byte with the last number of its own address. Clients end with a reset, which the kernel forgets
//! after 10 s; a connection that ends in TIME_WAIT counts as inactive for two minutes.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::network::Host;

/// No answer after so long is a failure.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two exchanges of a connection that is in use.
const PACE: Duration = Duration::from_millis(50);

/// The last number of an address.
pub(crate) fn last(address: &str) -> u8 {
    let address = address.split(':').next().unwrap_or_default();
    address.rsplit('.').next().unwrap_or_default().parse().unwrap()
}

fn octet(address: SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(_) => 0,
    }
}

/// A server at a port of all addresses of a host.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) fn start(host: &Host, port: u16) -> Self {
        let listener = host.run(move || {
            let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
            let accepting = listener.try_clone().unwrap();
            thread::spawn(move || {
                while let Ok((stream, _)) = accepting.accept() {
                    thread::spawn(move || answer(stream));
                }
            });
            listener
        });
        Self { listener }
    }

    /// Nobody is answered any more; the connections that stand go on.
    pub(crate) fn stop(self) {
        SockRef::from(&self.listener).shutdown(std::net::Shutdown::Both).unwrap();
    }
}

fn answer(mut stream: TcpStream) {
    let Ok(own) = stream.local_addr() else { return };
    let mut wish = [0];
    while stream.read_exact(&mut wish).is_ok() && stream.write_all(&[octet(own)]).is_ok() {}
}

/// A server for datagrams, at these addresses of a host.
pub(crate) fn serve_udp(host: &Host, addresses: Vec<String>) {
    host.run(move || {
        for address in addresses {
            let own: SocketAddr = address.parse().unwrap();
            let socket = UdpSocket::bind(own).unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 64];
                while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(&[octet(own)], from);
                }
            });
        }
    });
}

/// A flow of datagrams.
pub(crate) struct Flow(UdpSocket);

impl Flow {
    pub(crate) fn open(client: &Host, to: &'static str) -> Self {
        Self(client.run(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(to).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            socket
        }))
    }

    /// Who answers; nobody, if no answer comes in half a second.
    pub(crate) fn ask(&self) -> Option<u8> {
        let mut got = [0];
        self.0.send(b"?").ok()?;
        (self.0.recv(&mut got).ok()? == 1).then_some(got[0])
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Session {
    stream: TcpStream,
    /// Where it is: [`last`] of the server's address.
    pub(crate) at: u8,
}

impl Session {
    fn open_here(to: SocketAddr, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_linger(Some(Duration::ZERO))?;
        if port > 0 {
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from(([0, 0, 0, 0], port)).into())?;
        }
        socket.connect_timeout(&to.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut this = Self { stream, at: 0 };
        this.at = this.ask()?;
        Ok(this)
    }

    pub(crate) fn open(client: &Host, to: &str) -> io::Result<Self> {
        Self::open_from(client, to, 0)
    }

    /// From a port of the client's; 0 is any.
    pub(crate) fn open_from(client: &Host, to: &str, port: u16) -> io::Result<Self> {
        let to = to.parse().unwrap();
        client.run(move || Self::open_here(to, port))
    }

    /// A connection to this one of the servers.
    pub(crate) fn open_at(client: &Host, to: &str, destination: &str) -> Self {
        let open = || Self::open(client, to).unwrap();
        std::iter::repeat_with(open).take(50).find(|session| session.at == last(destination)).unwrap()
    }

    fn ask(&mut self) -> io::Result<u8> {
        let mut got = [0];
        self.stream.write_all(b"?")?;
        self.stream.read_exact(&mut got)?;
        Ok(got[0])
    }

    /// There and back again.
    pub(crate) fn exchange(&mut self) -> io::Result<()> {
        match self.ask()? {
            got if got == self.at => Ok(()),
            got => Err(io::Error::other(format!("{} answers, and {} did before", got, self.at))),
        }
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }
}

/// Whether nobody answered, and nobody said so either.
pub(crate) fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A connection that somebody keeps in use.
pub(crate) struct InUse {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    exchanges: Arc<Mutex<usize>>,
    thread: JoinHandle<Session>,
}

impl InUse {
    pub(crate) fn new(mut session: Session) -> Self {
        let (stop, failure, exchanges) =
            (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)), Arc::new(Mutex::new(0)));
        let (told, failed, count) = (Arc::clone(&stop), Arc::clone(&failure), Arc::clone(&exchanges));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                match session.exchange() {
                    Ok(()) => *count.lock().unwrap() += 1,
                    Err(error) => {
                        *failed.lock().unwrap() = Some(format!("{:?}: {error}", error.kind()));
                        break;
                    }
                }
                thread::sleep(PACE);
            }
            session
        });
        Self { stop, failure, exchanges, thread }
    }

    /// It goes on, both ways: so many more exchanges take place.
    #[track_caller]
    pub(crate) fn goes_on(&self, exchanges: usize) {
        let (begin, before) = (Instant::now(), *self.exchanges.lock().unwrap());
        while *self.exchanges.lock().unwrap() < before + exchanges {
            assert_eq!(*self.failure.lock().unwrap(), None, "the connection was cut");
            assert!(begin.elapsed() < PATIENCE + PACE * 5 * u32::try_from(exchanges).unwrap(), "it does not go on");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Why it ended, if it has.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap().clone()
    }

    /// Nobody uses it any more; it is open still.
    pub(crate) fn rest(self) -> Session {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What came of a load so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Requests that were answered, by who did.
    pub(crate) answered: BTreeMap<u8, usize>,
    pub(crate) failed: Vec<String>,
    /// Connections that stay a while: opened, and ended by their client at their time.
    pub(crate) opened: usize,
    pub(crate) ended: usize,
    pub(crate) exchanges: usize,
    pub(crate) refused: Vec<String>,
    pub(crate) cut: Vec<String>,
}

impl Tally {
    /// Nothing has gone wrong.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let Self { failed, refused, cut, .. } = self;
        assert!(failed.is_empty() && refused.is_empty() && cut.is_empty(), "{self:#?}");
    }
}

/// Requests that never pause, and connections that live a while and are in use all the time; for each that ends a new one
/// is opened.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Starts `sessions` connections of that `life`, whose ends are spread over it, and the requests.
    pub(crate) fn start(client: &Host, to: &str, sessions: u32, life: Duration) -> Self {
        let (stop, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Tally::default())));
        let to: SocketAddr = to.parse().unwrap();
        let threads = client.run({
            let (stop, tally) = (Arc::clone(&stop), Arc::clone(&tally));
            move || {
                let mut threads = Vec::new();
                for number in 1..=sessions {
                    let (stop, tally) = (Arc::clone(&stop), Arc::clone(&tally));
                    let first = life * number / sessions;
                    threads.push(thread::spawn(move || lives(to, (first, life), &stop, &tally)));
                }
                threads.push(thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        match Session::open_here(to, 0) {
                            Ok(session) => *tally.lock().unwrap().answered.entry(session.at).or_default() += 1,
                            Err(error) => tally.lock().unwrap().failed.push(format!("{:?}: {error}", error.kind())),
                        }
                    }
                }));
                threads
            }
        });
        let this = Self { stop, tally, threads };
        this.wait("its connections", |tally| tally.opened >= sessions as usize);
        this
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Waits until something is true of it.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Tally) -> bool) {
        let begin = Instant::now();
        while !is_it(&self.tally()) {
            assert!(begin.elapsed() < PATIENCE * 4, "waited for {what}: {:#?}", self.tally());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it, after what is under way.
    pub(crate) fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.tally.lock().unwrap().clone()
    }
}

/// One connection after another.
fn lives(to: SocketAddr, (first, life): (Duration, Duration), stop: &AtomicBool, tally: &Mutex<Tally>) {
    let mut length = first;
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let mut session = match Session::open_here(to, 0) {
            Ok(session) => session,
            Err(error) => {
                tally.lock().unwrap().refused.push(format!("{:?}: {error}", error.kind()));
                continue;
            }
        };
        tally.lock().unwrap().opened += 1;
        while !stop.load(Ordering::Relaxed) && begin.elapsed() < length {
            let result = session.exchange();
            let mut tally = tally.lock().unwrap();
            match result {
                Ok(()) => tally.exchanges += 1,
                Err(error) => {
                    tally.cut.push(format!("at {} after {:?}: {error}", session.at, begin.elapsed()));
                    break;
                }
            }
            drop(tally);
            thread::sleep(PACE);
        }
        if begin.elapsed() >= length {
            tally.lock().unwrap().ended += 1;
        }
        length = life;
    }
}
