//! What a pass concerns.

use super::*;
use crate::model::{Check, Checks, Helped, Host, NamedCheck, Policy, Probe, ServiceOrigin, Timing, Via};
use crate::reconcile::concern::{Concern, with_helpers};
use std::collections::BTreeSet;

const ONE: &str = "tcp://192.0.2.1:80";
const TWO: &str = "tcp://192.0.2.2:80";
const THREE: &str = "tcp://192.0.2.3:80";

fn named(services: &[(&str, &[(&str, u32)])]) -> Desired {
    let Desired { table, .. } = desired(services);
    let origin = |key: &ServiceKey| ServiceOrigin {
        name: key.to_string(),
        file: PathBuf::new(),
        line: 1,
        destinations: Default::default(),
    };
    let origins = table.services.keys().map(|key| (*key, origin(key))).collect();
    let policies = table.services.keys().map(|key| (*key, Policy::new(Duration::ZERO))).collect();
    Desired { table, origins, policies, ..Desired::default() }
}

fn between(before: &Desired, after: &Desired) -> Concern {
    Concern::between(before, after, &Record::default())
}

fn services(of: &[&str]) -> Concern {
    Concern::Services(of.iter().map(|text| key(text)).collect())
}

fn via_vip() -> SharedChecks {
    let second = Duration::from_secs(1);
    let (interval, timeout, down_after) = (second, second, second);
    let (rise, fall, jitter, fast_interval, down_interval) = (1, 1, 0, None, None);
    let timing = Timing { interval, timeout, rise, fall, jitter, fast_interval, down_interval, down_after };
    let check = Check { probe: Probe::None, timing, address: None, port: None, via: Via::Vip, flap: None };
    SharedChecks::new(Checks { list: vec![NamedCheck { name: "x".into(), check }], ..Checks::default() })
}

#[test]
fn what_is_not_the_same_is_concerned() {
    let before = named(&[(ONE, &[("10.0.0.1:80", 1)]), (TWO, &[("10.0.0.1:80", 1)])]);
    assert!(between(&before, &before.clone()).is_nothing());
    let weight = named(&[(ONE, &[("10.0.0.1:80", 2)]), (TWO, &[("10.0.0.1:80", 1)])]);
    assert_eq!(between(&before, &weight), services(&[ONE]));
    let other = named(&[(TWO, &[("10.0.0.1:80", 1)]), (THREE, &[])]);
    assert_eq!(between(&before, &other), services(&[ONE, THREE]));
    assert_eq!(between(&other, &before), services(&[ONE, THREE]));
    let mut policy = before.clone();
    policy.policies.insert(key(TWO), Policy::new(Duration::from_secs(1)));
    assert_eq!(between(&before, &policy), services(&[TWO]));
    let mut renamed = before.clone();
    renamed.origins.get_mut(&key(ONE)).unwrap().name = "web".into();
    assert_eq!(between(&before, &renamed), services(&[ONE]));
    let mut moved = before.clone();
    moved.origins.values_mut().for_each(|origin| origin.line += 7);
    assert!(between(&before, &moved).is_nothing(), "a line that moved changes nothing");
}

#[test]
fn what_is_everybodys_concerns_all() {
    let before = named(&[(ONE, &[("10.0.0.1:80", 1)])]);
    let drain = Desired { drain: Duration::from_secs(7), ..before.clone() };
    assert_eq!(between(&before, &drain), Concern::All);
    let host = Host { addresses: Some("lo0".into()), ..Host::default() };
    let with_host = Desired { host: host.clone(), ..before.clone() };
    assert_eq!(between(&before, &with_host), Concern::All);
    assert!(between(&with_host, &with_host.clone()).is_nothing());
    let more = Desired { host, ..named(&[(ONE, &[]), (TWO, &[])]) };
    assert_eq!(between(&with_host, &more), Concern::All, "an address comes with it");
    let mut vip = before.clone();
    let of_a: DestinationKey = "10.0.0.1:80".parse().unwrap();
    vip.policies.get_mut(&key(ONE)).unwrap().checks.insert(of_a, via_vip());
    assert_eq!(between(&before, &vip), Concern::All, "it needs a mark");
    assert_eq!(between(&vip, &before), Concern::All);
}

#[test]
fn helpers_go_with_their_services() {
    let mut wanted = named(&[(ONE, &[("10.0.0.1:80", 1)]), (TWO, &[])]);
    let destination: DestinationKey = "10.0.0.1:80".parse().unwrap();
    let mut record = Record::default();
    let part = |of: &[&str], desired: &Desired, record: &Record| {
        with_helpers(of.iter().map(|text| key(text)).collect(), desired, record)
    };
    let set = |of: &[&str]| Some(of.iter().map(|text| key(text)).collect::<BTreeSet<_>>());
    assert_eq!(part(&[ONE], &wanted, &record), set(&[ONE]));
    wanted.policies.get_mut(&key(ONE)).unwrap().checks.insert(destination, via_vip());
    assert_eq!(part(&[ONE], &wanted, &record), None, "there is no mark yet");
    record.helpers.insert(7, Helped { service: key(ONE), destination });
    assert_eq!(part(&[ONE], &wanted, &record), set(&[ONE, "fwmark:7"]));
    assert_eq!(part(&[TWO], &wanted, &record), set(&[TWO]));
    assert_eq!(part(&["fwmark:7"], &wanted, &record), None);
    let gone = Helped { service: key(ONE), destination: "10.0.0.2:80".parse().unwrap() };
    record.helpers.insert(8, gone);
    assert_eq!(part(&[ONE], &wanted, &record), None, "one of them is to go");
}
