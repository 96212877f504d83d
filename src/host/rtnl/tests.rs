//! Vectors written down by hand after the kernel's headers, and laws over arbitrary input.
//!
//! The vectors are those of a little-endian machine.

use std::net::IpAddr;

use proptest::prelude::*;

use super::codec::{Request, decode_address, decode_link, decode_route};
use super::*;
use crate::netlink::{Batch, Body, Writer, messages};

/// `RTM_NEWLINK`, `RTM_NEWADDR`, `RTM_NEWROUTE`: the kinds of the answers.
const LINK: u16 = 16;
const ADDRESS: u16 = 20;
const ROUTE: u16 = 24;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn bytes(request: Request<'_>) -> Vec<u8> {
    let mut batch = Batch::new(5);
    request.push(&mut batch);
    batch.acknowledged().to_vec()
}

/// An answer: the family's header, and the attributes.
fn answer(header: &[u8], write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Writer(&mut bytes);
    out.header(header);
    write(&mut out);
    bytes
}

/// What the kernel says of interface 7: `ifinfomsg` with ARPHRD_ETHER and these flags.
fn link(flags: u8, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    answer(&[0, 0, 1, 0, 7, 0, 0, 0, flags, 0, 1, 0, 0, 0, 0, 0], write)
}

#[cfg(target_endian = "little")]
mod vectors {
    use super::*;

    #[test]
    fn the_dump_of_interfaces() {
        #[rustfmt::skip]
        let want = [
            // nlmsghdr: length 40, RTM_GETLINK, REQUEST|DUMP, sequence 5, port 0
            40, 0, 0, 0, 18, 0, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0,
            // ifinfomsg
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            // IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS
            8, 0, 29, 0, 8, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::DumpLinks), want);
    }

    #[test]
    fn the_question_for_one_interface() {
        #[rustfmt::skip]
        let want = [
            52, 0, 0, 0, 18, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            // IFLA_IFNAME
            10, 0, 3, 0, b'i', b'p', b'v', b's', b'0', 0, 0, 0,
            8, 0, 29, 0, 8, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::Link("ipvs0")), want);
    }

    #[test]
    fn a_dummy_interface() {
        #[rustfmt::skip]
        let want = [
            // RTM_NEWLINK, REQUEST|ACK|CREATE|EXCL
            60, 0, 0, 0, 16, 0, 5, 6, 5, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            10, 0, 3, 0, b'i', b'p', b'v', b's', b'0', 0, 0, 0,
            // IFLA_LINKINFO, nested: IFLA_INFO_KIND
            16, 0, 18, 0x80,
            10, 0, 1, 0, b'd', b'u', b'm', b'm', b'y', 0, 0, 0,
        ];
        assert_eq!(bytes(Request::AddDummy("ipvs0")), want);
    }

    #[test]
    fn an_interface_set_up_and_deleted() {
        #[rustfmt::skip]
        let up = [
            // RTM_SETLINK, REQUEST|ACK
            32, 0, 0, 0, 19, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            // ifinfomsg: index 258, IFF_UP, and only that is meant
            0, 0, 0, 0, 2, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::SetUp(258)), up);
        #[rustfmt::skip]
        let delete = [
            // RTM_DELLINK
            32, 0, 0, 0, 17, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::DeleteLink(258)), delete);
    }

    #[test]
    fn the_dump_of_addresses() {
        #[rustfmt::skip]
        let want = [
            // RTM_GETADDR, REQUEST|DUMP
            24, 0, 0, 0, 22, 0, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0,
            // ifaddrmsg: AF_UNSPEC
            0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::DumpAddresses), want);
    }

    #[test]
    fn an_added_address() {
        #[rustfmt::skip]
        let four = [
            // RTM_NEWADDR, REQUEST|ACK|CREATE|EXCL
            40, 0, 0, 0, 20, 0, 5, 6, 5, 0, 0, 0, 0, 0, 0, 0,
            // ifaddrmsg: AF_INET, /32, no flags, RT_SCOPE_UNIVERSE, index 7
            2, 32, 0, 0, 7, 0, 0, 0,
            // IFA_LOCAL, IFA_ADDRESS
            8, 0, 2, 0, 192, 0, 2, 10,
            8, 0, 1, 0, 192, 0, 2, 10,
        ];
        assert_eq!(bytes(Request::AddAddress { index: 7, address: ip("192.0.2.10") }), four);
        #[rustfmt::skip]
        let six = [
            84, 0, 0, 0, 20, 0, 5, 6, 5, 0, 0, 0, 0, 0, 0, 0,
            // AF_INET6, /128, IFA_F_NODAD
            10, 128, 2, 0, 7, 0, 0, 0,
            20, 0, 2, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
            20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
            // IFA_CACHEINFO: preferred, valid, two times that are the kernel's
            20, 0, 6, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::AddAddress { index: 7, address: ip("2001:db8::10") }), six);
    }

    #[test]
    fn a_deleted_address() {
        #[rustfmt::skip]
        let want = [
            // RTM_DELADDR, REQUEST|ACK
            40, 0, 0, 0, 21, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            2, 24, 0, 0, 7, 0, 0, 0,
            8, 0, 2, 0, 192, 0, 2, 10,
            8, 0, 1, 0, 192, 0, 2, 10,
        ];
        assert_eq!(bytes(Request::DeleteAddress { index: 7, address: ip("192.0.2.10"), prefix: 24 }), want);
    }

    #[test]
    fn the_question_for_a_route() {
        #[rustfmt::skip]
        let want = [
            // RTM_GETROUTE, REQUEST|ACK
            48, 0, 0, 0, 26, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            // rtmsg: AF_INET6, destination /128
            10, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            // RTA_DST
            20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        assert_eq!(bytes(Request::Route(ip("2001:db8::10"))), want);
    }

    #[test]
    fn an_interface() {
        #[rustfmt::skip]
        let message = [
            // ifinfomsg: ARPHRD_ETHER, index 258, flags BROADCAST|NOARP|UP
            0, 0, 1, 0, 2, 1, 0, 0, 0x83, 0, 0, 0, 0, 0, 0, 0,
            10, 0, 3, 0, b'i', b'p', b'v', b's', b'0', 0, 0, 0,
            // IFLA_MTU 1500; IFLA_TXQLEN
            8, 0, 4, 0, 0xdc, 5, 0, 0,
            8, 0, 13, 0, 0xe8, 3, 0, 0,
            // IFLA_LINKINFO as the kernel sends it, not marked as nested: IFLA_INFO_KIND
            16, 0, 18, 0,
            10, 0, 1, 0, b'd', b'u', b'm', b'm', b'y', 0, 0, 0,
        ];
        let want = LinkInfo {
            index: 258,
            name: "ipvs0".to_owned(),
            kind: Some("dummy".to_owned()),
            up: true,
            loopback: false,
            mtu: 1500,
        };
        assert_eq!(decode_link(LINK, &message), Ok(want));
    }

    #[test]
    fn an_address_and_its_peer() {
        #[rustfmt::skip]
        let message = [
            // ifaddrmsg: AF_INET, /30, IFA_F_PERMANENT, index 7
            2, 30, 0x80, 0, 7, 0, 0, 0,
            // IFA_ADDRESS is the peer, IFA_LOCAL the host's own
            8, 0, 1, 0, 10, 0, 0, 2,
            8, 0, 2, 0, 10, 0, 0, 1,
        ];
        let want =
            AddressInfo { index: 7, address: ip("10.0.0.1"), prefix: 30, peer: Some(ip("10.0.0.2")), tentative: false };
        assert_eq!(decode_address(ADDRESS, &message), Ok(Some(want)));
    }

    #[test]
    fn a_route() {
        #[rustfmt::skip]
        let message = [
            // rtmsg: AF_INET, /32, table main, RTN_UNICAST, RTM_F_CLONED
            2, 32, 0, 0, 254, 0, 0, 1, 0, 2, 0, 0,
            // RTA_DST, RTA_OIF 7
            8, 0, 1, 0, 10, 1, 0, 1,
            8, 0, 4, 0, 7, 0, 0, 0,
            // RTA_PREFSRC
            8, 0, 7, 0, 192, 0, 2, 1,
            // RTA_METRICS: RTAX_LOCK, RTAX_MTU 1380
            20, 0, 8, 0, 8, 0, 1, 0, 4, 0, 0, 0, 8, 0, 2, 0, 0x64, 5, 0, 0,
            // RTA_VIA: AF_INET6
            22, 0, 18, 0, 10, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0,
        ];
        let want = Route {
            kind: RouteKind::Unicast,
            device: Some(7),
            gateway: Some(ip("fe80::7")),
            source: Some(ip("192.0.2.1")),
            mtu: Some(1380),
        };
        assert_eq!(decode_route(ROUTE, &message), Ok(want));
    }
}

#[test]
fn an_interface_may_have_a_strange_name() {
    let message = link(1, |out| {
        out.bytes(3, b"a\xffb\0");
        out.u32(4, 1500);
    });
    let found = decode_link(LINK, &message).unwrap();
    assert_eq!((found.name.as_str(), found.kind, found.index), ("a\u{fffd}b", None, 7));
}

#[test]
fn addresses_of_other_families_are_skipped() {
    for family in [0, 1, 7, 28, 45, 255] {
        let message = answer(&[family, 8, 0, 0, 7, 0, 0, 0], |out| out.bytes(2, &[1, 2, 3, 4]));
        assert_eq!(decode_address(ADDRESS, &message), Ok(None), "{family}");
    }
}

#[test]
fn an_address_that_is_not_confirmed_is_tentative() {
    for (flags, tentative) in [(0x80, false), (0x40, true), (0xc0, true), (0x88, true), (0x02, false), (0x20, false)] {
        let message = answer(&[10, 128, flags, 0, 7, 0, 0, 0], |out| out.bytes(1, &[9; 16]));
        assert_eq!(decode_address(ADDRESS, &message).unwrap().unwrap().tentative, tentative, "{flags:#x}");
    }
}

#[test]
fn what_makes_no_sense_is_put_into_words() {
    assert_eq!(decode_link(LINK, &link(1, |out| out.u32(4, 1500))), Err("an interface has no name"));
    assert_eq!(decode_link(LINK, &link(1, |out| out.text(3, "lo"))), Err("an interface has no mtu"));
    assert_eq!(decode_link(LINK, &[0; 15]), Err("an interface is cut short"));
    assert_eq!(decode_address(ADDRESS, &[2; 7]), Err("an address is cut short"));
    let short = answer(&[10, 128, 0, 0, 7, 0, 0, 0], |out| out.bytes(1, &[192, 0, 2, 1]));
    assert_eq!(decode_address(ADDRESS, &short), Err("an address has no bytes of its family"));
    assert_eq!(decode_route(ROUTE, &[2; 11]), Err("a route is cut short"));
    for kind in [0, 2, 3, 17, 21, 25, 999] {
        assert!(decode_link(kind, &[0; 64]).is_err(), "{kind}");
        assert!(decode_address(kind, &[0; 64]).is_err(), "{kind}");
        assert!(decode_route(kind, &[0; 64]).is_err(), "{kind}");
    }
}

#[test]
fn every_errno_has_words_for_every_request() {
    let requests = [
        Request::DumpLinks,
        Request::Link("d0"),
        Request::AddDummy("d0"),
        Request::SetUp(7),
        Request::DeleteLink(7),
        Request::DumpAddresses,
        Request::AddAddress { index: 7, address: ip("192.0.2.1") },
        Request::AddAddress { index: 7, address: ip("::2") },
        Request::DeleteAddress { index: 7, address: ip("::2"), prefix: 128 },
        Request::Route(ip("::2")),
    ];
    for request in requests {
        for raw in 1..134 {
            let refusal = Refusal::new(request, Errno::from_raw_os_error(raw), None);
            assert!(refusal.reason.len() > 5 && refusal.to_string().starts_with("cannot "), "{refusal}");
        }
    }
    let text = Some("Unknown device type".to_owned());
    assert_eq!(
        Refusal::new(Request::AddDummy("d0"), Errno::OPNOTSUPP, text).to_string(),
        "cannot add the dummy interface `d0`: the kernel has no dummy interfaces: load the module dummy (`modprobe \
         dummy`), or install the kernel's module package (kernel: Unknown device type)"
    );
    assert_eq!(
        Refusal::new(requests[7], Errno::OPNOTSUPP, None).to_string(),
        "cannot add ::2/128 to interface 7: the kernel has no IPv6 (it was booted with ipv6.disable=1, or has no module \
         ipv6)"
    );
}

fn every_decoder(bytes: &[u8]) {
    for kind in [LINK, ADDRESS, ROUTE] {
        let _ = decode_link(kind, bytes);
        let _ = decode_address(kind, bytes);
        let _ = decode_route(kind, bytes);
    }
    for message in messages(bytes).flatten() {
        if let Body::Data { kind, payload } = message.body {
            let _ = (decode_link(kind, payload), decode_address(kind, payload), decode_route(kind, payload));
        }
    }
}

proptest! {
    /// What is asked for has the shape of what is answered.
    #[test]
    fn an_address_comes_back_as_it_went(index in any::<u32>(), address in any::<IpAddr>(), prefix in any::<u8>()) {
        let message = bytes(Request::DeleteAddress { index, address, prefix });
        let want = AddressInfo { index, address, prefix, peer: None, tentative: false };
        prop_assert_eq!(decode_address(ADDRESS, &message[16..]), Ok(Some(want)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        every_decoder(&bytes);
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        address in any::<IpAddr>(),
        name in "[a-zß]{0,15}",
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        for request in [Request::AddDummy(&name), Request::AddAddress { index: 7, address }, Request::Route(address)] {
            let mut bytes = bytes(request);
            for (index, value) in &changes {
                let at = index.index(bytes.len());
                bytes[at] = *value;
            }
            every_decoder(&bytes);
            every_decoder(&bytes[16..]);
            bytes.truncate(cut.index(bytes.len()));
            every_decoder(&bytes);
        }
    }

    #[test]
    fn a_name_that_passes_fits_the_kernel(name in ".{0,20}") {
        if is_name(&name) {
            prop_assert!(!name.is_empty() && name.len() < 16);
            prop_assert!(!name.contains(['/', ':', '%', ' ', '\t', '\n', '\0']));
        }
    }
}
