//! What was checked and is not any more leaves nothing behind. A test of its own: it counts what the process holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ipvsd::health::Engine;
use ipvsd::model::{Check, Checks, DestinationKey, Health, NamedCheck, Pass, Probe, Timing, Via};
use ipvsd::reconcile::{Assignment, Assignments, Checker};

/// Longer than any of this takes; a test that hits it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn until(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

fn all_up(engine: &Engine) -> bool {
    engine.verdicts().destinations.values().all(|verdict| verdict.health == Health::Up)
}

/// So many targets, all of which go to one address: each has a check of its own.
fn targets(count: u64, address: SocketAddr) -> Assignments {
    let assignment = |index| {
        let timing = Timing {
            interval: Duration::from_millis(500),
            timeout: Duration::from_millis(500),
            rise: 1,
            fall: 3,
            jitter: 10,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(index),
        };
        let probe = Probe::Tcp { send: None, expect: None };
        let port = Some(address.port());
        let check = Check { probe, timing, address: Some(address.ip()), port, via: Via::Destination, flap: None };
        let list = vec![NamedCheck { name: "web".to_owned(), check }];
        let checks = Arc::new(Checks { pass: Pass::All, list });
        Assignment { name: "web".to_owned(), checks, seed: Health::Unknown, mark: None }
    };
    let key = |index| {
        let [.., a, b] = u64::to_be_bytes(index);
        ("tcp://192.0.2.1:80".parse().unwrap(), DestinationKey { address: [10, 0, a, b].into(), port: 80 })
    };
    (0..count).map(|index| (key(index), assignment(index))).collect()
}

#[test]
fn a_thousand_targets_leave_nothing_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (done, server) = (Arc::new(AtomicBool::new(false)), listener.try_clone().unwrap());
    let enough = done.clone();
    let server = std::thread::spawn(move || while server.accept().is_ok() && !enough.load(Ordering::SeqCst) {});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let metrics = runtime.metrics();
    let before = descriptors();

    let (mut engine, runner) = Engine::new(|_| {}, 100);
    let runs = std::thread::spawn(move || {
        runtime.block_on(runner.run());
        runtime
    });
    for _ in 0..3 {
        engine.assign(&targets(1000, address));
        until("all are up", || all_up(&engine));
        for _ in 0..20 {
            engine.assign(&targets(1000, address));
        }
        assert!(all_up(&engine), "the same again changes nothing");
        assert_eq!(engine.meter().targets, 1000);
        engine.assign(&targets(10, address));
        assert_eq!(engine.verdicts().destinations.len(), 10);
        engine.assign(&Assignments::new());
        assert_eq!(engine.meter().targets, 0);
        until("no run is left", || engine.meter().in_flight == 0);
        until("no task is left", || metrics.num_alive_tasks() == 0);
        until("no descriptor is left", || descriptors() <= before);
    }
    assert!(engine.meter().max_in_flight <= 100);

    // In the midst of it, the runner ends with its engine.
    let runs_before = engine.meter().runs;
    engine.assign(&targets(1000, address));
    until("some run", || engine.meter().runs > runs_before);
    drop(engine);
    let runtime = runs.join().unwrap();
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    assert_eq!(descriptors(), before);

    done.store(true, Ordering::SeqCst);
    std::net::TcpStream::connect(address).unwrap();
    server.join().unwrap();
}
