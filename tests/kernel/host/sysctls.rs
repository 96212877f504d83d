//! Sysctls: set, kept so, and put back.

use super::*;
use crate::daemon_process::Daemon;
use crate::netns;

fn head(sysctls: &str) -> String {
    format!("[daemon]\nresync = \"1s\"\n[host.sysctls]\n{sysctls}")
}

#[test]
fn they_are_set_remembered_and_put_back() {
    let _kernel = netns::enter();
    set_sysctl("net.ipv4.ip_forward", "0");
    let program = Program::new();
    let three = "\"net.ipv4.ip_forward\" = true\nnet.ipv4.vs.conntrack = 1\n\"net/ipv4/vs/sync_threshold\" = \"5  60\"";
    program.write(FILE, &configuration(&head(three), &[]));
    let plan = program.runs(FILE, &["plan"], 2);
    for line in [
        "~ sysctl net.ipv4.ip_forward  0 → 1",
        "~ sysctl net.ipv4.vs.conntrack  0 → 1",
        "~ sysctl net.ipv4.vs.sync_threshold  3 50 → 5 60",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    assert_eq!(applied(&program, &[]), "changed=3 failed=0 unchanged=0");
    let values = || ["net.ipv4.ip_forward", "net.ipv4.vs.conntrack", "net.ipv4.vs.sync_threshold"].map(sysctl);
    assert_eq!(values(), ["1", "1", "5 60"]);
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=3");

    // What is not written any more is left as it is, and said.
    program.write(FILE, &configuration(&head("net.ipv4.vs.conntrack = 1"), &[]));
    let said = program.runs(FILE, &["apply"], 0);
    let kept = "sysctl net.ipv4.ip_forward is not written any more, and stays 1: it was 0 before; \
                `ipvsd apply --restore-host` puts it back\n";
    assert!(said.contains(kept), "{said}");
    assert_eq!(values(), ["1", "1", "5 60"]);
    let dry = program.runs(FILE, &["apply", "--dry-run", "--restore-host"], 0);
    assert!(dry.contains("~ sysctl net.ipv4.ip_forward  1 → 0"), "{dry}");
    assert_eq!(values(), ["1", "1", "5 60"]);
    assert_eq!(applied(&program, &["--restore-host"]), "changed=3 failed=0 unchanged=0");
    assert_eq!(values(), ["0", "0", "3 50"], "also what is still written");
    assert_eq!(applied(&program, &[]), "changed=1 failed=0 unchanged=0");
    assert_eq!(values(), ["0", "1", "3 50"]);
}

#[test]
fn drift_is_repaired_and_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    program.write(FILE, &configuration(&head("net.ipv4.vs.conntrack = 1"), &[]));
    let mut daemon = Daemon::start(&program, FILE);
    assert_eq!(sysctl("net.ipv4.vs.conntrack"), "1");
    set_sysctl("net.ipv4.vs.conntrack", "0");
    let line = daemon.wait("the repair", |line| line.message().starts_with("drift repaired"));
    assert_eq!(line.message(), "drift repaired: edit sysctl net.ipv4.vs.conntrack: 0 → 1");
    assert_eq!(sysctl("net.ipv4.vs.conntrack"), "1");
    // Another value that is asked for is no drift.
    program.write(FILE, &configuration(&head("net.ipv4.vs.conntrack = 0"), &[]));
    let line = daemon.wait("the edit", |line| line.message().contains("sysctl"));
    assert_eq!(line.message(), "edit sysctl net.ipv4.vs.conntrack: 1 → 0");
}

/// Forwarding as a whole resets that of every interface, whichever comes first in the file.
#[test]
fn what_one_resets_is_set_again() {
    let _kernel = netns::enter();
    set_sysctl("net.ipv4.ip_forward", "0");
    let program = Program::new();
    let both = "net.ipv4.conf.v0.forwarding = 0\nnet.ipv4.ip_forward = 1";
    program.write(FILE, &configuration(&head(both), &[]));
    applied(&program, &[]);
    let values = || (sysctl("net.ipv4.conf.v0.forwarding"), sysctl("net.ipv4.ip_forward"));
    assert_eq!(values(), ("0".to_owned(), "1".to_owned()), "it was as it should be, and was reset");
    assert_eq!(applied(&program, &[]), "changed=0 failed=0 unchanged=2");
    for name in ["net.ipv4.ip_forward", "net.ipv4.conf.v0.forwarding"] {
        set_sysctl(name, if name.ends_with("ip_forward") { "0" } else { "1" });
    }
    applied(&program, &[]);
    assert_eq!(values(), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn what_the_kernel_does_not_have_or_take_is_said() {
    let _kernel = netns::enter();
    let program = Program::new();
    let odd = "net.ipv4.vs.no_such_thing = 1\nnet.ipv4.tcp_congestion_control = \"nonsense\"\nnet.ipv4.vs.conntrack = 1\n\
               net.ipv4.conf.nowhere0.rp_filter = 0";
    program.write(FILE, &configuration(&head(odd), &["tcp://192.0.2.10:80"]));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    for line in [
        "FAILED add sysctl net.ipv4.vs.no_such_thing: 1: there is no sysctl net.ipv4.vs.no_such_thing: this kernel's IPVS does \
         not have it, or the module ip_vs is not loaded\n",
        "FAILED edit sysctl net.ipv4.tcp_congestion_control: ",
        "FAILED add sysctl net.ipv4.conf.nowhere0.rp_filter: 0: there is no sysctl net.ipv4.conf.nowhere0.rp_filter: this kernel \
         does not have it, or there is no interface nowhere0\n",
        "\nedit sysctl net.ipv4.vs.conntrack: 0 → 1\n",
        "changed=3 failed=3 unchanged=0\n",
    ] {
        assert!(ended.out.contains(line), "no {line:?} in {}", ended.out);
    }
    assert_eq!(sysctl("net.ipv4.vs.conntrack"), "1", "one that fails stops no other");
}

#[test]
fn an_empty_value_is_put_back() {
    let _kernel = netns::enter();
    let program = Program::new();
    let name = "net.ipv4.ip_local_reserved_ports";
    assert_eq!(sysctl(name), "");
    program.write(FILE, &configuration(&head(&format!("\"{name}\" = 8080")), &[]));
    applied(&program, &[]);
    assert_eq!(sysctl(name), "8080");
    applied(&program, &["--restore-host"]);
    assert_eq!(sysctl(name), "");
}
