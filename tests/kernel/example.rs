//! The example configurations that are shipped, applied as they stand.

use std::path::Path;

use crate::netns::{self, add_interfaces, ipvsadm};
use crate::program::Program;

/// What `ipvsadm -Sn` shows of them, sorted.
const SAVED: &str = "\
-A -f 7 -s wrr
-A -t 192.0.2.10:80 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port
-A -t 192.0.2.10:8000 -s wlc
-A -t 192.0.2.11:80 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port
-A -u 192.0.2.10:5060 -s wlc -p 3600 --pe sip
-a -f 7 -r 10.0.0.31:0 -g -w 100
-a -t 192.0.2.10:80 -r 10.0.0.11:80 -i -w 50 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.12:80 -i -w 100 --tun-type ipip
-a -t 192.0.2.11:80 -r 10.0.0.11:80 -i -w 50 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 192.0.2.11:80 -r 10.0.0.12:80 -i -w 100 --tun-type ipip
-a -u 192.0.2.10:5060 -r 10.0.0.21:5060 -m -w 100
";

#[test]
fn they_are_applied_and_say_the_same() {
    let _kernel = netns::enter();
    add_interfaces(&[("eth1", 1500, true)]);
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name).display().to_string();
    let program = Program::new();
    program.runs(&file("example.toml"), &["apply"], 0);
    let mut saved: Vec<String> = ipvsadm(&["-Sn"], "").lines().map(|line| line.trim_end().to_owned()).collect();
    saved.sort();
    assert_eq!(saved.join("\n") + "\n", SAVED);
    assert_eq!(ipvsadm(&["-Ln", "--timeout"], "").trim_end(), "Timeout (tcp tcpfin udp): 900 120 300");
    let daemons = ipvsadm(&["-Ln", "--daemon"], "");
    assert_eq!(daemons.matches("mcast=eth1").count(), 2, "{daemons}");
    let planned = program.runs(&file("example.yaml"), &["plan"], 0);
    assert!(planned.starts_with("No changes"), "{planned}");
}
