//! Everybody who means harm at once, for as long as `IPVSD_HOSTILE_SECONDS` says: nothing is answered that should not be, memory and
//! descriptors come back, and what the checks find is in the kernel in its time all the while.

use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use super::daemon::{Daemon, Figures};
use super::harms::{Harm, PLAIN, TLS, ask};
use super::{TURN, may_have, request};

/// Nothing that is found takes so long to be in the kernel, whatever the machine.
const SOON: Duration = Duration::from_secs(20);
/// Threads beside the two that wait on sockets, for the disk and for keys: as many as `Runtime` allows each of the two. How many there
/// are is the scheduler's affair; each goes when nobody has had anything for it for ten seconds.
const BESIDE: u64 = 2 * 12;

fn seconds() -> u64 {
    std::env::var("IPVSD_HOSTILE_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5)
}

#[test]
fn everybody_at_once() {
    siege("plain", if seconds() > 60 { 2000 } else { 300 }, &PLAIN, seconds());
}

#[test]
fn everybody_at_once_over_tls() {
    siege("TLS", 10, &TLS, seconds().min(120));
}

fn siege(name: &str, services: u32, harms: &'static [(&'static str, Harm)], seconds: u64) {
    // What this process takes is another one's concern.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !may_have(12_000) {
        eprintln!("skipped: this process may not have enough files");
        return;
    }
    let daemon = Daemon::start(services, name == "TLS");
    let address = daemon.address;
    let told = |phase: &str, figures: Figures| {
        let mut flips = daemon.flips();
        flips.sort_unstable();
        let (median, longest) = (flips.get(flips.len() / 2).copied(), flips.last().copied());
        println!("{name}, {phase}: {figures:?}; {} flips, median {median:?}, longest {longest:?}", flips.len());
        longest
    };
    let quiet = Duration::from_secs(seconds.clamp(2, 15));
    thread::sleep(quiet);
    let before = daemon.figures();
    told("before", before);

    let until = Instant::now() + Duration::from_secs(seconds);
    let rounds: Vec<_> = harms
        .iter()
        .map(|(_, harm)| {
            thread::spawn(move || {
                let mut rounds = 0_u64;
                while Instant::now() < until {
                    harm(address, &|| Instant::now() < until);
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    let mut highest = before;
    let mut honest = (0, 0, Duration::ZERO);
    while Instant::now() < until {
        let now = daemon.figures();
        highest = Figures {
            resident: highest.resident.max(now.resident),
            files: highest.files.max(now.files),
            threads: highest.threads.max(now.threads),
            ..now
        };
        let asked = Instant::now();
        honest.0 += 1;
        if name == "plain" && ask(address, &request("GET", "/livez", b"")) == 200 {
            honest.1 += 1;
            honest.2 = honest.2.max(asked.elapsed());
        }
        thread::sleep(Duration::from_millis(500));
    }
    for ((what, _), thread) in harms.iter().zip(rounds) {
        println!("{name}: {what}: {} rounds", thread.join().expect(what));
    }
    let longest = told("meanwhile", highest);
    println!("{name}: of {} honest questions {} were answered, the slowest after {:?}", honest.0, honest.1, honest.2);

    // Whoever was there is gone when it is heard, at the latest, and so are the threads that worked for them.
    let has_settled = |now: Figures| now.files <= before.files + 20 && now.threads <= before.threads + 4;
    let settled = Instant::now();
    while !has_settled(daemon.figures()) && settled.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(200));
    }
    thread::sleep(quiet);
    let after = daemon.figures();
    let in_the_end = told("after", after);
    for longest in [longest, in_the_end] {
        assert!(longest.expect("the destination goes up and down") < SOON);
    }
    assert!(has_settled(after), "before {before:?}, after {after:?}");
    assert!(highest.threads <= before.threads + BESIDE, "before {before:?}, meanwhile {highest:?}");
    assert!(after.resident < before.resident + 100_000, "{after:?}");
    assert!(after.highest < before.resident + 500_000, "{after:?}");
    if name == "plain" {
        assert_eq!(ask(address, &request("GET", "/v1/status", b"")), 200);
    }
}
