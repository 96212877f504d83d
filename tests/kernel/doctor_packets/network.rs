//! Clients beside the servers, and rules that rewrite sources.

use super::*;
use crate::netns::{self, ip_batch};
use crate::network::{Long, Network};

/// A service within the servers' network.
const NEAR: &str = "10.2.0.2:80";

fn near() -> String {
    WEB.replace("192.0.2.10:80", NEAR).replace("10.0.0.11", "10.2.0.11")
}

/// The lab's iptables is the legacy one.
fn with_iptables(clinic: &Clinic) {
    for (name, program) in [("iptables", "iptables-legacy"), ("iptables-save", "iptables-legacy-save")] {
        clinic.script(name, program);
    }
}

/// The answer of a server to its neighbour goes past the director; rewritten, it comes back. A connection from elsewhere
/// lives through the mend.
#[test]
fn clients_beside_the_servers() {
    let _kernel = netns::enter();
    ip_batch("link delete v0\n");
    let network = Network::around_here(2);
    ip_batch("address add 10.2.0.2/24 dev br0\n");
    let clinic = Clinic::open(&format!(
        "{}[[services]]\nname = \"far\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"rr\"\n\
         destinations = [{{ address = \"10.2.0.11:8080\" }}]\n",
        near()
    ));
    with_iptables(&clinic);
    assert_eq!(clinic.ipvsd(&["apply"]).code, Some(0));
    // The second server is a client of the first here.
    let beside = &network.servers[1];
    assert!(is_silent(beside, NEAR));
    let mut long = network.client.run(|| Long::open().unwrap());
    let finding = clinic.mends("nat-same-network", || {});
    assert_eq!(finding["subject"], "service web");
    assert_eq!(
        texts(&finding, "command")[0],
        "sysctl -w net.ipv4.vs.conntrack=1\n\
         iptables -t nat -A POSTROUTING -s 10.2.0.0/24 -m ipvs --vproto 6 --vaddr 10.2.0.2 --vport 80 -j MASQUERADE"
    );
    assert!(answers(beside, NEAR), "the mend helps clients");
    network.client.run(move || long.exchange().unwrap());
    assert_eq!(clinic.ids(), [""; 0]);

    // The rule alone does nothing, and both findings say so.
    set("ipv4/vs/conntrack", "0");
    assert!(is_silent(beside, NEAR));
    let mut ids = clinic.ids();
    ids.sort();
    assert_eq!(ids, ["conntrack-off", "nat-same-network"]);
    clinic.run(&texts(&clinic.finding("conntrack-off"), "command")[0]);
    assert_eq!(clinic.ids(), [""; 0]);
    assert!(answers(beside, NEAR));
}

/// A rule about the interface to the servers is meant for them; one about containers is not.
#[test]
fn rules_that_ipvs_goes_past() {
    let _kernel = netns::enter();
    set("ipv4/ip_forward", "1");
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(WEB);
    with_iptables(&clinic);
    clinic.run("iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE");
    assert_eq!(clinic.ids(), [""; 0]);
    clinic.run("iptables -t nat -A POSTROUTING -o v0 -d 10.0.0.0/24 -j MASQUERADE");
    let finding = clinic.mends("conntrack-off", || set("ipv4/vs/conntrack", "0"));
    assert_eq!(finding["severity"], "warning");
    let saw = finding["saw"].as_str().unwrap();
    assert!(saw.contains("`-A POSTROUTING -d 10.0.0.0/24 -o v0 -j MASQUERADE` is about"), "{saw}");

    // What cannot be read can only be guessed at.
    set("ipv4/vs/conntrack", "0");
    for name in ["iptables-save", "iptables-legacy-save"] {
        clinic.script(name, "false");
    }
    assert_eq!(clinic.finding("conntrack-off")["severity"], "hint");
}
