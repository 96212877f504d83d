//! A service that came over the API as a configuration file of its own.
//!
//! Every key that `[defaults]` could change of what the API has a word for is written out.

use super::{destination_keys, push, quoted, service_keys};
use crate::config::values::written;
use crate::model::{Check, Http, Offer, OfferedDestination, Probe, ServiceKey};

/// What begins the line with the note.
const NOTE: &str = "# note: ";

/// As TOML. Only such checks can be written as the API has: tcp, and http without headers and matches.
pub fn emit_offer(offer: &Offer) -> String {
    let Offer { id, key, settings, destinations, note } = offer;
    let name = offer.name();
    let mut out = format!(
        "# Put over the API as {}. ipvsd writes this file anew when that changes it; to keep the service in your own\n\
         # hands, move the file to those of the configuration and reload.\n",
        quoted(id)
    );
    // DEL is no character of a comment in TOML; nor is any other that JSON leaves as it is.
    push(&mut out, format_args!("{NOTE}{}\n", note.replace('\u{7f}', "\\u007f").replace(['\n', '\r'], " ")));
    out.push_str("version = 1\n");

    let mut checks: Vec<&Check> = Vec::new();
    for check in destinations.iter().filter_map(|destination| destination.check.as_ref()) {
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    for (index, check) in checks.iter().enumerate() {
        push(&mut out, format_args!("\n[checks.{}]\n", quoted(&check_name(key, index))));
        for (key, value) in check_keys(check) {
            push(&mut out, format_args!("{key} = {value}\n"));
        }
    }

    push(&mut out, format_args!("\n[[services]]\nname = {}\naddress = {}\n", quoted(&name), quoted(&key.to_string())));
    let keys = service_keys(settings, " = ");
    let has_flags = keys.iter().any(|(key, _)| *key == "scheduler_flags");
    for (key, value) in keys {
        push(&mut out, format_args!("{key} = {value}\n"));
    }
    if !has_flags {
        out.push_str("scheduler_flags = []\n");
    }
    // Whoever puts a destination has it in use at once: the first check may take it out again.
    out.push_str("initial = \"up\"\n");
    let service = key;
    for OfferedDestination { name: of_destination, key, settings, check } in destinations {
        push(&mut out, format_args!("\n[[services.destinations]]\nname = {}\n", quoted(of_destination)));
        for (key, value) in destination_keys(key, settings, " = ") {
            push(&mut out, format_args!("{key} = {value}\n"));
        }
        let check = check.as_ref().and_then(|check| checks.iter().position(|other| *other == check));
        let check = check.map_or_else(|| "none".to_owned(), |index| check_name(service, index));
        push(&mut out, format_args!("check = {}\n", quoted(&check)));
    }
    out
}

/// The note of such a text.
pub fn note_of(text: &str) -> Option<&str> {
    text.lines().take_while(|line| line.starts_with('#')).find_map(|line| line.strip_prefix(NOTE))
}

/// Unique, because the address of the service is, which can be read in it; and short enough, because that is.
fn check_name(service: &ServiceKey, index: usize) -> String {
    let address = service.to_string().replace("://", "_").replace(['[', ']'], "").replace(':', "_");
    format!("api.{address}.{}", index + 1)
}

fn check_keys(check: &Check) -> Vec<(&'static str, String)> {
    let Check { probe, timing, address, port, via: _, flap: _ } = check;
    let probe = match probe {
        Probe::Http(Http { tls: _, method, path, host, headers: _, status, body: _, location: _ }) => {
            let mut table = format!("method = {}, path = {}", quoted(method), quoted(path));
            if let Some(host) = host {
                push(&mut table, format_args!(", host = {}", quoted(host)));
            }
            push(&mut table, format_args!(", status = {}", quoted(&status.to_string())));
            ("http", format!("{{ {table} }}"))
        }
        _ => ("tcp", "{}".to_owned()),
    };
    let mut keys = vec![
        probe,
        ("interval", written(timing.interval)),
        ("timeout", written(timing.timeout)),
        ("rise", timing.rise.to_string()),
        ("fall", timing.fall.to_string()),
    ];
    if let Some(address) = address {
        keys.push(("address", quoted(&address.to_string())));
    }
    if let Some(port) = port {
        keys.push(("port", port.to_string()));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Circumstances, Source, parse, parse_together};
    use crate::model::{
        DestinationSettings, Forward, Persistence, Scheduler, ServiceFlags, ServiceSettings, StatusSet, Timing, Tunnel,
        Via,
    };
    use std::sync::Arc;
    use std::time::Duration;

    fn check(probe: Probe) -> Check {
        let timing = Timing {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
            rise: 1,
            fall: 1,
            jitter: 10,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        };
        Check { probe, timing, address: None, port: Some(81), via: Via::default(), flap: None }
    }

    fn offer(id: &str) -> Offer {
        let settings = |forward| DestinationSettings { forward, weight: 7, max_connections: 0, min_connections: 0 };
        let http = Probe::Http(Http {
            tls: None,
            method: "HEAD".into(),
            path: "/h?x=1".into(),
            host: Some("a.example:81".into()),
            headers: Vec::new(),
            status: StatusSet(vec![(204, 204)]),
            body: None,
            location: None,
        });
        let destination = |name: &str, at: &str, forward, check| OfferedDestination {
            name: name.into(),
            key: at.parse().unwrap(),
            settings: settings(forward),
            check,
        };
        Offer {
            id: id.into(),
            key: "tcp://192.0.2.10:80".parse().unwrap(),
            settings: ServiceSettings {
                scheduler: Scheduler::new("sh"),
                flags: ServiceFlags::SCHED1.with(ServiceFlags::SCHED2),
                persistence: Some(Persistence {
                    timeout: 300,
                    netmask: crate::model::Netmask::host(crate::model::Family::V4),
                    engine: None,
                }),
            },
            destinations: vec![
                destination("r1", "10.0.0.1:8080", Forward::Nat, Some(check(Probe::Tcp { send: None, expect: None }))),
                destination("r2", "10.0.0.2:80", Forward::Dr, Some(check(http))),
                destination("r\"3\\", "10.0.0.3:80", Forward::Tunnel(Tunnel::default()), None),
            ],
            note: "{\"a\":\"\u{7f}\u{e9}\"}".into(),
        }
    }

    #[test]
    fn what_is_written_reads_as_it_was_among_files_with_other_defaults() {
        for id in ["web", "odd@id"] {
            let offer = offer(id);
            let text = emit_offer(&offer);
            assert_eq!(note_of(&text), Some("{\"a\":\"\\u007f\u{e9}\"}"));
            let other = "version = 1\nservices = []\n[checks.x]\ntcp = {}\n[defaults]\nscheduler = \"mh\"\n\
                         scheduler_flags = [\"mh-port\"]\nforward = \"dr\"\nweight = 3\ncheck = \"x\"\n";
            let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
            let files = Arc::new(vec![file("other.toml", other)]);
            let fragment = file("web.toml", &text);
            let (parsed, foundation) = parse_together(files, std::slice::from_ref(&fragment), Circumstances::NONE)
                .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
            let alone = crate::config::parse_onto(&foundation, &fragment).unwrap();
            assert_eq!(alone.desired.table, parsed.desired.table);
            assert_eq!(alone.desired.policies, parsed.desired.policies);
            assert_eq!(alone.desired.origins, parsed.desired.origins);
            let service = &parsed.desired.table.services[&offer.key];
            assert_eq!(service.settings, offer.settings);
            let (origin, policy) = (&parsed.desired.origins[&offer.key], &parsed.desired.policies[&offer.key]);
            assert_eq!(policy.initial, crate::model::Initial::Up);
            assert_eq!(service.destinations.len(), 3);
            for destination in &offer.destinations {
                assert_eq!(service.destinations[&destination.key], destination.settings);
                assert_eq!(origin.destinations[&destination.key], destination.name);
                let checks = policy.checks.get(&destination.key).map(|checks| &checks.list[0].check);
                assert_eq!(checks, destination.check.as_ref());
            }
            // Moved among the files it is one.
            parse(&[file("other.toml", other), file("moved.toml", &text)]).unwrap();
        }
    }

    #[test]
    fn the_names_of_checks_are_names_and_stay_apart() {
        let long = "sctp://[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
        let mut names = std::collections::BTreeSet::new();
        for service in [
            long,
            "tcp://192.0.2.1:80",
            "udp://192.0.2.1:80",
            "tcp://[::1]:80",
            "tcp://[::1:80]:80",
            "tcp://[::]:180",
            "fwmark:1",
            "fwmark6:1",
        ] {
            for index in [0, 1, 10, 4095] {
                let name = check_name(&service.parse().unwrap(), index);
                assert!(crate::config::names::is_name(&name), "{name}");
                assert!(names.insert(name), "{service} {index}");
            }
        }
    }

    /// IDs of which the names, cut to what fits, and the checks named after them came to be the same.
    #[test]
    fn checks_of_services_with_names_that_look_alike_do_not_meet() {
        let start = "x".repeat(49);
        let long = format!("{start}{}", "y".repeat(15));
        let hash = long.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let ids = [long, format!("{start}-{hash:08x}"), format!("api.{start}-{hash:08x}.1")];
        let fragments: Vec<Source> = ids
            .iter()
            .zip(1..)
            .map(|(id, host)| {
                let key = format!("tcp://192.0.2.{host}:80").parse().unwrap();
                Source { path: format!("{id}.toml").into(), text: emit_offer(&Offer { key, ..offer(id) }) }
            })
            .collect();
        let files = Arc::new(vec![Source { path: "a.toml".into(), text: "version = 1\nservices = []\n".into() }]);
        let (parsed, _) =
            parse_together(files, &fragments, Circumstances::NONE).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(parsed.desired.table.services.len(), 3);
    }

    /// What is kept on disks, letter by letter: other versions read it, and so may people.
    #[test]
    fn it_is_written_as_ever() {
        assert_eq!(emit_offer(&offer("web")), include_str!("offer.golden.toml"));
    }
}
