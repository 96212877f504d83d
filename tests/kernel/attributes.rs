//! Every attribute, against the other tool: what we write `ipvsadm` reads, and what it writes we read.
//!
//! The lines are written down by hand, as `ipvsadm -Sn` (1.31) prints them, and never computed from ours.
//! It prints marks as signed numbers and takes no timeout over 31 days, so neither is beyond that here.

use std::collections::BTreeMap;

use ipvsd::ipvs::Ipvs;
use ipvsd::model::{
    Checksum, DestinationSettings, Forward, Netmask, Persistence, Scheduler, Service, ServiceFlags, ServiceKey,
    ServiceSettings, Table, Tunnel, TunnelType,
};
use ipvsd::plan::Operation;

use crate::netns::{self, ipvsadm};

const LINES: &str = "\
-A -t 192.0.2.10:80 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port
-a -t 192.0.2.10:80 -r 10.0.0.11:8080 -m -w 100
-a -t 192.0.2.10:80 -r 10.0.0.12:80 -g -w 0
-a -t 192.0.2.10:80 -r 10.0.0.13:80 -i -w 65535 --tun-type ipip
-a -t 192.0.2.10:80 -r 10.0.0.14:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 192.0.2.10:80 -r 10.0.0.15:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-csum
-a -t 192.0.2.10:80 -r 10.0.0.16:80 -i -w 1 --tun-type gue --tun-port 65535 --tun-remcsum
-a -t 192.0.2.10:80 -r 10.0.0.17:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t 192.0.2.10:80 -r 10.0.0.18:80 -i -w 1 --tun-type gre --tun-csum
-a -t 192.0.2.10:80 -r [2001:db8::19]:80 -i -w 1 --tun-type ipip
-A -t 192.0.2.11:0 -s wlc -p 1
-A -t 192.0.2.12:443 -s lblc -p 2678400 -M 0.0.0.0
-A -t [2001:db8::10]:80 -s sh -p 60 -M 64 -b sh-fallback
-a -t [2001:db8::10]:80 -r [2001:db8::11]:8080 -m -w 7
-a -t [2001:db8::10]:80 -r 10.0.0.11:80 -i -w 3 --tun-type ipip
-A -u 192.0.2.10:53 -s rr -o
-A -u 192.0.2.10:5060 -s rr -p 60 --pe sip -o
-A -u [2001:db8::10]:53 -s wrr -b flag-1,flag-2,flag-3
-A --sctp-service 192.0.2.10:80 -s sed
-a --sctp-service 192.0.2.10:80 -r 10.0.0.11:80 -m -w 2
-A --sctp-service [2001:db8::10]:80 -s nq -p 90
-A -f 7 -s sh -b sh-port
-a -f 7 -r 10.0.0.11:0 -g -w 1
-A -f 7 -6 -s wlc -p 360 -M 1 -b flag-1,flag-3
-a -f 7 -6 -r [2001:db8::11]:0 -g -w 1
-A -f 2147483647 -s fo
";

fn settings(scheduler: &str, flags: &[ServiceFlags], persistence: Option<(u32, Netmask)>) -> ServiceSettings {
    ServiceSettings {
        scheduler: Scheduler::new(scheduler),
        flags: flags.iter().fold(ServiceFlags::default(), |all, flag| all.with(*flag)),
        persistence: persistence.map(|(timeout, netmask)| Persistence { timeout, netmask, engine: None }),
    }
}

fn to(forward: Forward, weight: u32) -> DestinationSettings {
    DestinationSettings { forward, weight, max_connections: 0, min_connections: 0 }
}

fn through(kind: TunnelType, port: u16, checksum: Checksum) -> DestinationSettings {
    to(Forward::Tunnel(Tunnel { kind, port, checksum }), 1)
}

/// What [`LINES`] say, in our words.
fn table() -> Table {
    const ONE_PACKET: ServiceFlags = ServiceFlags::ONE_PACKET;
    const FIRST: ServiceFlags = ServiceFlags::SCHED1;
    const SECOND: ServiceFlags = ServiceFlags::SCHED2;
    const THIRD: ServiceFlags = ServiceFlags::SCHED3;
    use Netmask::Prefix;
    let ipip = |weight| to(Forward::Tunnel(Tunnel::default()), weight);
    let mut sip = settings("rr", &[ONE_PACKET], Some((60, Prefix(32))));
    sip.persistence.as_mut().unwrap().engine = Some("sip".to_owned());
    let many = vec![
        ("10.0.0.11:8080", to(Forward::Nat, 100)),
        ("10.0.0.12:80", to(Forward::Dr, 0)),
        ("10.0.0.13:80", ipip(65535)),
        ("10.0.0.14:80", through(TunnelType::Gue, 6080, Checksum::Off)),
        ("10.0.0.15:80", through(TunnelType::Gue, 6081, Checksum::On)),
        ("10.0.0.16:80", through(TunnelType::Gue, 65535, Checksum::Remote)),
        ("10.0.0.17:80", through(TunnelType::Gre, 0, Checksum::Off)),
        ("10.0.0.18:80", through(TunnelType::Gre, 0, Checksum::On)),
        ("[2001:db8::19]:80", ipip(1)),
    ];
    let six = vec![("[2001:db8::11]:8080", to(Forward::Nat, 7)), ("10.0.0.11:80", ipip(3))];
    let sctp = vec![("10.0.0.11:80", to(Forward::Nat, 2))];
    let entries = [
        ("tcp://192.0.2.10:80", settings("mh", &[FIRST, SECOND], Some((300, Prefix(24)))), many),
        ("tcp://192.0.2.11:0", settings("wlc", &[], Some((1, Prefix(32)))), vec![]),
        ("tcp://192.0.2.12:443", settings("lblc", &[], Some((2_678_400, Prefix(0)))), vec![]),
        ("tcp://[2001:db8::10]:80", settings("sh", &[FIRST], Some((60, Prefix(64)))), six),
        ("udp://192.0.2.10:53", settings("rr", &[ONE_PACKET], None), vec![]),
        ("udp://192.0.2.10:5060", sip, vec![]),
        ("udp://[2001:db8::10]:53", settings("wrr", &[FIRST, SECOND, THIRD], None), vec![]),
        ("sctp://192.0.2.10:80", settings("sed", &[], None), sctp),
        ("sctp://[2001:db8::10]:80", settings("nq", &[], Some((90, Prefix(128)))), vec![]),
        ("fwmark:7", settings("sh", &[SECOND], None), vec![("10.0.0.11:0", to(Forward::Dr, 1))]),
        (
            "fwmark6:7",
            settings("wlc", &[FIRST, THIRD], Some((360, Prefix(1)))),
            vec![("[2001:db8::11]:0", to(Forward::Dr, 1))],
        ),
        ("fwmark:2147483647", settings("fo", &[], None), vec![]),
    ];
    let service = |settings, destinations: Vec<(&str, DestinationSettings)>| Service {
        settings,
        destinations: destinations.into_iter().map(|(text, settings)| (text.parse().unwrap(), settings)).collect(),
    };
    let services = entries
        .into_iter()
        .map(|(key, settings, destinations)| (key.parse().unwrap(), service(settings, destinations)));
    Table { services: services.collect() }
}

fn adds(table: &Table) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (key, service) in &table.services {
        operations.push(Operation::AddService { service: *key, settings: service.settings.clone() });
        for (destination, settings) in &service.destinations {
            let (service, destination, settings) = (*key, *destination, *settings);
            operations.push(Operation::AddDestination { service, destination, settings });
        }
    }
    operations
}

/// The edits that turn everything in `from` into what it is in `to`; both have the same keys.
fn edits(from: &Table, to: &Table) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (service, was) in &from.services {
        let becomes = &to.services[service];
        let (from, to) = (was.settings.clone(), becomes.settings.clone());
        operations.push(Operation::EditService { service: *service, from, to });
        for (destination, from) in &was.destinations {
            let (service, from, to) = (*service, *from, becomes.destinations[destination]);
            operations.push(Operation::EditDestination { service, destination: *destination, from, to });
        }
    }
    operations
}

fn execute(ipvs: &mut dyn Ipvs, operations: &[Operation]) {
    let results = ipvs.execute(&operations.iter().collect::<Vec<_>>()).unwrap();
    for (operation, result) in operations.iter().zip(&results) {
        assert_eq!(*result, Ok(()), "{operation:?}");
    }
    assert_eq!(results.len(), operations.len());
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.sort_unstable();
    lines
}

/// Every attribute set to something else.
fn otherwise(table: &Table) -> Table {
    let mut other = table.clone();
    for service in other.services.values_mut() {
        let persistence = match service.settings.persistence {
            Some(_) => None,
            None => Some((77, Netmask::Prefix(9))),
        };
        service.settings = settings("lc", &[ServiceFlags(service.settings.flags.0 ^ 0x3c)], persistence);
        for settings in service.destinations.values_mut() {
            *settings = DestinationSettings {
                forward: Forward::Tunnel(Tunnel { kind: TunnelType::Gue, port: 9, checksum: Checksum::Remote }),
                weight: settings.weight + 1,
                max_connections: 20,
                min_connections: 10,
            };
        }
    }
    other
}

#[test]
fn what_we_write_ipvsadm_reads() {
    let mut kernel = netns::enter();
    execute(&mut kernel, &adds(&table()));
    assert_eq!(sorted(&ipvsadm(&["-Sn"], "")), sorted(LINES));
    assert_eq!(kernel.read().unwrap().to_table(), table());
}

#[test]
fn what_ipvsadm_writes_we_read() {
    let mut kernel = netns::enter();
    ipvsadm(&["-R"], LINES);
    let live = kernel.read().unwrap();
    assert_eq!(live.unknown, Vec::<String>::new());
    assert_eq!(live.to_table(), table());
    let keys: Vec<ServiceKey> = table().services.into_keys().collect();
    assert_eq!(kernel.read_services(&keys).unwrap(), live.services);
}

#[test]
fn an_edit_sets_every_attribute() {
    let mut kernel = netns::enter();
    let other = otherwise(&table());
    execute(&mut kernel, &adds(&other));
    assert_eq!(kernel.read().unwrap().to_table(), other);
    execute(&mut kernel, &edits(&other, &table()));
    assert_eq!(sorted(&ipvsadm(&["-Sn"], "")), sorted(LINES));
    assert_eq!(kernel.read().unwrap().to_table(), table());
}

#[test]
fn what_we_delete_is_gone() {
    let mut kernel = netns::enter();
    ipvsadm(&["-R"], LINES);
    let mut operations = Vec::new();
    for (service, live) in kernel.read().unwrap().services {
        let last = live.destinations.len().min(1);
        operations.extend(live.destinations.iter().skip(last).map(|(destination, live)| {
            Operation::DeleteDestination { service, destination: *destination, from: live.settings }
        }));
        operations.push(Operation::DeleteService { service, from: live.settings, destinations: last });
    }
    execute(&mut kernel, &operations);
    assert_eq!(ipvsadm(&["-Sn"], ""), "");
}

#[test]
fn thresholds() {
    let mut kernel = netns::enter();
    let limits = |max_connections, min_connections| DestinationSettings {
        max_connections,
        min_connections,
        ..to(Forward::Nat, 1)
    };
    let service: ServiceKey = "tcp://192.0.2.10:80".parse().unwrap();
    let mut operations = vec![Operation::AddService { service, settings: settings("rr", &[], None) }];
    for (text, settings) in [
        ("10.0.0.1:80", limits(0, 0)),
        ("10.0.0.2:80", limits(1000, 0)),
        ("10.0.0.3:80", limits(1000, 800)),
        ("10.0.0.4:80", limits(2_147_483_647, 70_000)),
    ] {
        operations.push(Operation::AddDestination { service, destination: text.parse().unwrap(), settings });
    }
    execute(&mut kernel, &operations);
    ipvsadm(&["-a", "-t", "192.0.2.10:80", "-r", "10.0.0.5:80", "-m", "-x", "65535", "-y", "1"], "");
    let text = ipvsadm(&["-Ln", "--thresholds"], "");
    let mut found: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.trim_start().starts_with("-> 10."))
        .map(|line| line.split_whitespace().skip(1).take(3).collect())
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ["10.0.0.1:80", "0", "0"],
            ["10.0.0.2:80", "1000", "0"],
            ["10.0.0.3:80", "1000", "800"],
            ["10.0.0.4:80", "2147483647", "70000"],
            ["10.0.0.5:80", "65535", "1"],
        ]
    );
    let live = kernel.read().unwrap();
    let fifth = live.services[&service].destinations[&"10.0.0.5:80".parse().unwrap()].settings;
    assert_eq!((fifth.max_connections, fifth.min_connections), (65535, 1));
}

#[test]
fn every_scheduler_of_every_protocol() {
    let mut kernel = netns::enter();
    let protocols = [
        ("tcp://192.0.2.10:", "-t 192.0.2.10:"),
        ("udp://192.0.2.10:", "-u 192.0.2.10:"),
        ("sctp://192.0.2.10:", "--sctp-service 192.0.2.10:"),
        ("tcp://[2001:db8::10]:", "-t [2001:db8::10]:"),
        ("fwmark:", "-f "),
    ];
    let schedulers = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
    let mut want = BTreeMap::new();
    let mut operations = Vec::new();
    for (number, scheduler) in (1u32..).zip(schedulers) {
        for (ours, theirs) in protocols {
            let service: ServiceKey = format!("{ours}{number}").parse().unwrap();
            operations.push(Operation::AddService { service, settings: settings(scheduler, &[], None) });
            want.insert(format!("-A {theirs}{number} -s {scheduler}"), service);
        }
    }
    execute(&mut kernel, &operations);
    let text = ipvsadm(&["-Sn"], "");
    assert_eq!(sorted(&text), want.keys().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(kernel.read().unwrap().services.len(), want.len());
}

#[test]
fn a_mask_that_is_no_prefix() {
    let mut kernel = netns::enter();
    let line = "-A -t 192.0.2.10:80 -s rr -p 60 -M 255.0.255.0\n";
    ipvsadm(&["-R"], line);
    let live = kernel.read().unwrap().to_table();
    let (service, found) = live.services.first_key_value().unwrap();
    assert_eq!(found.settings.persistence.as_ref().unwrap().netmask, Netmask::Odd([255, 0, 255, 0].into()));
    let (from, to) = (found.settings.clone(), found.settings.clone());
    execute(&mut kernel, &[Operation::EditService { service: *service, from, to }]);
    assert_eq!(ipvsadm(&["-Sn"], ""), line, "and so it stays");
}
