//! The way back from nat destinations.

use std::net::Ipv6Addr;

use super::*;
use crate::netns::{self, ip, ip_batch};
use crate::network::{self, Network, VIP};

/// What is written and what is run switch forwarding on for the one interface, and clients are answered.
#[test]
fn a_host_that_does_not_forward() {
    let _kernel = netns::enter();
    ip_batch("link delete v0\n");
    let network = Network::around_here(1);
    let clinic = Clinic::open(&WEB.replace("10.0.0.11", "10.2.0.11"));
    assert_eq!(clinic.ipvsd(&["apply"]).code, Some(0));
    let is_well = || {
        assert_eq!(clinic.ids(), [""; 0]);
        assert!(answers(&network.client, VIP));
    };
    is_well();
    let provoke = || {
        // A change of the switch for all sets each interface.
        set("ipv4/ip_forward", "1");
        set("ipv4/ip_forward", "0");
        assert!(is_silent(&network.client, VIP), "the answers are dropped");
    };
    let finding = clinic.mends("forwarding-off", provoke);
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv4.conf.br0.forwarding=1"]);
    assert!(answers(&network.client, VIP), "the mend helps clients");
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/conf/c0/forwarding").unwrap(), "0\n", "and opens nothing else");

    // The switch for all, in the configuration.
    provoke();
    clinic
        .configure(&format!("{}[host.sysctls]\n\"net.ipv4.ip_forward\" = 1\n", WEB.replace("10.0.0.11", "10.2.0.11")));
    assert_eq!(clinic.findings_of(&clinic.ipvsd(&["check", "--host", "--output", "json"])), [Value::Null; 0]);
    clinic.run(&command(&clinic.finding("forwarding-off")));
    is_well();
    // It does nothing where it is on already.
    set("ipv4/conf/br0/forwarding", "0");
    let finding = clinic.findings_of(&clinic.ipvsd(&["check", "--host", "--output", "json"]));
    assert_eq!(finding.iter().map(id).collect::<Vec<_>>(), ["forwarding-off"]);
    assert!(clinic.ipvsd(&["apply"]).out.contains("changed=0"), "which apply shows");
    assert!(is_silent(&network.client, VIP));
    clinic.run(&command(&clinic.finding("forwarding-off")));
    is_well();
}

/// IPv6 has one switch; a host that forwards drops routes that routers advertise, and the mend keeps them.
#[test]
fn a_host_that_does_not_forward_ipv6() {
    let _kernel = netns::enter();
    let router = Host::new();
    ip_batch(&format!(
        "route delete ::/0\naddress add 2001:db8:ffff::10/64 dev v0 nodad\nlink set v1 netns {}\n",
        router.namespace()
    ));
    router.run(|| {
        ip_batch("link set v1 addrgenmode none\nlink set v1 up\naddress add fe80::1/64 dev v1 nodad\n");
    });
    wait("an address to hear advertisements with", || {
        !ip(&["-6", "address", "show", "dev", "v0"]).contains("tentative")
    });
    let default = || ip(&["-6", "route", "show", "default"]);
    // Gives whether a route comes of it.
    let advertise = || {
        ip_batch_forced("route delete default via fe80::1 dev v0\n");
        assert_eq!(default(), "");
        let before = received();
        router.run(advertise);
        wait("the advertisement to come in", || received() > before);
        default().contains("via fe80::1 dev v0 proto ra")
    };
    let text = WEB.replace("192.0.2.10:80", "[2001:db8:ffff::10]:80").replace("10.0.0.11:8080", "[2001:db8:9::11]:80");
    let clinic = Clinic::open(&text);
    let provoke = || {
        set("ipv6/conf/v0/accept_ra", "1");
        set("ipv6/conf/all/forwarding", "0");
        assert!(advertise());
    };
    let finding = clinic.mends("forwarding-off", provoke);
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv6.conf.v0.accept_ra=2 net.ipv6.conf.all.forwarding=1"]);
    assert!(default().contains("proto ra"), "the mend takes no route away: {}", default());
    assert!(advertise(), "and the next advertisement is heard");
    // It takes the first half of it.
    set("ipv6/conf/v0/accept_ra", "1");
    assert!(!advertise());
    // And where it is another one's, there is no first half.
    set("ipv6/conf/all/forwarding", "0");
    ip_batch("route add ::/0 via 2001:db8:ffff::2\n");
    assert_eq!(texts(&clinic.finding("forwarding-off"), "command"), ["sysctl -w net.ipv6.conf.all.forwarding=1"]);
}

/// `Icmp6InRouterAdvertisements` of `/proc/net/snmp6`.
fn received() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Icmp6InRouterAdvertisements")).unwrap();
    line.trim().parse().unwrap()
}

/// A router advertisement (RFC 4861, section 4.2) with a lifetime of half an hour, to all nodes.
fn advertise() {
    use socket2::{Domain, Protocol, Socket, Type};
    let index = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
    let line = index.lines().find(|line| line.ends_with("v1")).unwrap();
    let index = u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).unwrap();
    socket.set_multicast_hops_v6(255).unwrap();
    socket.set_multicast_if_v6(index).unwrap();
    let mut message = vec![134, 0, 0, 0, 64, 0];
    message.extend(1800u16.to_be_bytes());
    message.extend([0; 8]);
    let all: Ipv6Addr = "ff02::1".parse().unwrap();
    socket.send_to(&message, &std::net::SocketAddrV6::new(all, 0, 0, index).into()).unwrap();
}

/// A director with one leg tells servers of the nearer way to clients; the kernel counts it, and does so no more once mended.
#[test]
fn redirects_from_one_leg() {
    let _kernel = netns::enter();
    ip_batch("link delete v0\n");
    let network = Network::around_here(1);
    // The client moves into the servers' network, behind a router that is one of the servers' hosts, in a way: it only has
    // to be on the same interface as they are.
    ip_batch(&format!(
        "link delete c0\nlink add c0 type veth peer name eth0 netns {}\nlink set c0 master br0 up\nroute add default via 10.2.0.99\n",
        network.client.namespace()
    ));
    network.client.run(|| {
        ip_batch(
            "address add 10.2.0.99/24 dev eth0\naddress add 198.51.100.2/32 dev lo\nlink set lo up\nlink set eth0 up\n\
                  route add default via 10.2.0.1 src 198.51.100.2\n",
        );
    });
    let clinic = Clinic::open(&WEB.replace("10.0.0.11", "10.2.0.11"));
    assert_eq!(clinic.ipvsd(&["apply"]).code, Some(0));
    // The servers do not listen, so that each of them goes on to provoke.
    for host in &network.servers {
        set_on(host, "ipv4/conf/all/accept_redirects", "0");
        set_on(host, "ipv4/conf/eth0/accept_redirects", "0");
    }
    let sent = || {
        let before = redirects();
        network.client.run(network::request).unwrap();
        redirects() - before
    };
    assert_eq!((clinic.ids(), sent()), (vec![], 0));
    let provoke = || {
        set("ipv4/conf/all/send_redirects", "1");
        set("ipv4/conf/br0/send_redirects", "1");
    };
    provoke();
    assert!(sent() > 0, "the kernel sends some");
    let finding = clinic.mends("redirects-sent", provoke);
    assert_eq!(
        texts(&finding, "command"),
        ["sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.br0.send_redirects=0"]
    );
    assert_eq!(sent(), 0);
    // Each of the two is enough to send.
    set("ipv4/conf/all/send_redirects", "1");
    let finding = clinic.finding("redirects-sent");
    assert_eq!(texts(&finding, "command"), ["sysctl -w net.ipv4.conf.all.send_redirects=0"]);
}

/// `OutRedirects` of `/proc/net/snmp`.
fn redirects() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "OutRedirects").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}
