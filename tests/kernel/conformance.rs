//! What IPVS does, case by case, for any `Ipvs` with an empty table: the real kernel and the fake alike.
//!
//! Read in `net/netfilter/ipvs/ip_vs_ctl.c`, and decided by running it on a real kernel.

use std::collections::BTreeMap;

use ipvsd::ipvs::{Errno, Ipvs, Outcome, Refusal, carry_out};
use ipvsd::model::{
    Checksum, DestinationKey, DestinationSettings, Family, Forward, Live, Netmask, Persistence, Protocol, Scheduler,
    ServiceFlags, ServiceKey, ServiceSettings, Tunnel, TunnelType,
};
use ipvsd::plan::Operation;

/// What a case runs on, and in what it may differ from others of its kind.
pub(crate) struct Subject<'a> {
    pub(crate) ipvs: &'a mut dyn Ipvs,
    /// Upper thresholds over `i32::MAX` are refused: 6.12 does, 6.1 does not.
    pub(crate) thresholds_are_checked: bool,
}

const WEB: &str = "tcp://192.0.2.10:80";
const WEB6: &str = "tcp://[2001:db8::10]:80";
const ONE: &str = "10.0.0.1:80";
const ONE6: &str = "[2001:db8::1]:80";

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn target(text: &str) -> DestinationKey {
    text.parse().unwrap()
}

fn scheduled(name: &str) -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new(name), flags: ServiceFlags::default(), persistence: None }
}

fn persistent(timeout: u32, netmask: Netmask, engine: Option<&str>) -> ServiceSettings {
    let engine = engine.map(str::to_owned);
    ServiceSettings { persistence: Some(Persistence { timeout, netmask, engine }), ..scheduled("rr") }
}

fn weighing(weight: u32) -> DestinationSettings {
    DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 }
}

fn forwarded(forward: Forward) -> DestinationSettings {
    DestinationSettings { forward, ..weighing(1) }
}

fn add(service: &str, settings: &ServiceSettings) -> Operation {
    Operation::AddService { service: key(service), settings: settings.clone() }
}

fn edit(service: &str, to: &ServiceSettings) -> Operation {
    Operation::EditService { service: key(service), from: scheduled("rr"), to: to.clone() }
}

fn delete(service: &str) -> Operation {
    Operation::DeleteService { service: key(service), from: scheduled("rr"), destinations: 0 }
}

fn add_destination(service: &str, destination: &str, settings: DestinationSettings) -> Operation {
    Operation::AddDestination { service: key(service), destination: target(destination), settings }
}

fn edit_destination(service: &str, destination: &str, to: DestinationSettings) -> Operation {
    Operation::EditDestination { service: key(service), destination: target(destination), from: weighing(1), to }
}

fn delete_destination(service: &str, destination: &str) -> Operation {
    Operation::DeleteDestination { service: key(service), destination: target(destination), from: weighing(1) }
}

impl Subject<'_> {
    fn execute(&mut self, operations: &[Operation]) -> Vec<Result<(), Refusal>> {
        self.ipvs.execute(&operations.iter().collect::<Vec<_>>()).unwrap()
    }

    fn carry_out(&mut self, operations: &[Operation]) -> Vec<Outcome> {
        carry_out(self.ipvs, &operations.iter().collect::<Vec<_>>()).unwrap()
    }

    #[track_caller]
    fn accepts(&mut self, operation: Operation) {
        let results = self.execute(std::slice::from_ref(&operation));
        assert_eq!(results, [Ok(())], "{operation:?}");
    }

    #[track_caller]
    fn refuses(&mut self, operation: Operation, errno: Errno) -> String {
        let results = self.execute(std::slice::from_ref(&operation));
        assert_eq!(results.len(), 1);
        match &results[0] {
            Err(refusal) => {
                assert_eq!(refusal.errno, errno, "{operation:?}: {refusal}");
                refusal.reason.clone()
            }
            Ok(()) => panic!("accepted, instead of {errno:?}: {operation:?}"),
        }
    }

    fn read(&mut self) -> Live {
        let live = self.ipvs.read().unwrap();
        assert_eq!(live.unknown, Vec::<String>::new());
        live
    }

    /// The settings of a service, by a dump and by a single read, which must agree.
    #[track_caller]
    fn settings(&mut self, service: &str) -> ServiceSettings {
        let dumped = self.read().services.get(&key(service)).map(|live| live.settings.clone());
        let single = self.ipvs.read_services(&[key(service)]).unwrap();
        let single = single.get(&key(service)).map(|live| live.settings.clone());
        assert_eq!(dumped, single);
        single.unwrap_or_else(|| panic!("there is no {service}"))
    }

    #[track_caller]
    fn destination(&mut self, service: &str, destination: &str) -> DestinationSettings {
        let live = self.read();
        let dumped = live.services[&key(service)].destinations.get(&target(destination)).map(|live| live.settings);
        let single = &self.ipvs.read_services(&[key(service)]).unwrap()[&key(service)];
        assert_eq!(dumped, single.destinations.get(&target(destination)).map(|live| live.settings));
        dumped.unwrap_or_else(|| panic!("{service} has no {destination}"))
    }

    #[track_caller]
    fn keeps(&mut self, service: &str, settings: ServiceSettings) {
        self.accepts(add(service, &settings));
        assert_eq!(self.settings(service), settings, "{service}");
        self.accepts(delete(service));
    }

    #[track_caller]
    fn keeps_destination(&mut self, service: &str, destination: &str, settings: DestinationSettings) {
        self.accepts(add_destination(service, destination, settings));
        assert_eq!(self.destination(service, destination), settings, "{destination}");
        self.accepts(delete_destination(service, destination));
    }
}

pub(crate) fn an_empty_table(on: &mut Subject<'_>) {
    assert_eq!(on.read(), Live::default());
    assert!(on.ipvs.read_services(&[]).unwrap().is_empty());
    assert!(on.ipvs.read_services(&[key(WEB)]).unwrap().is_empty());
    assert!(on.execute(&[]).is_empty());
    let info = on.ipvs.info().unwrap();
    assert_eq!((info.version.0, info.version.1), (1, 2));
    assert!(info.table_size.is_power_of_two(), "{info:?}");
}

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

pub(crate) fn what_exists_is_not_added_again(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.refuses(add(WEB, &scheduled("wrr")), Errno::EXIST);
    // Existence is looked at before the scheduler.
    on.refuses(add(WEB, &scheduled("nosuch")), Errno::EXIST);
    assert_eq!(on.settings(WEB), scheduled("rr"));
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.refuses(add_destination(WEB, ONE, weighing(2)), Errno::EXIST);
    assert_eq!(on.destination(WEB, ONE), weighing(1));
}

pub(crate) fn what_is_missing_is_neither_edited_nor_deleted(on: &mut Subject<'_>) {
    on.refuses(edit(WEB, &scheduled("rr")), Errno::SRCH);
    on.refuses(edit(WEB, &scheduled("nosuch")), Errno::SRCH);
    on.refuses(delete(WEB), Errno::SRCH);
    on.refuses(add_destination(WEB, ONE, weighing(1)), Errno::SRCH);
    on.refuses(edit_destination(WEB, ONE, weighing(1)), Errno::SRCH);
    on.refuses(delete_destination(WEB, ONE), Errno::SRCH);
    on.accepts(add(WEB, &scheduled("rr")));
    on.refuses(edit_destination(WEB, ONE, weighing(1)), Errno::NOENT);
    on.refuses(delete_destination(WEB, ONE), Errno::NOENT);
    on.refuses(edit_destination(WEB, ONE, weighing(u32::MAX)), Errno::RANGE);
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

pub(crate) fn weights_and_thresholds_have_ranges(on: &mut Subject<'_>) {
    const LARGEST: u32 = i32::MAX as u32;
    on.accepts(add(WEB, &scheduled("rr")));
    let limits =
        |max_connections, min_connections| DestinationSettings { max_connections, min_connections, ..weighing(1) };
    on.keeps_destination(WEB, ONE, weighing(0));
    on.keeps_destination(WEB, ONE, weighing(LARGEST));
    on.keeps_destination(WEB, ONE, limits(5, 0));
    on.keeps_destination(WEB, ONE, limits(5, 5));
    on.keeps_destination(WEB, ONE, limits(LARGEST, LARGEST));
    on.refuses(add_destination(WEB, ONE, weighing(LARGEST + 1)), Errno::RANGE);
    on.refuses(add_destination(WEB, ONE, limits(5, 6)), Errno::RANGE);
    on.refuses(add_destination(WEB, ONE, limits(0, 1)), Errno::RANGE);
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.refuses(edit_destination(WEB, ONE, weighing(u32::MAX)), Errno::RANGE);
    on.refuses(edit_destination(WEB, ONE, limits(5, 6)), Errno::RANGE);
    assert_eq!(on.destination(WEB, ONE), weighing(1));
    let large = limits(LARGEST + 1, 0);
    if on.thresholds_are_checked {
        on.refuses(edit_destination(WEB, ONE, large), Errno::INVAL);
        on.refuses(add_destination(WEB, "10.0.0.2:80", large), Errno::INVAL);
    } else {
        on.accepts(edit_destination(WEB, ONE, large));
        assert_eq!(on.destination(WEB, ONE), large);
        on.keeps_destination(WEB, "10.0.0.2:80", large);
    }
}

pub(crate) fn a_destination_has_a_unicast_address(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add(WEB6, &scheduled("rr")));
    for address in ["0.0.0.0:80", "224.0.0.1:80", "239.255.255.255:80", "255.255.255.255:80", "192.0.2.255:80"] {
        let why = on.refuses(add_destination(WEB, address, weighing(1)), Errno::INVAL);
        assert!(why.contains(address.trim_end_matches(":80")), "{why}");
    }
    for address in ["[::]:80", "[ff02::1]:80", "[::ffff:10.0.0.1]:80", "[fe80::1]:80", "[febf::1]:80"] {
        on.refuses(add_destination(WEB6, address, weighing(1)), Errno::INVAL);
    }
    for address in ["127.0.0.1:80", "192.0.2.254:80", "192.0.2.7:0", "240.0.0.1:80", "0.0.0.1:80"] {
        on.keeps_destination(WEB, address, weighing(1));
    }
    for address in ["[::1]:80", "[::10.0.0.1]:80", "[2001:db8:ffff::1]:80", "[fc00::1]:80", "[fec0::1]:80"] {
        on.keeps_destination(WEB6, address, weighing(1));
    }
}

pub(crate) fn a_gue_tunnel_has_a_port(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let gue = |port| forwarded(Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port, checksum: Checksum::Off }));
    assert_eq!(on.refuses(add_destination(WEB, ONE, gue(0)), Errno::INVAL), "a gue tunnel needs a port");
    on.accepts(add_destination(WEB, ONE, gue(6080)));
    on.refuses(edit_destination(WEB, ONE, gue(0)), Errno::INVAL);
    assert_eq!(on.destination(WEB, ONE), gue(6080));
}

pub(crate) fn every_forwarding_method_comes_back(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let mut all = vec![Forward::Nat, Forward::Dr, Forward::Local, Forward::Bypass];
    all.extend((5..=7).map(Forward::Other));
    for kind in [TunnelType::Ipip, TunnelType::Gue, TunnelType::Gre, TunnelType::Other(77)] {
        for checksum in [Checksum::Off, Checksum::On, Checksum::Remote, Checksum::Other(3)] {
            all.push(Forward::Tunnel(Tunnel { kind, port: 6080, checksum }));
        }
    }
    for forward in &all {
        on.keeps_destination(WEB, ONE, forwarded(*forward));
    }
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    for forward in all {
        on.accepts(edit_destination(WEB, ONE, forwarded(forward)));
        assert_eq!(on.destination(WEB, ONE), forwarded(forward));
    }
}

pub(crate) fn the_other_family_takes_a_tunnel(on: &mut Subject<'_>) {
    for (service, there) in [(WEB, ONE6), (WEB6, ONE), ("fwmark:1", ONE6), ("fwmark6:1", ONE)] {
        on.accepts(add(service, &scheduled("rr")));
        for forward in [Forward::Nat, Forward::Dr, Forward::Local] {
            let why = on.refuses(add_destination(service, there, forwarded(forward)), Errno::INVAL);
            assert!(why.contains("only forward = \"tunnel\""), "{why}");
        }
        let tunnel = forwarded(Forward::Tunnel(Tunnel::default()));
        on.accepts(add_destination(service, there, tunnel));
        on.refuses(edit_destination(service, there, weighing(1)), Errno::INVAL);
        assert_eq!(on.destination(service, there), tunnel);
        on.accepts(delete_destination(service, there));
        assert!(on.read().services[&key(service)].destinations.is_empty());
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
    let every_bit = ServiceSettings { flags: ServiceFlags(u32::MAX & !3), ..scheduled("rr") };
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

pub(crate) fn a_refusal_stops_nothing_behind_it(on: &mut Subject<'_>) {
    let results = on.execute(&[
        add(WEB, &scheduled("rr")),
        add_destination(WEB6, ONE6, weighing(1)),
        add_destination(WEB, ONE, weighing(1)),
        add_destination(WEB, "224.0.0.1:80", weighing(1)),
        delete("fwmark:1"),
        add("fwmark:2", &scheduled("wrr")),
        add(WEB, &scheduled("rr")),
    ]);
    let found: Vec<_> = results.iter().map(|result| result.as_ref().map_err(|refusal| refusal.errno).err()).collect();
    let (search, invalid, exists) = (Some(Errno::SRCH), Some(Errno::INVAL), Some(Errno::EXIST));
    assert_eq!(found, [None, search, None, invalid, search, None, exists]);
    let live = on.read();
    assert_eq!(live.services.len(), 2);
    assert_eq!(live.services[&key(WEB)].destinations.len(), 1);
}

pub(crate) fn every_error_of_many_finds_its_operation(on: &mut Subject<'_>) {
    let operations: Vec<Operation> = (0..1500u32)
        .map(
            |number| {
                if number % 3 == 0 { add(&format!("fwmark:{}", number + 1), &scheduled("rr")) } else { delete(WEB) }
            },
        )
        .collect();
    let results = on.execute(&operations);
    assert_eq!(results.len(), operations.len());
    for (number, result) in results.iter().enumerate() {
        match result {
            Ok(()) => assert_eq!(number % 3, 0),
            Err(refusal) => assert_eq!((number % 3 != 0, refusal.errno), (true, Errno::SRCH)),
        }
    }
    assert_eq!(on.read().services.len(), 500);
}

pub(crate) fn a_large_table_is_read_whole(on: &mut Subject<'_>) {
    let mut want: BTreeMap<ServiceKey, ServiceSettings> = BTreeMap::new();
    let mut operations = Vec::new();
    for number in 0..2000u32 {
        let service = match number % 3 {
            0 => format!("tcp://10.1.{}.{}:80", number / 200, number % 200 + 1),
            1 => format!("udp://[2001:db8:1::{number:x}]:53"),
            _ => format!("fwmark:{number}"),
        };
        let settings = ServiceSettings { flags: ServiceFlags(number << 3), ..scheduled("wrr") };
        operations.push(add(&service, &settings));
        want.insert(key(&service), settings);
    }
    assert!(on.execute(&operations).iter().all(Result::is_ok));
    let live = on.read();
    let found: BTreeMap<_, _> = live.services.iter().map(|(key, live)| (*key, live.settings.clone())).collect();
    assert_eq!(found, want);
    let keys: Vec<ServiceKey> = want.keys().copied().collect();
    assert_eq!(on.ipvs.read_services(&keys).unwrap(), live.services);
}

pub(crate) fn a_large_service_is_read_whole(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("wlc")));
    let destinations: BTreeMap<DestinationKey, DestinationSettings> = (0..1000u32)
        .map(|number| {
            let there = target(&format!("10.2.{}.{}:{}", number / 250, number % 250 + 1, number + 1));
            (there, weighing(number))
        })
        .collect();
    let operations: Vec<Operation> = destinations
        .iter()
        .map(|(there, settings)| Operation::AddDestination {
            service: key(WEB),
            destination: *there,
            settings: *settings,
        })
        .collect();
    assert!(on.execute(&operations).iter().all(Result::is_ok));
    let dumped = on.read().to_table();
    assert_eq!(dumped.services[&key(WEB)].destinations, destinations);
    let single = on.ipvs.read_services(&[key(WEB)]).unwrap();
    assert_eq!(single[&key(WEB)].to_service().destinations, destinations);
}

pub(crate) fn what_is_gone_already_was_deleted(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let outcomes =
        on.carry_out(&[delete_destination(WEB, ONE), delete(WEB6), delete_destination(WEB6, ONE6), delete(WEB)]);
    use Outcome::{Converged, Done};
    assert_eq!(outcomes, [Converged, Converged, Converged, Done]);
}

pub(crate) fn what_exists_already_becomes_what_was_wanted(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    on.accepts(add(WEB6, &scheduled("rr")));
    on.accepts(add_destination(WEB, ONE, weighing(1)));
    on.accepts(add_destination(WEB, "10.0.0.2:80", weighing(2)));
    let wanted = persistent(60, Netmask::Prefix(24), None);
    let outcomes = on.carry_out(&[
        add(WEB, &wanted),
        add(WEB6, &scheduled("rr")),
        add_destination(WEB, ONE, forwarded(Forward::Dr)),
        add_destination(WEB, "10.0.0.2:80", weighing(2)),
        add_destination(WEB, "10.0.0.3:80", weighing(3)),
    ]);
    use Outcome::{Converged, Done};
    assert_eq!(outcomes, [Converged, Converged, Converged, Converged, Done]);
    assert_eq!(on.settings(WEB), wanted);
    assert_eq!(on.destination(WEB, ONE), forwarded(Forward::Dr));
    assert_eq!(on.destination(WEB, "10.0.0.2:80"), weighing(2));
    assert_eq!(on.destination(WEB, "10.0.0.3:80"), weighing(3));
}

pub(crate) fn what_exists_and_cannot_become_what_was_wanted_failed(on: &mut Subject<'_>) {
    on.accepts(add(WEB, &scheduled("rr")));
    let outcomes = on.carry_out(&[add(WEB, &scheduled("nosuch")), add_destination(WEB, ONE, weighing(1))]);
    assert!(matches!(&outcomes[0], Outcome::Failed(refusal) if refusal.errno == Errno::NOENT), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Done);
    assert_eq!(on.settings(WEB), scheduled("rr"));
}

pub(crate) fn what_depends_on_a_failure_is_skipped(on: &mut Subject<'_>) {
    let outcomes = on.carry_out(&[
        add(WEB6, &scheduled("rr")),
        add(WEB, &scheduled("nosuch")),
        add_destination(WEB, ONE, weighing(1)),
        add_destination(WEB6, ONE6, weighing(1)),
        add_destination("fwmark:9", ONE, weighing(1)),
        add_destination(WEB, "10.0.0.2:80", weighing(1)),
    ]);
    let errno = |index: usize| match &outcomes[index] {
        Outcome::Failed(refusal) => Some(refusal.errno),
        _ => None,
    };
    assert_eq!(outcomes[0], Outcome::Done);
    assert_eq!(errno(1), Some(Errno::NOENT));
    assert_eq!(outcomes[2], Outcome::Skipped { because: 1 });
    assert_eq!(outcomes[3], Outcome::Done);
    assert_eq!(errno(4), Some(Errno::SRCH), "nothing before it says why");
    assert_eq!(outcomes[5], Outcome::Skipped { because: 1 });
}

/// Hands the names of all cases to the macro `run`.
macro_rules! every_case {
    ($run:ident) => {
        $run! {
            an_empty_table,
            keys_that_differ_in_anything_are_different_services,
            every_scheduler,
            what_exists_is_not_added_again,
            what_is_missing_is_neither_edited_nor_deleted,
            an_unknown_scheduler_or_engine_is_named,
            names_have_a_longest_length,
            an_ipv6_prefix_is_1_to_128,
            weights_and_thresholds_have_ranges,
            a_destination_has_a_unicast_address,
            a_gue_tunnel_has_a_port,
            every_forwarding_method_comes_back,
            the_other_family_takes_a_tunnel,
            odd_things_are_taken_without_a_word,
            the_mark_0_is_a_tcp_service,
            long_persistence_overflows,
            an_edit_replaces_everything,
            a_deleted_service_takes_its_destinations_along,
            a_refusal_stops_nothing_behind_it,
            every_error_of_many_finds_its_operation,
            a_large_table_is_read_whole,
            a_large_service_is_read_whole,
            what_is_gone_already_was_deleted,
            what_exists_already_becomes_what_was_wanted,
            what_exists_and_cannot_become_what_was_wanted_failed,
            what_depends_on_a_failure_is_skipped,
        }
    };
}
pub(crate) use every_case;
