//! A real server dies, in four ways, under clients that never pause.
//!
//! What is promised: no new connection goes there later than `fall` × `interval` + 1 s after it died. Where a failure only shows
//! after the check's timeout (nobody answers), that comes on top: the last of the `fall` runs begins within `fall` × `interval`.

#![allow(clippy::print_stdout, reason = "what was measured is shown beside a failure")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{FILE, WEB, at, frail, service};
use crate::crowd::{Crowd, answered, share};
use crate::daemon_process::Daemon;
use crate::frail::{Frail, Mood};
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::{Host, Long, Network, VIP};
use crate::oracle::{service_in, shown, status_in, wait_weights};
use crate::program::Program;
use crate::table::Table;

const INTERVAL: Duration = Duration::from_millis(400);
const TIMEOUT: Duration = Duration::from_millis(350);
const FALL: u32 = 2;
const RAMP: Duration = Duration::from_secs(4);
/// The one that dies.
const DEAD: usize = 1;

fn configuration() -> String {
    let checks =
        "[checks.web]\ninterval = \"400ms\"\ntimeout = \"350ms\"\nrise = 2\nfall = 2\njitter = \"0%\"\nhttp = {}\n";
    let keys = "check = \"web\"\ninitial = \"up\"\nslow_start = \"4s\"";
    format!("version = 1\n[daemon]\nresync = \"1s\"\n{checks}{}", service("web", keys, &[1, 2, 3]))
}

/// What is done to a server.
type Turn = fn(&Host, &Frail);

/// One way to die.
struct Death {
    strike: Turn,
    revive: Turn,
    /// The failure shows at once, and not after the check's timeout.
    at_once: bool,
    /// The connections that stand are still served.
    serves_on: bool,
    /// What `show` says of it, one of these.
    reasons: &'static [&'static str],
}

fn dies(death: &Death) {
    let _kernel = netns::enter();
    let network = Network::around_here(3);
    let servers = frail(&network);
    let program = Program::new();
    program.write(FILE, &configuration());
    let mut daemon = Daemon::start(&program, FILE);
    let mut long: Vec<Long> = network.client.run(|| (0..6).map(|_| Long::open().unwrap()).collect());
    let crowd = Crowd::hasty(&network.client, VIP);
    let begin = Instant::now();
    let everybody = |tries: &[_]| [1, 2, 3].iter().all(|server| answered(tries, *server) >= 20);
    crowd.wait("answers of all servers", begin, everybody);
    assert_eq!(crowd.since(begin).iter().filter(|one| one.answer.is_err()).count(), 0);

    // It dies.
    let died = Instant::now();
    (death.strike)(&network.servers[0], &servers[0]);
    wait_weights("weight 0 for the dead one", WEB, |weights| weights[&at(DEAD)] == 0);
    let quiesced = Instant::now();
    crowd.wait("answers after that", quiesced, |tries| answered(tries, 2) >= 50 && answered(tries, 3) >= 50);
    let misled: Vec<_> = crowd.since(died).into_iter().filter(|one| one.was_for(DEAD)).collect();
    assert!(!misled.is_empty(), "it did die, with clients that were sent there");
    let last = misled.iter().map(|one| one.at - died).max().unwrap();
    let bound = FALL * INTERVAL + Duration::from_secs(1) + if death.at_once { Duration::ZERO } else { TIMEOUT };
    println!("{} connections went to the dead one, the last after {last:?} of {bound:?}", misled.len());
    assert!(last <= bound, "sent there {last:?} after its death: {:?}", misled.last());

    // What it says of that.
    let picture = shown(&program, FILE);
    let status = status_in(&picture, "web", &at(DEAD));
    assert_eq!((&status["health"], &status["effective"]), (&"down".into(), &0.into()), "{status}");
    let reason = status["reason"].as_str().unwrap();
    assert!(death.reasons.iter().any(|known| reason.starts_with(known)), "{reason}");
    assert_eq!(service_in(&picture, "web")["status"]["up"], 2);
    let line = daemon.wait("the log", |line| line.message().contains(" is down: "));
    assert!(line.level() == "WARN" && line.message().starts_with(&at(DEAD)), "{line}");

    // Its connections stand, and are served if it serves them.
    let to_dead = |line: &&str| line.contains(&at(DEAD)) && line.contains("ESTABLISHED");
    assert!(ipvsadm(&["-Lcn"], "").lines().filter(to_dead).count() >= 2, "the kernel has forgotten them");
    if death.serves_on {
        long = exchange(&network.client, long);
    }

    // It comes back, softly. A machine that stands still for a moment is no failure of its.
    crowd.calm();
    (death.revive)(&network.servers[0], &servers[0]);
    ramps(&crowd);
    // Those that were cut off meanwhile have lost nothing.
    exchange(&network.client, long);
    daemon.wait("the log", |line| line.message().starts_with(&at(DEAD)) && line.message().ends_with(" is up"));
    let all = crowd.end();
    println!("{} connections in all", all.len());
}

/// Each of them goes there and back again.
fn exchange(client: &Host, mut long: Vec<Long>) -> Vec<Long> {
    client.run(move || {
        for connection in &mut long {
            connection.exchange().expect("a connection from before");
        }
        long
    })
}

/// The one that was dead gets its share again: along a ramp, without a step back, never 0.
fn ramps(crowd: &Crowd) {
    let begin = Instant::now();
    let mut last = 0;
    let mut up = None;
    // While it was no more than 4 for sure, and from 5 to 9. Without a process for each look, which the crowd would hold up.
    let (mut few, mut some) = (begin, None);
    while last < 10 {
        let asked = Instant::now();
        let now = Table::read().weight(&format!("tcp {VIP}"), &at(DEAD)).unwrap();
        let seen = Instant::now();
        assert!(now >= last, "the weight went from {last} to {now} on the way up");
        match now {
            1..=4 => few = asked,
            5..=9 => some = Some((some.map_or(seen, |(from, _)| from), asked)),
            _ => {}
        }
        if now > 0 && up.is_none() {
            println!("up with weight {now}, {:?} after it came back", begin.elapsed());
            assert!(now < 5, "no ramp: weight {now}");
            up = Some(Instant::now());
        }
        last = now;
        assert!(begin.elapsed() < Duration::from_secs(20), "the weight is {now} still");
        sleep(Duration::from_millis(20));
    }
    let (up, full) = (up.unwrap(), Instant::now());
    // What is more is this machine's, which has one processor for all of them.
    assert!(full - up <= 2 * RAMP, "a ramp of {RAMP:?} took {:?}", full - up);
    crowd.wait("answers at full weight", full, |tries| tries.len() >= 300);
    let windows = [(up, few), some.expect("it was seen half way"), (full, Instant::now())];
    let shares = windows.map(|(from, to)| share(&crowd.between(from, to), DEAD));
    println!("its share on the ramp: {shares:?}");
    assert!(shares[0] > 0.0 && shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
    assert!(shares[0] < 0.2 && (0.28..0.39).contains(&shares[2]), "{shares:?}");
    let failed: Vec<_> = crowd.since(up).into_iter().filter(|one| one.answer.is_err()).collect();
    assert!(failed.is_empty(), "after it was up: {failed:?}");
}

/// To fall into a mood, and to be well again.
fn mood(mood: Mood) -> (Turn, Turn) {
    let strike: Turn = match mood {
        Mood::Gone => |host, server| server.become_(host, Mood::Gone),
        Mood::Failing => |host, server| server.become_(host, Mood::Failing),
        Mood::Hanging => |host, server| server.become_(host, Mood::Hanging),
        Mood::Well | Mood::Moved => unreachable!(),
    };
    (strike, |host, server| server.become_(host, Mood::Well))
}

/// The process is gone, and with it the listener. (Its connections are another process's here, as of a server that restarts.)
#[test]
fn a_server_whose_process_dies_gets_no_new_clients() {
    let (strike, revive) = mood(Mood::Gone);
    dies(&Death { strike, revive, at_once: true, serves_on: true, reasons: &["http: connection refused"] });
}

#[test]
fn a_server_that_is_cut_off_gets_no_new_clients() {
    dies(&Death {
        strike: |_, _| ip_batch("link set s1 down\n"),
        revive: |_, _| ip_batch("link set s1 up\n"),
        at_once: false,
        serves_on: false,
        reasons: &["http: no connection within 350ms", "http: no route to host"],
    });
}

#[test]
fn a_server_that_answers_500_gets_no_new_clients_and_keeps_its_old_ones() {
    let (strike, revive) = mood(Mood::Failing);
    let reasons = &["http: status 500, expected 200-299"];
    dies(&Death { strike, revive, at_once: true, serves_on: true, reasons });
}

#[test]
fn a_server_that_accepts_and_hangs_gets_no_new_clients() {
    let (strike, revive) = mood(Mood::Hanging);
    let reasons = &["http: no answer within 350ms (connected, sent the request)"];
    dies(&Death { strike, revive, at_once: false, serves_on: true, reasons });
}
