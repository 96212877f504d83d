//! What the loop makes of the host around the table.

use super::*;
use crate::model::{Host, HostKey};

fn with_addresses(of: &[(&str, &[(&str, u32)])]) -> Desired {
    Desired { host: Host { addresses: Some("ipvs0".into()), ..Host::default() }, ..desired(of) }
}

#[test]
fn an_interface_that_goes_with_all_of_its_addresses_is_one_piece_of_news() {
    let world = World::new();
    let services: Vec<String> = (1..200).map(|n| format!("tcp://192.0.2.{n}:80")).collect();
    let services: Vec<(&str, &[(&str, u32)])> = services.iter().map(|key| (&**key, &[][..])).collect();
    let mut process = world.begin(&with_addresses(&services), 0);
    world.host.0.borrow_mut().there.clear();
    world.notices();
    process.pass(Why { resync: true, ..Why::default() });
    let notices = world.notices();
    let [Notice::HostDriftRepaired { object, repair }] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!(object, "interface ipvs0");
    assert_eq!((repair.lines().count(), repair.lines().next()), (200, Some("add interface ipvs0: up")));
}

/// Nobody can put an address on an interface that cannot be had, so that the one is tried again, and not the thousands.
#[test]
fn addresses_wait_with_their_interface() {
    let world = World::new();
    let interface: HostKey = "interface ipvs0".parse().unwrap();
    world.host.0.borrow_mut().refused.insert(interface.clone(), "no dummies here".to_owned());
    let services = with_addresses(&[(WEB, &[(A, 1)]), ("tcp://192.0.2.11:80", &[])]);
    let mut process = world.begin(&services, 0);
    process.wait(60_000);
    let log = std::mem::take(&mut world.host.0.borrow_mut().log);
    assert!(log.len() > 3 && log.iter().all(|line| line == "set interface ipvs0"), "{log:?}");
    world.host.0.borrow_mut().refused.clear();
    process.wait(100_000);
    assert_eq!(world.host.0.borrow().there.len(), 3);
    assert_eq!(world.status().host, []);
}
