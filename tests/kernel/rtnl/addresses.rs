//! Addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::host::rtnl::{AddressInfo, Error, Rtnl};
use rustix::io::Errno;

use super::{enter, entries, index, number};
use crate::netns::ip_batch;
use crate::nlmon::Tap;

/// `RTM_NEWADDR` and `RTM_DELADDR`.
const NEW: u16 = 20;
const DELETE: u16 = 21;

/// What `ip` shows of the addresses, sorted.
fn shown() -> Vec<AddressInfo> {
    let mut found = Vec::new();
    for link in entries(&["address"]) {
        for entry in link["addr_info"].as_array().unwrap() {
            let address = |key: &str| entry[key].as_str().map(|text| text.parse::<IpAddr>().unwrap());
            let is = |flag: &str| entry[flag].as_bool().unwrap_or_default();
            found.push(AddressInfo {
                index: number(&link, "ifindex"),
                address: address("local").unwrap(),
                prefix: number(entry, "prefixlen"),
                peer: address("address"),
                tentative: is("tentative") || is("dadfailed"),
            });
        }
    }
    sorted(found)
}

fn sorted(mut addresses: Vec<AddressInfo>) -> Vec<AddressInfo> {
    addresses.sort_by_key(|found| (found.index, found.address, found.prefix));
    addresses
}

fn read(rtnl: &mut Rtnl) -> Vec<AddressInfo> {
    sorted(rtnl.addresses().unwrap())
}

/// Both families alternating; the numbers are below 65,536.
fn many(numbers: std::ops::Range<u32>) -> Vec<IpAddr> {
    let one = |number: u32| {
        let text = if number.is_multiple_of(2) {
            format!("10.9.{}.{}", number / 256, number % 256)
        } else {
            format!("2001:db8:9::{number:x}")
        };
        text.parse().unwrap()
    };
    numbers.map(one).collect()
}

fn alone(address: &IpAddr) -> (IpAddr, u8) {
    (*address, if address.is_ipv4() { 32 } else { 128 })
}

#[test]
fn what_ip_shows_we_read() {
    let mut rtnl = enter();
    assert_eq!(read(&mut rtnl), []);
    // An address of an interface that is down is tentative for as long as it is.
    ip_batch(
        "link set lo up\n\
         link add v0 type veth peer name v1\n\
         link add d0 type dummy\n\
         link add d1 type dummy\n\
         link set d1 addrgenmode none\n\
         addr add 192.0.2.1/24 brd + dev v0\n\
         addr add 192.0.2.2/24 dev v0\n\
         addr add 192.0.2.1/32 dev d0\n\
         addr add 10.0.0.1 peer 10.0.0.2/30 dev v0\n\
         addr add 10.0.0.1/30 dev v1 label v1:web\n\
         addr add 0.0.0.9/8 dev d0 scope link\n\
         addr add 224.0.0.7/32 dev d0\n\
         addr add 2001:db8::1/64 dev v0 nodad\n\
         addr add 2001:db8:1::1 peer 2001:db8:1::2/127 dev v0 nodad\n\
         addr add 2001:db8::3/128 dev v1 valid_lft 1000 preferred_lft 500\n\
         addr add ::ffff:10.0.0.1/128 dev d0 nodad\n\
         addr add fe80::5/64 dev d1 nodad\n\
         link set d1 up\n",
    );
    let found = read(&mut rtnl);
    assert_eq!(found, shown());
    assert_eq!(found.len(), 14, "{found:?}");
    let mut of = |name: &str, text: &str| {
        let (index, address) = (index(&mut rtnl, name), text.parse::<IpAddr>().unwrap());
        found.iter().find(|found| (found.index, found.address) == (index, address)).unwrap()
    };
    assert_eq!(of("v0", "10.0.0.1").peer, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(of("v1", "10.0.0.1").peer, None);
    assert_eq!(of("v0", "2001:db8:1::1").peer, Some("2001:db8:1::2".parse().unwrap()));
    assert!(of("v1", "2001:db8::3").tentative && !of("v0", "2001:db8::1").tentative);
}

#[test]
fn a_duplicate_is_not_usable() {
    let mut rtnl = enter();
    ip_batch(
        "link add v0 type veth peer name v1\n\
         addr add 2001:db8::1/64 dev v0 nodad\n\
         link set v0 up\n\
         link set v1 up\n\
         addr add 2001:db8::1/64 dev v1\n",
    );
    let failed = || {
        let v1 = entries(&["address", "show", "dev", "v1", "dadfailed"]);
        v1.iter().any(|link| link["addr_info"].as_array().is_some_and(|all| !all.is_empty()))
    };
    let started = Instant::now();
    while !failed() {
        assert!(started.elapsed() < Duration::from_secs(30), "the duplicate is not detected: {:?}", shown());
        thread::yield_now();
    }
    let address: IpAddr = "2001:db8::1".parse().unwrap();
    let found: Vec<_> = read(&mut rtnl).into_iter().filter(|found| found.address == address).collect();
    let tentative = |index| found.iter().find(|found| found.index == index).unwrap().tentative;
    assert_eq!(["v0", "v1"].map(|name| tentative(index(&mut rtnl, name))), [false, true], "{found:?}");
}

#[test]
fn what_we_do_ip_shows() {
    let mut rtnl = enter();
    rtnl.add_dummy("ipvs0").unwrap();
    // Without an address that the kernel makes by itself.
    ip_batch("link set ipvs0 addrgenmode none\n");
    let ipvs0 = index(&mut rtnl, "ipvs0");
    for up in [false, true] {
        if up {
            rtnl.set_up(ipvs0).unwrap();
        }
        let before = read(&mut rtnl);
        for text in ["192.0.2.10", "2001:db8::10", "255.255.255.1", "fe80::10", "10.0.0.0"] {
            let address: IpAddr = text.parse().unwrap();
            rtnl.add_address(ipvs0, address).unwrap();
            let prefix = alone(&address).1;
            let want = AddressInfo { index: ipvs0, address, prefix, peer: None, tentative: false };
            assert!(shown().contains(&want), "{text}: {:?}", shown());
            let entry = entries(&["address", "show", "dev", "ipvs0", "to", text]).remove(0)["addr_info"][0].clone();
            let (scope, broadcast) = (&entry["scope"], &entry["broadcast"]);
            assert_eq!(scope, if text.starts_with("fe80") { "link" } else { "global" }, "{entry}");
            assert!(broadcast.is_null(), "{entry}");
            assert_eq!(entry["valid_life_time"], u32::MAX, "for ever: {entry}");
            assert_eq!(read(&mut rtnl), shown());
            rtnl.delete_address(ipvs0, address, prefix).unwrap();
            assert_eq!(shown(), before, "{text} is gone, and nothing else");
        }
    }
}

/// What the docstrings say.
#[test]
fn what_the_kernel_does_besides() {
    let mut rtnl = enter();
    ip_batch("link add d0 type dummy\nlink set d0 addrgenmode none\nlink set d0 up\n");
    let d0 = index(&mut rtnl, "d0");
    rtnl.add_address(d0, "0.0.0.0".parse().unwrap()).unwrap();
    assert_eq!(shown(), [], "taken, and not added");

    let both = many(0..2);
    assert_eq!(rtnl.add_addresses(d0, &both).unwrap(), [Ok(()), Ok(())]);
    ip_batch("link set d0 down\n");
    assert_eq!(shown().into_iter().map(|found| found.address).collect::<Vec<_>>(), [both[0]], "IPv6 is lost");

    ip_batch(
        "addr flush dev d0\naddr add 10.0.0.1/24 dev d0\naddr add 10.0.0.2/24 dev d0\naddr add 10.0.0.2/32 dev d0\n",
    );
    rtnl.delete_address(d0, "10.0.0.1".parse().unwrap(), 24).unwrap();
    let left: Vec<_> = shown().into_iter().map(|found| (found.address.to_string(), found.prefix)).collect();
    assert_eq!(left, [("10.0.0.2".to_owned(), 32)], "the secondary one went with it");
}

/// The same address with different prefixes, and on different interfaces: each is an address of its own.
#[test]
fn only_the_one_that_is_meant_is_deleted() {
    let mut rtnl = enter();
    ip_batch(
        "link add d0 type dummy\n\
         link add d1 type dummy\n\
         addr add 192.0.2.1/32 dev d0\n\
         addr add 192.0.2.1/24 dev d0\n\
         addr add 192.0.2.1/32 dev d1\n\
         addr add 192.0.2.1 peer 192.0.2.1/31 dev d1\n\
         addr add 192.0.2.1 peer 192.0.2.9/32 dev d0\n\
         addr add 2001:db8::1/128 dev d1 nodad\n",
    );
    let (d0, address) = (index(&mut rtnl, "d0"), "192.0.2.1".parse().unwrap());
    let mut left = shown();
    rtnl.delete_address(d0, address, 32).unwrap();
    left.retain(|found| (found.index, found.prefix, found.peer) != (d0, 32, None));
    assert_eq!(shown(), left);
    assert_eq!(left.len(), 5);
    let Err(Error::Refused(refusal)) = rtnl.delete_address(d0, address, 32) else { panic!("deleted twice") };
    assert!(refusal.is_missing(), "that with the peer is not meant: {refusal}");
    rtnl.delete_address(d0, address, 24).unwrap();
    left.retain(|found| (found.index, found.prefix) != (d0, 24));
    assert_eq!(shown(), left);
}

#[test]
fn two_thousand_at_once() {
    let mut rtnl = enter();
    rtnl.add_dummy("ipvs0").unwrap();
    let ipvs0 = index(&mut rtnl, "ipvs0");
    let all = many(0..2000);
    // Some are there already.
    let before: Vec<IpAddr> = all.iter().copied().skip(500).step_by(300).collect();
    for address in &before {
        rtnl.add_address(ipvs0, *address).unwrap();
    }
    let mut tap = Tap::place();
    let results = rtnl.add_addresses(ipvs0, &all).unwrap();
    assert_eq!(results.len(), all.len());
    for (address, result) in all.iter().zip(&results) {
        match result {
            Ok(()) => assert!(!before.contains(address), "{address} was there"),
            Err(refusal) => assert!(refusal.already_exists() && before.contains(address), "{refusal}"),
        }
    }
    let sends = tap.sends(NEW);
    assert_eq!(sends.iter().sum::<usize>(), all.len(), "{sends:?}");
    assert!(sends.len() <= 16, "in {} sends", sends.len());

    let want: BTreeSet<(IpAddr, u8)> = all.iter().map(alone).collect();
    let there: BTreeSet<_> = shown().iter().map(|found| (found.address, found.prefix)).collect();
    assert_eq!(there, want);
    assert_eq!(read(&mut rtnl), shown());

    let mut gone: Vec<(IpAddr, u8)> = all.iter().map(alone).collect();
    gone.insert(1000, alone(&many(5000..5001)[0]));
    let results = rtnl.delete_addresses(ipvs0, &gone).unwrap();
    let refused: Vec<_> =
        results.iter().enumerate().filter_map(|(at, result)| Some((at, result.as_ref().err()?))).collect();
    assert_eq!(
        refused.iter().map(|(at, refusal)| (*at, refusal.errno)).collect::<Vec<_>>(),
        [(1000, Errno::ADDRNOTAVAIL)]
    );
    let sends = tap.sends(DELETE);
    assert_eq!(sends.iter().sum::<usize>(), gone.len(), "{sends:?}");
    assert!(sends.len() <= 16, "in {} sends", sends.len());
    assert_eq!(shown(), []);
    assert!(rtnl.add_addresses(ipvs0, &[]).unwrap().is_empty());
    assert_eq!(tap.sends(NEW), Vec::<usize>::new(), "nothing to do sends nothing");
}

/// Somebody else adds and deletes all the time: a dump that was torn by it is not taken for the truth.
#[test]
fn reads_do_not_tear() {
    let mut rtnl = enter();
    rtnl.add_dummy("ipvs0").unwrap();
    let ipvs0 = index(&mut rtnl, "ipvs0");
    // What moves stands before, between and behind what stays.
    let (moving, staying): (Vec<_>, Vec<_>) = many(0..1200).into_iter().enumerate().partition(|(at, _)| at % 6 < 2);
    let addresses = |of: &[(usize, IpAddr)]| of.iter().map(|(_, address)| *address).collect::<Vec<_>>();
    let (moving, staying) = (addresses(&moving), addresses(&staying));
    for result in rtnl.add_addresses(ipvs0, &many(0..1200)).unwrap() {
        result.unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut rtnl = Rtnl::open().unwrap();
            let mut turns = 0;
            while !stop.load(Ordering::Relaxed) {
                for some in moving.chunks(40) {
                    rtnl.delete_addresses(ipvs0, &some.iter().map(alone).collect::<Vec<_>>()).unwrap();
                    rtnl.add_addresses(ipvs0, some).unwrap();
                }
                turns += 1;
            }
            turns
        });
        let (mut whole, mut torn) = (0, 0);
        let started = Instant::now();
        while whole + torn < 60 && started.elapsed() < Duration::from_secs(30) {
            match rtnl.addresses() {
                Ok(found) => {
                    let found: BTreeSet<IpAddr> = found.into_iter().map(|found| found.address).collect();
                    let missing: Vec<_> = staying.iter().filter(|address| !found.contains(address)).collect();
                    assert!(missing.is_empty(), "{} are missing, {missing:?}", missing.len());
                    whole += 1;
                }
                Err(Error::Netlink(error)) => {
                    assert!(error.to_string().contains("kept changing"), "{error}");
                    torn += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        let turns = other.join().unwrap();
        assert!(turns > 0 && whole + torn > 10, "{turns} turns, {whole} whole and {torn} torn reads");
    });
    assert_eq!(read(&mut rtnl), shown(), "in peace");
}
