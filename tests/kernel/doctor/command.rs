//! The command itself: what it prints, how it ends, and that it only looks.

use std::collections::BTreeSet;

use super::*;
use crate::netns::{self, ip, ip_batch, ipvsadm};

#[test]
fn what_it_prints_and_how_it_ends() {
    let _kernel = netns::enter();
    let clinic = Clinic::open(WEB);
    let said = clinic.ipvsd(&["doctor"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let want = "\
error[address-missing]: address 192.0.2.10
  saw    it is on no interface, and no route makes it local; service web
  why    packets to it are routed on or dropped, and never reach IPVS
  run    ip address add 192.0.2.10/32 dev v0
  write  [host]
         addresses = { interface = \"ipvs0\" }

error[forwarding-off]: interface v0
  saw    net.ipv4.ip_forward = 0, net.ipv4.conf.v0.forwarding = 0; behind it is the nat destination
         10.0.0.11:8080
  why    the answers of nat destinations come back through this host, which has to forward them to
         the clients; the kernel drops them instead
  run    sysctl -w net.ipv4.conf.v0.forwarding=1
  write  [host.sysctls]
         \"net.ipv4.conf.v0.forwarding\" = 1

2 errors.
";
    assert_eq!((said.out.as_str(), said.err.as_str()), (want, ""));
    set("ipv4/ip_forward", "1");
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let said = clinic.ipvsd(&["doctor"]);
    let want = "All is well with the configuration (1 service, 1 destination), the kernel and this host.\n";
    assert_eq!((said.code, said.out.as_str()), (Some(0), want));

    // A warning is no failure; what is odd about the configuration itself is said as well.
    clinic.configure(&WEB.replace("tcp:", "udp:").replace("\"rr\"", "\"rr\"\nmin_healthy = 1"));
    let said = clinic.ipvsd(&["doctor"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
    assert!(said.out.ends_with("\n1 warning.\n") && said.out.starts_with("warning[quiesced-udp]: "), "{}", said.out);
    assert!(said.err.contains("`min_healthy` has no effect") && !said.err.contains("black hole"), "{}", said.err);

    // A configuration with a mistake is another matter.
    clinic.configure("version = 2\n");
    assert_eq!(clinic.ipvsd(&["doctor"]).code, Some(78));
}

#[test]
fn a_check_may_look_at_the_host() {
    let _kernel = netns::enter();
    let clinic = Clinic::open(WEB);
    let said = clinic.ipvsd(&["check"]);
    let good = "The configuration is good: 1 service, 1 destination.";
    assert_eq!((said.code, said.out), (Some(0), format!("{good}\n")));
    let said = clinic.ipvsd(&["check", "--host"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.starts_with("error[address-missing]: ")
            && said.out.ends_with(&format!("\n{good} This host: 2 errors.\n")),
        "{}",
        said.out
    );
    // What it takes care of itself is no finding before it lands.
    let cares =
        format!("{WEB}[host]\naddresses = {{ interface = \"ipvs0\" }}\nsysctls = {{ \"net.ipv4.ip_forward\" = 1 }}\n");
    clinic.program.write("next.toml", &cares);
    let next = clinic.program.path("next.toml").display().to_string();
    let said = clinic.ipvsd(&["check", "--host", &next]);
    assert_eq!((said.code, said.out), (Some(0), format!("{good} This host is ready for it.\n")));
    let said = clinic.ipvsd(&["check", "--host", "--output", "json", &next]);
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["findings"], serde_json::json!([]));
    assert_eq!((&document["services"], &document["problems"]), (&1.into(), &serde_json::json!([])));
    // And it is as it says.
    let ended = end(clinic.program.command("next.toml", &["apply"]).spawn().unwrap());
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert_eq!(clinic.ids(), [""; 0]);
    let said = clinic.ipvsd(&["check", "--output", "json"]);
    let document: Value = serde_json::from_str(&said.out).unwrap();
    assert!(document.get("findings").is_none(), "only if asked for");
}

/// It loads no module, makes no table, and changes no setting.
#[test]
fn it_only_looks() {
    let _kernel = netns::enter();
    let clinic = Clinic::open(
        &WEB.replace("\"rr\"", "\"twos\"\npersistence = { timeout = \"5m\", engine = \"sip\" }")
            .replace("tcp:", "udp:"),
    );
    let state = || {
        let sysctls =
            Command::new("sysctl").args(["-a", "-r", "^net\\."]).stderr(Stdio::null()).output().unwrap().stdout;
        // But counters of what is in use, and a number that the kernel draws.
        let sysctls = String::from_utf8(sysctls).unwrap();
        let settings = sysctls.lines().filter(|line| !line.contains("conntrack_count") && !line.contains("rss_key"));
        let modules = fs::read_to_string("/proc/modules").unwrap();
        let mut state: BTreeSet<String> = settings.map(str::to_owned).collect();
        state.extend(modules.lines().map(|line| format!("module {}", line.split(' ').next().unwrap())));
        state.extend(
            fs::read_to_string("/proc/thread-self/net/ip_tables_names").unwrap_or_default().lines().map(str::to_owned),
        );
        let printed = [ip(&["-o", "-4", "address"]), ip(&["-o", "link"]), ip(&["route"]), ipvsadm(&["-Sn"], "")];
        state.extend(printed.iter().flat_map(|text| text.lines()).map(str::to_owned));
        state
    };
    let before = state();
    assert!(before.len() > 100);
    assert_ne!(clinic.ids(), [""; 0]);
    clinic.ipvsd(&["check", "--host"]);
    let after = state();
    assert_eq!(after.symmetric_difference(&before).collect::<Vec<_>>(), [""; 0]);
    assert!(!clinic.program.state().exists(), "it leaves no state");
}
