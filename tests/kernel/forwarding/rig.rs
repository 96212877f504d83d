//! A client, a director and real servers, each in a network namespace of its own, so that a server's answer can reach the
//! client without passing the director.
//!
//! ```text
//!  client 198.51.100.2 ── router 192.0.2.254 ── LAN ─┬─ director 192.0.2.1, 192.0.2.10 (the service)
//!         2001:db8:1::2          2001:db8:2::fe      │           2001:db8:2::1, 2001:db8:2::10
//!                                                    ├─ server 1: 192.0.2.11, 2001:db8:2::11
//!                                                    └─ server 2: 192.0.2.12, 2001:db8:2::12
//! ```
//!
//! That is [`Wiring::Lan`]. With [`Wiring::Macvlan`] director and servers are macvlan interfaces on one parent, whose other
//! end is in the LAN. With [`Wiring::Behind`] the servers are in a network behind the director, 10.0.0.0/24 and fd00::/64, and
//! have no way to the client but what a test gives them.
//!
//! The director is the namespace of the test's own thread. Reverse path filters are strict everywhere, as some distributions
//! have them, and nobody forwards but the router: what a way of forwarding needs beyond that, a test has to set.

use std::fs;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use rustix::thread::gettid;

use super::modes::Mode;
use crate::netns::{self, ip_batch};
use crate::network::Host;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// How director and servers are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wiring {
    /// All on one bridge.
    Lan,
    /// The servers behind the director.
    Behind,
    /// All on one parent interface, with MAC addresses of their own.
    Macvlan,
}

/// The service's address.
pub(crate) fn vip(family: Family) -> IpAddr {
    parse(family, "192.0.2.10", "2001:db8:2::10")
}

/// The client's address.
pub(crate) fn client(family: Family) -> IpAddr {
    parse(family, "198.51.100.2", "2001:db8:1::2")
}

fn parse(family: Family, v4: &str, v6: &str) -> IpAddr {
    match family {
        Family::V4 => v4.parse().unwrap(),
        Family::V6 => v6.parse().unwrap(),
    }
}

impl Wiring {
    /// The address of a server, 1 to 9.
    pub(crate) fn real(self, server: usize, family: Family) -> IpAddr {
        match self {
            Self::Lan | Self::Macvlan => {
                parse(family, &format!("192.0.2.1{server}"), &format!("2001:db8:2::1{server}"))
            }
            Self::Behind => parse(family, &format!("10.0.0.1{server}"), &format!("fd00::1{server}")),
        }
    }
}

/// All of it. The director is not in it: it is where this was built.
pub(crate) struct Rig {
    pub(crate) client: Host,
    pub(crate) router: Host,
    pub(crate) servers: Vec<Host>,
    pub(crate) wiring: Wiring,
}

impl Rig {
    /// Moves this thread into a new namespace, the director's, and builds the others around it.
    pub(crate) fn new(wiring: Wiring, servers: usize) -> Self {
        netns::enter_bare();
        let director = format!("/proc/{}/task/{}/ns/net", std::process::id(), gettid().as_raw_nonzero());
        let (client, router) = (Host::new(), Host::new());
        let servers: Vec<Host> = (0..servers).map(|_| Host::new()).collect();
        let rig = Self { client, router, servers, wiring };

        defaults(false);
        rig.router.run(|| defaults(true));
        for host in rig.servers.iter().chain([&rig.client]) {
            host.run(|| defaults(false));
        }
        let cables = rig.cables(&director);
        rig.router.run(move || ip_batch(&cables));
        rig.client.run(|| {
            ip_batch(
                "link set lo up\naddress add 198.51.100.2/24 dev eth0\naddress add 2001:db8:1::2/64 dev eth0\n\
                 link set eth0 up\nroute add default via 198.51.100.254\nroute add default via 2001:db8:1::fe\n",
            );
        });
        let behind = match wiring {
            Wiring::Behind => "address add 10.0.0.1/24 dev eth1\naddress add fd00::1/64 dev eth1\nlink set eth1 up\n",
            Wiring::Lan | Wiring::Macvlan => "",
        };
        ip_batch(&format!(
            "link set lo up\naddress add 192.0.2.1/24 dev eth0\naddress add 2001:db8:2::1/64 dev eth0\n\
             link set eth0 up\n{behind}{UPLINK}"
        ));
        for (host, number) in rig.servers.iter().zip(1..) {
            let (v4, v6) = (wiring.real(number, Family::V4), wiring.real(number, Family::V6));
            let uplink = if wiring == Wiring::Behind { "" } else { UPLINK };
            host.run(move || {
                ip_batch(&format!(
                    "link set lo up\naddress add {v4}/24 dev eth0\naddress add {v6}/64 dev eth0\n\
                     link set eth0 up\n{uplink}"
                ));
            });
        }
        rig
    }

    /// What makes all the interfaces, each with its end in its namespace, when run in the router's.
    fn cables(&self, director: &str) -> String {
        let mut links = format!(
            "link add outside type veth peer name eth0 netns {}\naddress add 198.51.100.254/24 dev outside\n\
             address add 2001:db8:1::fe/64 dev outside\nlink set outside up\nlink set lo up\n\
             link add lan type bridge\naddress add 192.0.2.254/24 dev lan\naddress add 2001:db8:2::fe/64 dev lan\n\
             link set lan up\n",
            self.client.namespace(),
        );
        if self.wiring == Wiring::Macvlan {
            links += "link add port type veth peer name nic\nlink set port master lan up\nlink set nic up\n";
        }
        if self.wiring == Wiring::Behind {
            links += "link add inner type bridge\nlink set inner up\n";
        }
        let mut join = |port: &str, bridge: &str, namespace: &str, interface: &str| {
            links += &match self.wiring {
                Wiring::Macvlan => {
                    format!("link add link nic netns {namespace} name {interface} type macvlan mode bridge\n")
                }
                Wiring::Lan | Wiring::Behind => format!(
                    "link add {port} type veth peer name {interface} netns {namespace}\n\
                     link set {port} master {bridge} up\n"
                ),
            };
        };
        join("d0", "lan", director, "eth0");
        let bridge = if self.wiring == Wiring::Behind { "inner" } else { "lan" };
        if bridge == "inner" {
            join("d1", bridge, director, "eth1");
        }
        for (host, number) in self.servers.iter().zip(1..) {
            join(&format!("s{number}"), bridge, host.namespace(), "eth0");
        }
        links
    }

    /// Types on the servers what a mode needs.
    pub(crate) fn prepare(&self, mode: Mode) {
        for (host, number) in self.servers.iter().zip(1..) {
            let own = self.real(number, mode.underlay);
            host.run(move || shell(&mode.server(own)));
        }
    }

    /// The address of a server, from 1.
    pub(crate) fn real(&self, server: usize, family: Family) -> IpAddr {
        self.wiring.real(server, family)
    }
}

/// What every host of the LAN has.
const UPLINK: &str = "route add default via 192.0.2.254\nroute add default via 2001:db8:2::fe\n";

/// Sets what interfaces of this namespace begin with.
fn defaults(forward: bool) {
    let forward = u8::from(forward).to_string();
    for (path, value) in [
        ("ipv4/conf/all/rp_filter", "1"),
        ("ipv4/conf/default/rp_filter", "1"),
        // No address is looked for on the network before it is used: that would take a second.
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv4/ip_forward", &forward),
        ("ipv6/conf/all/forwarding", &forward),
    ] {
        fs::write(format!("/proc/sys/net/{path}"), value).unwrap();
    }
}

/// Runs an operator's commands in this thread's namespace. All of them succeed.
#[track_caller]
pub(crate) fn shell(commands: &[String]) {
    let script = commands.join("\n");
    let output = Command::new("sh").args(["-e", "-c", &script]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}\nof:\n{script}", output.status);
}
