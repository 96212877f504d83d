//! Probes against servers on the loopback, good and bad ones, each in the test that needs it.

mod connect;
mod dns;
mod gorb;
mod grpc;
mod http;
mod https;
mod leaks;
mod servers;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Job, run};
use crate::model::{Check, Http, Match, Probe, StatusSet, Timing, Via};

/// Long enough for a busy machine; nothing that goes well waits for it.
const LONG: Duration = Duration::from_secs(20);

/// For what is to run out of time.
const SHORT: Duration = Duration::from_millis(200);

fn job(address: SocketAddr, probe: Probe, timeout: Duration) -> Job {
    let timing = Timing {
        interval: timeout,
        timeout,
        rise: 1,
        fall: 1,
        jitter: 0,
        fast_interval: None,
        down_interval: None,
        down_after: Duration::ZERO,
    };
    let check = Check { probe, timing, address: None, port: None, via: Via::Destination, flap: None };
    Job { check: Arc::new(check), address, mark: None, destination: address.ip(), exec: None }
}

async fn checked(address: SocketAddr, probe: Probe) -> Result<(), String> {
    run(&job(address, probe, LONG)).await
}

async fn checked_briefly(address: SocketAddr, probe: Probe) -> Result<(), String> {
    run(&job(address, probe, SHORT)).await
}

fn failed(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

fn contains(text: &str) -> Option<Match> {
    Some(Match::Contains(text.as_bytes().to_vec()))
}

fn matches(pattern: &str) -> Option<Match> {
    Some(Match::Regex(pattern.to_owned()))
}

fn tcp(send: Option<&str>, expect: Option<Match>) -> Probe {
    Probe::Tcp { send: send.map(|text| text.as_bytes().to_vec()), expect }
}

/// GET /, 200-299.
fn get() -> Http {
    Http {
        tls: None,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        host: None,
        headers: Vec::new(),
        status: StatusSet(vec![(200, 299)]),
        body: None,
        location: None,
    }
}

#[test]
fn a_run_can_be_spawned_and_is_small_enough_for_ten_thousand() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let job = job(SocketAddr::from(([127, 0, 0, 1], 1)), Probe::None, LONG);
    let size = size_of_val(&is_send(run(&job)));
    assert!(size < 2048, "{size} bytes");
}

#[tokio::test]
async fn none_is_up() {
    let address = servers::closed_port();
    assert_eq!(checked(address, Probe::None).await, Ok(()));
}
