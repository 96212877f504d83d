//! What the laws are tried on: tables as a kernel has them, and wild ones.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipvsd::model::{
    Checksum, DestinationKey, DestinationSettings, Family, Forward, Live, LiveDestination, LiveService, Netmask,
    Persistence, Protocol, Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Stats, SyncRole, SyncSettings, Table,
    Timeout, Tunnel, TunnelType,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn v4() -> impl Strategy<Value = IpAddr> {
    (1u8..=126, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d).into())
}

fn v6() -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from(bits >> 8 | 0x20 << 120).into())
}

fn service_key() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    prop_oneof![
        4 => (protocol, prop_oneof![v4(), v6()], any::<u16>())
            .prop_map(|(protocol, address, port)| ServiceKey::Address { protocol, address, port }),
        1 => (any::<bool>(), 1u32..).prop_map(|(six, mark)| {
            ServiceKey::Mark { family: if six { Family::V6 } else { Family::V4 }, mark }
        }),
    ]
}

/// Settings that a configuration can give a service of that key.
fn settings(key: ServiceKey) -> impl Strategy<Value = ServiceSettings> {
    let known = proptest::sample::select(&Scheduler::KNOWN[..]).prop_map(str::to_owned);
    let scheduler = prop_oneof![9 => known, 1 => "[!-~]{1,15}"].prop_map(Scheduler::new);
    let engine = option::of("[!-~]{1,16}");
    let persistence = (1u32..=4_294_967, 1..=key.family().bits(), engine)
        .prop_map(|(timeout, length, engine)| Persistence { timeout, netmask: Netmask::Prefix(length), engine });
    let wanted = key.port() == Some(0);
    let persistence = option::weighted(if wanted { 1.0 } else { 0.5 }, persistence);
    let packets = match key {
        ServiceKey::Address { protocol, .. } => protocol == Protocol::Udp,
        ServiceKey::Mark { .. } => true,
    };
    (scheduler, 0u32..8, any::<bool>(), persistence).prop_map(move |(scheduler, flags, one_packet, persistence)| {
        let one_packet = if one_packet && packets { ServiceFlags::ONE_PACKET } else { ServiceFlags::default() };
        ServiceSettings { scheduler, flags: ServiceFlags(flags << 3).with(one_packet), persistence }
    })
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    let gue = prop_oneof![Just(Checksum::Off), Just(Checksum::On), Just(Checksum::Remote)];
    prop_oneof![
        Just(Tunnel::default()),
        any::<bool>().prop_map(|on| Tunnel {
            kind: TunnelType::Gre,
            port: 0,
            checksum: if on { Checksum::On } else { Checksum::Off }
        }),
        (1u16.., gue).prop_map(|(port, checksum)| Tunnel { kind: TunnelType::Gue, port, checksum }),
    ]
}

fn destination(service: ServiceKey) -> impl Strategy<Value = (DestinationKey, LiveDestination)> {
    let forward = prop_oneof![Just(Forward::Nat), Just(Forward::Dr), tunnel().prop_map(Forward::Tunnel)];
    let limits = (0u32..=i32::MAX as u32).prop_flat_map(|max| (Just(max), 0..=max));
    (v4(), v6(), any::<bool>(), any::<u16>(), forward, 0u32..=65535, limits).prop_map(
        move |(four, six, other, port, forward, weight, (max_connections, min_connections))| {
            let tunnel = matches!(forward, Forward::Tunnel(_));
            let six_wanted = (service.family() == Family::V6) != (other && tunnel);
            let port = if forward == Forward::Nat { port } else { service.port().unwrap_or(port) };
            let key = DestinationKey { address: if six_wanted { six } else { four }, port };
            let settings = DestinationSettings { forward, weight, max_connections, min_connections };
            let counters = LiveDestination {
                settings,
                active_connections: 0,
                inactive_connections: 0,
                persistent_connections: 0,
                stats: Stats::default(),
            };
            (key, counters)
        },
    )
}

fn service() -> impl Strategy<Value = (ServiceKey, LiveService)> {
    service_key().prop_flat_map(|key| {
        (settings(key), vec(destination(key), 0..4)).prop_map(move |(settings, destinations)| {
            let destinations: BTreeMap<_, _> = destinations.into_iter().collect();
            (key, LiveService { settings, stats: Stats::default(), destinations })
        })
    })
}

pub type Timeouts = BTreeMap<Timeout, u32>;
pub type Daemons = BTreeMap<SyncRole, SyncSettings>;

/// Timeouts, some as at boot.
pub fn timeouts(seconds: impl Strategy<Value = u32> + Clone) -> impl Strategy<Value = Timeouts> {
    let of = |timeout: Timeout| prop_oneof![2 => seconds.clone(), 1 => Just(timeout.at_boot())];
    (of(Timeout::Tcp), of(Timeout::TcpFin), of(Timeout::Udp))
        .prop_map(|(tcp, fin, udp)| [(Timeout::Tcp, tcp), (Timeout::TcpFin, fin), (Timeout::Udp, udp)].into())
}

/// Those that a configuration has to say.
pub fn not_as_at_boot(timeouts: &Timeouts) -> Timeouts {
    timeouts.iter().filter(|(timeout, seconds)| timeout.at_boot() != **seconds).map(|(t, s)| (*t, *s)).collect()
}

/// A daemon that a configuration can ask for; `from` is the shortest message of its role.
fn daemon(from: u16) -> impl Strategy<Value = SyncSettings> {
    let v4 = any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits >> 4 | 0xE << 28)));
    let v6 = any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits >> 8 | 0xFF << 120)));
    let group = prop_oneof![Just(SyncSettings::GROUP), v4, v6];
    let port = prop_oneof![Just(SyncSettings::PORT), 1..=u16::MAX];
    let ttl = prop_oneof![Just(SyncSettings::TTL), 1..=u8::MAX];
    let interface = "[!-~&&[^/:%]]{3,15}|[a-z]{1,2}|é{1,7}";
    (interface, any::<u8>(), group, port, ttl, option::of(from..=65_487)).prop_map(
        |(interface, id, group, port, ttl, sync_maxlen)| {
            // They are no names of interfaces.
            let interface = if interface == "all" || interface == "default" { "eth0".to_owned() } else { interface };
            SyncSettings { interface, id, group, port, ttl, sync_maxlen }
        },
    )
}

pub fn daemons() -> impl Strategy<Value = Daemons> {
    (option::of(daemon(1)), option::of(daemon(1024))).prop_map(|(master, backup)| {
        let master = master.map(|settings| (SyncRole::Master, settings));
        master.into_iter().chain(backup.map(|settings| (SyncRole::Backup, settings))).collect()
    })
}

/// Daemons of any sort, such as no kernel has.
pub fn wild_daemons() -> impl Strategy<Value = Daemons> {
    let group = prop_oneof![v4(), v6(), Just(SyncSettings::GROUP)];
    let daemon = ("\\PC{0,16}", group, 0u16..2, 0u8..2, option::of(any::<u16>())).prop_map(
        |(interface, group, port, ttl, sync_maxlen)| SyncSettings { interface, id: 0, group, port, ttl, sync_maxlen },
    );
    let role = prop::sample::select(&SyncRole::ALL[..]);
    prop::collection::btree_map(role, prop_oneof![daemon, self::daemon(1)], 0..3)
}

/// Whether a destination is of another family than its service, with which the kernel has no daemons.
pub fn is_mixed(table: &Table) -> bool {
    table.services.iter().any(|(key, service)| service.destinations.keys().any(|to| to.family() != key.family()))
}

pub fn live() -> impl Strategy<Value = Live> {
    vec(service(), 0..6).prop_map(|list| Live { services: list.into_iter().collect(), unknown: Vec::new() })
}

/// What a kernel may have, sense or no sense.
pub fn wild() -> impl Strategy<Value = Live> {
    let address = || {
        let special = prop::sample::select(vec![
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "ff02::1",
            "fe80::1",
            "::ffff:1.2.3.4",
        ]);
        prop_oneof![v4(), v6(), special.prop_map(|text| text.parse::<IpAddr>().unwrap())]
    };
    let key = prop_oneof![
        4 => (any::<u8>(), address(), any::<u16>()).prop_map(|(number, address, port)| ServiceKey::Address {
            protocol: Protocol::from_number([6, 17, 132, number.into()][usize::from(number % 4)]),
            address,
            port,
        }),
        1 => (0u32..3).prop_map(|mark| ServiceKey::Mark { family: Family::V4, mark }),
    ];
    let netmask =
        prop_oneof![(0u32..200).prop_map(Netmask::Prefix), any::<u32>().prop_map(|bits| Netmask::Odd(bits.into()))];
    let persistence =
        (any::<u32>(), netmask, option::of("\\PC{0,20}")).prop_map(|(timeout, netmask, engine)| Persistence {
            timeout: timeout >> (timeout % 32),
            netmask: match netmask {
                Netmask::Odd(mask) => Netmask::from_v4(mask),
                prefix => prefix,
            },
            engine,
        });
    let scheduler = prop_oneof!["\\PC{0,20}", "[a-z]{2}"].prop_map(Scheduler::new);
    let settings = (scheduler, 0u32..0x80, option::of(persistence)).prop_map(|(scheduler, flags, persistence)| {
        ServiceSettings { scheduler, flags: ServiceFlags(flags & !3), persistence }
    });
    let tunnel = (0u8..5, 0u16..3, 0u16..5).prop_map(|(kind, port, checksum)| Tunnel {
        kind: [TunnelType::Ipip, TunnelType::Gue, TunnelType::Gre, TunnelType::Other(9)][usize::from(kind % 4)],
        port,
        checksum: [Checksum::Off, Checksum::On, Checksum::Remote, Checksum::Other(7)][usize::from(checksum % 4)],
    });
    let forward = prop_oneof![
        Just(Forward::Nat),
        Just(Forward::Dr),
        tunnel.prop_map(Forward::Tunnel),
        Just(Forward::Local),
        Just(Forward::Bypass),
        Just(Forward::Other(6)),
    ];
    let destination = (address(), any::<u16>(), forward, any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(address, port, forward, weight, max, min)| {
            let live = LiveDestination {
                settings: DestinationSettings {
                    forward,
                    weight: weight >> (weight % 32),
                    max_connections: max >> (max % 32),
                    min_connections: min >> (min % 32),
                },
                active_connections: 0,
                inactive_connections: 0,
                persistent_connections: 0,
                stats: Stats::default(),
            };
            (DestinationKey { address, port }, live)
        },
    );
    let service = (settings, btree_map_of(destination)).prop_map(|(settings, destinations)| LiveService {
        settings,
        stats: Stats::default(),
        destinations,
    });
    vec((key, service), 0..6).prop_map(|list| Live { services: list.into_iter().collect(), unknown: Vec::new() })
}

fn btree_map_of<K: Ord + std::fmt::Debug, V: std::fmt::Debug>(
    entry: impl Strategy<Value = (K, V)>,
) -> impl Strategy<Value = BTreeMap<K, V>> {
    vec(entry, 0..5).prop_map(|list| list.into_iter().collect())
}
