//! The director: the service's address, and routes to destinations.

use ipvsd::ipvs::{Errno, Ipvs, Kernel};
use ipvsd::model::{DestinationSettings, Forward as Method, Scheduler, ServiceFlags, ServiceSettings};
use ipvsd::plan::Operation;

use super::{LONG, serves, sh, sh_at, times_out};
use crate::forwarding::{Family, Forward, Mode, Protocol, Rig, Stage, Wiring, counted, counter, vip};
use crate::netns::{self, ipvsadm};
use crate::program::Program;

/// Where no interface has the service's address, nobody answers for it, and IPVS sees nothing. On an interface of its own it
/// is as good as on the network's with IPv4, where a host answers ARP for all of its addresses. With IPv6 it answers for those
/// of the asked interface only: such an address has to be routed to the director.
#[test]
fn the_services_address_is_on_an_interface() {
    for (family, prefix) in [(Family::V4, "192.0.2.10/32"), (Family::V6, "2001:db8:2::10/128")] {
        let stage = Stage::set(Mode::new(Forward::Dr, family), Protocol::Tcp);
        serves(&stage);
        let before = counted().connections;
        let forget = || sh_at(&stage.rig.router, "ip neighbour flush all");
        sh(&format!("ip address delete {prefix} dev eth0"));
        forget();
        times_out(&stage);
        assert_eq!(counted().connections, before, "IPVS has seen nothing");

        sh(&format!("ip link add ipvs0 type dummy\nip link set ipvs0 up\nip address add {prefix} dev ipvs0"));
        forget();
        if family == Family::V6 {
            times_out(&stage);
            assert_eq!(counted().connections, before, "IPVS has seen nothing");
            sh_at(&stage.rig.router, "ip route add 2001:db8:2::10 via 2001:db8:2::1");
        }
        serves(&stage);
    }
}

/// The kernel takes a destination without looking for a route: the client is told, when it comes. Only a namespace that has
/// not one address yet, not even `lo`'s, refuses an IPv4 destination (`inet_addr_type` in `ip_vs_new_dest` has no table to
/// look in).
#[test]
fn a_destination_without_a_route_is_taken() {
    for (family, address, destination, said) in [
        (Family::V4, "192.0.2.10:80", "203.0.113.1:80", "Icmp:OutDestUnreachs"),
        (Family::V6, "[2001:db8:2::10]:80", "[2001:db8:9::1]:80", "Icmp6OutDestUnreachs"),
    ] {
        let rig = Rig::new(Wiring::Lan, 0);
        sh(&format!(
            "ip route delete default\nip -6 route delete default\nip route add 198.51.100.0/24 via 192.0.2.254\n\
             ip route add 2001:db8:1::/64 via 2001:db8:2::fe\nip address add {} dev eth0",
            vip(family)
        ));
        let program = Program::new();
        program.write(
            "ipvsd.toml",
            &format!(
                "version = 1\n[[services]]\nname = \"far\"\naddress = \"tcp://{address}\"\n\
                 destinations = [{{ address = \"{destination}\" }}]\n"
            ),
        );
        program.runs("ipvsd.toml", &["apply"], 0);
        assert!(ipvsadm(&["-Ln"], "").contains(destination));
        let before = counter(said);
        let service = (vip(family), 80).into();
        let error = rig.client.run(move || std::net::TcpStream::connect_timeout(&service, LONG)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::HostUnreachable, "{error}");
        assert!(counter(said) > before, "{said}");
    }

    netns::enter_bare();
    let mut kernel = Kernel::open().unwrap();
    let service = "tcp://192.0.2.10:80".parse().unwrap();
    let settings =
        ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags::default(), persistence: None };
    let add = Operation::AddService { service, settings };
    let settings = DestinationSettings { forward: Method::Nat, weight: 1, max_connections: 0, min_connections: 0 };
    let add_destination =
        Operation::AddDestination { service, destination: "203.0.113.1:80".parse().unwrap(), settings };
    let results = kernel.execute(&[&add, &add_destination]).unwrap();
    assert_eq!(results[0], Ok(()));
    assert_eq!(results[1].as_ref().unwrap_err().errno, Errno::INVAL);
    sh("ip link set lo up");
    assert_eq!(kernel.execute(&[&add_destination]).unwrap(), [Ok(())]);
}
