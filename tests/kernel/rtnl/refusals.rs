//! What the kernel refuses, and in which words.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::thread;

use ipvsd::host::rtnl::{Error, Refusal, Rtnl};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::{enter, entries, index};
use crate::netns::{ip_batch, release};

/// What the kernel calls when it wants a module.
const HELPER: &str = "/proc/sys/kernel/modprobe";
const NO_DUMMY: &str = "the kernel has no dummy interfaces: load the module dummy (`modprobe dummy`), or install the kernel's \
                        module package";

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn without_the_capability_all_is_read_and_nothing_changed() {
    let mut rtnl = enter();
    ip_batch("link set lo up\nlink add d0 type dummy\naddr add 192.0.2.1/32 dev d0\n");
    let d0 = index(&mut rtnl, "d0");
    let (links, addresses) = (rtnl.links().unwrap(), rtnl.addresses().unwrap());
    let route = rtnl.route(address("192.0.2.1")).unwrap();
    let before = (links, addresses, route);
    let expected = before.clone();
    let unprivileged = move || {
        let mut sets = capabilities(None).unwrap();
        sets.effective &= !CapabilitySet::NET_ADMIN;
        set_capabilities(None, sets).unwrap();
        let mut rtnl = Rtnl::open().unwrap();
        let read = (rtnl.links().unwrap(), rtnl.addresses().unwrap(), rtnl.route(address("192.0.2.1")).unwrap());
        assert_eq!(read, expected);
        // So many that their refusals would not fit into the queue that everybody gets, all at once.
        let many: Vec<IpAddr> = (0..2000u16).map(|at| IpAddr::from([10, 0, (at >> 8) as u8, at as u8])).collect();
        let results = rtnl.add_addresses(d0, &many).unwrap();
        assert_eq!(results.len(), many.len());
        let mut refusals: Vec<Refusal> = results.into_iter().map(Result::unwrap_err).collect();
        refusals.push(refusal(rtnl.add_dummy("d1")));
        refusals.push(refusal(rtnl.set_up(d0)));
        refusals.push(refusal(rtnl.delete_link(d0)));
        refusals.push(refusal(rtnl.add_address(d0, address("2001:db8::1"))));
        refusals.push(refusal(rtnl.delete_address(d0, address("192.0.2.1"), 32)));
        refusals
    };
    for refusal in thread::spawn(unprivileged).join().unwrap() {
        assert_eq!(refusal.errno, Errno::PERM);
        assert!(refusal.to_string().contains(": not permitted: it takes CAP_NET_ADMIN"), "{refusal}");
    }
    let after = (rtnl.links().unwrap(), rtnl.addresses().unwrap(), rtnl.route(address("192.0.2.1")).unwrap());
    assert_eq!(after, before);
}

#[test]
fn what_is_gone() {
    let mut rtnl = enter();
    rtnl.add_dummy("d0").unwrap();
    let gone = index(&mut rtnl, "d0");
    rtnl.delete_link(gone).unwrap();
    let refusals = [
        (refusal(rtnl.set_up(gone)), format!("cannot set interface {gone} up")),
        (refusal(rtnl.delete_link(gone)), format!("cannot delete interface {gone}")),
        (refusal(rtnl.add_address(gone, address("192.0.2.1"))), format!("cannot add 192.0.2.1/32 to interface {gone}")),
        (refusal(rtnl.add_address(gone, address("::2"))), format!("cannot add ::2/128 to interface {gone}")),
        (
            refusal(rtnl.delete_address(gone, address("192.0.2.1"), 24)),
            format!("cannot delete 192.0.2.1/24 from interface {gone}"),
        ),
        (
            refusal(rtnl.delete_address(gone, address("::2"), 128)),
            format!("cannot delete ::2/128 from interface {gone}"),
        ),
    ];
    for (refusal, doing) in refusals {
        assert!(refusal.is_missing(), "{refusal:?}");
        // Later kernels have words of their own for an address.
        let theirs = match () {
            () if !doing.contains("/") => "",
            () if doing.contains("::") => " (kernel: ipv6: Unable to find the interface)",
            () => " (kernel: ipv4: Device not found)",
        };
        let (said, ours) = (refusal.to_string(), format!("{doing}: there is no such interface"));
        match release() {
            (7.., _) => assert_eq!(said, ours + theirs),
            (..=6, ..=1) => assert_eq!(said, ours),
            _ => assert!(said == ours || said == ours.clone() + theirs, "{said}"),
        }
    }
}

#[test]
fn names() {
    let mut rtnl = enter();
    ip_batch("link add d0 type dummy\nlink property add dev d0 altname spare\n");
    let before = entries(&["link"]);
    for name in ["d0", "spare", "lo"] {
        let refusal = refusal(rtnl.add_dummy(name));
        assert!(refusal.already_exists());
        assert_eq!(
            refusal.to_string(),
            format!("cannot add the dummy interface `{name}`: there is an interface `{name}` already")
        );
    }
    for name in [
        "",
        "a/b",
        "a:b",
        "a b",
        "a\tb",
        "a\0b",
        "a\u{a0}b",
        "d%d",
        "%",
        ".",
        "..",
        "all",
        "default",
        "a-name-of-16-byt",
    ] {
        let refusal = refusal(rtnl.add_dummy(name));
        let words = format!("`{name}` cannot be the name of an interface: it takes 1 to 15 bytes");
        assert!(refusal.reason.starts_with(&words), "{refusal}");
    }
    assert_eq!(entries(&["link"]), before);
}

#[test]
fn addresses() {
    let mut rtnl = enter();
    ip_batch(
        "link add d0 type dummy\n\
         link add small type dummy\n\
         link set small mtu 1279\n\
         link add four type dummy\n\
         addr add 192.0.2.1/32 dev d0\n\
         addr add 2001:db8::1/128 dev d0\n",
    );
    fs::write("/proc/sys/net/ipv6/conf/four/disable_ipv6", "1").unwrap();
    let before = rtnl.addresses().unwrap();
    let [d0, small, four] = ["d0", "small", "four"].map(|name| index(&mut rtnl, name));
    for (on, text, errno, words) in [
        (d0, "192.0.2.1", Errno::EXIST, "the interface has the address already"),
        (d0, "2001:db8::1", Errno::EXIST, "the interface has the address already"),
        (d0, "ff02::7", Errno::ADDRNOTAVAIL, "ff02::7 cannot be an address of that interface"),
        (d0, "::", Errno::ADDRNOTAVAIL, ":: cannot be an address of that interface"),
        (d0, "::1", Errno::ADDRNOTAVAIL, "::1 cannot be an address of that interface"),
        (
            four,
            "2001:db8::2",
            Errno::ACCESS,
            "IPv6 is off on that interface (sysctl net.ipv6.conf.INTERFACE.disable_ipv6)",
        ),
        (
            small,
            "2001:db8::2",
            Errno::INVAL,
            "the interface's MTU is too small for IPv6, which takes 1280 bytes at least",
        ),
    ] {
        let refusal = refusal(rtnl.add_address(on, address(text)));
        assert_eq!((refusal.errno, refusal.reason.as_str()), (errno, words), "{text}");
        assert_eq!(refusal.already_exists(), errno == Errno::EXIST);
    }
    for (on, text, prefix) in
        [(d0, "192.0.2.1", 24), (d0, "192.0.2.2", 32), (d0, "2001:db8::1", 64), (d0, "::2", 128), (small, "::2", 128)]
    {
        let refusal = refusal(rtnl.delete_address(on, address(text), prefix));
        assert!(refusal.is_missing(), "{refusal:?}");
        assert_eq!(refusal.reason, "the interface does not have the address", "{text}/{prefix}");
    }
    assert_eq!(rtnl.addresses().unwrap(), before);
    let lo = refusal(rtnl.delete_link(1));
    assert_eq!(lo.to_string(), "cannot delete interface 1: it is not of a kind that can be deleted");
}

/// Puts the kernel's helper back, whatever comes.
struct WithoutHelper(String);

impl WithoutHelper {
    fn start() -> Self {
        let helper = fs::read_to_string(HELPER).unwrap();
        fs::write(HELPER, "/nonexistent").unwrap();
        Self(helper.trim().to_owned())
    }
}

impl Drop for WithoutHelper {
    fn drop(&mut self) {
        let _ = fs::write(HELPER, &self.0);
    }
}

/// It unloads a module, which takes its interfaces away in every namespace: it runs in the lab only.
#[test]
fn a_kernel_without_dummy_interfaces() {
    let lab = std::env::var("LAB").unwrap_or_default();
    assert!(lab == "uml" || lab == "qemu", "this unloads a kernel module: it runs in the lab only");
    let loaded = || Path::new("/sys/module/dummy").exists();
    let mut rtnl = enter();
    let before = entries(&["link"]);
    rtnl.add_dummy("d0").unwrap();
    let without = WithoutHelper::start();
    assert!(Command::new("rmmod").arg("dummy").status().unwrap().success());
    assert!(!loaded());
    assert_eq!(rtnl.link("d0").unwrap(), None, "it went with its module");
    let refusal = refusal(rtnl.add_dummy("d0"));
    assert_eq!(refusal.reason, NO_DUMMY);
    assert!(refusal.to_string().starts_with("cannot add the dummy interface `d0`: the kernel has no"), "{refusal}");
    assert!(!loaded());
    assert_eq!(entries(&["link"]), before);
    drop(without);
    rtnl.add_dummy("d0").unwrap();
    assert!(loaded(), "the kernel loads it by itself");
    assert_eq!(entries(&["link", "show", "dev", "d0"]).len(), 1);
}
