//! What the kernel has counted in a network namespace: the oracle for where packets went.

use std::fs;

fn read(table: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap()
}

/// What an interface has received and sent, in bytes, and received, in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) received: u64,
    pub(crate) received_packets: u64,
    pub(crate) sent: u64,
}

/// Of an interface of this thread's namespace, by `/proc/net/dev`, proc(5).
pub(crate) fn passed(interface: &str) -> Passed {
    let text = read("dev");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    let numbers: Vec<u64> = line.unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect();
    Passed { received: numbers[0], received_packets: numbers[1], sent: numbers[8] }
}

/// What IPVS of this thread's namespace has counted of all its services together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) connections: u64,
    /// Packets of clients.
    pub(crate) packets_in: u64,
    /// Answers that came by: with NAT, all of them.
    pub(crate) packets_out: u64,
}

/// By `/proc/net/ip_vs_stats_percpu`: a line for each processor, in hexadecimal, without delay. The sum below them, and what
/// `ipvsadm --stats` says, is up to two seconds late (`estimation_timer` in ip_vs_est.c).
pub(crate) fn counted() -> Counted {
    let mut counted = Counted::default();
    for line in read("ip_vs_stats_percpu").lines().skip(2).take_while(|line| !line.contains('~')) {
        let number = |column| u64::from_str_radix(line.split_whitespace().nth(column).unwrap(), 16).unwrap();
        counted.connections += number(1);
        counted.packets_in += number(2);
        counted.packets_out += number(3);
    }
    counted
}

/// One of this namespace's counters: `Icmp:OutRedirects` of `/proc/net/snmp` and `/proc/net/netstat`, or, without a colon,
/// `Icmp6OutPktTooBigs` of `/proc/net/snmp6`.
#[track_caller]
pub(crate) fn counter(name: &str) -> u64 {
    let Some((group, key)) = name.split_once(':') else {
        let text = read("snmp6");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no counter {name}"));
        return line.trim().parse().unwrap();
    };
    let text = read("snmp") + &read("netstat");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
    let at = lines.next().unwrap().split_whitespace().position(|word| word == key);
    let values = lines.next().unwrap();
    values.split_whitespace().nth(at.unwrap_or_else(|| panic!("no counter {name}"))).unwrap().parse().unwrap()
}
