//! A kernel that loads no module any more. Only a boot takes that back, so this has a machine to itself.

use std::fs;

use crate::doctor::{Clinic, WEB, command};
use crate::netns::{self, ip_batch};

#[test]
fn a_kernel_that_loads_nothing_more() {
    let lab = std::env::var("LAB").unwrap_or_default();
    assert!(lab == "uml" || lab == "qemu", "this locks the kernel's modules: it runs in the lab only");
    let _kernel = netns::enter();
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(WEB);
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));
    assert_eq!(clinic.ids(), [""; 0]);
    fs::write("/proc/sys/kernel/modules_disabled", "1").unwrap();
    assert_eq!(clinic.ids(), [""; 0], "all that is needed is there");
    clinic.configure(&WEB.replace("\"rr\"", "\"sed\""));
    let finding = clinic.finding("modules-locked");
    assert_eq!(finding["subject"], "kernel modules");
    assert!(clinic.ipvsd(&["apply"]).out.contains("FAILED edit service"), "the kernel refuses it");
    // What the next boot will load; the boot itself is beyond this test.
    clinic.run(&command(&finding));
    assert_eq!(fs::read_to_string("/etc/modules-load.d/ipvsd.conf").unwrap(), "ip_vs_sed\n");
    // What was there before goes on.
    clinic.configure(WEB);
    assert_eq!(clinic.ids(), [""; 0]);
}
