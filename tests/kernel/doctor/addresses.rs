//! Addresses that are nowhere, and addresses that nobody answers for.

use super::*;
use crate::netns::{self, ip, ip_batch};
use crate::network::Network;

/// A service in the clients' own network.
const NEAR: &str = "10.1.0.10:80";

/// An address is found to be on no interface, and each mend puts it there.
#[test]
fn an_address_on_no_interface() {
    let _kernel = netns::enter();
    set("ipv4/ip_forward", "1");
    let clinic = Clinic::open(WEB);
    let provoke = || {
        // What is not there need not be taken away.
        ip_batch_forced("address delete 192.0.2.10/32 dev v0\nlink delete ipvs0\n");
    };
    let finding = clinic.mends("address-missing", provoke);
    assert_eq!(finding["subject"], "address 192.0.2.10");
    assert_eq!(texts(&finding, "command"), ["ip address add 192.0.2.10/32 dev v0"]);
    assert_eq!(texts(&finding, "configuration"), ["[host]\naddresses = { interface = \"ipvs0\" }"]);

    // It is on no interface, and all the same this host's.
    ip_batch_forced("link delete ipvs0\n");
    ip_batch("route add local 192.0.2.10/32 dev lo\n");
    assert_eq!(clinic.ids(), [""; 0]);
}

/// Far from all networks of this host it is put on lo.
#[test]
fn an_address_from_elsewhere_and_one_of_ipv6() {
    let _kernel = netns::enter();
    set("ipv4/ip_forward", "1");
    set("ipv6/conf/all/forwarding", "1");
    let clinic = Clinic::open(&WEB.replace("192.0.2.10", "203.0.113.10"));
    let finding =
        clinic.mends("address-missing", || ip_batch_forced("link delete ipvs0\naddress delete 203.0.113.10 dev lo\n"));
    assert_eq!(texts(&finding, "command"), ["ip address add 203.0.113.10/32 dev lo"]);

    let six = |address: &str| {
        WEB.replace("192.0.2.10:80", &format!("[{address}]:80")).replace("10.0.0.11:8080", "[2001:db8:9::11]:80")
    };
    let clinic = Clinic::open(&six("2001:db8:5::10"));
    let finding = clinic
        .mends("address-missing", || ip_batch_forced("link delete ipvs0\naddress delete 2001:db8:5::10/128 dev lo\n"));
    assert_eq!(texts(&finding, "command"), ["ip address add 2001:db8:5::10/128 dev lo preferred_lft 0"]);

    // Where neighbours ask for it, an interface of our own is no place for it.
    clinic.configure(&six("2001:db8:ffff::10"));
    let finding = clinic.finding("address-missing");
    assert_eq!(texts(&finding, "configuration"), [""; 0]);
    clinic.run(&command(&finding));
    wait("the end of duplicate address detection", || {
        !ip(&["-6", "address", "show", "to", "2001:db8:ffff::10"]).contains("tentative")
    });
    assert_eq!(clinic.ids(), [""; 0]);
}

/// An address is this host's on an interface that is down, too, and where no rule leads elsewhere.
#[test]
fn an_interface_that_is_down_and_a_rule() {
    let _kernel = netns::enter();
    set("ipv4/ip_forward", "1");
    let clinic = Clinic::open(WEB);
    ip_batch("link add ipvs0 type dummy\naddress add 192.0.2.10/32 dev ipvs0\n");
    assert_eq!(clinic.ids(), [""; 0]);
    ip_batch("link set ipvs0 up\nlink set ipvs0 down\n");
    assert_eq!(clinic.ids(), [""; 0]);
    ip_batch("rule add pref 100 lookup local\nrule add pref 50 to 192.0.2.10 lookup main\nrule delete pref 0\n");
    let finding = clinic.finding("address-missing");
    assert!(texts(&finding, "advice")[0].contains("`ip rule`"), "{finding:#}");
    ip_batch("rule delete pref 50\n");
    assert_eq!(clinic.ids(), [""; 0]);
}

/// Two hosts with one address: the second one's is not to be used, and to take it by force is no mend.
#[test]
fn a_duplicate_of_ipv6() {
    let _kernel = netns::enter();
    set("ipv6/conf/all/forwarding", "1");
    let text = WEB.replace("192.0.2.10:80", "[2001:db8:ffff::10]:80").replace("10.0.0.11:8080", "[2001:db8:9::11]:80");
    let clinic = Clinic::open(&text);
    // The other end of v0 is in the same namespace; one that has the address and answers has to be in another.
    let neighbour = Host::new();
    ip_batch(&format!("link set v1 netns {}\n", neighbour.namespace()));
    neighbour.run(|| ip_batch("link set v1 up\naddress add 2001:db8:ffff::10/64 dev v1 nodad\n"));
    ip_batch("address add 2001:db8:ffff::10/64 dev v0\n");
    wait("the duplicate to be found", || {
        ip(&["-6", "address", "show", "to", "2001:db8:ffff::10"]).contains("dadfailed")
    });
    let finding = clinic.finding("address-missing");
    assert!(finding["saw"].as_str().unwrap().contains("as a duplicate"), "{finding:#}");
    assert_eq!((texts(&finding, "command"), texts(&finding, "configuration")), (vec![], vec![]));
    // As the advice says: one of the two gives it up.
    neighbour.run(|| ip_batch("address delete 2001:db8:ffff::10/64 dev v1\n"));
    ip_batch("address delete 2001:db8:ffff::10/64 dev v0\naddress add 2001:db8:ffff::10/64 dev v0 nodad\n");
    assert_eq!(clinic.ids(), [""; 0]);
}

/// What an interface has, the one beside it does not answer for: neighbours find nobody, until the mend.
#[test]
fn an_address_that_nobody_answers_for() {
    let _kernel = netns::enter();
    // Nobody is at the other end of it.
    ip_batch("link delete v0\nlink add ipvs0 type dummy\nlink set ipvs0 up\n");
    let network = Network::around_here(1);
    ip_batch("address add 10.1.0.10/32 dev ipvs0\n");
    let clinic = Clinic::open(&WEB.replace("192.0.2.10", "10.1.0.10").replace("10.0.0.11", "10.2.0.11"));
    assert_eq!(clinic.ipvsd(&["apply"]).code, Some(0));
    // The client asks anew who has it.
    let forget = || network.client.run(|| ip_batch_forced("neighbour flush dev eth0\n"));
    assert_eq!(clinic.ids(), [""; 0]);
    assert!(answers(&network.client, NEAR));
    let provoke = || {
        ip_batch_forced("address delete 10.1.0.10/32 dev c0\n");
        set("ipv4/conf/c0/arp_ignore", "1");
    };
    provoke();
    forget();
    assert!(is_silent(&network.client, NEAR), "nobody answers");
    let finding = clinic.mends("address-silent", provoke);
    assert_eq!(texts(&finding, "command"), ["ip address add 10.1.0.10/32 dev c0"]);
    forget();
    assert!(answers(&network.client, NEAR), "the mend helps clients");

    // IPv6 does so without being asked to.
    let text = "version = 1\n[host]\naddresses = { interface = \"ipvs0\" }\n[[services]]\nname = \"six\"\n\
                address = \"tcp://[2001:db8:1::10]:80\"\nscheduler = \"rr\"\n";
    clinic.configure(text);
    ip_batch("address add 2001:db8:1::1/64 dev c0 nodad\n");
    network.client.run(|| ip_batch("address add 2001:db8:1::2/64 dev eth0 nodad\n"));
    let finding = clinic.findings_of(&clinic.ipvsd(&["check", "--host", "--output", "json"]));
    assert_eq!(finding.iter().map(id).collect::<Vec<_>>(), ["address-silent"], "before it is in force");
    assert!(clinic.ipvsd(&["apply", "--force"]).out.contains("failed=0"));
    let heard = || {
        network.client.run(|| {
            ip_batch_forced("neighbour flush dev eth0\n");
            // The kernel refuses: what matters is that somebody is there to do so.
            let error =
                std::net::TcpStream::connect_timeout(&"[2001:db8:1::10]:9".parse().unwrap(), Duration::from_secs(5));
            error.unwrap_err().kind() == std::io::ErrorKind::ConnectionRefused
        })
    };
    assert!(!heard());
    let finding = clinic.finding("address-silent");
    assert_eq!(texts(&finding, "command"), ["ip address add 2001:db8:1::10/128 dev c0 preferred_lft 0"]);
    clinic.configure(&text.replace("ipvs0", "c0"));
    clinic.run(
        "ipvsd --config $CONFIG apply".replace("$CONFIG", &clinic.program.path(FILE).display().to_string()).as_str(),
    );
    clinic.is_gone("address-silent");
    assert!(heard());
}
