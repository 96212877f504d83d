//! `via = "vip"`: a destination is up if a client would have been answered by it. Proven with packets.
//!
//! What the director needs for that (and for clients whose way back leads through it): answers carry the service's address,
//! which is its own as well, so the interface where they come in takes `accept_local = 1` and `rp_filter = 0`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::crowd::request;
use crate::daemon_process::Daemon;
use crate::frail::{Frail, Met};
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::{Host, Network, VIP};
use crate::oracle::{service_in, shown, shown_text, status_in, wait_shown, wait_weights};
use crate::program::Program;
use rustix::process::Signal;

const FILE: &str = "ipvsd.toml";
const WEB: &str = "-t 192.0.2.10:80";
/// Another service's address, which no server has.
const PLAIN: &str = "-t 192.0.2.11:80";
/// The first of ipvsd's marks.
const MARKS: u32 = 1_768_947_712;

fn at(server: usize) -> String {
    format!("10.2.0.{server}1:80")
}

/// Servers 1 and 2 by direct routing, 3 and 4 behind tunnels.
fn configuration(check: &str, services: &[&str]) -> String {
    let mut text = "version = 1\n[daemon]\nresync = \"1s\"\n\
                    [checks.through]\ninterval = \"400ms\"\ntimeout = \"350ms\"\nrise = 2\nfall = 2\nvia = \"vip\"\nhttp = {}\n\
                    [checks.plain]\ninterval = \"400ms\"\ntimeout = \"350ms\"\nrise = 2\nfall = 2\nhttp = {}\n"
        .to_owned();
    for name in services {
        let (address, check) = if *name == "web" { (VIP, check) } else { ("192.0.2.11:80", "plain") };
        text += &format!(
            "[[services]]\nname = \"{name}\"\naddress = \"tcp://{address}\"\nscheduler = \"rr\"\ncheck = \"{check}\"\n"
        );
        for (server, forward) in [(1, "dr"), (2, "dr"), (3, "tunnel"), (4, "tunnel")] {
            text += &format!("[[services.destinations]]\naddress = \"{}\"\nforward = \"{forward}\"\n", at(server));
        }
    }
    text
}

fn write(path: &str, value: &str) {
    fs::write(format!("/proc/sys/net/ipv4/conf/{path}"), value).unwrap();
}

/// The service's address of its own, as a server of direct routing or at the end of a tunnel has it.
fn has_vip(host: &Host, has: bool) {
    host.run(move || {
        let verb = if has { "add" } else { "delete" };
        ip_batch(&format!("address {verb} 192.0.2.10/32 dev lo\n"));
    });
}

struct Scene {
    network: Network,
    servers: Vec<Frail>,
}

impl Scene {
    /// Servers 1 and 3 have the service's address, 2 and 4 lack it.
    fn set() -> Self {
        // With its module there, each namespace that is made from now on has a tunl0.
        ip_batch("link add probe type ipip remote 10.2.0.99 local 10.2.0.1\nlink delete probe\n");
        let network = Network::around_here(4);
        for (path, value) in [("br0/accept_local", "1"), ("br0/rp_filter", "0"), ("all/rp_filter", "0")] {
            write(path, value);
        }
        for host in &network.servers {
            host.run(|| {
                write("all/arp_ignore", "1");
                write("all/arp_announce", "2");
                write("all/rp_filter", "0");
                ip_batch("link set lo up\nlink set tunl0 up\n");
                write("tunl0/rp_filter", "0");
            });
        }
        has_vip(&network.servers[0], true);
        has_vip(&network.servers[2], true);
        let start = |(host, number)| Frail::start(host, number, "0.0.0.0:80");
        let servers = network.servers.iter().zip(1..).map(start).collect();
        Self { network, servers }
    }

    /// Who answers so many requests; all of them are answered.
    fn answers(&self, count: usize) -> BTreeSet<usize> {
        let service: SocketAddr = VIP.parse().unwrap();
        let request = move || request(service, Duration::from_secs(5)).expect("all that have weight answer");
        self.network.client.run(move || (0..count).map(|_| request()).collect())
    }
}

/// The helper services in the kernel: destinations by mark.
fn helpers() -> BTreeMap<u32, String> {
    let saved = ipvsadm(&["-Sn"], "");
    let lines = saved.lines().filter_map(|line| line.strip_prefix("-a -f "));
    let helper = |line: &str| {
        let (mark, rest) = line.split_once(" -r ").unwrap();
        (mark.parse().unwrap(), rest.trim_end().to_owned())
    };
    lines.map(helper).filter(|(mark, _)| (MARKS..MARKS + 65_536).contains(mark)).collect()
}

fn with_weight(weights: &BTreeMap<String, u32>, expected: &[usize]) -> bool {
    let with: BTreeSet<&String> = weights.iter().filter(|(_, weight)| **weight > 0).map(|(at, _)| at).collect();
    let expected: BTreeSet<String> = expected.iter().map(|server| at(*server)).collect();
    with == expected.iter().collect()
}

#[test]
fn a_server_without_the_services_address_is_down_although_it_answers_on_its_own() {
    let _kernel = netns::enter();
    let scene = Scene::set();
    let program = Program::new();
    program.write(FILE, &configuration("through", &["web", "plain"]));
    let _daemon = Daemon::start(&program, FILE);
    wait_weights("those that have the address", WEB, |weights| with_weight(weights, &[1, 3]));
    wait_weights("all by the plain check", PLAIN, |weights| with_weight(weights, &[1, 2, 3, 4]));
    let are_down = |picture: &serde_json::Value| {
        [2, 4].iter().all(|server| {
            let status = status_in(picture, "web", &at(*server));
            let plain = status_in(picture, "plain", &at(*server));
            status["health"] == "down" && plain["health"] == "up"
        })
    };
    let picture = wait_shown(&program, FILE, "those without it", are_down);
    for server in [2, 4] {
        assert_eq!(status_in(&picture, "web", &at(server))["reason"], "http: no connection within 350ms");
    }
    assert_eq!(service_in(&picture, "web")["status"]["up"], 2);
    // Up means that clients are answered, and by those.
    assert_eq!(scene.answers(40), BTreeSet::from([1, 3]));
    assert!(scene.servers[1].count(Met::Check) > 0, "its own address does answer");
    assert_eq!(scene.servers[1].count(Met::Request) + scene.servers[3].count(Met::Request), 0);

    // One loses the address, the others get it.
    has_vip(&scene.network.servers[0], false);
    let lost = Instant::now();
    has_vip(&scene.network.servers[1], true);
    has_vip(&scene.network.servers[3], true);
    wait_weights("the changes", WEB, |weights| with_weight(weights, &[2, 3, 4]));
    println!("seen after {:?}", lost.elapsed());
    assert_eq!(scene.answers(60), BTreeSet::from([2, 3, 4]));
    wait_weights("the plain check", PLAIN, |weights| with_weight(weights, &[1, 2, 3, 4]));
}

/// Each check goes to the destination that it is for, and to no other, though all of them connect to the same address.
#[test]
fn helper_services_are_ipvsds_own() {
    let _kernel = netns::enter();
    let scene = Scene::set();
    let program = Program::new();
    ipvsadm(&["-A", "-f", "5", "-s", "rr"], "");
    program.write(FILE, &configuration("through", &["web"]));
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("those that have the address", WEB, |weights| with_weight(weights, &[1, 3]));
    let before = helpers();
    let led_to = |helpers: &BTreeMap<u32, String>| -> BTreeSet<String> {
        helpers.values().map(|rest| rest.split(' ').next().unwrap().to_owned()).collect()
    };
    let all: BTreeSet<String> = (1..=4).map(at).collect();
    assert_eq!((before.len(), led_to(&before)), (4, all), "{before:?}");
    let listed = ipvsadm(&["-Ln"], "");
    assert_eq!(listed.lines().filter(|line| line.starts_with("FWM  17689477")).count(), 4, "{listed}");

    // Kept out of what is shown, and counted.
    let text = shown_text(&program, FILE);
    assert!(!text.contains("fwmark:1768947712") && text.contains("fwmark:5"), "{text}");
    assert!(text.contains("4 helper services of checks not shown; --all shows them"), "{text}");
    let every = program.runs(FILE, &["show", "--all"], 0);
    for mark in before.keys() {
        assert!(every.contains(&format!("fwmark:{mark}")), "{mark}: {every}");
    }
    let picture = shown(&program, FILE);
    assert_eq!(picture["helpers"].as_array().unwrap().len(), 4);
    assert_eq!(picture["services"].as_array().unwrap().len(), 2, "{picture:#}");

    // A restart, gently or not, keeps the marks, and moves nothing.
    let table = || {
        let saved = ipvsadm(&["-Sn"], "");
        saved.lines().map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let saved = table();
    for signal in [Signal::TERM, Signal::KILL] {
        daemon.end(signal);
        assert_eq!(table(), saved, "after {signal:?}");
        daemon = Daemon::start(&program, FILE);
        assert_eq!(table(), saved, "after the start that followed {signal:?}");
        let checked = scene.servers[0].count(Met::Check);
        let begin = Instant::now();
        while scene.servers[0].count(Met::Check) < checked + 4 {
            assert!(begin.elapsed() < Duration::from_secs(20), "nobody checks any more");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(table(), saved, "some checks after {signal:?}");
    }
    assert_eq!(scene.answers(20), BTreeSet::from([1, 3]));

    // They go with the last check; what is somebody else's stays.
    program.write(FILE, &configuration("plain", &["web"]));
    daemon.pass("the other check", |line| line.text("why").contains("files"));
    let begin = Instant::now();
    while !helpers().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", helpers());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(ipvsadm(&["-Ln"], "").contains("FWM  5 "), "the mark 5 was not ours");
    let text = shown_text(&program, FILE);
    assert!(!text.contains("helper"), "{text}");
}
