//! All of ten destinations are replaced, one after another, and no client notices.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use crate::daemon_process::Daemon;
use crate::netns;
use crate::network::{Network, VIP};
use crate::program::Program;
use crate::sessions::{Server, Traffic, last};
use crate::table::{self, Table};

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "tcp 192.0.2.10:80";
/// How long a connection lives.
const LIFE: Duration = Duration::from_secs(20);
/// The kernel forgets a connection that was reset so long after it.
const CLOSED: Duration = Duration::from_secs(10);

/// The ten before, or the ten after.
fn generation(generation: usize) -> Vec<String> {
    let at = |server: usize, address: usize| format!("10.2.0.{}:9000", server * 10 + address);
    (0..10).map(|number| at(2 * generation + 1 + number / 5, number % 5 + 1)).collect()
}

fn configuration(drain: &str, destinations: &[String]) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\nresync = \"1h\"\n[checks.port]\ntcp = {{}}\ninterval = \"500ms\"\ntimeout = \"400ms\"\n\
         rise = 1\nfall = 3\n[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"wrr\"\ncheck = \"port\"\n\
         drain = \"{drain}\"\n"
    );
    for address in destinations {
        writeln!(text, "[[services.destinations]]\naddress = \"{address}\"").unwrap();
    }
    text
}

/// Puts `new` in the place of `old`, and waits until the one is quiesced or gone, and the other gets requests.
fn replace(program: &Program, traffic: &Traffic, drain: &str, all: &mut [String], (old, new): (&str, &str)) {
    let answered = traffic.tally().answered.get(&last(new)).copied().unwrap_or(0);
    for address in all.iter_mut().filter(|address| *address == old) {
        new.clone_into(address);
    }
    program.write(FILE, &configuration(drain, all));
    table::wait(&format!("{new} for {old}"), Duration::from_secs(5), |table| {
        table.weight(SERVICE, old).is_none_or(|weight| weight == 0) && table.weight(SERVICE, new) == Some(100)
    });
    traffic.wait("a request at the new one", |tally| {
        tally.answered.get(&last(new)).copied().unwrap_or(0) > answered || !tally.failed.is_empty()
    });
}

#[test]
fn pain_1_ten_destinations_are_replaced_under_load_and_no_connection_is_cut() {
    let _kernel = netns::enter();
    let network = Network::around_here(4);
    let _servers: Vec<Server> = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
    // A connection that is cut is seen to be at once, and is not revived.
    fs::write("/proc/sys/net/ipv4/vs/expire_nodest_conn", "1").unwrap();
    let program = Program::new();
    let (before, after) = (generation(0), generation(1));
    let mut all = before.clone();
    program.write(FILE, &configuration("60s", &all));
    let mut daemon = Daemon::start(&program, FILE);
    let full = |table: &Table, of: &[String]| of.iter().all(|at| table.weight(SERVICE, at) == Some(100));
    table::wait("all ten", Duration::from_secs(10), |table| full(table, &before));

    let traffic = Traffic::start(&network.client, VIP, 15, LIFE);
    let begin = Instant::now();
    for (old, new) in before.iter().zip(&after) {
        replace(&program, &traffic, "60s", &mut all, (old, new));
        traffic.tally().assert_whole();
    }
    let replaced = begin.elapsed();
    let quiesced = Table::read();
    let busy = before.iter().filter(|at| quiesced.row(SERVICE, at).is_some_and(|row| row.active > 0)).count();
    assert!(busy > 0, "connections are at the old ones still: {quiesced:#?}");

    // They live out their lives, and then nothing is left of the old ones, long before the 60 s.
    table::wait("only the new ones", LIFE + CLOSED + Duration::from_secs(5), |table| {
        table.services[SERVICE].keys().cloned().collect::<BTreeSet<_>>() == after.iter().cloned().collect()
    });
    let all_gone = begin.elapsed();
    assert!(all_gone < replaced + Duration::from_secs(40), "{all_gone:?}");
    // None of them had to be deleted because its time was up.
    let mut ends: Vec<String> = (0..10)
        .map(|_| daemon.wait("the end of a drain", |line| line.message().contains(" is d")).message().to_owned())
        .collect();
    ends.sort();
    let wanted: Vec<String> = before.iter().map(|at| format!("{at} of tcp://{VIP} is drained")).collect();
    assert_eq!(ends, wanted);
    traffic.wait("connections that came to their own end", |tally| tally.ended >= 15 || !tally.cut.is_empty());
    let tally = traffic.tally();
    tally.assert_whole();
    let answered: usize = tally.answered.values().sum();
    println!(
        "replaced in {replaced:?}, all gone after {all_gone:?}: {answered} requests, {} connections, {} exchanges, none failed",
        tally.opened, tally.exchanges
    );
    assert!(answered > 500 && tally.exchanges > 1000, "{tally:?}");

    // The control: without a drain connections are cut, and that is seen.
    for (old, new) in after.iter().zip(&before) {
        replace(&program, &traffic, "0s", &mut all, (old, new));
        if traffic.tally().cut.len() + traffic.tally().failed.len() > 0 {
            break;
        }
    }
    traffic.wait("a cut", |tally| !tally.cut.is_empty());
    println!("without a drain: {:?}", traffic.end().cut);
}
