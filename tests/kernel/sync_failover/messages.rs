//! What goes over the wire: the length of messages, and what a backup makes of it.

use super::rig::{Director, Forward, Pair, Witness, wait};
use crate::sessions::{Server, Session};

const WEB: &str = "10.1.0.100:80";
const SERVICE: [(&str, &str); 1] = [("tcp://10.1.0.100:80", "")];
/// Bytes of a message besides connections, and of an IPv4 connection (`struct ip_vs_sync_mesg`, `struct ip_vs_sync_v4`).
const HEADER: usize = 8;
const CONNECTION: usize = 36;

fn pair(master: &str, backup: &str) -> Pair {
    let daemon = "interface = \"eth0\", id = 7";
    let tables = [
        format!("[sync]\nmaster = {{ {daemon}, sync_maxlen = {master} }}"),
        format!("[sync]\nbackup = {{ {daemon}, sync_maxlen = {backup} }}"),
    ];
    let pair = Pair::new(Forward::Dr, [&tables[0], &tables[1]], &SERVICE);
    for server in &pair.servers {
        Server::start(server, 80);
    }
    pair
}

fn open(pair: &Pair, count: usize) -> Vec<Session> {
    (0..count).map(|_| Session::open(&pair.client, WEB).unwrap()).collect()
}

#[track_caller]
fn wait_for(count: usize, at: &Director) {
    wait("the connections", || at.connections().len() == count, || format!("{:#?}", at.connections()));
}

/// The messages until so many connections were told of: the length of each, and how many it tells of.
#[track_caller]
fn messages(witness: &Witness, count: usize) -> Vec<(usize, usize)> {
    let (mut told, mut messages) = (0, Vec::new());
    while told < count {
        let message = witness.hears();
        let connections = usize::from(message[4]);
        told += connections;
        messages.push((message.len(), connections));
    }
    assert_eq!(told, count);
    messages
}

#[test]
fn a_master_sends_none_that_are_longer_than_it_was_told() {
    let pair = pair("100", "1024");
    let witness = pair.witness();
    let _sessions = open(&pair, 20);
    let messages = messages(&witness, 20);
    assert!(messages.iter().all(|(length, _)| *length <= 100), "{messages:?}");
    assert!(messages.contains(&(HEADER + 2 * CONNECTION, 2)), "two fit: {messages:?}");
    wait_for(20, &pair.b);
}

#[test]
fn one_connection_is_told_of_whatever_the_length() {
    let pair = pair("1", "1024");
    let witness = pair.witness();
    let _sessions = open(&pair, 5);
    assert_eq!(messages(&witness, 5), [(HEADER + CONNECTION, 1); 5]);
    wait_for(5, &pair.b);
}

#[test]
fn a_backup_learns_nothing_of_messages_that_are_too_long_for_it() {
    let pair = pair("4000", "1024");
    let witness = pair.witness();
    let _many = open(&pair, 60);
    let first = messages(&witness, 60);
    // One as a rule; what is opened within two seconds goes into one.
    assert!(first.iter().any(|(length, _)| *length > 1024), "{first:?}");
    let short: usize = first.iter().filter(|(length, _)| *length <= 1024).map(|(_, connections)| connections).sum();
    let _one = open(&pair, 1);
    assert_eq!(messages(&witness, 1), [(HEADER + CONNECTION, 1)]);
    wait_for(short + 1, &pair.b);
    assert_eq!(pair.a.connections().len(), 61);
}
