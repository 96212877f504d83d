//! What is left of checks that fail. Descriptors belong to the process, so a process of its own counts them.

use std::process::Command;
use std::time::Duration;

use super::servers::{self, NO_SOCKETS, closed_port, sockets_towards};
use super::{contains, get, job, run, tcp};
use crate::model::{Dns, DnsRecord, DnsTransport, Grpc, Http, Probe, Tls};

#[test]
fn failing_checks_leave_no_descriptor_and_nothing_in_time_wait() {
    let this = std::env::current_exe().unwrap();
    let counted = "health::probe::tests::leaks::counted";
    let output = Command::new(this).args(["--exact", counted, "--ignored", "--test-threads=1"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
#[ignore = "run by the test above, alone in its process"]
async fn counted() {
    let hanging = servers::hanging().await;
    let resetting = servers::resetting().await;
    let resetting_late = servers::resetting_after_request().await;
    let closing = servers::closing_after(b"").await;
    let (refusing, _) = servers::answering("HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nsorry").await;
    let silent = tokio::net::UdpSocket::bind((servers::V4, 0)).await.unwrap();
    let silent = (silent.local_addr().unwrap(), silent).0;
    let https = Probe::Http(Http { tls: Some(Tls { insecure: true, ..Tls::default() }), ..get() });
    let dns =
        |transport| Probe::Dns(Dns { transport, name: ".".to_owned(), record: DnsRecord::Soa, rcode: 0, answer: None });
    let probes = [
        tcp(Some("\r\n\r\n"), contains("never")),
        Probe::Http(get()),
        https,
        Probe::Grpc(Grpc { tls: None, service: String::new() }),
        dns(DnsTransport::Tcp),
        dns(DnsTransport::Udp),
        Probe::Udp { send: vec![1], expect: None, silence_is_up: false },
    ];
    let addresses = [hanging, resetting, resetting_late, closing, refusing, closed_port(), silent];
    let once = async || {
        for address in addresses {
            for probe in &probes {
                let result = run(&job(address, probe.clone(), Duration::from_millis(5))).await;
                assert!(result.is_err(), "{address} {probe:?}");
            }
        }
    };
    once().await;
    settle().await;
    let before = descriptors();
    for _ in 0..6 {
        once().await;
    }
    settle().await;
    let after = descriptors();
    assert_eq!(before, after, "after {} checks", 6 * addresses.len() * probes.len());
    for address in [hanging, resetting, resetting_late, refusing] {
        assert_eq!(sockets_towards(address), NO_SOCKETS, "{address}");
    }
}

/// The servers of this process close theirs when they have seen that the checks did.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}
