//! Service addresses on an interface of ipvsd's own.

use super::*;
use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch};

const ON: &str = "[host]\naddresses = { interface = \"ipvs0\" }\n[daemon]\nmax_delete = \"100%\"\nresync = \"1s\"";

#[test]
fn they_follow_the_services_and_are_counted() {
    let _kernel = netns::enter();
    let program = Program::new();
    let all = ["tcp://192.0.2.10:80", "udp://192.0.2.10:53", "tcp://[2001:db8::10]:80", "fwmark:7", "fwmark6:7"];
    program.write(FILE, &configuration(ON, &all));
    let plan = program.runs(FILE, &["plan"], 2);
    for line in ["+ interface ipvs0", "+ address 192.0.2.10 on ipvs0", "+ address 2001:db8::10 on ipvs0"] {
        assert!(plan.contains(line), "{plan}");
    }
    assert_eq!(link("ipvs0"), None, "a plan changes nothing");
    assert_eq!(applied(&program, &[]), "changed=13 failed=0 unchanged=0");
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32", "2001:db8::10/128"]));
    assert!(is_up("ipvs0") && link("ipvs0").unwrap().contains(" dummy "), "{:?}", link("ipvs0"));
    assert!(ip(&["route", "get", "192.0.2.10"]).starts_with("local 192.0.2.10"));
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=13");
    program.runs(FILE, &["plan"], 0);

    // One of two services at an address goes, and it stays; the last one takes it away.
    program.write(FILE, &configuration(ON, &all[1..]));
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32", "2001:db8::10/128"]));
    program.write(FILE, &configuration(ON, &all[2..]));
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&["2001:db8::10/128"]));
    program.write(FILE, &configuration(ON, &["fwmark:7"]));
    applied(&program, &[]);
    assert_eq!(link("ipvs0"), None);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=2");
}

#[test]
fn what_others_put_there_stays() {
    let _kernel = netns::enter();
    ip_batch("link add ipvs0 type dummy\naddress add 203.0.113.9/24 dev ipvs0\naddress add 192.0.2.11/32 dev lo\n");
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://192.0.2.10:80", "tcp://[2001:db8::10]:80"]));
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&["203.0.113.9/24", "192.0.2.10/32", "2001:db8::10/128"]));
    assert!(is_up("ipvs0"), "it was down, and is of our kind");
    program.write(FILE, &configuration(ON, &[]));
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&["203.0.113.9/24"]), "and an interface that was there is not deleted");

    // An interface that we made, and that somebody else uses.
    ip_batch("link delete ipvs0\n");
    program.write(FILE, &configuration(ON, &["tcp://192.0.2.10:80"]));
    applied(&program, &[]);
    ip_batch("address add 203.0.113.9/32 dev ipvs0\n");
    program.write(FILE, &configuration(ON, &[]));
    let said = program.runs(FILE, &["apply"], 0);
    assert!(said.contains("interface ipvs0 is kept: it has 1 address of somebody else\n"), "{said}");
    assert_eq!(addresses("ipvs0"), set(&["203.0.113.9/32"]));
    ip_batch("address delete 203.0.113.9/32 dev ipvs0\n");
    applied(&program, &[]);
    assert_eq!(link("ipvs0"), None, "it goes when they have gone");

    // On an interface that is not a dummy, what was there before is not ours.
    let on_lo = ON.replace("ipvs0", "lo");
    program.write(FILE, &configuration(&on_lo, &["tcp://192.0.2.10:80", "tcp://192.0.2.11:80"]));
    applied(&program, &[]);
    program.write(FILE, &configuration(&on_lo, &[]));
    applied(&program, &[]);
    assert!(addresses("lo").contains("192.0.2.11/32"));
    assert!(!addresses("lo").contains("192.0.2.10/32"));
}

#[test]
fn drift_is_repaired_and_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://192.0.2.10:80", "tcp://[2001:db8::10]:80"]));
    let mut daemon = Daemon::start(&program, FILE);
    let all = set(&["192.0.2.10/32", "2001:db8::10/128"]);
    assert_eq!(addresses("ipvs0"), all);
    for (damage, lines) in [
        ("address delete 192.0.2.10/32 dev ipvs0", &["add address 192.0.2.10 on ipvs0"][..]),
        // An interface that goes down loses its IPv6 addresses.
        ("link set ipvs0 down", &["edit interface ipvs0: down → up", "add address 2001:db8::10 on ipvs0"]),
        (
            "link delete ipvs0",
            &["add interface ipvs0: up", "add address 192.0.2.10 on ipvs0", "add address 2001:db8::10 on ipvs0"],
        ),
    ] {
        ip_batch(&format!("{damage}\n"));
        for expected in lines {
            let line = daemon.wait(expected, |line| line.message() == format!("drift repaired: {expected}"));
            assert_eq!(line.level(), "WARN");
        }
        daemon.pass("its sum", |line| line.number("drift") == lines.len() as u64 && line.number("failed") == 0);
        wait("all of it", || addresses("ipvs0") == all && is_up("ipvs0"));
    }
}

/// Of two addresses the kernel takes the one that is nearer to the destination, unless that is deprecated (RFC 6724).
#[test]
fn an_ipv6_address_of_a_service_is_not_the_source_of_the_hosts_own_packets() {
    let _kernel = netns::enter();
    ip_batch(
        "address delete 2001:db8:ffff::1/64 dev v0\naddress add 2001:db8:1::1/128 dev lo\nroute add 2001:db8:ffff::/64 dev v0\n",
    );
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://[2001:db8:ffff::10]:80"]));
    applied(&program, &[]);
    let source = || ip(&["route", "get", "2001:db8:ffff::2"]);
    assert!(source().contains(" src 2001:db8:1::1 "), "{}", source());
    ip_batch("address change 2001:db8:ffff::10/128 dev ipvs0 preferred_lft forever\n");
    assert!(source().contains(" src 2001:db8:ffff::10 "), "without that it is: {}", source());
    assert!(ip(&["route", "get", "2001:db8:ffff::10"]).contains("local 2001:db8:ffff::10"));
}

#[test]
fn to_take_them_from_services_that_go_on_wants_force() {
    let _kernel = netns::enter();
    let program = Program::new();
    let head = "[host]\naddresses = { interface = \"ipvs0\" }";
    program.write(FILE, &configuration(head, &["tcp://192.0.2.10:80"]));
    applied(&program, &[]);
    program.write(FILE, &configuration("", &["tcp://192.0.2.10:80"]));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("would delete 1 of 1 owned address (100%)"), "{}", ended.err);
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32"]));
    // To another interface they move without asking, and are nowhere missed.
    program.write(FILE, &configuration(&head.replace("ipvs0", "vip0"), &["tcp://192.0.2.10:80"]));
    let said = program.runs(FILE, &["apply"], 0);
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text} in {said}"));
    assert!(at("add address 192.0.2.10 on vip0") < at("delete address 192.0.2.10 on ipvs0"), "{said}");
    assert_eq!((link("ipvs0"), addresses("vip0")), (None, set(&["192.0.2.10/32"])));
    program.write(FILE, &configuration("", &["tcp://192.0.2.10:80"]));
    assert_eq!(applied(&program, &["--force"]), "changed=2 failed=0 unchanged=2");
    assert_eq!(link("vip0"), None);
}

#[test]
fn what_the_kernel_refuses_is_said_and_tried_again() {
    let _kernel = netns::enter();
    set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://[2001:db8::10]:80", "tcp://192.0.2.10:80"]));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("FAILED add address 2001:db8::10 on ipvs0: "), "{}", ended.out);
    assert!(ended.out.contains("IPv6 is off on that interface"), "{}", ended.out);
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32"]), "one that fails stops no other");
    let mut daemon = Daemon::start(&program, FILE);
    set_sysctl("net.ipv6.conf.ipvs0.disable_ipv6", "0");
    daemon.pass("the next try", |line| line.number("failed") == 0 && line.number("changed") == 1);
    assert!(addresses("ipvs0").contains("2001:db8::10/128"));
}

#[test]
fn there_may_be_thousands() {
    let _kernel = netns::enter();
    let program = Program::new();
    let services: Vec<String> = (0..2000).map(|n| format!("tcp://10.77.{}.{}:80", n / 250, n % 250 + 1)).collect();
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    program.write(FILE, &configuration(ON, &services));
    let begin = Instant::now();
    assert_eq!(applied(&program, &[]), "changed=6001 failed=0 unchanged=0");
    println!("2,000 services with an address each: {:?}", begin.elapsed());
    assert_eq!(addresses("ipvs0").len(), 2000);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=6001");
    program.write(FILE, &configuration(ON, &[]));
    applied(&program, &[]);
    assert_eq!(link("ipvs0"), None);
}

#[test]
fn an_alternative_name_is_refused_and_touches_nobody() {
    let _kernel = netns::enter();
    ip_batch("link add wan0 type dummy\nlink set wan0 up\nlink property add dev wan0 altname vip0\n");
    let program = Program::new();
    program.write(FILE, &configuration(&ON.replace("ipvs0", "vip0"), &["tcp://192.0.2.10:80"]));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out.contains("vip0 is an alternative name of the interface wan0: write wan0\n"), "{}", ended.out);
    assert_eq!(addresses("wan0"), set(&[]), "nobody would take it away again");
}

#[test]
fn an_interface_that_somebody_replaced_is_left_to_them() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://192.0.2.10:80"]));
    applied(&program, &[]);
    ip_batch("link delete ipvs0\nlink add ipvs0 type bridge\n");
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&["192.0.2.10/32"]));
    program.write(FILE, &configuration(ON, &[]));
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0"), set(&[]));
    assert!(link("ipvs0").unwrap().contains(" bridge "));
}

/// What cannot be had on the new interface is still on the old one.
#[test]
fn an_address_that_cannot_move_stays() {
    let _kernel = netns::enter();
    let program = Program::new();
    let services = ["tcp://[2001:db8::10]:80", "tcp://192.0.2.10:80"];
    program.write(FILE, &configuration(ON, &services));
    applied(&program, &[]);
    set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
    program.write(FILE, &configuration(&ON.replace("ipvs0", "vip0"), &services));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1));
    let kept = "address 2001:db8::10 on ipvs0 stays for now: ";
    assert!(ended.out.contains(kept), "{}", ended.out);
    assert_eq!((addresses("ipvs0"), addresses("vip0")), (set(&["2001:db8::10/128"]), set(&["192.0.2.10/32"])));
    set_sysctl("net.ipv6.conf.vip0.disable_ipv6", "0");
    applied(&program, &[]);
    assert_eq!((link("ipvs0"), addresses("vip0").len()), (None, 2));
}

#[test]
fn loopback_addresses_are_there_as_it_is() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &configuration(ON, &["tcp://127.0.0.1:80", "tcp://[::1]:80"]));
    assert_eq!(applied(&program, &[]), "changed=4 failed=0 unchanged=0");
    assert_eq!(link("ipvs0"), None);
}
