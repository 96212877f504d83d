//! Modules that are not there. These tests unload some and take the kernel's loader away, so they have a machine to themselves.

use std::fs;
use std::process::Command;

use crate::doctor::{Clinic, WEB, texts};
use crate::netns::{self, ip_batch};

const HELPER: &str = "/proc/sys/kernel/modprobe";

fn loaded(name: &str) -> bool {
    fs::read_to_string("/proc/modules").unwrap().lines().any(|line| line.split(' ').next() == Some(name))
}

fn unload(name: &str) {
    if loaded(name) {
        assert!(Command::new("rmmod").arg(name).status().unwrap().success(), "{name} stays");
    }
}

/// The kernel's loader, away for as long as this lives.
struct Away {
    helper: String,
}

impl Away {
    fn take() -> Self {
        let lab = std::env::var("LAB").unwrap_or_default();
        assert!(lab == "uml" || lab == "qemu", "this unloads kernel modules: it runs in the lab only");
        let helper = fs::read_to_string(HELPER).unwrap().trim().to_owned();
        fs::write(HELPER, "/nonexistent").unwrap();
        Self { helper }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let _ = fs::write(HELPER, &self.helper);
    }
}

fn well(configuration: &str) -> Clinic {
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    Clinic::open(configuration)
}

/// A scheduler and an engine, one after the other: found by nobody; found by modprobe alone; found by the kernel.
#[test]
fn a_module_that_is_not_loaded() {
    let _kernel = netns::enter();
    let udp = WEB.replace("tcp:", "udp:");
    for (id, module, configuration) in [
        ("scheduler-missing", "ip_vs_sed", WEB.replace("\"rr\"", "\"sed\"")),
        (
            "engine-missing",
            "ip_vs_pe_sip",
            udp.replace("\"rr\"", "\"rr\"\ndrain = \"0s\"\npersistence = { engine = \"sip\" }"),
        ),
    ] {
        let clinic = well(&configuration);
        fs::write("/proc/sys/net/ipv4/vs/expire_quiescent_template", "1").unwrap();
        unload(module);
        clinic.is_gone(id);
        let away = Away::take();
        clinic.script("modprobe", "false");
        let finding = clinic.finding(id);
        assert_eq!((texts(&finding, "command"), finding["severity"].as_str()), (vec![], Some("error")));
        assert!(clinic.ipvsd(&["apply"]).out.contains("FAILED add service"), "the kernel refuses it");
        // As the advice says: where modprobe finds it.
        clinic.script("modprobe", &away.helper);
        let finding = clinic.mends(id, || unload(module));
        assert_eq!(texts(&finding, "command"), [format!("modprobe {module}")]);
        assert_eq!(texts(&finding, "configuration"), ["[host]\nmodules = true"]);
        assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));
        netns::ipvsadm(&["-C"], "");
        unload(module);
        drop(away);
        // The kernel loads it when it needs it.
        assert_eq!(clinic.ids(), [""; 0]);
        assert!(!loaded(module), "and the doctor does not");
        ip_batch("address delete 192.0.2.10/32 dev v0\n");
    }
}

/// One that no kernel has: another one is the mend, and those that there are are named.
#[test]
fn a_scheduler_that_no_kernel_has() {
    let _kernel = netns::enter();
    let clinic = well(&WEB.replace("\"rr\"", "\"nonesuch\""));
    let finding = clinic.finding("scheduler-missing");
    let advice = &texts(&finding, "advice")[0];
    let (_, there) = advice.split_once("there is ").unwrap();
    let first = there.split(", ").next().unwrap();
    clinic.configure(&WEB.replace("\"rr\"", &format!("\"{first}\"")));
    assert_eq!(clinic.ids(), [""; 0]);
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));
}

/// Without ip_vs there is nothing; where it can be loaded, all is well, for ipvsd does so.
#[test]
fn without_ipvs() {
    drop(netns::enter());
    let clinic = well(WEB);
    let away = Away::take();
    let modules = fs::read_to_string("/proc/modules").unwrap();
    for name in modules.lines().filter_map(|line| line.split(' ').next()).filter(|name| name.starts_with("ip_vs_")) {
        unload(name);
    }
    unload("ip_vs");
    clinic.script("modprobe", "false");
    let finding = clinic.finding("ipvs-missing");
    assert!(finding["saw"].as_str().unwrap().contains("cannot be found"), "{finding:#}");
    assert!(!loaded("ip_vs"));
    clinic.script("modprobe", &away.helper);
    clinic.is_gone("ipvs-missing");
    assert!(!loaded("ip_vs"), "the doctor loads nothing");
    let finding = clinic.finding("scheduler-missing");
    clinic.run(&texts(&finding, "command")[0]);
    assert!(loaded("ip_vs"), "it comes along");
    assert_eq!(clinic.ids(), [""; 0]);
}
