//! Clients do not notice edits.
//!
//! But for one that the kernel makes them notice, seen on 6.12 with two processors: a change of the scheduler takes the
//! old one away, waits until no processor uses it any more (`synchronize_rcu` in `ip_vs_edit_service`), and only then puts the new
//! one in. In between, for about 10 ms, new connections are refused. With one processor, as in User Mode Linux, there is nothing to
//! wait for. So schedulers are changed there only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;

use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::network::{Load, Network, Tally, VIP, real, request};
use crate::program::Program;

const EDITS: usize = 100;
const SERVERS: usize = 3;

/// What the edits play with.
struct Choice {
    /// Whether to change the scheduler as well, and not only its flags.
    schedulers: bool,
    scheduler: &'static str,
    flags: Vec<&'static str>,
    /// Weights, by server and address.
    destinations: BTreeMap<(usize, usize), u32>,
}

impl Choice {
    fn configuration(&self) -> String {
        let Self { schedulers: _, scheduler, flags, destinations } = self;
        let mut text = format!(
            "version = 1\n[daemon]\nresync = \"1h\"\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\n\
             scheduler = \"{scheduler}\"\nscheduler_flags = {flags:?}\n"
        );
        for ((server, address), weight) in destinations {
            let address = real(*server, *address);
            writeln!(text, "[[services.destinations]]\naddress = \"{address}\"\nweight = {weight}").unwrap();
        }
        text
    }

    /// The lines of `ipvsadm -Sn`, sorted.
    fn expectation(&self) -> Vec<String> {
        let Self { schedulers: _, scheduler, flags, destinations } = self;
        let flags = if flags.is_empty() { String::new() } else { format!(" -b {}", flags.join(",")) };
        let mut lines = vec![format!("-A -t {VIP} -s {scheduler}{flags}")];
        for ((server, address), weight) in destinations {
            lines.push(format!("-a -t {VIP} -r {} -m -w {weight}", real(*server, *address)));
        }
        lines.sort();
        lines
    }

    /// One random edit. Some destination has weight all the time.
    fn edit(&mut self, random: &mut Rng) {
        let keys: Vec<(usize, usize)> = self.destinations.keys().copied().collect();
        match random.u8(..10) {
            0..=1 if self.schedulers => {
                let schedulers = ["rr", "wrr", "lc", "wlc", "sed", "nq", "lblc", "lblcr", "dh", "ovf", "fo"];
                self.scheduler = schedulers[random.usize(..schedulers.len())];
                self.flags.clear();
            }
            2..=3 => {
                if self.schedulers {
                    self.scheduler = ["sh", "mh"][random.usize(..2)];
                }
                let names =
                    if self.scheduler == "sh" { ["sh-fallback", "sh-port"] } else { ["mh-fallback", "mh-port"] };
                self.flags = names.into_iter().filter(|_| random.bool()).collect();
            }
            4 if keys.len() < SERVERS * 9 => {
                let free = |key: &(usize, usize)| !self.destinations.contains_key(key);
                let key = std::iter::repeat_with(|| (random.usize(1..=SERVERS), random.usize(1..=9))).find(free);
                let weight = 1 + keys.len() as u32;
                self.destinations.insert(key.unwrap(), weight);
            }
            _ => {
                for _ in 0..=random.usize(..keys.len()) {
                    self.destinations.insert(keys[random.usize(..keys.len())], random.u32(..50));
                }
                if self.destinations.values().all(|weight| *weight == 0) {
                    self.destinations.insert(keys[0], 1);
                }
            }
        }
        // Hashing schedulers stick to a quiesced destination, unless told to fall back: its clients would be refused.
        let falls_back = self.flags.iter().any(|flag| flag.ends_with("-fallback"));
        let sticks = ["sh", "mh", "dh"].contains(&self.scheduler) && !falls_back;
        for weight in self.destinations.values_mut().filter(|weight| sticks && **weight == 0) {
            *weight = 1;
        }
    }
}

/// `ipvsadm -Sn`, sorted.
fn saved() -> Vec<String> {
    let mut lines: Vec<String> = ipvsadm(&["-Sn"], "").lines().map(|line| line.trim_end().to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn a_hundred_edits_lose_no_request() {
    let seed = std::env::var("IPVSD_TEST_SEED").ok().map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    println!("IPVSD_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);

    let _kernel = netns::enter();
    let network = Network::around_here(SERVERS);
    let program = Program::new();
    let destinations = (1..=SERVERS).map(|server| ((server, 1), 10)).collect();
    let schedulers = std::thread::available_parallelism().unwrap().get() == 1;
    let mut choice = Choice { schedulers, scheduler: "mh", flags: Vec::new(), destinations };
    program.write("ipvsd.toml", &choice.configuration());
    let mut daemon = Daemon::start(&program, "ipvsd.toml");
    assert_eq!(saved(), choice.expectation());

    let load = Load::start(&network.client, 4);
    for edit in 0..EDITS {
        let before = load.tally();
        let old = choice.configuration();
        while choice.configuration() == old {
            choice.edit(&mut random);
        }
        program.write("ipvsd.toml", &choice.configuration());
        daemon.change(&format!("edit {edit}"));
        let enough = |tally: &Tally| tally.answered > before.answered + 2 || tally.failed() > 0;
        load.wait("requests after an edit", enough);
        assert_eq!(load.tally().failed(), 0, "edit {edit}: {:?}\n{old}\n{}", load.tally(), choice.configuration());
        if edit % 20 == 19 {
            assert_eq!(saved(), choice.expectation(), "after edit {edit}");
        }
    }

    let tally = load.end();
    assert_eq!(tally.failed(), 0, "{tally:?}");
    assert!(tally.answered > 5 * EDITS && tally.exchanges > EDITS, "{tally:?}");
    println!("{} requests and {} exchanges, none failed", tally.answered, tally.exchanges);

    choice.scheduler = "wrr";
    choice.flags.clear();
    for ((server, address), weight) in &mut choice.destinations {
        *weight = if *address == 1 { *server as u32 } else { 0 };
    }
    program.write("ipvsd.toml", &choice.configuration());
    daemon.change("the weights 1, 2 and 3");
    let mut answers = BTreeMap::new();
    for server in network.client.run(|| (0..300).map(|_| request().unwrap()).collect::<Vec<_>>()) {
        *answers.entry(server).or_insert(0) += 1;
    }
    for (server, share) in [(1, 50), (2, 100), (3, 150)] {
        let got = answers.get(&server).copied().unwrap_or(0);
        assert!((share - 3..=share + 3).contains(&got), "the weights are 1, 2, 3; the answers {answers:?}");
    }

    // The control: had requests been lost, it would have been seen.
    let load = Load::start(&network.client, 4);
    load.wait("requests", |tally| tally.answered > 10 && tally.exchanges > 10);
    assert_eq!(load.tally().failed(), 0);
    ipvsadm(&["-C"], "");
    load.wait("failures", |tally| tally.failed_requests > 0 && tally.failed_exchanges == 4);
    load.end();
}
