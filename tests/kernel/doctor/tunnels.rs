//! What does not fit into a tunnel.

use super::*;
use crate::netns::{self, ip_batch};

fn tunnels(destination: &str) -> String {
    WEB.replace("10.0.0.11:8080\"", &format!("{destination}:80\", forward = \"tunnel\""))
}

/// Told to, the director cuts what is too large, and refuses nothing more (`OutDestUnreachs`).
#[test]
fn packets_that_do_not_fit() {
    let _kernel = netns::enter();
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(&tunnels("10.0.0.11"));
    let finding = clinic.mends("tunnel-mtu", || set("ipv4/vs/pmtu_disc", "1"));
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv4.vs.pmtu_disc=0"]);
    let advice = &texts(&finding, "advice")[0];
    assert!(advice.contains("`ip link set v0 mtu 1520`"), "{advice}");
    set("ipv4/vs/pmtu_disc", "1");

    // More room for clients and servers alike is no more room.
    ip_batch("link set v0 mtu 1520\nlink set v1 mtu 1520\n");
    clinic.finding("tunnel-mtu");
    // Servers on an interface of their own: as the advice says.
    ip_batch(
        "link add v2 type veth peer name v3\nlink set v3 up\naddress add 10.0.0.1/24 dev v2\nlink set v2 up\n\
         address add 2001:db8:1::1/64 dev v2 nodad\nlink set v0 mtu 1500\n",
    );
    let finding = clinic.finding("tunnel-mtu");
    assert_eq!(finding["subject"], "interface v2");
    clinic.run("ip link set v2 mtu 1520");
    clinic.is_gone("tunnel-mtu");
    clinic.run("ip route replace 10.0.0.11/32 dev v2 mtu 1519");
    clinic.finding("tunnel-mtu");

    // IPv6 is never cut on its way.
    ip_batch("address add 2001:db8:ffff::10/64 dev v0 nodad\n");
    clinic.configure(&tunnels("[2001:db8:1::11]").replace("192.0.2.10", "[2001:db8:ffff::10]"));
    let finding = clinic.finding("tunnel-mtu");
    assert_eq!(texts(&finding, "command"), [""; 0]);
    assert!(texts(&finding, "advice")[0].contains("`ip link set v2 mtu 1540`"), "{finding:#}");
    clinic.run("ip link set v2 mtu 1540");
    clinic.is_gone("tunnel-mtu");
}
