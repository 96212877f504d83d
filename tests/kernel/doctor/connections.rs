//! Settings of IPVS that go ill with quiesced destinations; and what the configuration asks for and the host does not have.

use super::*;
use crate::netns::{self, ip_batch};

fn well(configuration: &str) -> Clinic {
    set("ipv4/ip_forward", "1");
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    Clinic::open(configuration)
}

#[test]
fn settings_that_keep_clients_at_quiesced_destinations() {
    let _kernel = netns::enter();
    let clinic = well(&WEB.replace("\"rr\"", "\"rr\"\npersistence = { timeout = \"5m\" }"));
    set("ipv4/vs/expire_quiescent_template", "1");
    assert_eq!(clinic.ids(), [""; 0]);
    clinic.mends("quiesced-reuse", || set("ipv4/vs/conn_reuse_mode", "0"));
    clinic.mends("quiesced-persistence", || set("ipv4/vs/expire_quiescent_template", "0"));
    assert_eq!(clinic.ids(), [""; 0]);
    let clinic = Clinic::open(&WEB.replace("tcp:", "udp:"));
    clinic.mends("quiesced-udp", || set("ipv4/vs/expire_nodest_conn", "0"));
    assert_eq!(clinic.ids(), [""; 0]);
}

#[test]
fn a_sysctl_that_is_not_there() {
    let _kernel = netns::enter();
    let asks = |name: &str| format!("{WEB}[host.sysctls]\n\"{name}\" = 0\n");
    let clinic = well(&asks("net.ipv4.conf.v7.rp_filter"));
    let finding = clinic.finding("sysctl-missing");
    assert_eq!(
        finding["saw"],
        "there is no sysctl net.ipv4.conf.v7.rp_filter: this kernel does not have it, or there is no interface v7"
    );
    assert!(clinic.ipvsd(&["apply"]).out.contains("FAILED"), "apply fails on it");
    // As the advice says: made, or taken out.
    ip_batch("link add v7 type dummy\n");
    clinic.is_gone("sysctl-missing");
    ip_batch("link delete v7\n");
    clinic.finding("sysctl-missing");
    clinic.configure(WEB);
    assert_eq!(clinic.ids(), [""; 0]);
}

#[test]
fn synchronisation_on_no_interface() {
    let _kernel = netns::enter();
    let clinic = well(&format!("{WEB}[sync]\nmaster = {{ interface = \"v7\" }}\n"));
    let finding = clinic.finding("sync-interface-missing");
    assert!(texts(&finding, "advice")[0].contains("v0"), "{finding:#}");
    assert!(clinic.ipvsd(&["apply"]).out.contains("FAILED"), "the kernel refuses it");
    clinic.configure(&format!("{WEB}[sync]\nmaster = {{ interface = \"v0\" }}\n"));
    clinic.is_gone("sync-interface-missing");
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));
    clinic.configure(WEB);
    assert!(clinic.ipvsd(&["apply"]).out.contains("failed=0"));
}
