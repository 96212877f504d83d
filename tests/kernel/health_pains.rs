//! What others' health checks did to their users, shown not to happen here: at a start, at a reload, with many services,
//! and GORB's own defects.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::crowd::{Crowd, answered};
use crate::daemon_process::Daemon;
use crate::frail::{Frail, Met, Mood};
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::{Load, Network, VIP};
use crate::oracle::{shown, status_in, wait_shown, wait_weights, weight, weights};
use crate::program::{Program, SOON};

const FILE: &str = "ipvsd.toml";
const WEB: &str = "-t 192.0.2.10:80";

/// Where a frail server listens.
fn at(server: usize) -> String {
    format!("10.2.0.{server}1:8081")
}

fn frail(network: &Network) -> Vec<Frail> {
    network.servers.iter().zip(1..).map(|(host, number)| Frail::start(host, number, "0.0.0.0:8081")).collect()
}

/// The head of a configuration, with one check. `timing` is more of it.
fn check(timing: &str, kind: &str) -> String {
    format!("version = 1\n[daemon]\nresync = \"1s\"\n[checks.web]\njitter = \"0%\"\n{timing}\n{kind}\n")
}

const FAST: &str = "interval = \"400ms\"\ntimeout = \"350ms\"\nrise = 2\nfall = 2";

fn service(name: &str, address: &str, keys: &str, servers: &[(usize, u32)]) -> String {
    let mut text = format!(
        "[[services]]\nname = \"{name}\"\naddress = \"tcp://{address}\"\nscheduler = \"wrr\"\ncheck = \"web\"\n{keys}\n"
    );
    for (server, weight) in servers {
        text += &format!("[[services.destinations]]\naddress = \"{}\"\nweight = {weight}\n", at(*server));
    }
    text
}

/// Waits for something that is not in the table.
#[track_caller]
fn until(what: &str, is_it: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_it() {
        assert!(begin.elapsed() < SOON / 2, "waited for {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Servers 1 and 2 have weight in the kernel, 3 has none, 4 and 5 are new; 2 and 5 are dead, as their checks will say. (They
/// answer clients, so that each client that is sent there is seen.)
#[test]
fn pain_17_at_the_start_only_those_that_had_weight_get_clients_and_the_new_ones_wait_for_their_check() {
    let _kernel = netns::enter();
    let network = Network::around_here(5);
    let servers = frail(&network);
    for dead in [1, 4] {
        servers[dead].become_(&network.servers[dead], Mood::Failing);
    }
    let mut table = format!("-A {WEB} -s wrr\n");
    for (server, weight) in [(1, 10), (2, 10), (3, 0)] {
        table += &format!("-a {WEB} -r {} -m -w {weight}\n", at(server));
    }
    ipvsadm(&["-R"], &table);
    let crowd = Crowd::start(&network.client, VIP);
    let begin = Instant::now();
    crowd.wait("answers", begin, |tries| answered(tries, 1) >= 10 && answered(tries, 2) >= 10);

    let program = Program::new();
    let timing = "interval = \"1s\"\ntimeout = \"900ms\"\nrise = 2\nfall = 2";
    let all = [(1, 10), (2, 10), (3, 10), (4, 10), (5, 10)];
    program.write(FILE, &(check(timing, "http = {}") + &service("web", VIP, "", &all)));
    let _daemon = Daemon::start(&program, FILE);
    let right = |weights: &BTreeMap<String, u32>| {
        all.map(|(server, _)| weights.get(&at(server)).copied()) == [Some(10), Some(0), Some(10), Some(10), Some(0)]
    };
    wait_weights("what the checks say", WEB, right);
    let settled = Instant::now();
    crowd.wait("answers of the three that are well", settled, |tries| {
        [1, 3, 4].iter().all(|server| answered(tries, *server) >= 20)
    });
    assert!(crowd.since(settled).iter().all(|one| !one.was_for(2)), "the dead one got clients");
    let tries = crowd.end();
    let failed: Vec<_> = tries.iter().filter(|one| one.answer.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");

    // What the servers have met, in their order.
    let first = |server: usize, what| servers[server - 1].times_of(what).first().copied();
    assert_eq!(servers[4].count(Met::Request), 0, "new and dead: it never gets a client");
    assert!(servers[4].count(Met::Check) > 0);
    assert!(first(4, Met::Check).unwrap() < first(4, Met::Request).unwrap(), "new and well: first the check");
    let checks = servers[2].times_of(Met::Check);
    assert!(checks[1] < first(3, Met::Request).unwrap(), "without weight: it has to rise");
    let in_doubt = servers[1].times_of(Met::Request);
    assert!(in_doubt.last().unwrap() > &servers[1].times_of(Met::Check)[0], "with weight: up until it has fallen");
}

#[test]
fn pain_17_a_restart_is_no_outage_and_moves_no_weight() {
    let _kernel = netns::enter();
    let network = Network::around_here(3);
    let servers = frail(&network);
    let program = Program::new();
    let all = [(1, 10), (2, 10), (3, 10)];
    program.write(FILE, &(check(FAST, "http = {}") + &service("web", VIP, "", &all)));
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("all up", WEB, |weights| weights.values().all(|weight| *weight == 10));
    servers[2].become_(&network.servers[2], Mood::Failing);
    wait_weights("one down", WEB, |weights| weights[&at(3)] == 0);
    let saved = weights(WEB);
    let load = Load::start(&network.client, 3);
    for signal in [Signal::KILL, Signal::TERM] {
        daemon.end(signal);
        assert_eq!(weights(WEB), saved);
        daemon = Daemon::start(&program, FILE);
        assert_eq!(weights(WEB), saved, "after the start");
        let (before, answered) =
            ([0, 1, 2].map(|server: usize| servers[server].count(Met::Check)), load.tally().answered);
        until("checks", || {
            assert_eq!(weights(WEB), saved, "as the checks begin");
            (0..3).all(|server| servers[server].count(Met::Check) >= before[server] + 4)
        });
        load.wait("requests", |tally| tally.answered > answered + 50);
    }
    let tally = load.end();
    assert_eq!(tally.failed(), 0, "{tally:?}");
    let picture = shown(&program, FILE);
    assert_eq!(status_in(&picture, "web", &at(3))["reason"], "http: status 500, expected 200-299");
}

#[test]
fn a_restart_with_a_file_that_has_lost_most_of_it_goes_on_with_what_was_in_force() {
    let _kernel = netns::enter();
    let network = Network::around_here(3);
    let servers = frail(&network);
    let program = Program::new();
    program.write(FILE, &(check(FAST, "http = {}") + &service("web", VIP, "", &[(1, 10), (2, 10), (3, 10)])));
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("all up", WEB, |weights| weights.values().all(|weight| *weight == 10));
    let load = Load::start(&network.client, 3);
    daemon.end(Signal::TERM);
    program.write(FILE, &(check(FAST, "http = {}") + &service("other", "192.0.2.10:81", "", &[(1, 10)])));
    daemon = Daemon::start(&program, FILE);
    servers[2].become_(&network.servers[2], Mood::Failing);
    wait_weights("one down", WEB, |weights| weights.len() == 3 && weights[&at(3)] == 0);
    daemon.wait("what is wrong", |line| line.message().contains("more than max_delete"));
    assert!(!ipvsadm(&["-Sn"], "").contains("192.0.2.10:81"), "half of the new one is in force");
    servers[2].become_(&network.servers[2], Mood::Well);
    wait_weights("it is up again", WEB, |weights| weights[&at(3)] == 10);
    program.write(FILE, &(check(FAST, "http = {}") + &service("web", VIP, "", &[(1, 10), (2, 10)])));
    wait_weights("what was mended", WEB, |weights| weights[&at(3)] == 0);
    let tally = load.end();
    assert_eq!(tally.failed(), 0, "{tally:?}");
}

#[test]
fn pain_18_many_services_with_the_same_server_and_check_share_one_run() {
    const SERVICES: usize = 20;
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let servers = frail(&network);
    let program = Program::new();
    let timing = "interval = \"500ms\"\ntimeout = \"450ms\"\nrise = 1\nfall = 2";
    let name = |number: usize| format!("web{number}");
    let mut text = check(timing, "http = {}");
    for number in 0..SERVICES {
        text += &service(&name(number), &format!("192.0.2.10:{}", 1000 + number), "", &[(1, 10), (2, 10)]);
    }
    program.write(FILE, &text);
    let _daemon = Daemon::start(&program, FILE);
    let key = |number: usize| format!("-t 192.0.2.10:{}", 1000 + number);
    for number in 0..SERVICES {
        wait_weights("all up", &key(number), |weights| {
            weights.len() == 2 && weights.values().all(|weight| *weight == 10)
        });
    }
    // As many as intervals begin in it, and one more; not twenty times that.
    let (before, from) = (servers[0].count(Met::Check), Instant::now());
    until("some checks", || servers[0].count(Met::Check) >= before + 10);
    let took = from.elapsed();
    let ran = servers[0].count(Met::Check) - before;
    let most = (took.as_millis() / 500 + 2) as usize;
    println!("{ran} runs in {took:?} for {SERVICES} services");
    assert!(ran <= most, "{ran} runs in {took:?}, not {most}");
    // And it speaks for all of them.
    servers[0].become_(&network.servers[0], Mood::Failing);
    for number in 0..SERVICES {
        wait_weights("down everywhere", &key(number), |weights| weights[&at(1)] == 0 && weights[&at(2)] == 10);
    }
}

#[test]
fn pain_15_a_reload_keeps_what_checks_know_and_their_schedule() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let servers = frail(&network);
    let program = Program::new();
    let timing = "interval = \"1s\"\ntimeout = \"900ms\"\nrise = 2\nfall = 2";
    let configuration = |other: u32| {
        check(timing, "http = {}")
            + &service("web", VIP, "initial = \"up\"", &[(1, 10), (2, 10)])
            + &format!(
                "[[services]]\nname = \"other\"\naddress = \"tcp://192.0.2.10:81\"\nscheduler = \"rr\"\n\
                 [[services.destinations]]\naddress = \"10.2.0.31:81\"\nweight = {other}\n"
            )
    };
    program.write(FILE, &configuration(1));
    let mut daemon = Daemon::start(&program, FILE);
    servers[1].become_(&network.servers[1], Mood::Failing);
    wait_weights("one down", WEB, |weights| weights[&at(2)] == 0);
    let saved = weights(WEB);
    // In whole seconds, each time counted back from now.
    let since = || status_in(&shown(&program, FILE), "web", &at(2))["since"].as_u64().unwrap();
    let down_since = since();

    let counts = || [0, 1].map(|server: usize| servers[server].count(Met::Check));
    let (reloads, first) = (2..10, counts());
    for other in reloads {
        let before = counts();
        program.write(FILE, &configuration(other));
        daemon.change("a reload");
        assert_eq!(weights(WEB), saved, "after reload {other}");
        until("checks after a reload", || counts().iter().zip(before).all(|(now, before)| *now > before));
        assert_eq!(weights(WEB), saved, "some checks after reload {other}");
    }
    for (server, first) in servers.iter().zip(first) {
        // Each begins whole intervals after the last one before the reloads, as far as this machine is in time.
        let times = server.times_of(Met::Check).split_off(first - 1);
        let after: Vec<f64> = times.iter().map(|at| at.duration_since(times[0]).as_secs_f64()).collect();
        println!("checks began after {after:.2?}");
        assert!(after.iter().all(|after| (after - after.round()).abs() < 0.3), "{after:?}");
        assert!(after.windows(2).all(|pair| pair[1] - pair[0] > 0.5), "a burst: {after:?}");
    }
    assert!(since().abs_diff(down_since) <= 1, "down since before the reloads");
    // A changed check starts over, and what it is about keeps its health until that has spoken.
    let text = configuration(12).replace("interval = \"1s\"", "interval = \"2s\"");
    program.write(FILE, &text);
    daemon.change("a changed check");
    assert_eq!(weights(WEB), saved);
    let checked = servers[0].count(Met::Check);
    until("the changed check", || servers[0].count(Met::Check) > checked + 1);
    assert_eq!(weights(WEB), saved);
    // It still is the check's word that counts.
    servers[1].become_(&network.servers[1], Mood::Well);
    wait_weights("both up", WEB, |weights| weights.values().all(|weight| *weight == 10));
}

/// GORB put no brackets around the addresses that it checked: no IPv6 server was ever up.
#[test]
fn gorb_ipv6_destinations_that_are_well_get_clients() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    ip_batch(
        "address add 2001:db8::10/128 dev lo\naddress add fd01::1/64 dev c0 nodad\naddress add fd02::1/64 dev br0 nodad\n",
    );
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    network.client.run(|| ip_batch("address add fd01::2/64 dev eth0 nodad\nroute add default via fd01::1\n"));
    let mut servers = Vec::new();
    for (host, number) in network.servers.iter().zip(1..) {
        host.run(move || {
            ip_batch(&format!("address add fd02::{number}1/64 dev eth0 nodad\nroute add default via fd02::1\n"));
        });
        servers.push(Frail::start(host, number, "[::]:8081"));
    }
    let program = Program::new();
    let text = format!(
        "{}[checks.port]\n{FAST}\ntcp = {{}}\n[[services]]\nname = \"web\"\naddress = \"tcp://[2001:db8::10]:80\"\n\
         scheduler = \"rr\"\n[[services.destinations]]\naddress = \"[fd02::11]:8081\"\ncheck = \"web\"\n\
         [[services.destinations]]\naddress = \"[fd02::21]:8081\"\ncheck = \"port\"\n",
        check(FAST, "http = {}")
    );
    program.write(FILE, &text);
    let _daemon = Daemon::start(&program, FILE);
    const SIX: &str = "-t [2001:db8::10]:80";
    wait_weights("both up", SIX, |weights| weights.len() == 2 && weights.values().all(|weight| *weight > 0));
    let crowd = Crowd::start(&network.client, "[2001:db8::10]:80");
    let begin = Instant::now();
    crowd.wait("answers of both", begin, |tries| answered(tries, 1) >= 10 && answered(tries, 2) >= 10);
    assert!(crowd.end().iter().all(|one| one.answer.is_ok()));
    assert!(servers[0].count(Met::Check) > 0 && servers[1].count(Met::Bare) > 0);
    for (host, server) in network.servers.iter().zip(&servers) {
        server.become_(host, Mood::Gone);
    }
    wait_weights("both down", SIX, |weights| weights.values().all(|weight| *weight == 0));
    let picture =
        wait_shown(&program, FILE, "both down", |shown| status_in(shown, "web", "[fd02::21]:8081")["health"] == "down");
    assert_eq!(status_in(&picture, "web", "[fd02::21]:8081")["reason"], "tcp: connection refused");
}

/// GORB followed redirects, and so never saw the 301 that it was told to expect.
#[test]
fn gorb_an_expected_301_is_up() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let servers = frail(&network);
    servers[0].become_(&network.servers[0], Mood::Moved);
    let program = Program::new();
    let kind = "http = { status = 301, location = \"elsewhere.example\" }";
    program.write(FILE, &(check(FAST, kind) + &service("web", VIP, "", &[(1, 10), (2, 10)])));
    let _daemon = Daemon::start(&program, FILE);
    wait_weights("the one that redirects", WEB, |weights| weights.get(&at(1)) == Some(&10));
    wait_shown(&program, FILE, "the other", |shown| {
        status_in(shown, "web", &at(2))["reason"] == "http: status 200, expected 301"
    });
    let crowd = Crowd::start(&network.client, VIP);
    crowd.wait("answers", Instant::now(), |tries| answered(tries, 1) >= 20);
    assert!(crowd.end().iter().all(|one| one.answer == Ok(1)));
}

/// gorb #47: with weight 1 a server that recovered stayed at int(1 × 0.99) = 0 for 100 intervals.
#[test]
fn gorb_weight_1_never_rounds_to_0_on_the_way_up() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let servers = frail(&network);
    let program = Program::new();
    let keys = "initial = \"up\"\nslow_start = \"3s\"";
    program.write(FILE, &(check(FAST, "http = {}") + &service("web", VIP, keys, &[(1, 1), (2, 1)])));
    let mut daemon = Daemon::start(&program, FILE);
    servers[0].become_(&network.servers[0], Mood::Failing);
    wait_weights("it down", WEB, |weights| weights[&at(1)] == 0);
    servers[0].become_(&network.servers[0], Mood::Well);
    daemon.wait("it up", |line| line.message().ends_with(" is up"));
    let up = Instant::now();
    while up.elapsed() < Duration::from_secs(4) {
        assert_eq!(weight(WEB, &at(1)), Some(1), "{:?} after it came up", up.elapsed());
        sleep(Duration::from_millis(50));
    }
    let crowd = Crowd::start(&network.client, VIP);
    crowd.wait("answers of both", up, |tries| answered(tries, 1) >= 10 && answered(tries, 2) >= 10);
    crowd.end();
}

/// GORB left a server that went down in the middle of its recovery at the weight that it had got to.
#[test]
fn gorb_what_flaps_in_mid_recovery_has_weight_0_while_it_is_down() {
    let _kernel = netns::enter();
    let network = Network::around_here(2);
    let servers = frail(&network);
    let program = Program::new();
    let keys = "initial = \"up\"\nslow_start = \"20s\"";
    program.write(FILE, &(check(FAST, "http = {}") + &service("web", VIP, keys, &[(1, 100), (2, 100)])));
    let _daemon = Daemon::start(&program, FILE);
    let crowd = Crowd::start(&network.client, VIP);
    for round in 0..3 {
        let failing = Instant::now();
        servers[0].become_(&network.servers[0], Mood::Failing);
        wait_weights("it down", WEB, |weights| weights[&at(1)] == 0);
        // Long before the end of the ramp.
        assert!(failing.elapsed() < Duration::from_secs(6), "round {round}: down after {:?}", failing.elapsed());
        let (down, checked) = (Instant::now(), servers[0].count(Met::Check));
        until("checks while it is down", || {
            assert_eq!(weight(WEB, &at(1)), Some(0), "round {round}, {:?} after it went down", down.elapsed());
            servers[0].count(Met::Check) >= checked + 5
        });
        crowd.wait("answers of the other", down, |tries| answered(tries, 2) >= 20);
        let misled: Vec<_> = crowd.since(down).into_iter().filter(|one| one.was_for(1)).collect();
        assert!(misled.is_empty(), "round {round}: {misled:?}");
        servers[0].become_(&network.servers[0], Mood::Well);
        wait_weights("the middle of its recovery", WEB, |weights| (5..60).contains(&weights[&at(1)]));
    }
    crowd.end();
}
