//! Interfaces.

use ipvsd::host::rtnl::{LinkInfo, Rtnl};

use super::{enter, entries, has, number};
use crate::netns::ip_batch;

const INTERFACES: &str = "\
link set lo up
link add v0 type veth peer name v1
link set v0 mtu 1400 up
link add d0 type dummy
link add br0 type bridge
link set br0 up
link set v1 master br0
link add mac0 link v0 type macvlan mode bridge
link add v0.7 link v0 type vlan id 7
link add tun0 type ipip local 10.0.0.1 remote 10.0.0.2
link property add dev d0 altname spare
";

/// What `ip` shows of the interfaces, in its order, which is the kernel's.
fn shown() -> Vec<LinkInfo> {
    let one = |entry: &serde_json::Value| LinkInfo {
        index: number(entry, "ifindex"),
        name: entry["ifname"].as_str().unwrap().to_owned(),
        kind: entry["linkinfo"]["info_kind"].as_str().map(str::to_owned),
        up: has(&entry["flags"], "UP"),
        loopback: has(&entry["flags"], "LOOPBACK"),
        mtu: number(entry, "mtu"),
    };
    entries(&["-d", "link"]).iter().map(one).collect()
}

#[test]
fn what_ip_shows_we_read() {
    let mut rtnl = enter();
    assert_eq!(rtnl.links().unwrap(), shown(), "a new namespace");
    ip_batch(INTERFACES);
    let links = rtnl.links().unwrap();
    assert_eq!(links, shown());
    let kinds: Vec<&str> = links.iter().filter_map(|link| link.kind.as_deref()).collect();
    for kind in ["veth", "dummy", "bridge", "macvlan", "vlan", "ipip"] {
        assert!(kinds.contains(&kind), "no {kind} in {kinds:?}");
    }
    for link in &links {
        assert_eq!(rtnl.link(&link.name).unwrap().as_ref(), Some(link));
    }
    assert_eq!(rtnl.link("spare").unwrap().unwrap().name, "d0", "by another name of its");
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut rtnl = enter();
    ip_batch("link add d0 type dummy\n");
    for name in ["d1", "", "d", "d00", "d0\0", "d0/", ".", "a-name-of-16-byt", &"d".repeat(300), "d%d", "ä"] {
        assert_eq!(rtnl.link(name).unwrap(), None, "{name:?}");
    }
}

#[test]
fn what_we_do_ip_shows() {
    let mut rtnl = enter();
    for name in ["ipvs0", "a-name-of-15-by", "ä"] {
        rtnl.add_dummy(name).unwrap();
        let link = rtnl.link(name).unwrap().unwrap();
        assert_eq!((link.name.as_str(), link.kind.as_deref(), link.up), (name, Some("dummy"), false));
        assert_eq!(rtnl.links().unwrap(), shown());
        rtnl.set_up(link.index).unwrap();
        let up = |links: Vec<LinkInfo>| links.into_iter().find(|found| found.name == name).unwrap().up;
        assert!(up(shown()), "{name}");
        rtnl.set_up(link.index).unwrap();
        assert!(up(shown()), "{name} stays up");
        rtnl.delete_link(link.index).unwrap();
        assert!(shown().iter().all(|found| found.name != name), "{name} is gone");
    }
    assert_eq!(rtnl.links().unwrap(), shown());
}

/// A socket stays in the namespace in which it was opened, wherever its thread goes.
#[test]
fn it_is_about_the_namespace_in_which_it_was_opened() {
    let mut first = enter();
    first.add_dummy("ipvs0").unwrap();
    let before = first.links().unwrap();
    let mut second = enter();
    assert_eq!(second.link("ipvs0").unwrap(), None);
    assert_eq!(first.links().unwrap(), before);
    drop(first);
    assert_eq!(Rtnl::open().unwrap().links().unwrap(), shown());
}

#[test]
fn many_interfaces_come_in_many_datagrams() {
    let mut rtnl = enter();
    for number in 0..300 {
        rtnl.add_dummy(&format!("d{number}")).unwrap();
    }
    let links = rtnl.links().unwrap();
    assert_eq!(links, shown());
    assert!(links.len() > 300);
}
