//! Laws of the configuration: what is written reads back as the same, and no text makes the reader fall over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod tables;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipvsd::config::{self, Import, Source};
use ipvsd::model::{
    DestinationKey, DestinationSettings, Forward, Live, LiveDestination, LiveService, Netmask, Persistence, Scheduler,
    ServiceFlags, ServiceKey, ServiceSettings, Stats, SyncRole, SyncSettings, Timeout,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tables::{Daemons, Timeouts, daemons, is_mixed, live, not_as_at_boot, timeouts, wild, wild_daemons};

fn source(name: &str, text: impl Into<String>) -> Source {
    Source { path: PathBuf::from(name), text: text.into() }
}

const GOOD_TOML: &str = include_str!("../../config/example.toml");
const GOOD_YAML: &str = include_str!("../../config/example.yaml");

/// A text with some of it cut out, repeated, or replaced.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[\\[\\]{}:=\"'\n\t#,&*!|>-]{1,6}",
        Just("\r\n".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{200b}\u{301}".to_owned()),
        Just("99999999999999999999".to_owned()),
    ];
    vec((any::<prop::sample::Index>(), 0usize..12, piece), 1..5).prop_map(move |edits| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, length, piece) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        chars.into_iter().collect()
    })
}

/// Reads it and draws what is wrong; that it comes back at all is the test, but what comes back has to make sense, too.
fn survives(sources: &[Source]) -> Result<(), TestCaseError> {
    match config::parse(sources) {
        Ok(parsed) => {
            for key in parsed.desired.table.services.keys() {
                prop_assert!(parsed.desired.origins.contains_key(key));
                prop_assert!(parsed.desired.policies.contains_key(key));
            }
        }
        Err(problems) => {
            prop_assert!(problems.error_count() > 0);
            prop_assert!(problems.render(true).len() >= problems.render(false).len());
            prop_assert_eq!(problems.to_json().as_array().map(Vec::len), Some(problems.list.len()));
            for problem in &problems.list {
                let (Some(file), Some(span)) = (&problem.file, &problem.span) else { continue };
                let source = sources.iter().find(|source| &source.path == file).unwrap();
                let body = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
                prop_assert!(body.get(span.clone()).is_some_and(|text| !text.contains('\n')));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_emitted_is_the_same(live in live(), timeouts in timeouts(1u32..=2_147_483), sync in daemons()) {
        let import = Import { live: &live, timeouts: &timeouts, sync: &sync };
        let table = live.to_table();
        let daemons = if is_mixed(&table) { Daemons::new() } else { sync.clone() };
        for (name, emitted) in [
            ("a.toml", config::emit_toml(import)),
            ("a.yaml", config::emit_yaml(import)),
            ("a.json.yaml", config::emit_json(import)),
        ] {
            prop_assert_eq!(emitted.omitted.len(), sync.len() - daemons.len(), "{:#?}", emitted.omitted);
            let parsed = config::parse(&[source(name, &*emitted.text)]);
            let parsed = parsed.map_err(|problems| TestCaseError::fail(format!("{problems}\n{}", emitted.text)))?;
            prop_assert_eq!(&parsed.desired.table, &table);
            prop_assert_eq!(&parsed.desired.host.timeouts, &not_as_at_boot(&timeouts));
            prop_assert_eq!(&parsed.desired.host.sync, &daemons);
        }
    }

    /// Of anything the text has a part that is right, and says of everything else that it is not there.
    #[test]
    fn what_is_emitted_is_never_wrong(live in wild(), timeouts in timeouts(any::<u32>()), sync in wild_daemons()) {
        let import = Import { live: &live, timeouts: &timeouts, sync: &sync };
        for (name, emitted) in [("a.toml", config::emit_toml(import)), ("a.yaml", config::emit_yaml(import))] {
            let parsed = config::parse(&[source(name, &*emitted.text)]);
            let parsed = parsed.map_err(|problems| TestCaseError::fail(format!("{problems}\n{}", emitted.text)))?;
            let whole = live.to_table();
            let mut missing = whole.services.len() - parsed.desired.table.services.len();
            for (key, service) in &parsed.desired.table.services {
                prop_assert_eq!(&service.settings, &whole.services[key].settings);
                for (destination, settings) in &service.destinations {
                    prop_assert_eq!(settings, &whole.services[key].destinations[destination]);
                }
                missing += whole.services[key].destinations.len() - service.destinations.len();
            }
            let host = &parsed.desired.host;
            for (timeout, seconds) in &host.timeouts {
                prop_assert_eq!(Some(seconds), timeouts.get(timeout));
            }
            for (role, settings) in &host.sync {
                prop_assert_eq!(Some(settings), sync.get(role));
            }
            missing += not_as_at_boot(&timeouts).len() - host.timeouts.len() + sync.len() - host.sync.len();
            prop_assert_eq!(missing, emitted.omitted.len(), "{:#?}", emitted.omitted);
        }
    }

    /// Among files with other defaults, too.
    #[test]
    fn what_is_emitted_does_not_depend_on_defaults(live in live()) {
        let defaults = "version = 1\n[defaults]\nscheduler = \"mh\"\nscheduler_flags = [\"mh-port\"]\nforward = \"tunnel\"\n\
            weight = 7\ntunnel = { type = \"gue\", port = 1, checksum = true }\n";
        let sources = [source("0.toml", defaults), source("a.toml", config::emit_toml(Import::table(&live)).text)];
        prop_assert_eq!(config::parse(&sources).unwrap().desired.table, live.to_table());
    }

    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,200}", name in prop::sample::select(vec!["a.toml", "a.yaml", "-"])) {
        survives(&[source(name, text)])?;
    }

    #[test]
    fn no_mutation_is_too_odd(toml in mutated(GOOD_TOML), yaml in mutated(GOOD_YAML)) {
        survives(&[source("a.toml", toml.clone())])?;
        survives(&[source("a.yaml", yaml.clone())])?;
        survives(&[source("a.toml", toml), source("a.yaml", yaml)])?;
    }
}

fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

fn bare(scheduler: &str) -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new(scheduler), flags: ServiceFlags::default(), persistence: None }
}

/// What cannot be configured is left out with a reason, and the rest still reads back.
#[test]
fn what_cannot_be_configured_is_said() {
    let destination = |address: &str, forward, weight| {
        let settings = DestinationSettings { forward, weight, max_connections: 0, min_connections: 0 };
        let live = LiveDestination {
            settings,
            active_connections: 0,
            inactive_connections: 0,
            persistent_connections: 0,
            stats: Stats::default(),
        };
        (address.parse::<DestinationKey>().unwrap(), live)
    };
    let service = |settings: ServiceSettings, destinations: Vec<_>| LiveService {
        settings,
        stats: Stats::default(),
        destinations: destinations.into_iter().collect(),
    };
    let odd = Persistence { timeout: 300, netmask: Netmask::Odd(Ipv4Addr::new(255, 0, 255, 0)), engine: None };
    let one_packet = ServiceSettings { flags: ServiceFlags::ONE_PACKET, ..bare("rr") };
    let live = Live {
        services: [
            (
                key("tcp://192.0.2.1:80"),
                service(
                    bare("rr"),
                    vec![
                        destination("10.0.0.1:80", Forward::Nat, 1),
                        destination("10.0.0.2:80", Forward::Local, 1),
                        destination("10.0.0.3:80", Forward::Bypass, 1),
                        destination("10.0.0.4:81", Forward::Dr, 1),
                        destination("10.0.0.5:80", Forward::Nat, 65536),
                        destination("[2001:db8::1]:80", Forward::Nat, 1),
                    ],
                ),
            ),
            (key("proto-47://192.0.2.1:0"), service(bare("rr"), vec![destination("10.0.0.1:0", Forward::Nat, 1)])),
            (key("tcp://192.0.2.2:80"), service(ServiceSettings { persistence: Some(odd), ..bare("rr") }, vec![])),
            (key("tcp://192.0.2.3:80"), service(one_packet, vec![])),
            (key("tcp://192.0.2.4:80"), service(ServiceSettings { flags: ServiceFlags(0x40), ..bare("rr") }, vec![])),
            (key("tcp://0.0.0.0:80"), service(bare("rr"), vec![])),
        ]
        .into(),
        unknown: vec!["a service of address family 99\nversion = 2".to_owned()],
    };
    let daemon = |interface: &str| SyncSettings {
        interface: interface.to_owned(),
        id: 7,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: Some(1000),
    };
    let timeouts = Timeouts::from([(Timeout::Tcp, 2_147_484), (Timeout::TcpFin, 120), (Timeout::Udp, 7)]);
    let sync = Daemons::from([(SyncRole::Master, daemon("eth1")), (SyncRole::Backup, daemon("eth1"))]);
    let import = Import { live: &live, timeouts: &timeouts, sync: &sync };
    let toml = config::emit_toml(import);
    assert_eq!(toml.omitted, config::emit_yaml(import).omitted);
    assert_eq!(toml.omitted.len(), 13, "{:#?}", toml.omitted);
    for words in [
        "proto-47",
        "has holes",
        "one_packet is for udp",
        "0x40",
        "`local`",
        "`bypass`",
        "dr leaves",
        "at most 65535",
        "tcp of 2147484 seconds",
        "daemon backup: no configuration can have group 224.0.0.81, port 8848, ttl 1, sync_maxlen 1000",
    ] {
        assert_eq!(toml.omitted.iter().filter(|line| line.contains(words)).count(), 1, "{words}: {:#?}", toml.omitted);
    }
    let desired = config::parse(&[source("a.toml", toml.text)]).unwrap().desired;
    assert_eq!(desired.table.entry_count(), 2);
    assert_eq!(desired.host.timeouts, Timeouts::from([(Timeout::Udp, 7)]));
    assert_eq!(desired.host.sync, Daemons::from([(SyncRole::Master, daemon("eth1"))]));
    let again = config::parse(&[source("a.yaml", config::emit_yaml(import).text)]).unwrap().desired;
    assert_eq!((again.table, again.host), (desired.table, desired.host));
}

#[test]
fn standard_input_is_whatever_its_first_line_looks_like() {
    for text in [
        "# x\n\nversion = 1\nservices = []\n",
        "version: 1\nservices: []\n",
        "{\"version\": 1, \"services\": []}",
        "---\nversion: 1\nservices: []\n",
    ] {
        assert!(config::parse(&[source("-", text)]).is_ok(), "{text}");
    }
}

/// 1,000 services with 10 destinations each, every one of them wrong: bounded work, and nothing left out.
#[test]
fn a_large_file_full_of_faults_is_no_burden() {
    let mut toml = String::from("version = 1\n");
    let mut yaml = String::from("version: 1\nservices:\n");
    for index in 0..1000u32 {
        let address = Ipv4Addr::from(0x0A00_0000 + index);
        toml += &format!("[[services]]\nname = \"s{index}\"\naddress = \"tcp://{address}:80\"\n");
        yaml += &format!("- name: s{index}\n  address: tcp://{address}:80\n  destinations:\n");
        for port in 1..=10 {
            toml += &format!("[[services.destinations]]\naddress = \"10.1.0.1:{port}\"\nweight = 70000\n");
            yaml += &format!("  - address: 10.1.0.1:{port}\n    weight: 70000\n");
        }
    }
    for (name, text) in [("a.toml", toml), ("a.yaml", yaml)] {
        let start = std::time::Instant::now();
        let problems = config::parse(&[source(name, text)]).unwrap_err();
        assert_eq!(problems.list.len(), 10_000);
        let first = &problems.list[0];
        assert!(first.message.contains("70000"), "{}", first.message);
        assert!(start.elapsed().as_secs() < 20, "{name}: {:?}", start.elapsed());
    }
}
