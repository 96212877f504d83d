//! Destinations that no packet reaches.

use super::*;
use crate::netns::{self, ip_batch};

/// The kernel takes such destinations without a word, which `ipvsd apply` shows; the doctor does not.
#[test]
fn a_destination_that_no_route_reaches() {
    let _kernel = netns::enter();
    set("ipv4/ip_forward", "1");
    ip_batch(
        "address add 192.0.2.10/32 dev v0\nlink add v2 type veth peer name v3\nlink set v3 up\naddress add 10.2.0.1/24 dev v2\n\
         link set v2 up\n",
    );
    let clinic = Clinic::open(&WEB.replace("10.0.0.11", "10.2.0.11"));
    assert_eq!(clinic.ids(), [""; 0]);
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));

    // In a network of this host it is clear where it should be.
    for kind in ["blackhole", "unreachable", "prohibit"] {
        let finding =
            clinic.mends("destination-unreachable", || ip_batch(&format!("route replace {kind} 10.2.0.11/32\n")));
        assert_eq!(texts(&finding, "command"), ["ip route replace 10.2.0.11/32 dev v2"]);
        assert!(finding["saw"].as_str().unwrap().contains(kind), "{finding:#}");
    }
    ip_batch("route delete 10.2.0.11/32\nroute delete default\n");
    let finding = clinic.mends("destination-unreachable", || ip_batch("link set v2 down\n"));
    assert_eq!(texts(&finding, "command"), ["ip link set v2 up"]);

    // Elsewhere only whoever knows the network can say.
    clinic.configure(WEB);
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"), "the kernel takes it");
    let finding = clinic.finding("destination-unreachable");
    assert_eq!(finding["saw"], "no route leads to it; a destination of web");
    let advice = &texts(&finding, "advice")[0];
    let (_, rest) = advice.split_once('`').unwrap();
    clinic.run(&rest.split_once('`').unwrap().0.replace("ROUTER", "10.2.0.2"));
    assert_eq!(clinic.ids(), [""; 0]);
}

#[test]
fn a_broadcast_address_is_no_server() {
    let _kernel = netns::enter();
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(&WEB.replace("10.0.0.11", "192.0.2.255"));
    let finding = clinic.finding("destination-unreachable");
    assert!(clinic.ipvsd(&["apply"]).out.contains("FAILED add"), "the kernel refuses it");
    clinic.configure(&WEB.replace("10.0.0.11", "192.0.2.254"));
    assert_eq!(texts(&finding, "advice"), ["write the address of the server"]);
    clinic.is_gone("destination-unreachable");
}

/// A router that gets a packet to the service's address sends it back.
#[test]
fn direct_routing_through_a_router() {
    let _kernel = netns::enter();
    ip_batch("address add 192.0.2.10/32 dev v0\nlink set v0 mtu 1600\n");
    let dr = WEB.replace("10.0.0.11:8080", "10.0.0.11:80\", forward = \"dr");
    let clinic = Clinic::open(&dr);
    let finding = clinic.finding("dr-through-router");
    assert!(finding["saw"].as_str().unwrap().contains("192.0.2.253"), "{finding:#}");
    assert!(texts(&finding, "advice")[0].contains("forward = \"tunnel\""));
    clinic.configure(&dr.replace("forward = \"dr", "forward = \"tunnel"));
    clinic.is_gone("dr-through-router");
    // Or in a network of this host.
    clinic.configure(&dr.replace("10.0.0.11", "192.0.2.20"));
    clinic.is_gone("dr-through-router");
}
