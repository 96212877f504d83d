//! The kernel's own timeouts and its connection synchronisation: set by ipvsd, looked at with `ipvsadm`.

mod footing;
mod refused;
mod sync;
mod timeouts;

use crate::netns::ipvsadm;
use crate::program::Program;

const FILE: &str = "ipvsd.toml";

/// `Timeout (tcp tcpfin udp): 900 120 300`, without what stands before the numbers.
fn timeouts() -> String {
    let listed = ipvsadm(&["-L", "--timeout"], "");
    listed.split_once(": ").unwrap().1.trim().to_owned()
}

/// `master sync daemon (mcast=v0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)`, one line for each.
fn daemons() -> Vec<String> {
    ipvsadm(&["-L", "--daemon"], "").lines().map(str::to_owned).collect()
}

fn write(program: &Program, tables: &str) {
    program.write(FILE, &format!("version = 1\nservices = []\n[daemon]\nresync = \"1s\"\n{tables}"));
}

/// The last line of `ipvsd apply`.
#[track_caller]
fn applied(program: &Program, arguments: &[&str]) -> String {
    let said = program.runs(FILE, &[&["apply"], arguments].concat(), 0);
    said.lines().last().unwrap().to_owned()
}

/// Whether a text has each of these lines, or parts of them.
#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}
