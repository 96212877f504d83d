//! Vectors written down by hand after the kernel's headers, and laws over arbitrary input.
//!
//! The vectors are those of a little-endian machine.

use proptest::prelude::*;

use super::*;
use crate::ipvs::uapi::{destination, service, stats, top};
use crate::model::*;
use crate::netlink::{Attributes, Batch, Body, Message, Writer, messages};
use crate::plan::Operation;

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(super) fn bytes(request: Request<'_>) -> Vec<u8> {
    let mut batch = Batch::new(5);
    request.push(&mut batch, 0x1b);
    batch.acknowledged().to_vec()
}

/// A request behind netlink's header: what a kernel that answered with it would have sent.
pub(super) fn payload(request: Request<'_>) -> Vec<u8> {
    bytes(request)[16..].to_vec()
}

/// The attributes of a request.
fn attributes(request: Request<'_>) -> Vec<u8> {
    payload(request)[4..].to_vec()
}

#[cfg(target_endian = "little")]
mod vectors {
    use super::*;

    #[test]
    fn the_question_for_one_service() {
        #[rustfmt::skip]
        let want = [
            // nlmsghdr: length 68, family 0x1b, REQUEST|ACK, sequence 5, port 0
            68, 0, 0, 0, 0x1b, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            // genlmsghdr: GET_SERVICE, version 1
            4, 1, 0, 0,
            // IPVS_CMD_ATTR_SERVICE, nested
            48, 0, 1, 0x80,
            // AF_INET; tcp
            6, 0, 1, 0, 2, 0, 0, 0,
            6, 0, 2, 0, 6, 0, 0, 0,
            // the address in 16 bytes
            20, 0, 3, 0, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            // port 80, big endian
            6, 0, 4, 0, 0, 80, 0, 0,
        ];
        assert_eq!(bytes(Request::Service(&key("tcp://192.0.2.10:80"))), want);
    }

    #[test]
    fn the_dump_of_all_services() {
        #[rustfmt::skip]
        let want = [
            // REQUEST|DUMP, and no acknowledgement
            20, 0, 0, 0, 0x1b, 0, 1, 3, 5, 0, 0, 0, 0, 0, 0, 0,
            4, 1, 0, 0,
        ];
        assert_eq!(bytes(Request::DumpServices), want);
    }

    #[test]
    fn the_question_for_the_family() {
        #[rustfmt::skip]
        let want = [
            32, 0, 0, 0, 0x10, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            // CTRL_CMD_GETFAMILY, version 2; CTRL_ATTR_FAMILY_NAME
            3, 2, 0, 0,
            9, 0, 2, 0, b'I', b'P', b'V', b'S', 0, 0, 0, 0,
        ];
        assert_eq!(bytes(Request::ResolveFamily), want);
    }

    #[test]
    fn an_added_service_carries_every_attribute() {
        let settings = ServiceSettings {
            scheduler: Scheduler::new("mh"),
            flags: ServiceFlags::SCHED2,
            persistence: Some(Persistence {
                timeout: 300,
                netmask: Netmask::Prefix(64),
                engine: Some("sip".to_owned()),
            }),
        };
        let add = Operation::AddService { service: key("fwmark6:7"), settings };
        #[rustfmt::skip]
        let want = [
            76, 0, 1, 0x80,
            // AF_INET6; mark 7
            6, 0, 1, 0, 10, 0, 0, 0,
            8, 0, 5, 0, 7, 0, 0, 0,
            // scheduler
            7, 0, 6, 0, b'm', b'h', 0, 0,
            // flags SCHED2|PERSISTENT, mask all but HASHED
            12, 0, 7, 0, 0x11, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff,
            // 300 s; prefix 64 as a plain number
            8, 0, 8, 0, 0x2c, 1, 0, 0,
            8, 0, 9, 0, 64, 0, 0, 0,
            // engine
            8, 0, 11, 0, b's', b'i', b'p', 0,
        ];
        let mut want = want.to_vec();
        want[0] = u8::try_from(want.len()).unwrap();
        assert_eq!(attributes(Request::Carry(&add)), want);
    }

    #[test]
    fn a_service_without_persistence_resets_it() {
        let settings =
            ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags::default(), persistence: None };
        let edit = Operation::EditService { service: key("fwmark:7"), from: settings.clone(), to: settings };
        let found = attributes(Request::Carry(&edit));
        #[rustfmt::skip]
        let want = [
            12, 0, 7, 0, 0, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff,
            8, 0, 8, 0, 0, 0, 0, 0,
            8, 0, 9, 0, 255, 255, 255, 255,
        ];
        assert_eq!(found[found.len() - want.len()..], want);
    }

    #[test]
    fn an_edited_destination_carries_every_attribute() {
        let to = DestinationSettings {
            forward: Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port: 6080, checksum: Checksum::Remote }),
            weight: 258,
            max_connections: 1000,
            min_connections: 800,
        };
        let from = DestinationSettings { forward: Forward::Nat, ..to };
        let edit = |to| Operation::EditDestination {
            service: key("fwmark:7"),
            destination: "[2001:db8::11]:8080".parse().unwrap(),
            from,
            to,
        };
        #[rustfmt::skip]
        let want = [
            20, 0, 1, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 8, 0, 5, 0, 7, 0, 0, 0,
            96, 0, 2, 0x80,
            20, 0, 1, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11,
            6, 0, 2, 0, 0x1f, 0x90, 0, 0,
            6, 0, 11, 0, 10, 0, 0, 0,
            8, 0, 3, 0, 2, 0, 0, 0,
            8, 0, 4, 0, 2, 1, 0, 0,
            8, 0, 5, 0, 0xe8, 3, 0, 0,
            8, 0, 6, 0, 0x20, 3, 0, 0,
            5, 0, 13, 0, 1, 0, 0, 0,
            6, 0, 14, 0, 0x17, 0xc0, 0, 0,
            6, 0, 15, 0, 2, 0, 0, 0,
        ];
        assert_eq!(attributes(Request::Carry(&edit(to))), want);
        let plain = attributes(Request::Carry(&edit(from)));
        #[rustfmt::skip]
        assert_eq!(plain[plain.len() - 24..], [5, 0, 13, 0, 0, 0, 0, 0, 6, 0, 14, 0, 0, 0, 0, 0, 6, 0, 15, 0, 0, 0, 0, 0]);
    }
}

/// An answer with the attributes that `write` puts into the nest `kind`.
pub(super) fn answer(kind: u16, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    Writer(&mut bytes).nested(kind, write);
    bytes
}

#[test]
fn what_the_kernel_adds_is_masked() {
    let message = answer(top::SERVICE, |out| {
        out.u16(service::AF, 2);
        out.u32(service::FWMARK, 9);
        out.text(service::SCHED_NAME, "sh");
        out.bytes(service::FLAGS, &[(0x2u32 | 0x8).to_ne_bytes(), u32::MAX.to_ne_bytes()].concat());
        out.u32(service::TIMEOUT, 360);
        out.bytes(service::NETMASK, &[255, 255, 255, 255]);
        out.bytes(77, b"from the future");
    });
    let (found, live) = decode_service(&message).unwrap();
    assert_eq!(found, key("fwmark:9"));
    assert_eq!(live.settings.flags, ServiceFlags::SCHED1);
    assert_eq!(live.settings.persistence, None, "a timeout without the flag is no persistence");
}

#[test]
fn counters_come_in_either_width() {
    let narrow = |out: &mut Writer<'_>| {
        out.u32(stats::CONNS, 7);
        out.bytes(stats::INBYTES, &1u64.to_ne_bytes());
    };
    let wide = |out: &mut Writer<'_>| out.bytes(stats::CONNS, &(1u64 << 40).to_ne_bytes());
    let head = |out: &mut Writer<'_>| {
        out.bytes(destination::ADDR, &[10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.be16(destination::PORT, 80);
        out.u32(destination::FWD_METHOD, 0x100 | 3);
        out.u32(destination::WEIGHT, 1);
    };
    let old = answer(top::DEST, |out| {
        head(out);
        out.nested(destination::STATS, narrow);
    });
    let (found, live) = decode_destination(&old, &key("fwmark:9")).unwrap();
    assert_eq!(found.to_string(), "10.0.0.1:80", "without a family it is the service's");
    assert_eq!((live.stats.connections, live.stats.in_bytes), (7, 1));
    assert_eq!(live.settings.forward, Forward::Dr, "bits outside of the mask are not the method");
    let new = answer(top::DEST, |out| {
        head(out);
        out.nested(destination::STATS64, wide);
        out.nested(destination::STATS, narrow);
    });
    assert_eq!(decode_destination(&new, &key("fwmark:9")).unwrap().1.stats.connections, 1 << 40);
}

#[test]
fn an_entry_that_makes_no_sense_is_put_into_words() {
    let message = answer(top::SERVICE, |out| {
        out.u16(service::AF, 7);
        out.u16(service::PROTOCOL, 6);
    });
    assert_eq!(
        decode_service(&message).unwrap_err(),
        "a service family 7 protocol 6: its address family is neither IPv4 nor IPv6"
    );
    let message = answer(top::SERVICE, |out| {
        out.u16(service::AF, 2);
        out.u32(service::FWMARK, 9);
    });
    assert_eq!(decode_service(&message).unwrap_err(), "the service fwmark:9: it has no scheduler");
    let message = answer(top::DEST, |out| out.u16(destination::ADDR_FAMILY, 1));
    assert_eq!(
        decode_destination(&message, &key("fwmark:9")).unwrap_err(),
        "a destination of fwmark:9: its address family is 1, not IPv4 or IPv6"
    );
}

fn any_service_key() -> impl Strategy<Value = ServiceKey> {
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    prop_oneof![
        (any::<u16>(), any::<std::net::IpAddr>(), any::<u16>()).prop_map(|(number, address, port)| {
            ServiceKey::Address { protocol: Protocol::from_number(number), address, port }
        }),
        (family, 1u32..).prop_map(|(family, mark)| ServiceKey::Mark { family, mark }),
    ]
}

fn any_settings(family: Family) -> impl Strategy<Value = ServiceSettings> {
    let netmask = match family {
        Family::V4 => any::<std::net::Ipv4Addr>().prop_map(Netmask::from_v4).boxed(),
        Family::V6 => any::<u32>().prop_map(Netmask::Prefix).boxed(),
    };
    let engine = proptest::option::of("[a-z]{1,16}");
    let persistence =
        (any::<u32>(), netmask, engine).prop_map(|(timeout, netmask, engine)| Persistence { timeout, netmask, engine });
    ("[a-z0-9_-]{1,15}", any::<u32>(), proptest::option::of(persistence)).prop_map(|(name, bits, persistence)| {
        ServiceSettings { scheduler: Scheduler::new(name), flags: ServiceFlags(bits & !3), persistence }
    })
}

fn any_forward() -> impl Strategy<Value = Forward> {
    let kind = prop_oneof![
        Just(TunnelType::Ipip),
        Just(TunnelType::Gue),
        Just(TunnelType::Gre),
        (3u8..).prop_map(TunnelType::Other)
    ];
    let checksum = prop_oneof![
        Just(Checksum::Off),
        Just(Checksum::On),
        Just(Checksum::Remote),
        (3u16..).prop_map(Checksum::Other)
    ];
    prop_oneof![
        Just(Forward::Nat),
        Just(Forward::Dr),
        Just(Forward::Local),
        Just(Forward::Bypass),
        (5u8..8).prop_map(Forward::Other),
        (kind, any::<u16>(), checksum).prop_map(|(kind, port, checksum)| Forward::Tunnel(Tunnel {
            kind,
            port,
            checksum
        })),
    ]
}

prop_compose! {
    fn any_destination()(
        address in any::<std::net::IpAddr>(),
        port in any::<u16>(),
        forward in any_forward(),
        numbers in any::<[u32; 3]>(),
    ) -> (DestinationKey, DestinationSettings) {
        let [weight, max_connections, min_connections] = numbers;
        (DestinationKey { address, port }, DestinationSettings { forward, weight, max_connections, min_connections })
    }
}

fn any_service() -> impl Strategy<Value = (ServiceKey, ServiceSettings)> {
    any_service_key().prop_flat_map(|key| (Just(key), any_settings(key.family())))
}

fn every_decoder(bytes: &[u8]) {
    let _ = decode_service(bytes);
    let _ = decode_destination(bytes, &key("tcp://192.0.2.1:80"));
    let _ = decode_destination(bytes, &key("fwmark6:1"));
    let _ = (decode_info(bytes), decode_family_id(bytes));
    for message in messages(bytes) {
        if let Ok(Message { body: Body::Data { payload, .. }, .. }) = message {
            let _ = decode_service(payload);
        }
    }
}

proptest! {
    #[test]
    fn a_service_comes_back_as_it_went((key, settings) in any_service()) {
        let add = Operation::AddService { service: key, settings: settings.clone() };
        let (found, live) = decode_service(&payload(Request::Carry(&add))).unwrap();
        prop_assert_eq!(found, key);
        prop_assert_eq!(live.settings, settings);
    }

    #[test]
    fn a_destination_comes_back_as_it_went(key in any_service_key(), (destination, settings) in any_destination()) {
        let add = Operation::AddDestination { service: key, destination, settings };
        let (found, live) = decode_destination(&payload(Request::Carry(&add)), &key).unwrap();
        prop_assert_eq!(found, destination);
        prop_assert_eq!(live.settings, settings);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        every_decoder(&bytes);
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(
        (key, settings) in any_service(),
        (destination, to) in any_destination(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        for operation in [
            Operation::AddService { service: key, settings },
            Operation::AddDestination { service: key, destination, settings: to },
        ] {
            let mut bytes = bytes(Request::Carry(&operation));
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
    fn a_name_of_any_length_leaves_the_message_whole(name in "[a-zß]{0,40}", times in 1usize..4000) {
        let settings = ServiceSettings {
            scheduler: Scheduler::new(name.repeat(times)),
            flags: ServiceFlags::default(),
            persistence: None,
        };
        let add = Operation::AddService { service: key("fwmark:1"), settings };
        let bytes = bytes(Request::Carry(&add));
        let length = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        prop_assert_eq!(length, bytes.len());
        prop_assert_eq!(Attributes(&bytes[20..]).count(), 1);
        prop_assert!(Attributes(&bytes[24..]).any(|found| found.kind == service::NETMASK));
    }
}
