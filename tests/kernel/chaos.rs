//! kill -9 at random moments of a large apply: the next start converges, and nothing foreign is lost.
//!
//! Two configurations share most of their services and differ in all else, so that whichever way an apply goes, there
//! are adds, edits and deletes to be interrupted. What `ipvsadm` is to show is written from the same choices as the
//! configuration's text, by this file alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use ipvsd::ipvs::{Ipvs as _, Kernel};
use ipvsd::model::{ServiceKey, Table};

use crate::netns::{self, ipvsadm};
use crate::program::{Program, SOON, end};

const SERVICES: usize = 70;
const ROUNDS: usize = 100;

/// A service as the test wants it: how `ipvsadm` and the configuration spell it, and its destinations' weights.
struct Wanted {
    scheduler: &'static str,
    persistence: Option<u32>,
    destinations: BTreeMap<String, u32>,
}

/// Services by their number.
type Choice = BTreeMap<usize, Wanted>;

fn is_udp(number: usize) -> bool {
    number % 4 == 3
}

fn address(number: usize) -> String {
    format!("10.50.{}.{}:80", number / 100, number % 100 + 1)
}

/// `-t 10.50.0.1:80`
fn identity(number: usize) -> String {
    format!("-{} {}", if is_udp(number) { 'u' } else { 't' }, address(number))
}

fn choose(random: &mut Rng, without: usize) -> Choice {
    let mut choice = Choice::new();
    for number in (0..SERVICES).filter(|number| number % 5 != without) {
        let scheduler = ["rr", "wrr", "lc", "wlc", "sed"][random.usize(..5)];
        let persistence = random.bool().then(|| random.u32(1..=600));
        let mut destinations = BTreeMap::new();
        for host in 1..=8 {
            if random.u8(..4) > 0 || (destinations.is_empty() && host == 8) {
                destinations.insert(format!("10.60.{}.{host}:8080", number % 7), random.u32(..=1000));
            }
        }
        choice.insert(number, Wanted { scheduler, persistence, destinations });
    }
    choice
}

fn configuration(choice: &Choice) -> String {
    let mut text = "version = 1\n[daemon]\nmax_delete = \"100%\"\n".to_owned();
    for (number, Wanted { scheduler, persistence, destinations }) in choice {
        let protocol = if is_udp(*number) { "udp" } else { "tcp" };
        let address = address(*number);
        writeln!(text, "[[services]]\nname = \"s{number}\"\naddress = \"{protocol}://{address}\"").unwrap();
        writeln!(text, "scheduler = \"{scheduler}\"").unwrap();
        if let Some(seconds) = persistence {
            writeln!(text, "persistence = {{ timeout = \"{seconds}s\" }}").unwrap();
        }
        for (destination, weight) in destinations {
            writeln!(text, "[[services.destinations]]\naddress = \"{destination}\"\nweight = {weight}").unwrap();
        }
    }
    text
}

/// The lines of `ipvsadm -Sn`.
fn expectation(choice: &Choice) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (number, Wanted { scheduler, persistence, destinations }) in choice {
        let identity = identity(*number);
        let persistence = persistence.map(|seconds| format!(" -p {seconds}")).unwrap_or_default();
        lines.insert(format!("-A {identity} -s {scheduler}{persistence}"));
        for (destination, weight) in destinations {
            lines.insert(format!("-a {identity} -r {destination} -m -w {weight}"));
        }
    }
    lines
}

/// Services of somebody else, with destinations, of every kind.
const FOREIGN: &str = "\
-A -t 198.51.100.1:80 -s rr
-a -t 198.51.100.1:80 -r 10.60.0.1:80 -m -w 5
-a -t 198.51.100.1:80 -r 10.60.0.2:80 -g -w 0
-A -u 198.51.100.1:53 -s wlc -p 90
-a -u 198.51.100.1:53 -r 10.60.0.1:53 -m -w 1
-A --sctp-service 198.51.100.1:99 -s lc
-a --sctp-service 198.51.100.1:99 -r 10.60.0.1:99 -m -w 1
-A -t [2001:db8::99]:80 -s wrr
-a -t [2001:db8::99]:80 -r [2001:db8::1]:80 -m -w 3
-A -f 77 -s sh
-a -f 77 -r 10.60.0.9:0 -i -w 2
-A -f 78 -s rr
";

/// Whether a line is about a service of `FOREIGN`.
fn is_foreign(line: &str) -> bool {
    ["198.51.100.1:", "2001:db8::99", "-f 77", "-f 78"].iter().any(|mark| line.contains(mark))
}

/// The lines of foreign services, in the order in which the kernel gives them, and all others.
fn split(saved: &str) -> (String, BTreeSet<String>) {
    let mut foreign = String::new();
    let mut others = BTreeSet::new();
    for line in saved.lines().map(str::trim_end) {
        if is_foreign(line) {
            foreign += line;
            foreign.push('\n');
        } else {
            assert!(others.insert(line.to_owned()), "twice: {line}");
        }
    }
    (foreign, others)
}

/// Returns as soon as that service is as `table` has it, or has come closer to it.
fn await_service(kernel: &mut Kernel, table: &Table, key: &ServiceKey) {
    let deadline = Instant::now() + SOON;
    let mut look = || kernel.read_services(&[*key]).unwrap().remove(key).map(|service| service.to_service());
    let before = look();
    loop {
        let now = look();
        if now != before || now.as_ref() == table.services.get(key) {
            return;
        }
        assert!(Instant::now() < deadline, "{key} has not changed");
        sleep(Duration::from_micros(200));
    }
}

/// What was in the table when the processes were killed.
#[derive(Debug, Default)]
struct Moments {
    before: usize,
    between: usize,
    after: usize,
    /// It had ended by itself.
    late: usize,
}

#[test]
fn killed_at_any_moment_it_converges_at_the_next_start() {
    let seed = std::env::var("IPVSD_TEST_SEED").ok().map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    println!("IPVSD_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);

    let mut kernel = netns::enter();
    let program = Program::new();
    let choices = [choose(&mut random, 0), choose(&mut random, 1)];
    let names = ["one.toml", "two.toml"];
    for (name, choice) in names.iter().zip(&choices) {
        program.write(name, &configuration(choice));
    }
    let expected = choices.each_ref().map(expectation);
    ipvsadm(&["-R"], FOREIGN);
    program.runs(names[0], &["apply"], 0);

    // Foreign destinations, also in services that one of the two does not want: those then stay, as they were left.
    let shared = (0..SERVICES).filter(|number| number % 5 > 1).step_by(20);
    let only = [(1, 0), (21, 0), (5, 1), (25, 1)];
    let mut guests: Vec<String> = shared.map(identity).collect();
    guests.extend([identity(1), identity(21)]);
    let guest = |identity: &String| format!("-a {identity} -r 10.99.0.1:80 -m -w 7");
    ipvsadm(&["-R"], &guests.iter().map(|identity| guest(identity) + "\n").collect::<String>());
    program.runs(names[1], &["apply"], 0);
    let later = [identity(5), identity(25)];
    ipvsadm(&["-R"], &later.iter().map(|identity| guest(identity) + "\n").collect::<String>());
    guests.extend(later);
    let mut wanted = expected;
    for (lines, this) in wanted.iter_mut().zip(0..) {
        lines.extend(guests.iter().map(guest));
        for (number, owner) in only.iter().filter(|(_, owner)| *owner != this) {
            let service = format!("-A {} ", identity(*number));
            lines.extend(expectation(&choices[*owner]).into_iter().filter(|line| line.starts_with(&service)));
        }
    }
    let (foreign, others) = split(&ipvsadm(&["-Sn"], ""));
    assert_eq!(foreign.lines().count(), FOREIGN.lines().count());
    assert_eq!(others, wanted[1]);
    // How long an apply takes; corrected from round to round, since the machine may have other things to do as well.
    let mut whole = Duration::MAX;
    let mut tables = Vec::new();
    for name in [0, 1, 0, 1] {
        let begin = Instant::now();
        program.runs(names[name], &["apply"], 0);
        whole = whole.min(begin.elapsed());
        tables.push(kernel.read().unwrap().to_table());
    }
    let tables = [tables.remove(2), tables.remove(2)];

    let mut live = 1;
    let mut moments = Moments::default();
    for round in 0..ROUNDS {
        let target = 1 - live;
        let mut child = program.command(names[target], &["apply"]).spawn().unwrap();
        // A moment by the clock, or, since most of the time goes before the first operation, one by what has been done.
        if round % 2 == 0 {
            sleep(whole.mul_f64(random.f64()));
        } else {
            let keys: Vec<&ServiceKey> = tables[target].services.keys().collect();
            await_service(&mut kernel, &tables[target], keys[random.usize(..keys.len())]);
        }
        child.kill().unwrap();
        let ended = end(child);
        let found = kernel.read().unwrap().to_table();
        match ended.code {
            Some(0) => {
                moments.late += 1;
                whole = whole.mul_f64(0.95);
            }
            Some(code) => panic!("round {round}: exit code {code}: {}{}", ended.out, ended.err),
            None if found == tables[live] => moments.before += 1,
            None if found == tables[target] => moments.after += 1,
            None => moments.between += 1,
        }
        whole = whole.mul_f64(1.01);

        // Whoever starts it next may want either.
        live = random.usize(..2);
        program.runs(names[live], &["apply"], 0);
        let (now, others) = split(&ipvsadm(&["-Sn"], ""));
        assert_eq!(now, foreign, "round {round}: what is foreign");
        let missing: Vec<_> = wanted[live].difference(&others).collect();
        let surplus: Vec<_> = others.difference(&wanted[live]).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "round {round}: missing {missing:?}, surplus {surplus:?}");
        if round % 5 == 0 {
            program.runs(names[live], &["plan"], 0);
        }
    }
    println!("an apply takes about {whole:?}; killed: {moments:?}");
    assert!(moments.between >= ROUNDS / 10, "too few of the kills came while the table was changing: {moments:?}");
}
