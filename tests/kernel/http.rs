//! The HTTP side of `ipvsd run`: it is there when the configuration has it, and shows what the kernel counts.

use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::program::{Program, SOON};

const FILE: &str = "ipvsd.toml";

fn configuration(api: &str) -> String {
    format!(
        "version = 1\n{api}\n[[services]]\nname = \"dns\"\naddress = \"udp://192.0.2.10:53\"\nscheduler = \"rr\"\n\
         [[services.destinations]]\naddress = \"10.0.0.1:53\"\nweight = 7\n"
    )
}

/// Status and body, or nothing while nobody listens.
fn ask(socket: &Path, request: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

#[track_caller]
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < SOON, "waited for {what}");
        sleep(Duration::from_millis(100));
    }
}

fn get(socket: &Path, path: &str) -> Option<String> {
    ask(socket, &format!("GET {path} HTTP/1.1")).filter(|(status, _)| *status == 200).map(|(_, body)| body)
}

/// The value of a sample of `/metrics`.
fn metric(socket: &Path, series: &str) -> Option<f64> {
    let page = get(socket, "/metrics")?;
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn it_comes_moves_and_goes_with_the_configuration() {
    let _kernel = netns::enter();
    let program = Program::new();
    let (first, second) = (program.path("first.sock"), program.path("second.sock"));
    let listen = |path: &Path| configuration(&format!("[api]\nlisten = \"unix:{}\"", path.display()));
    program.write(FILE, &listen(&first));
    let mut daemon = Daemon::start(&program, FILE);
    assert_eq!(until("readiness", || get(&first, "/readyz")), "ready\n");
    assert_eq!(get(&first, "/livez").as_deref(), Some("alive\n"));
    // What clients do is not to hold up checks.
    let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
    let names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    assert!(["ipvsd-io", "ipvsd-http"].iter().all(|name| names.iter().any(|other| other == name)), "{names:?}");

    program.write(FILE, "version = 1\noops = 1\n");
    let refused = until("a refusal", || ask(&first, "GET /readyz HTTP/1.1").filter(|(status, _)| *status == 503));
    assert!(refused.1.contains("refused"), "{}", refused.1);
    until("the metric of it", || metric(&first, "ipvsd_configuration_outdated").filter(|value| *value == 1.0));

    program.write(FILE, &listen(&second));
    assert_eq!(until("the other socket", || get(&second, "/readyz")), "ready\n");
    until("the end of the first one", || (!first.exists()).then_some(()));
    program.write(FILE, &configuration(""));
    until("the end of it", || (!second.exists()).then_some(()));
    program.write(FILE, &listen(&first));
    until("it to be back", || get(&first, "/livez"));
    assert_eq!(daemon.end(Signal::TERM).code(), Some(0));
    assert!(!first.exists(), "its file goes with it");
}

#[test]
fn metrics_are_what_the_kernel_counts() {
    let _kernel = netns::enter();
    let program = Program::new();
    let socket = program.path("api.sock");
    program.write(FILE, &configuration(&format!("[api]\nlisten = \"unix:{}\"", socket.display())));
    let daemon = Daemon::start(&program, FILE);
    let of = "{service=\"dns\",address=\"udp://192.0.2.10:53\",destination=\"10.0.0.1:53\"";
    let weight = |which: &str| metric(&socket, &format!("ipvsd_destination_weight{of},of=\"{which}\"}}"));
    assert_eq!(until("the kernel's weight", || weight("kernel")), 7.0);
    assert_eq!((weight("configured"), weight("effective")), (Some(7.0), Some(7.0)));

    netns::ip_batch("neighbour add 192.0.2.253 lladdr 02:00:00:00:00:01 dev v0 nud permanent\n");
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..3 {
        client.send_to(b"twelve bytes", "192.0.2.10:53").unwrap();
    }
    // The kernel sums its counters up every two seconds.
    until("three packets", || {
        metric(&socket, &format!("ipvsd_destination_packets_total{of},direction=\"in\"}}"))
            .filter(|value| *value == 3.0)
    });
    assert_eq!(metric(&socket, &format!("ipvsd_destination_bytes_total{of},direction=\"in\"}}")), Some(120.0));
    assert_eq!(metric(&socket, &format!("ipvsd_destination_connections_total{of}}}")), Some(1.0));
    assert_eq!(metric(&socket, &format!("ipvsd_destination_open_connections{of},state=\"inactive\"}}")), Some(1.0));

    // Somebody else changes the weight, and it is put back.
    ipvsadm(&["-e", "-u", "192.0.2.10:53", "-r", "10.0.0.1:53", "-m", "-w", "1"], "");
    until("what the kernel has", || weight("kernel").filter(|weight| *weight == 1.0));
    daemon.signal(Signal::HUP);
    until("the repair", || {
        metric(&socket, "ipvsd_drift_repaired_total{object=\"destination\"}").filter(|value| *value == 1.0)
    });
    assert_eq!(until("what it was", || weight("kernel").filter(|weight| *weight == 7.0)), 7.0);
    let passes = metric(&socket, "ipvsd_passes_total{trigger=\"reload\",result=\"done\"}");
    assert_eq!(passes, Some(1.0));
}
