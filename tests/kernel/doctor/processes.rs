//! Others who manage the table, as processes of those names.

use std::process::Child;

use rustix::process::Signal;

use super::*;
use crate::daemon_process::Daemon;
use crate::netns::{self, ip_batch};

/// A process of that name, for as long as it lives.
struct Other(Child);

impl Other {
    /// A copy of `sleep`, or a script, of that name.
    fn start(clinic: &Clinic, name: &str, arguments: &[&str]) -> Self {
        let path = clinic.bin.path().join(name);
        if arguments.is_empty() {
            fs::copy("/bin/sleep", &path).unwrap();
        } else {
            fs::write(&path, "#!/bin/sh\nread -r line\n").unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = if arguments.is_empty() { &["600"] } else { arguments };
        // A script waits for its standard input, which nobody closes.
        let child = Command::new(&path).args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let this = Self(child);
        wait("its name", || fs::read_to_string(this.comm()).is_ok_and(|text| text.trim() == name));
        this
    }

    fn comm(&self) -> String {
        format!("/proc/{}/comm", self.0.id())
    }

    /// Has it ended? It is waited for, as its parent would.
    fn has_ended(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if self.0.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn well() -> Clinic {
    set("ipv4/ip_forward", "1");
    ip_batch("address add 192.0.2.10/32 dev v0\n");
    let clinic = Clinic::open(WEB);
    assert_eq!(clinic.ids(), [""; 0]);
    clinic
}

#[test]
fn another_program_manages_the_table() {
    let _kernel = netns::enter();
    let clinic = well();
    for (name, arguments, sign) in [
        ("ldirectord", &["start"][..], None),
        ("kube-proxy", &[], Some("kube-ipvs0")),
        ("kube-router", &[], Some("kube-dummy-if")),
    ] {
        let mut other = Other::start(&clinic, name, arguments);
        if let Some(sign) = sign {
            // Without it, it does its work in another way.
            assert_eq!(clinic.ids(), [""; 0], "{name}");
            ip_batch(&format!("link add {sign} type dummy\n"));
        }
        let finding = clinic.finding("other-manager");
        assert_eq!((finding["subject"].as_str(), finding["severity"].as_str()), (Some(name), Some("error")));
        clinic.run(&command(&finding));
        assert!(other.has_ended(), "{name}");
        assert_eq!(clinic.ids(), [""; 0], "{name}");
    }
    // One in another network namespace has another table.
    let elsewhere = Host::new();
    let (send, receive) = std::sync::mpsc::channel();
    elsewhere.run(move || {
        let aside = Clinic::open(WEB);
        send.send((Other::start(&aside, "ldirectord", &["start"]), aside)).unwrap();
    });
    let _other = receive.recv().unwrap();
    assert_eq!(clinic.ids(), [""; 0]);
}

/// A keepalived may have nothing to do with the table; then it may have moved an address.
#[test]
fn keepalived_is_asked_what_it_is_for() {
    let _kernel = netns::enter();
    let clinic = well();
    {
        let mut other = Other::start(&clinic, "keepalived", &[]);
        let finding = clinic.finding("other-manager");
        assert_eq!(texts(&finding, "command"), [""; 0], "it may hold addresses: only who runs it can say");
        let advice = &texts(&finding, "advice")[0];
        let kill = format!("`kill -KILL {}`", other.0.id());
        assert!(advice.contains("--vrrp") && advice.contains(&kill), "{advice}");
        clinic.run(kill.trim_matches('`'));
        assert!(other.has_ended());
    }
    // As the advice says: without its virtual servers.
    for arguments in [&["--vrrp"][..], &["-f", "/etc/keepalived/vrrp.conf"]] {
        fs::create_dir_all("/etc/keepalived").unwrap();
        fs::write("/etc/keepalived/vrrp.conf", "vrrp_instance one {\n}\n").unwrap();
        let _other = Other::start(&clinic, "keepalived", arguments);
        assert_eq!(clinic.ids(), [""; 0], "{arguments:?}");
        ip_batch("address delete 192.0.2.10/32 dev v0\n");
        let finding = clinic.finding("address-missing");
        assert_eq!(finding["severity"], "hint", "it may be another's turn");
        ip_batch("address add 192.0.2.10/32 dev v0\n");
    }
    fs::write("/etc/keepalived/vrrp.conf", "virtual_server 192.0.2.10 80 {\n}\n").unwrap();
    let _other = Other::start(&clinic, "keepalived", &["-f", "/etc/keepalived/vrrp.conf"]);
    clinic.finding("other-manager");
}

/// The daemon of this configuration is no other; that of another one is.
#[test]
fn another_ipvsd() {
    let _kernel = netns::enter();
    let clinic = well();
    let other = well_again();
    {
        let _own = Daemon::start(&clinic.program, FILE);
        assert_eq!(clinic.ids(), [""; 0]);
        let finding = other.finding("other-manager");
        assert_eq!(finding["subject"], "ipvsd");
    }
    let mut own = Daemon::start(&clinic.program, FILE);
    let finding = other.finding("other-manager");
    assert_eq!(texts(&finding, "command"), [format!("kill -TERM {}", own.id())]);
    other.run(&texts(&finding, "command")[0]);
    own.end(Signal::CONT);
    assert_eq!(other.ids(), [""; 0]);
}

fn well_again() -> Clinic {
    let clinic = Clinic::open(WEB);
    assert_eq!(clinic.ids(), [""; 0]);
    clinic
}
