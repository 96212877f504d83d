//! Answers to checks through the service's address.

use super::*;
use crate::daemon_process::Daemon;
use crate::frail::Frail;
use crate::netns::{self, ip_batch};
use crate::network::Network;
use crate::oracle::wait_weights;

const SERVICE: &str = "-t 192.0.2.10:80";

/// With a daemon that checks, destinations are up once their answers come in, and down while they do not.
#[test]
fn answers_that_are_taken_for_forged() {
    let _kernel = netns::enter();
    ip_batch("link delete v0\n");
    let network = Network::around_here(1);
    let _server = Frail::start(&network.servers[0], 1, "0.0.0.0:80");
    set_on(&network.servers[0], "ipv4/conf/all/arp_ignore", "1");
    set_on(&network.servers[0], "ipv4/conf/all/arp_announce", "2");
    network.servers[0].run(|| ip_batch("link set lo up\naddress add 192.0.2.10/32 dev lo\n"));
    let clinic = Clinic::open(
        "version = 1\n[daemon]\nresync = \"1s\"\n\
         [checks.through]\ninterval = \"400ms\"\ntimeout = \"350ms\"\nrise = 1\nfall = 1\nvia = \"vip\"\nhttp = {}\n\
         [[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"rr\"\ncheck = \"through\"\n\
         destinations = [{ address = \"10.2.0.11:80\", forward = \"dr\" }]\n",
    );
    let provoke = || {
        set("ipv4/conf/all/rp_filter", "1");
        set("ipv4/conf/br0/rp_filter", "0");
        set("ipv4/conf/br0/accept_local", "0");
    };
    let finding = clinic.mends("check-answers-dropped", provoke);
    assert_eq!(
        texts(&finding, "command"),
        ["sysctl -w net.ipv4.conf.br0.accept_local=1 net.ipv4.conf.br0.rp_filter=2"]
    );
    provoke();
    let _daemon = Daemon::start(&clinic.program, FILE);
    let has_weight = |wanted: bool| {
        wait_weights("the check", SERVICE, |weights| weights.values().any(|weight| *weight > 0) == wanted);
    };
    has_weight(false);
    clinic.run(&texts(&finding, "command")[0]);
    has_weight(true);
    assert_eq!(clinic.ids(), [""; 0]);
    // Each of the two alone is enough to drop them.
    for (name, value) in [("accept_local", "0"), ("rp_filter", "1")] {
        set(&format!("ipv4/conf/br0/{name}"), value);
        has_weight(false);
        clinic.run(&texts(&clinic.finding("check-answers-dropped"), "command")[0]);
        has_weight(true);
    }
}
