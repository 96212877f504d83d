//! What a service can be given, and what comes back.

use super::*;

pub(crate) fn keys_that_differ_in_anything_are_different_services(on: &mut Subject<'_>) {
    let keys = [
        WEB,
        "udp://192.0.2.10:80",
        "sctp://192.0.2.10:80",
        "tcp://192.0.2.10:81",
        "tcp://192.0.2.11:80",
        WEB6,
        "udp://[2001:db8::10]:80",
        "fwmark:80",
        "fwmark6:80",
        "fwmark:4294967295",
    ];
    for (number, text) in keys.into_iter().enumerate() {
        let settings = persistent(u32::try_from(number).unwrap() + 1, Netmask::Prefix(24), None);
        on.accepts(add(text, &settings));
    }
    let live = on.read();
    assert_eq!(live.services.len(), keys.len());
    let asked: Vec<ServiceKey> = keys.iter().chain(&keys).map(|text| key(text)).chain([key("fwmark:81")]).collect();
    assert_eq!(on.ipvs.read_services(&asked).unwrap(), live.services, "single reads agree, each asked for twice");
    for (number, text) in keys.into_iter().enumerate() {
        let persistence = live.services[&key(text)].settings.persistence.clone().unwrap();
        assert_eq!(persistence.timeout, u32::try_from(number).unwrap() + 1, "{text}");
    }
}

pub(crate) fn every_scheduler(on: &mut Subject<'_>) {
    for name in Scheduler::KNOWN.into_iter().chain(["none"]) {
        let add = add(WEB, &scheduled(name));
        match on.execute(std::slice::from_ref(&add)).remove(0) {
            Ok(()) => {
                assert_eq!(on.settings(WEB), scheduled(name));
                on.accepts(delete(WEB));
            }
            Err(refusal) => {
                assert_eq!((name, refusal.errno), ("twos", Errno::NOENT), "only `twos` may be missing");
                assert!(refusal.reason.contains("try `modprobe ip_vs_twos`"), "{refusal}");
            }
        }
    }
}

pub(crate) fn an_unknown_scheduler_or_engine_is_named(on: &mut Subject<'_>) {
    let why = on.refuses(add(WEB, &scheduled("nosuch")), Errno::NOENT);
    assert!(why.starts_with("scheduler `nosuch` is not available in this kernel"), "{why}");
    let engine = persistent(60, Netmask::Prefix(32), Some("nothing"));
    let why = on.refuses(add(WEB, &engine), Errno::NOENT);
    assert!(why.contains("`nothing`") && why.contains("ip_vs_pe_nothing"), "{why}");
    on.accepts(add(WEB, &scheduled("rr")));
    on.refuses(edit(WEB, &scheduled("nosuch")), Errno::NOENT);
    on.refuses(edit(WEB, &engine), Errno::NOENT);
    assert_eq!(on.settings(WEB), scheduled("rr"), "a refused edit changes nothing");
}

pub(crate) fn names_have_a_longest_length(on: &mut Subject<'_>) {
    on.refuses(add(WEB, &scheduled("a23456789012345")), Errno::NOENT);
    on.refuses(add(WEB, &scheduled("a234567890123456")), Errno::INVAL);
    on.refuses(add(WEB, &persistent(60, Netmask::Prefix(32), Some("a234567890123456"))), Errno::NOENT);
    on.refuses(add(WEB, &persistent(60, Netmask::Prefix(32), Some("a2345678901234567"))), Errno::INVAL);
}

pub(crate) fn an_ipv6_prefix_is_1_to_128(on: &mut Subject<'_>) {
    for service in [WEB6, "fwmark6:7"] {
        for length in [0, 129, u32::MAX] {
            let why = on.refuses(add(service, &persistent(60, Netmask::Prefix(length), None)), Errno::INVAL);
            assert!(why.contains("1 to 128"), "{why}");
        }
        on.keeps(service, persistent(60, Netmask::Prefix(1), None));
        on.keeps(service, persistent(60, Netmask::Prefix(128), None));
        on.accepts(add(service, &scheduled("rr")));
        on.refuses(edit(service, &persistent(60, Netmask::Prefix(0), None)), Errno::INVAL);
    }
}

pub(crate) fn odd_things_are_taken_without_a_word(on: &mut Subject<'_>) {
    for number in [0, 1, 47, 255, 256, u16::MAX] {
        let service = ServiceKey::Address {
            protocol: Protocol::from_number(number),
            address: "192.0.2.10".parse().unwrap(),
            port: 80,
        };
        on.keeps(&service.to_string(), scheduled("rr"));
    }
    on.keeps("tcp://192.0.2.10:0", scheduled("rr"));
    for mask in [0, 1, 0xffff_0001, 0x0fff_ffff] {
        on.keeps(WEB, persistent(60, Netmask::from_v4(mask.into()), None));
    }
    on.keeps(WEB, persistent(0, Netmask::Prefix(0), None));
    on.keeps("sctp://192.0.2.10:80", ServiceSettings { flags: ServiceFlags::ONE_PACKET, ..scheduled("rr") });
    let every_bit = ServiceSettings { flags: ServiceFlags(!3), ..scheduled("rr") };
    on.keeps(WEB, every_bit.clone());
    on.keeps(WEB6, every_bit);
    on.accepts(add(WEB, &scheduled("rr")));
    on.keeps_destination(WEB, "10.0.0.1:8080", forwarded(Forward::Dr));
}

pub(crate) fn the_mark_0_is_a_tcp_service(on: &mut Subject<'_>) {
    let mark = ServiceKey::Mark { family: Family::V4, mark: 0 };
    on.accepts(Operation::AddService { service: mark, settings: scheduled("rr") });
    assert_eq!(on.read().services.into_keys().collect::<Vec<_>>(), [key("tcp://0.0.0.0:0")]);
    on.refuses(Operation::AddService { service: mark, settings: scheduled("rr") }, Errno::EXIST);
    on.accepts(Operation::DeleteService { service: mark, from: scheduled("rr"), destinations: 0 });
    assert!(on.read().services.is_empty());
}

pub(crate) fn long_persistence_overflows(on: &mut Subject<'_>) {
    on.keeps(WEB, persistent(1, Netmask::Prefix(32), None));
    // The longest that every kernel keeps, its clock ticking up to 1,000 times a second.
    on.keeps(WEB, persistent(4_294_967, Netmask::Prefix(32), None));
    on.accepts(add(WEB, &persistent(50_000_000, Netmask::Prefix(32), None)));
    let kept = on.settings(WEB).persistence.unwrap().timeout;
    let ticking = |rate: u32| 50_000_000u32.wrapping_mul(rate) / rate;
    assert!([100, 250, 300, 1000].map(ticking).contains(&kept), "{kept}");
}

pub(crate) fn an_edit_replaces_everything(on: &mut Subject<'_>) {
    for service in [WEB, WEB6, "fwmark:7", "fwmark6:7"] {
        let bits = key(service).family().bits();
        let full = ServiceSettings {
            flags: ServiceFlags::SCHED1.with(ServiceFlags::SCHED2).with(ServiceFlags::ONE_PACKET),
            ..persistent(120, Netmask::Prefix(bits - 8), Some("sip"))
        };
        on.accepts(add(service, &full));
        assert_eq!(on.settings(service), full);
        let mut step = full.clone();
        step.persistence.as_mut().unwrap().engine = None;
        on.accepts(edit(service, &step));
        assert_eq!(on.settings(service), step, "the engine is gone");
        for name in ["sh", "wlc", "none", "rr"] {
            on.accepts(edit(service, &scheduled(name)));
            assert_eq!(on.settings(service), scheduled(name), "flags and persistence are gone");
        }
        on.accepts(edit(service, &full));
        assert_eq!(on.settings(service), full);
    }
    let gre = Forward::Tunnel(Tunnel { kind: TunnelType::Gre, port: 0, checksum: Checksum::On });
    let full = DestinationSettings { forward: gre, weight: 9, max_connections: 7, min_connections: 3 };
    on.accepts(add_destination(WEB, ONE, full));
    for to in [weighing(0), full, forwarded(Forward::Tunnel(Tunnel::default())), full] {
        on.accepts(edit_destination(WEB, ONE, to));
        assert_eq!(on.destination(WEB, ONE), to);
    }
}

pub(crate) fn a_deleted_service_takes_its_destinations_along(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.accepts(delete(WEB));
    assert!(on.read().services.is_empty());
    on.accepts(add(WEB, &scheduled("rr")));
    assert!(on.read().services[&key(WEB)].destinations.is_empty());
}
