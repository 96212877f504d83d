//! A director with a client and real servers around it, each in a network namespace of its own.
//!
//! ```text
//!  client 10.1.0.2 ── 10.1.0.1 director 10.2.0.1 ── bridge ─┬─ server 1: 10.2.0.11 … 10.2.0.19
//!                     192.0.2.10 (the service)              ├─ server 2: 10.2.0.21 … 10.2.0.29
//!                                                           └─ server 3: …
//! ```
//!
//! The director is the namespace of the test's own thread. The servers' way back to the client leads through
//! it, so that destinations can be NAT. A server answers on port 8080 of all of its addresses: to `?` with its number and the
//! end of the connection, to `+` by echoing all that follows.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{UnshareFlags, gettid};

use crate::netns;

/// The address and port of the service.
pub(crate) const VIP: &str = "192.0.2.10:80";
/// No answer after so long is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// The address of a server, both from 1: server 1 to 9, its address 1 to 9.
pub(crate) fn real(server: usize, address: usize) -> String {
    format!("10.2.0.{}:8080", server * 10 + address)
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own, that does what it is told.
pub(crate) struct Host {
    jobs: Sender<Job>,
    namespace: String,
}

impl Host {
    /// One in a new namespace, which goes away when this, and all that runs in it, has.
    pub(crate) fn new() -> Self {
        let (jobs, queue) = channel::<Job>();
        let (ready, wait) = channel();
        thread::spawn(move || {
            #[expect(unsafe_code, reason = "unshare is unsafe for what it can do to descriptors")]
            // SAFETY: only the network namespace is left; descriptors stay shared with the other threads.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            let tid = gettid().as_raw_nonzero();
            ready.send(format!("/proc/{}/task/{tid}/ns/net", std::process::id())).unwrap();
            for job in queue {
                job();
            }
        });
        Self { jobs, namespace: wait.recv_timeout(PATIENCE).unwrap() }
    }

    /// What `ip link set … netns` calls the namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Starts `job` in the namespace, once those before it have ended.
    pub(crate) fn start(&self, job: impl FnOnce() + Send + 'static) {
        self.jobs.send(Box::new(job)).unwrap();
    }

    /// Runs `job` in the namespace. Threads that it starts stay there.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, wait) = channel();
        self.jobs.send(Box::new(move || drop(done.send(job())))).unwrap();
        wait.recv_timeout(PATIENCE).expect("what is run in another namespace ends well and soon")
    }
}

/// The hosts around the director.
pub(crate) struct Network {
    pub(crate) client: Host,
    pub(crate) servers: Vec<Host>,
}

impl Network {
    /// Builds it around the namespace of this thread, which is [`netns::enter`]'s.
    pub(crate) fn around_here(servers: usize) -> Self {
        let client = Host::new();
        let servers: Vec<Host> = (0..servers).map(|_| Host::new()).collect();
        let mut links = format!(
            "address add {}/32 dev lo\n\
             link add c0 type veth peer name eth0 netns {}\n\
             address add 10.1.0.1/24 dev c0\nlink set c0 up\n\
             link add br0 type bridge\naddress add 10.2.0.1/24 dev br0\nlink set br0 up\n",
            VIP.trim_end_matches(":80"),
            client.namespace
        );
        for (host, number) in servers.iter().zip(1..) {
            links += &format!(
                "link add s{number} type veth peer name eth0 netns {}\nlink set s{number} master br0 up\n",
                host.namespace
            );
        }
        netns::ip_batch(&links);
        for path in ["all/send_redirects", "br0/send_redirects"] {
            fs::write(format!("/proc/sys/net/ipv4/conf/{path}"), "0").unwrap();
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();

        client.run(|| {
            netns::ip_batch("address add 10.1.0.2/24 dev eth0\nlink set eth0 up\nroute add default via 10.1.0.1\n");
        });
        for (host, number) in servers.iter().zip(1..) {
            host.run(move || {
                let mut links = String::new();
                for address in 1..10 {
                    let address = real(number, address);
                    links += &format!("address add {}/24 dev eth0\n", address.trim_end_matches(":8080"));
                }
                netns::ip_batch(&(links + "link set eth0 up\nroute add default via 10.2.0.1\n"));
                let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
                thread::spawn(move || serve(&listener, number));
            });
        }
        Self { client, servers }
    }

    /// Waits until nothing that the servers have sent is unacknowledged: until no packet is under way.
    pub(crate) fn settle(&self) {
        let begin = Instant::now();
        while !self.servers.iter().all(|host| host.run(|| unacknowledged() == 0)) {
            assert!(begin.elapsed() < PATIENCE, "there are still packets under way");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Connections of this namespace with data in flight (`tx_queue` in `/proc/net/tcp`, proc(5)).
fn unacknowledged() -> usize {
    let text = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let queues = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(4));
    queues.filter(|queues| !queues.starts_with("00000000:")).count()
}

fn serve(listener: &TcpListener, number: usize) {
    for stream in listener.incoming() {
        // A client that gave up is its own affair.
        let _ = stream.and_then(|stream| answer(stream, number));
    }
}

fn answer(mut stream: TcpStream, number: usize) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut wish = [0];
    stream.read_exact(&mut wish)?;
    if wish == *b"+" {
        stream.set_read_timeout(None)?;
        thread::spawn(move || {
            let mut buffer = [0; 256];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
        });
        return Ok(());
    }
    write!(stream, "{number}")
}

fn connect() -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&VIP.parse::<SocketAddr>().unwrap(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One request over a connection of its own: the number of the server that answered.
pub(crate) fn request() -> io::Result<usize> {
    let mut stream = connect()?;
    stream.write_all(b"?")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.parse().map_err(|_| io::Error::other(format!("answered {text:?}")))
}

/// A connection that stays.
pub(crate) struct Long {
    stream: TcpStream,
    count: u32,
}

impl Long {
    pub(crate) fn open() -> io::Result<Self> {
        let mut stream = connect()?;
        stream.write_all(b"+")?;
        let mut this = Self { stream, count: 0 };
        this.exchange()?;
        Ok(this)
    }

    /// There and back again.
    pub(crate) fn exchange(&mut self) -> io::Result<()> {
        self.count += 1;
        let sent = self.count.to_be_bytes();
        self.stream.write_all(&sent)?;
        let mut got = [0; 4];
        self.stream.read_exact(&mut got)?;
        if got == sent { Ok(()) } else { Err(io::Error::other(format!("{sent:?} came back as {got:?}"))) }
    }
}

/// What came of a load so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Requests that were answered.
    pub(crate) answered: usize,
    /// Exchanges over connections that stay.
    pub(crate) exchanges: usize,
    pub(crate) failed_requests: usize,
    pub(crate) failed_exchanges: usize,
    /// The first failures, with the time since the start.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) fn failed(&self) -> usize {
        self.failed_requests + self.failed_exchanges
    }
}

/// What is counted: an answered or a failed one.
type Counter = fn(&mut Tally) -> &mut usize;

/// Requests without pause, and connections that stay and are in use all the time.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts it at the client, and waits until `long` connections stand.
    pub(crate) fn start(client: &Host, long: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::new(Mutex::new(Tally::default()));
        let begin = Instant::now();
        let note = {
            let tally = Arc::clone(&tally);
            move |(good, bad): (Counter, Counter), result: io::Result<()>| {
                let mut tally = tally.lock().unwrap();
                match result {
                    Ok(()) => *good(&mut tally) += 1,
                    Err(error) => {
                        *bad(&mut tally) += 1;
                        if tally.failures.len() < 10 {
                            tally.failures.push(format!("after {:?}: {error}", begin.elapsed()));
                        }
                    }
                }
            }
        };
        const EXCHANGE: (Counter, Counter) = (|tally| &mut tally.exchanges, |tally| &mut tally.failed_exchanges);
        const REQUEST: (Counter, Counter) = (|tally| &mut tally.answered, |tally| &mut tally.failed_requests);
        let mut threads = client.run({
            let (stop, note) = (Arc::clone(&stop), note.clone());
            move || {
                let mut threads = Vec::new();
                for mut connection in (0..long).map(|_| Long::open().unwrap()) {
                    let (stop, note) = (Arc::clone(&stop), note.clone());
                    threads.push(thread::spawn(move || {
                        while !stop.load(Ordering::Relaxed) {
                            let result = connection.exchange();
                            let failed = result.is_err();
                            note(EXCHANGE, result);
                            if failed {
                                break;
                            }
                            // Its rate; the processor is for the requests.
                            thread::sleep(Duration::from_millis(20));
                        }
                    }));
                }
                threads
            }
        });
        threads.push(client.run({
            let stop = Arc::clone(&stop);
            move || {
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        note(REQUEST, request().map(drop));
                    }
                })
            }
        }));
        Self { stop, tally, threads }
    }

    /// What came of it so far.
    pub(crate) fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Waits until something is true of it.
    pub(crate) fn wait(&self, what: &str, is_it: impl Fn(&Tally) -> bool) {
        let begin = Instant::now();
        while !is_it(&self.tally()) {
            assert!(begin.elapsed() < PATIENCE * 2, "waited for {what}: {:?}", self.tally());
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
