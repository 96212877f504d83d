//! A network namespace of its own for each test, and the other tool, `ipvsadm`, in it.

use std::io::Write;
use std::process::{Command, Stdio};

use ipvsd::ipvs::{Ipvs, Kernel};
use rustix::thread::UnshareFlags;

/// An interface that is up, with an address and a default route of either family. 192.0.2.255 is a
/// broadcast address here.
const INTERFACES: &str = "\
link set lo up
link add v0 type veth peer name v1
addr add 192.0.2.254/24 brd + dev v0
addr add 2001:db8:ffff::1/64 dev v0 nodad
link set v1 up
link set v0 up
route add default via 192.0.2.253
route add ::/0 via 2001:db8:ffff::2
";

/// Moves this thread, and all that it starts from now on, into a new network namespace with an empty table.
pub(crate) fn enter() -> Kernel {
    enter_bare();
    run("ip", &["-batch", "-"], INTERFACES);
    let mut kernel = Kernel::open().expect("these tests run in the lab, on a kernel with IPVS");
    kernel.info().expect("these tests run in the lab, as root");
    kernel
}

/// Makes interfaces: each with its name, its MTU, and whether it is up. They have no IPv4 address.
pub(crate) fn add_interfaces(interfaces: &[(&str, u32, bool)]) {
    let links = interfaces.iter().map(|(name, mtu, is_up)| {
        // The first word after `set` may be a keyword, as `down` is.
        let up = if *is_up { format!("link set dev {name} up\n") } else { String::new() };
        format!("link add name {name} mtu {mtu} type dummy\n{up}")
    });
    ip_batch(&links.collect::<String>());
}

/// Moves this thread, and all that it starts from now on, into a new network namespace as the kernel makes them.
pub(crate) fn enter_bare() {
    #[expect(unsafe_code, reason = "unshare is unsafe for what it can do to descriptors")]
    // SAFETY: only the network namespace is left; descriptors stay shared with the other threads.
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) };
    unshared.expect("these tests run in the lab, as root: no network namespace could be made");
}

/// Runs `ipvsadm` in this thread's namespace, `input` on its standard input, and gives back what it printed.
pub(crate) fn ipvsadm(arguments: &[&str], input: &str) -> String {
    run("ipvsadm", arguments, input)
}

/// Runs a program in this thread's namespace, `input` on its standard input, and gives back what it printed. It has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed for these tests: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `ip` in this thread's namespace, and gives back what it printed.
pub(crate) fn ip(arguments: &[&str]) -> String {
    run("ip", arguments, "")
}

/// Major and minor of the running kernel.
pub(crate) fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Runs `ip -batch` in this thread's namespace.
pub(crate) fn ip_batch(batch: &str) {
    run("ip", &["-batch", "-"], batch);
}
