//! A daemon whose interface is made anew, or whose address changes, reaches nobody any more, and the kernel goes on to say
//! that it runs.
//!
//! ```text
//!  A: 192.0.2.10, a server, a client ── s0 10.9.0.1 ── bridge ── s0 10.9.0.2 ── B
//! ```
//!
//! The bridge is the namespace of the test.

use std::time::{Duration, Instant};

use super::*;
use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch};
use crate::network::Host;
use crate::sessions::{Server, Session};

const SERVICE: &str = "192.0.2.10:80";

struct Director {
    host: Host,
    name: &'static str,
    address: &'static str,
    daemon: Option<(Program, Daemon)>,
}

impl Director {
    fn new(name: &'static str, address: &'static str) -> Self {
        let this = Self { host: Host::new(), name, address, daemon: None };
        this.host.run(|| ip_batch("link set lo up\naddress add 192.0.2.10/32 dev lo\n"));
        this.plug();
        this
    }

    /// Gives it a new interface; with the port of the bridge goes the old one.
    fn plug(&self) {
        let Self { host, name, address, .. } = self;
        ip_batch(&format!(
            "link add to-{name} type veth peer name s0 netns {}\nlink set to-{name} master br0 up\n",
            host.namespace()
        ));
        let set_up = format!("address add {address}/24 dev s0\nlink set s0 up\n");
        host.run(move || ip_batch(&set_up));
    }

    fn unplug(&self) {
        ip_batch(&format!("link delete to-{}\n", self.name));
    }

    fn start(&mut self, role: &'static str) {
        self.daemon = Some(self.host.run(move || {
            let program = Program::new();
            write(&program, &format!("[sync]\n{role} = {{ interface = \"s0\" }}\n"));
            let daemon = Daemon::start(&program, FILE);
            (program, daemon)
        }));
    }

    fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon.as_mut().unwrap().1
    }

    #[track_caller]
    fn is_repaired(&mut self, role: &str) {
        let line = self.daemon().wait("the repair", |line| line.message().starts_with("drift repaired"));
        let why = "anew, for the interface or its address is another one than when it was started";
        assert_eq!(line.message(), format!("drift repaired: edit sync {role}: {why}"));
    }

    fn connections(&self) -> usize {
        self.host.run(|| ipvsadm(&["-Lnc"], "").lines().filter(|line| line.starts_with("TCP")).count())
    }
}

/// One more connection at A, and B comes to know of it.
#[track_caller]
fn is_told(a: &Director, b: &Director, sessions: &mut Vec<Session>) {
    let before = b.connections();
    sessions.push(Session::open(&a.host, SERVICE).unwrap());
    let begin = Instant::now();
    while b.connections() == before {
        assert!(begin.elapsed() < Duration::from_secs(20), "B learns nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_daemon_begins_anew_when_it_has_lost_its_interface_or_its_address() {
    let _kernel = netns::enter();
    ip_batch("link add br0 type bridge\nlink set br0 up\n");
    let (mut a, mut b) = (Director::new("a", "10.9.0.1"), Director::new("b", "10.9.0.2"));
    Server::start(&a.host, 8080);
    a.host.run(|| ipvsadm(&["-R"], "-A -t 192.0.2.10:80 -s rr\n-a -t 192.0.2.10:80 -r 127.0.0.1:8080 -m\n"));
    a.start("master");
    b.start("backup");
    let mut sessions = Vec::new();
    is_told(&a, &b, &mut sessions);

    // Without its interface it says why.
    b.unplug();
    b.daemon().wait("the failure", |line| line.to_string().contains("there is no interface s0"));
    assert!(b.host.run(daemons).len() == 1, "the kernel says that it runs");
    b.plug();
    b.is_repaired("backup");
    is_told(&a, &b, &mut sessions);

    a.unplug();
    a.plug();
    a.is_repaired("master");
    is_told(&a, &b, &mut sessions);

    // Others beside it are nothing to a master, its own is.
    a.host.run(|| ip_batch("address add 10.9.0.77/32 dev s0\naddress add 10.9.0.78/24 dev s0\n"));
    a.daemon().skip();
    a.daemon().pass("a pass of rest", |line| line.number("changed") == 0);
    is_told(&a, &b, &mut sessions);
    a.host.run(|| ip_batch("address delete 10.9.0.1/24 dev s0\n"));
    a.is_repaired("master");
    is_told(&a, &b, &mut sessions);

    // Nothing of that to a backup.
    b.host.run(|| ip_batch("address delete 10.9.0.2/24 dev s0\naddress add 10.9.0.3/24 dev s0\n"));
    b.daemon().skip();
    for _ in 0..2 {
        b.daemon().pass("a pass of rest", |line| line.number("changed") == 0);
    }
    is_told(&a, &b, &mut sessions);
    assert_eq!(a.connections(), sessions.len());
}
