//! Whose connection does it cut? Nobody's.

use super::*;
use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch, ipvsadm};
use crate::network::{Load, Long, Network, VIP, real};

fn served(interface: &str, servers: usize) -> String {
    let none = if servers == 0 { "services = []\n" } else { "" };
    let mut text = format!(
        "version = 1\n{none}[daemon]\nresync = \"1s\"\ndrain = \"4s\"\nmax_delete = \"100%\"\n[host]\naddresses = {{ interface = \"{interface}\" }}\n"
    );
    if servers == 0 {
        return text;
    }
    text += &format!("[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\nscheduler = \"rr\"\n");
    for server in 1..=servers {
        text += &format!("[[services.destinations]]\naddress = \"{}\"\n", real(server, 1));
    }
    text
}

/// The director without the service's address: ipvsd is to bring it.
fn network() -> Network {
    let network = Network::around_here(2);
    ip_batch("address delete 192.0.2.10/32 dev lo\n");
    network
}

#[test]
fn clients_do_not_notice_that_the_addresses_move() {
    let _kernel = netns::enter();
    let network = network();
    let program = Program::new();
    program.write(FILE, &served("ipvs0", 2));
    let mut daemon = Daemon::start(&program, FILE);
    let load = Load::start(&network.client, 4);
    for interface in ["vip0", "ipvs0", "vip0", "lo", "ipvs0"] {
        let before = load.tally().answered;
        program.write(FILE, &served(interface, 2));
        daemon.change("the move");
        assert!(addresses(interface).contains("192.0.2.10/32"));
        load.wait("requests after it", |tally| tally.answered >= before + 20);
    }
    let tally = load.end();
    assert_eq!(tally.failed(), 0, "{tally:?}");
    assert!(tally.answered > 100 && tally.exchanges > 20, "{tally:?}");
}

/// The control: without the address there is no answer, so the load does see it.
#[test]
fn clients_notice_if_the_address_is_taken_away() {
    let _kernel = netns::enter();
    let network = network();
    let program = Program::new();
    program.write(FILE, &served("ipvs0", 2));
    applied(&program, &[]);
    let load = Load::start(&network.client, 1);
    ip_batch("link delete ipvs0\n");
    load.wait("a failure", |tally| tally.failed() > 0);
    load.end();
}

#[test]
fn an_address_outlives_its_service_until_that_has_drained() {
    let _kernel = netns::enter();
    let network = network();
    let program = Program::new();
    program.write(FILE, &served("ipvs0", 2));
    let mut daemon = Daemon::start(&program, FILE);
    let mut long = network.client.run(|| Long::open().unwrap());
    program.write(FILE, &served("ipvs0", 0));
    daemon.wait("the drain", |line| line.message().contains("drains"));
    for _ in 0..30 {
        long = network.client.run(move || {
            long.exchange().unwrap();
            long
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32"]));
    drop(long);
    // A connection is counted for two minutes after its end, so it is the deadline that ends the drain.
    wait("the end of it", || link("ipvs0").is_none());
    assert_eq!(ipvsadm(&["-Sn"], ""), "");
}

#[test]
fn an_address_outlives_its_service_even_if_nobody_wants_addresses_any_more() {
    let _kernel = netns::enter();
    let network = network();
    let program = Program::new();
    program.write(FILE, &served("ipvs0", 2));
    let mut daemon = Daemon::start(&program, FILE);
    let mut long = network.client.run(|| Long::open().unwrap());
    let all = served("ipvs0", 0);
    program.write(FILE, all.split_once("[host]").unwrap().0);
    daemon.wait("the drain", |line| line.message().contains("drains"));
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        long = network.client.run(move || {
            long.exchange().unwrap();
            long
        });
        std::thread::sleep(Duration::from_millis(50));
    }
    wait("the end of it", || link("ipvs0").is_none());
}
