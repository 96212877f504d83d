//! What clients stick to: udp flows, and the servers of persistent services.

use std::collections::BTreeSet;

use super::rig::{Forward, Pair, SERVERS, wait};
use crate::netns::ip_batch;
use crate::sessions::{Flow, Server, Session, serve_udp};

const DNS: &str = "10.1.0.100:53";
const WEB: &str = "10.1.0.100:80";

/// Which of its addresses the client uses from now on.
fn comes_from(pair: &Pair, address: &'static str) {
    pair.client.run(move || ip_batch(&format!("route replace 10.1.0.100/32 dev eth0 src {address}\n")));
}

/// Datagrams get lost while the address moves; who answers the flow is what counts.
fn asks(flow: &Flow) -> u8 {
    (0..10).find_map(|_| flow.ask()).expect("a flow is answered")
}

/// It takes three packets until others are told of a flow.
fn asks_often(flow: &Flow) -> u8 {
    let answers: BTreeSet<u8> = (0..4).map(|_| asks(flow)).collect();
    assert_eq!(answers.len(), 1, "a flow stays where it is: {answers:?}");
    *answers.first().unwrap()
}

/// The servers of two flows and of two clients, through A, and through B after A has died.
fn servers_before_and_after(tables: [&str; 2]) -> [[u8; 4]; 2] {
    let services =
        [("udp://10.1.0.100:53", ""), ("tcp://10.1.0.100:80", "persistence = { timeout = \"5m\", netmask = 32 }")];
    let pair = Pair::new(Forward::Nat, tables, &services);
    for (host, address) in pair.servers.iter().zip(SERVERS) {
        Server::start(host, 80);
        serve_udp(host, vec![format!("{address}:53")]);
    }
    let client = |address: &'static str| {
        comes_from(&pair, address);
        Session::open(&pair.client, WEB).unwrap().at
    };
    let flows = [Flow::open(&pair.client, DNS), Flow::open(&pair.client, DNS)];
    let before = flows.each_ref().map(asks_often);
    let clients = ["10.1.0.2", "10.1.0.3"].map(client);
    if !tables[0].is_empty() {
        let ends = |server: u8, port: u16| format!("10.1.0.100:{port} 10.1.0.{server}:{port}");
        let is_known = || {
            let known = pair.b.connections();
            let templates = ["10.1.0.2:0 ", "10.1.0.3:0 "].into_iter().zip(clients);
            let mut templates = templates.map(|(client, server)| format!("{client}{}", ends(server, 80)));
            templates.all(|template| known.iter().any(|line| line.ends_with(&template)))
                && before.iter().all(|server| {
                    known.iter().any(|line| line.starts_with("UDP ") && line.ends_with(&ends(*server, 53)))
                })
        };
        wait("what A knows at B", is_known, || format!("{:#?}", pair.b.connections()));
    }
    pair.a_dies();
    // The other way round: who knows of nothing takes turns from the start.
    let [second, first] = [&flows[1], &flows[0]].map(asks);
    let [third, fourth] = ["10.1.0.3", "10.1.0.2"].map(client);
    [[before[0], before[1], clients[0], clients[1]], [first, second, fourth, third]]
}

#[test]
fn each_stays_where_it_was() {
    let [before, after] = servers_before_and_after([
        "[sync]\nmaster = { interface = \"eth0\" }",
        "[sync]\nbackup = { interface = \"eth0\" }",
    ]);
    assert!(before[0] != before[1] && before[2] != before[3], "each client has a server of its own: {before:?}");
    assert_eq!(after, before);
}

/// The control.
#[test]
fn without_synchronisation_each_is_balanced_anew() {
    let [before, after] = servers_before_and_after(["", ""]);
    assert_eq!(after, [before[1], before[0], before[3], before[2]]);
}
