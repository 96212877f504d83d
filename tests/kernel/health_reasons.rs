//! Checks that meet the worst: each failure has a clear reason of its own in `show`, and costs neither memory, nor
//! descriptors, nor processes.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch};
use crate::network::{Host, Network};
use crate::oracle::{shown_text, status_in, wait_shown};
use crate::program::{Program, SOON};

const FILE: &str = "ipvsd.toml";
/// What its processes are known by.
const SLEEP: &str = "98765.4";
/// What the server with the large body wants to send.
const GIGABYTE: u64 = 1 << 30;

/// Calls `handle` with each connection to a port, in a thread of its own; counts them.
fn serve(host: &Host, port: u16, handle: impl Fn(TcpStream) + Send + Sync + 'static) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    host.run(move || {
        let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
        let handle = Arc::new(handle);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::Relaxed);
                let handle = Arc::clone(&handle);
                // It may have been reset before it was accepted.
                if let Ok(stream) = stream {
                    thread::spawn(move || handle(stream));
                }
            }
        });
    });
    count
}

/// Reads the request, and says whether it came.
fn read_head(stream: &mut impl Read) -> bool {
    let (mut head, mut more) = (Vec::new(), [0; 512]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut more) {
            Ok(length @ 1..) => head.extend_from_slice(&more[..length]),
            _ => return false,
        }
    }
    true
}

fn until_closed(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A server of TLS with a certificate for a name, of an authority that only `ca` would know.
fn tls(name: &str, issuer: &CertifiedIssuer<'static, KeyPair>) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A check, whom it meets, and what has to be said of it.
struct Case {
    name: &'static str,
    /// Within `[checks.NAME]`.
    check: String,
    reason: &'static str,
}

fn cases(ca: &str) -> Vec<Case> {
    let case = |name, check: &str, reason| Case { name, check: check.to_owned(), reason };
    vec![
        case("silent", "http = {}", "http: no answer within 450ms (connected, sent the request)"),
        case("lost", "address = \"10.2.0.250\"\ntcp = {}", "tcp: no connection within 450ms"),
        case(
            "named",
            &format!("https = {{ ca = {ca:?}, server_name = \"web.example\" }}"),
            "https: the certificate is not valid for web.example: it is for other.example",
        ),
        case("issuer", "https = { server_name = \"other.example\" }", "https: the certificate's issuer is not trusted"),
        case(
            "large",
            "http = { body = \"needle\" }",
            "http: the body does not contain \"needle\" (within its first 64 KiB)",
        ),
        case("slow", "http = { body = \"needle\" }", "http: status 200, but the body did not end within 450ms"),
        case("loop", "http = {}", "http: redirects to /again, status 302, expected 200-299"),
        case("reset", "http = {}", "http: the connection was reset after the request"),
        case("cut", "tcp = { expect = \"hello\" }", "tcp: the connection was reset"),
        case("closed", "tcp = {}", "tcp: connection refused"),
        case(
            "forks",
            &format!("exec = {{ argv = [\"/bin/sh\", \"-c\", \"sleep {SLEEP} & sleep {SLEEP}\"] }}"),
            "exec: not ended within 450ms",
        ),
        case(
            "says",
            "exec = { argv = [\"/bin/sh\", \"-c\", \"echo no disk; exit 3\"] }",
            "exec: exit status 3: no disk",
        ),
    ]
}

/// So many of each server are waited for: those with TLS have fewer in the same time.
const ROUNDS: [usize; 8] = [12, 4, 4, 12, 12, 12, 12, 12];

/// Each case is the check of one destination, by its own port.
fn configuration(cases: &[Case]) -> String {
    let mut text = "version = 1\n[daemon]\nresync = \"1s\"\n".to_owned();
    for Case { name, check, .. } in cases {
        // A handshake may take long where much else runs.
        let (interval, timeout) = if check.starts_with("https") { ("2s", "1900ms") } else { ("500ms", "450ms") };
        text +=
            &format!("[checks.{name}]\ninterval = {interval:?}\ntimeout = {timeout:?}\nrise = 1\nfall = 1\n{check}\n");
    }
    text += "[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"rr\"\n";
    for port in 1..=12 {
        text += &format!("[[services.destinations]]\naddress = \"10.2.0.11:{}\"\n", 9000 + port);
        if let Some(Case { name, .. }) = cases.get(port - 1) {
            text += &format!("check = \"{name}\"\n");
        }
    }
    text
}

fn address(index: usize) -> String {
    format!("10.2.0.11:{}", 9001 + index)
}

/// What a process has open.
fn descriptors(pid: u32) -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned();
            // Without its number.
            Some(target.split('[').next().unwrap().to_owned())
        })
        .collect();
    all.sort();
    all
}

/// A number of `/proc/PID/status` in KiB: `VmHWM`, `VmRSS`.
fn memory(pid: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processes, zombies too, that the daemon has started, or that are known by this argument.
fn processes(pid: u32, argument: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        if !entry.file_name().as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // It may have ended by now.
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if parent == Some(&pid.to_string()) || command.contains(argument) {
            found.push(format!("{} {command}", stat.split(')').next().unwrap()));
        }
    }
    found
}

/// Waits until the daemon holds what it held, and nothing that it started is left.
#[track_caller]
fn comes_to_rest(pid: u32, before: &[String], what: &str) {
    let begin = Instant::now();
    loop {
        let (open, started) = (descriptors(pid), processes(pid, SLEEP));
        if open == before && started.is_empty() {
            return;
        }
        assert!(begin.elapsed() < SOON / 3, "{what}: {started:?}\n{open:?}\nbefore:\n{before:?}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_failure_has_its_reason_and_costs_nothing() {
    let _kernel = netns::enter();
    let network = Network::around_here(1);
    // Somebody who never answers, not even to ARP.
    ip_batch("neighbour add 10.2.0.250 lladdr 02:00:00:00:00:01 dev br0 nud permanent\n");
    let host = &network.servers[0];
    let program = Program::new();
    let ours = authority("an authority");
    let ca = program.path("ca.pem");
    program.write("ca.pem", &ours.pem());

    let sent = Arc::new(AtomicU64::new(0));
    let most = Arc::clone(&sent);
    let secured = |config: Arc<ServerConfig>| {
        move |stream: TcpStream| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            if read_head(&mut stream) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    };
    let says = |text: &'static str| {
        move |mut stream: TcpStream| {
            if read_head(&mut stream) {
                let _ = stream.write_all(text.as_bytes());
                until_closed(&mut stream);
            }
        }
    };
    // Closed with a reset.
    let reset = |stream: TcpStream| rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    let answered_by_reset = move |mut stream: TcpStream| {
        if read_head(&mut stream) {
            reset(stream);
        }
    };
    let large = move |mut stream: TcpStream| {
        if !read_head(&mut stream) {
            return;
        }
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n");
        let (chunk, mut total) = (vec![b'x'; 64 * 1024], 0);
        while total < GIGABYTE && stream.write_all(&chunk).is_ok() {
            total += chunk.len() as u64;
            most.fetch_max(total, Ordering::Relaxed);
        }
    };
    let slow = |mut stream: TcpStream| {
        if read_head(&mut stream) && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").is_ok() {
            while stream.write_all(b"x").is_ok() {
                sleep(Duration::from_secs(1));
            }
        }
    };
    // In the order of the cases; two of them meet nobody, and the last two run programs.
    let rounds = [
        serve(host, 9001, |mut stream| until_closed(&mut stream)),
        serve(host, 9003, secured(tls("other.example", &ours))),
        serve(host, 9004, secured(tls("other.example", &authority("another authority")))),
        serve(host, 9005, large),
        serve(host, 9006, slow),
        serve(host, 9007, says("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")),
        serve(host, 9008, answered_by_reset),
        serve(host, 9009, reset),
    ];
    let passed = || rounds.each_ref().map(|count| count.load(Ordering::Relaxed));

    let cases = cases(ca.to_str().unwrap());
    program.write(FILE, &configuration(&[]));
    let mut daemon = Daemon::start(&program, FILE);
    let pid = daemon.id();
    let (mut resting, mut highest) = (None, Vec::new());
    for turn in 0..2 {
        program.write(FILE, &configuration(&cases));
        let begin = Instant::now();
        let are_down = |shown: &serde_json::Value| {
            (0..cases.len()).all(|index| status_in(shown, "web", &address(index))["health"] == "down")
        };
        // Even so it may once take too long, and that is said then; the next run says better.
        loop {
            let shown = wait_shown(&program, FILE, "all to be down", are_down);
            let text = shown_text(&program, FILE);
            let wrong: Vec<String> = cases
                .iter()
                .enumerate()
                .filter_map(|(index, Case { name, reason, .. })| {
                    let said = status_in(&shown, "web", &address(index))["reason"].as_str().unwrap_or_default();
                    let right = said.starts_with(reason) && text.contains(&format!(": {reason}"));
                    (!right).then(|| format!("{name}: {said:?}, not {reason:?}"))
                })
                .collect();
            if wrong.is_empty() {
                break;
            }
            assert!(begin.elapsed() < SOON, "{wrong:#?} in {text}");
            sleep(Duration::from_millis(250));
        }

        // Some rounds, all along which it holds as much as runs at the same time, and no more.
        let before = passed();
        let mut most_open = 0;
        while passed().iter().zip(before).zip(ROUNDS).any(|((now, before), rounds)| *now < before + rounds) {
            most_open = most_open.max(descriptors(pid).len());
            let started = processes(pid, SLEEP);
            assert!(started.len() <= 12, "{started:?}");
            assert!(begin.elapsed() < SOON, "{before:?}, now {:?}", passed());
            sleep(Duration::from_millis(50));
        }
        println!(
            "turn {turn}: rounds {:?}, at most {most_open} descriptors, {} KiB, at most {} KiB",
            passed(),
            memory(pid, "VmRSS"),
            memory(pid, "VmHWM")
        );
        highest.push(memory(pid, "VmHWM"));

        // Without checks it comes to rest, and holds what it held.
        program.write(FILE, &configuration(&[]));
        daemon.pass("no checks", |line| line.text("why").contains("files"));
        let before = resting.get_or_insert_with(|| {
            // What it keeps from now on: until nothing comes or goes.
            let (mut open, begin) = (descriptors(pid), Instant::now());
            let mut since = Instant::now();
            while since.elapsed() < Duration::from_secs(2) {
                assert!(begin.elapsed() < SOON / 3, "{open:?}");
                sleep(Duration::from_millis(100));
                let now = descriptors(pid);
                if now != open {
                    (open, since) = (now, Instant::now());
                }
            }
            open
        });
        assert!(before.len() <= 24, "{before:?}");
        assert!(most_open <= before.len() + 2 * cases.len(), "at most {most_open}, at rest {}", before.len());
        comes_to_rest(pid, before, "without checks");
    }
    let bytes = sent.load(Ordering::Relaxed);
    assert!((64 * 1024..GIGABYTE / 16).contains(&bytes), "{bytes} bytes of the large body were sent");
    // In KiB; a debug build alone takes some 20 MiB.
    assert!(highest[1] < 64 * 1024 && highest[1] - highest[0] < 4 * 1024, "{highest:?} KiB");
}
