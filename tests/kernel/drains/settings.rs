//! Settings of the machine that make drains useless: the kernel does what `ipvsd check` warns of.

use std::time::Duration;

use super::{A, B, FILE, SERVICE, Stage, set};
use crate::daemon_process::Daemon;
use crate::network::VIP;
use crate::sessions::{Session, last};
use crate::table;

const SOON: Duration = Duration::from_secs(2);

fn other(at: u8) -> (&'static str, &'static str) {
    if at == last(A) { (A, B) } else { (B, A) }
}

#[test]
fn pain_5_persistence_keeps_sending_clients_to_a_quiesced_destination_and_check_says_so() {
    let stage = Stage::new();
    let client = &stage.network.client;
    let persistent = "persistence = { timeout = \"10m\" }\ndrain = \"10m\"";
    for template in [0, 1] {
        set("expire_quiescent_template", template);
        stage.write(persistent, &[A, B]);
        let said = stage.program.run(FILE, &["check"]);
        assert_eq!(said.code, Some(0));
        assert_eq!(said.err.contains("persistence keeps sending"), template == 0, "{}", said.err);
        assert_eq!(said.err.contains("\"net.ipv4.vs.expire_quiescent_template\" = 1"), template == 0, "{}", said.err);

        stage.apply();
        let at = Session::open(client, VIP).unwrap().at;
        for _ in 0..4 {
            assert_eq!(Session::open(client, VIP).unwrap().at, at, "the client is kept where it is");
        }
        let (leaves, stays) = other(at);
        let daemon = Daemon::start(&stage.program, FILE);
        stage.write(persistent, &[stays]);
        table::wait("quiesced", SOON, |table| table.weight(SERVICE, leaves) == Some(0));
        let got: Vec<u8> = (0..4).map(|_| Session::open(client, VIP).unwrap().at).collect();
        let expected = if template == 0 { leaves } else { stays };
        assert_eq!(got, [last(expected); 4], "expire_quiescent_template={template}");
        drop(daemon);
        crate::netns::ipvsadm(&["-C"], "");
    }
}

#[test]
fn pain_6_a_port_that_is_used_again_leads_to_a_quiesced_destination_and_check_says_so() {
    let stage = Stage::new();
    let client = &stage.network.client;
    for (mode, port) in [(0, 40_000), (1, 41_000)] {
        set("conn_reuse_mode", mode);
        stage.write("drain = \"10m\"", &[A, B]);
        let said = stage.program.run(FILE, &["check"]);
        assert_eq!(said.code, Some(0));
        assert_eq!(said.err.contains("that use a port again"), mode == 0, "{}", said.err);
        assert_eq!(said.err.contains("\"net.ipv4.vs.conn_reuse_mode\" = 1"), mode == 0, "{}", said.err);

        stage.apply();
        let at = Session::open_from(client, VIP, port).unwrap().at;
        let (leaves, stays) = other(at);
        let daemon = Daemon::start(&stage.program, FILE);
        stage.write("drain = \"10m\"", &[stays]);
        table::wait("quiesced", SOON, |table| table.weight(SERVICE, leaves) == Some(0));
        let got = Session::open_from(client, VIP, port).unwrap().at;
        let expected = if mode == 0 { leaves } else { stays };
        assert_eq!(got, last(expected), "conn_reuse_mode={mode}");
        assert_eq!(Session::open(client, VIP).unwrap().at, last(stays), "from another port");
        drop(daemon);
    }
}
