//! What the kernel does not let us do.

use super::*;
use crate::netns::{self, ip_batch};

/// `ipvsd doctor` by way of another program.
#[track_caller]
fn through(clinic: &Clinic, program: &[&str]) -> Vec<Value> {
    let own = clinic.program.command(FILE, &["doctor", "--output", "json"]);
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(own.get_program()).args(own.get_args()).env("PATH", clinic.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    clinic.findings_of(&end(child))
}

fn well() -> Clinic {
    set("ipv4/ip_forward", "1");
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(WEB);
    // Readable for whom it is run as.
    let folder = clinic.program.path(FILE);
    for path in folder.ancestors().skip(1).take(2) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    clinic
}

fn ids(findings: &[Value]) -> Vec<String> {
    findings.iter().map(id).collect()
}

/// With the capability taken away, and given back in the ways that the advice names.
#[test]
fn without_the_capability() {
    let _kernel = netns::enter();
    let clinic = well();
    let found = through(&clinic, &["setpriv", "--bounding-set", "-net_admin"]);
    assert_eq!(ids(&found), ["not-permitted"], "root without it");
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    assert_eq!(ids(&through(&clinic, &nobody)), ["not-permitted"], "a user without it");
    assert!(texts(&found[0], "advice")[0].contains("AmbientCapabilities=CAP_NET_ADMIN"), "{found:#?}");
    let ambient = [&nobody[..], &["--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"]].concat();
    assert_eq!(ids(&through(&clinic, &ambient)), [""; 0], "a user with it");
    assert_eq!(clinic.ids(), [""; 0], "root with it");
}

/// In a user namespace of its own a process has all capabilities, and the kernel refuses all the same.
#[test]
fn in_another_user_namespace() {
    let _kernel = netns::enter();
    let clinic = well();
    let found = through(&clinic, &["unshare", "--user", "--map-root-user"]);
    assert_eq!(ids(&found), ["user-namespace"]);
    assert_eq!(clinic.ids(), [""; 0], "outside of it");
}
