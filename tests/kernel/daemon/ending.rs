//! Starting, ending, starting again, idling: none of it touches the table.

use std::net::UdpSocket;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{saved, web, web_saved};
use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::nlmon::{ADDS, READS, Tap};
use crate::program::{Program, SOON};

const FILE: &str = "ipvsd.toml";

/// Everything that the kernel shows of its table: rules in its own order, thresholds, counters, connections.
fn shown() -> [String; 4] {
    let connections = ipvsadm(&["-Lcn"], "");
    // The second column is the time that is left to a connection.
    let connections = connections.lines().map(|line| {
        let words = line.split_whitespace().enumerate().filter(|(column, _)| *column != 1);
        words.map(|(_, word)| word).collect::<Vec<_>>().join(" ") + "\n"
    });
    [
        ipvsadm(&["-Sn"], ""),
        ipvsadm(&["-Ln", "--thresholds"], ""),
        ipvsadm(&["-Ln", "--stats", "--exact"], ""),
        connections.collect(),
    ]
}

#[track_caller]
fn same(now: &[String; 4], before: &[String; 4], when: &str) {
    for (now, before) in now.iter().zip(before) {
        assert!(now == before, "{when}:\n{now}before:\n{before}");
    }
}

#[test]
fn a_restart_leaves_the_table_untouched() {
    let _kernel = netns::enter();
    let program = Program::new();
    let text = "version = 1\n[[services]]\nname = \"dns\"\naddress = \"udp://192.0.2.10:53\"\nscheduler = \"mh\"\n\
                scheduler_flags = [\"mh-port\"]\npersistence = { timeout = \"90s\", netmask = 24 }\n\
                [[services.destinations]]\naddress = \"10.0.0.1:53\"\nweight = 3\nmax_connections = 500\n\
                [[services.destinations]]\naddress = \"10.0.0.2:53\"\nforward = \"dr\"\n\
                [[services.destinations]]\naddress = \"10.0.0.3:53\"\nforward = \"tunnel\"\nweight = 0\n";
    program.write(FILE, text);
    let mut daemon = Daemon::start(&program, FILE);
    // What is sent there is lost, without an ICMP message that would be counted later.
    netns::ip_batch("neighbour add 192.0.2.253 lladdr 02:00:00:00:00:01 dev v0 nud permanent\n");
    UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"?", "192.0.2.10:53").unwrap();
    // The kernel sums its counters up every two seconds.
    let begin = Instant::now();
    let before = loop {
        let shown = shown();
        let line = shown[2].lines().find(|line| line.starts_with("UDP ")).unwrap();
        if line.split_whitespace().nth(2) == Some("1") {
            break shown;
        }
        assert!(begin.elapsed() < SOON, "no packet was counted: {line}");
        sleep(Duration::from_millis(100));
    };
    assert!(before[3].contains("192.0.2.10:53"), "{}", before[3]);

    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let status = daemon.end(signal);
        assert_eq!(status.code(), (signal != Signal::KILL).then_some(0), "{signal:?}: {status}");
        same(&shown(), &before, &format!("after {signal:?}"));
        daemon = Daemon::start(&program, FILE);
        let pass = daemon.log.iter().find(|line| line.is_pass()).unwrap();
        for count in ["add", "edit", "delete", "drift", "changed", "failed", "waiting"] {
            assert_eq!(pass.number(count), 0, "{pass}");
        }
        assert_eq!(pass.number("unchanged"), 4);
        same(&shown(), &before, &format!("after the start that followed {signal:?}"));
    }
}

#[test]
fn idle_it_sends_nothing() {
    let _kernel = netns::enter();
    let mut tap = Tap::place();
    let program = Program::new();
    program.write(FILE, &web("resync = \"1s\"", &[1, 2]));
    let mut daemon = Daemon::start(&program, FILE);
    let commands = tap.commands();
    assert!(tap.works());
    assert!(ADDS.iter().all(|add| commands.contains(add)), "the tap sees what is written: {commands:?}");

    for _ in 0..2 {
        daemon.pass("a resync", |line| line.is_for("resync"));
    }
    let commands = tap.commands();
    assert!(!commands.is_empty() && commands.iter().all(|command| READS.contains(command)), "{commands:?}");

    program.write(FILE, &web("resync = \"1h\"", &[1, 2]));
    daemon.pass("the edit", |line| line.text("why").contains("files"));
    tap.commands();
    let logged = daemon.log.len();
    // As long as nothing is to happen: there is nothing to wait for.
    sleep(Duration::from_secs(3));
    assert_eq!(tap.commands(), [0_u8; 0], "between two resyncs");
    daemon.drain();
    assert_eq!(daemon.log.len(), logged, "{:?}", &daemon.log[logged..]);
    assert_eq!(saved(), web_saved(&[1, 2]));
}

#[test]
fn a_second_one_is_refused_and_told_who_is_first() {
    let _kernel = netns::enter();
    let (first, second) = (Program::new(), Program::new());
    for program in [&first, &second] {
        program.write(FILE, &web("", &[1]));
    }
    let mut daemon = Daemon::start(&first, FILE);
    let table = saved();
    let pid = format!("process {} ", daemon.id());
    second.write(FILE, &web("", &[2]));
    for (program, command) in [(&first, "run"), (&second, "run"), (&second, "apply")] {
        let ended = program.run(FILE, &[command]);
        assert_eq!(ended.code, Some(1), "{command}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(&pid), "{command}: not {pid:?} in {:?}", ended.err);
    }
    assert_eq!(saved(), table);
    assert!(daemon.end(Signal::TERM).success());
    second.runs(FILE, &["apply"], 0);
    assert_eq!(saved(), web_saved(&[2]));
}
