//! What others do to the host meanwhile, and what one change does to another.

use super::*;

/// A service that has connections, and is not wanted any more.
fn draining(stage: &mut Stage, host: Wanted) {
    stage.pass(&with(&[(WEB, &[(A, 1)])], host));
    let table = stage.kernel.0.table();
    table.get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().active_connections = 3;
}

#[test]
fn the_address_of_a_service_that_drains_stays_even_if_the_key_goes_or_names_another_interface() {
    for then in [Wanted::default(), on("vip0")] {
        let mut stage = Stage::new();
        draining(&mut stage, on("ipvs0"));
        let nothing = with(&[], then);
        for _ in 0..3 {
            let report = stage.pass(&nothing);
            assert_eq!(report.refused, None);
            assert_eq!(stage.there(VIP), Some(HostValue::There), "{nothing:?}");
        }
        stage
            .kernel
            .0
            .table()
            .get_mut(&key(WEB))
            .unwrap()
            .destinations
            .get_mut(&destination(A))
            .unwrap()
            .active_connections = 0;
        stage.pass(&nothing);
        assert_eq!(stage.host().0.borrow().there, BTreeMap::new());
        assert_eq!(stage.record, Record::default());
    }
}

#[test]
fn an_address_that_cannot_be_added_elsewhere_is_not_deleted_here() {
    let mut stage = Stage::new();
    stage.pass(&with(&[(WEB, &[(A, 1)])], on("ipvs0")));
    let moved = with(&[(WEB, &[(A, 1)])], on("vip0"));
    for refused in ["interface vip0", "address 192.0.2.10 on vip0"] {
        stage.host().0.borrow_mut().refused = BTreeMap::from([(host_key(refused), "not so".to_owned())]);
        let report = stage.pass(&moved);
        assert_eq!(stage.there(VIP), Some(HostValue::There), "{report:?}");
        assert!(report.plan.host.notes.contains(&HostNote::Unmoved { key: host_key(VIP) }), "{report:?}");
        // As long as it waits to be tried again, too.
        let held =
            |key: &HostKey| (*key == host_key(refused)).then(|| Held { seconds: 9, reason: "not so".to_owned() });
        let report = stage.pass_held(&moved, false, &held);
        assert!(report.plan.host.is_empty(), "{:?}", report.plan);
        assert_eq!(stage.there(VIP), Some(HostValue::There));
        assert!(stage.record.host.contains_key(&host_key(VIP)));
    }
    stage.host().0.borrow_mut().refused.clear();
    stage.pass(&moved);
    assert_eq!((stage.there(VIP), stage.there("interface ipvs0")), (None, None));
    assert_eq!(stage.there("address 192.0.2.10 on vip0"), Some(HostValue::There));
}

#[test]
fn an_interface_that_somebody_replaced_is_not_ours_any_more() {
    let mut stage = Stage::new();
    stage.pass(&with(&[(WEB, &[])], on("ipvs0")));
    stage.set("interface ipvs0", HostValue::Link { dummy: false, up: false, foreign: 0 });
    let report = stage.pass(&with(&[], on("ipvs0")));
    assert_eq!(report.failed(), 0, "{report:?}");
    assert_eq!(stage.there(VIP), None);
    assert!(stage.there("interface ipvs0").is_some());
    assert_eq!(stage.record, Record::default());
}

#[test]
fn what_one_sysctl_does_to_another_is_put_right_and_what_it_was_is_known() {
    let mut stage = Stage::new();
    let text = |value: &str| HostValue::Text(value.to_owned());
    const LEG: &str = "sysctl net.ipv4.conf.eth0.forwarding";
    stage.set(FORWARDS, text("0"));
    stage.set(LEG, text("0"));
    stage.host().0.borrow_mut().drags = BTreeMap::from([(host_key(FORWARDS), (host_key(LEG), text("1")))]);
    let mut wanted = with(&[], forwarding("1"));
    wanted.host.sysctls.insert("net.ipv4.conf.eth0.forwarding".to_owned(), "0".to_owned());
    stage.pass(&wanted);
    assert_eq!((stage.there(FORWARDS), stage.there(LEG)), (Some(text("1")), Some(text("0"))));
    assert_eq!(stage.record.host[&host_key(LEG)].before, Some(text("0")));
    stage.log();
    stage.is_settled(&wanted);
}

#[test]
fn what_was_before_is_what_was_seen_before_the_pass() {
    let mut stage = Stage::new();
    let text = |value: &str| HostValue::Text(value.to_owned());
    const OTHER: &str = "sysctl net.ipv4.conf.all.accept_redirects";
    stage.set(FORWARDS, text("0"));
    stage.set(OTHER, text("1"));
    stage.host().0.borrow_mut().drags = BTreeMap::from([(host_key(FORWARDS), (host_key(OTHER), text("0")))]);
    stage.host().0.borrow_mut().refused.insert(host_key(OTHER), "not so".to_owned());
    let mut wanted = with(&[], forwarding("1"));
    wanted.host.sysctls.insert("net.ipv4.conf.all.accept_redirects".to_owned(), "1".to_owned());
    stage.pass(&wanted);
    assert_eq!(stage.record.host[&host_key(OTHER)].before, Some(text("1")));
}

#[test]
fn what_is_put_back_already_stays_so() {
    let mut stage = Stage::new();
    let text = |value: &str| HostValue::Text(value.to_owned());
    const LEG: &str = "sysctl net.ipv4.conf.eth0.forwarding";
    stage.set(FORWARDS, text("0"));
    stage.set(LEG, text("1"));
    let mut wanted = with(&[], forwarding("1"));
    wanted.host.sysctls.insert("net.ipv4.conf.eth0.forwarding".to_owned(), "0".to_owned());
    stage.pass(&wanted);
    stage.set(LEG, text("1"));
    stage.host().0.borrow_mut().drags = BTreeMap::from([(host_key(FORWARDS), (host_key(LEG), text("0")))]);
    stage.pass_with(&wanted, true);
    assert_eq!((stage.there(FORWARDS), stage.there(LEG)), (Some(text("0")), Some(text("1"))));
}

#[test]
fn sysctls_of_the_interface_of_the_addresses_wait_for_it() {
    let mut stage = Stage::new();
    let mut host = on("ipvs0.1");
    host.sysctls.insert("net.ipv4.conf.ipvs0/1.rp_filter".to_owned(), "2".to_owned());
    stage.is_settled(&with(&[], host.clone()));
    stage.pass(&with(&[(WEB, &[])], host));
    assert_eq!(
        stage.log(),
        [
            "set interface ipvs0.1",
            "set sysctl net.ipv4.conf.ipvs0/1.rp_filter",
            "set address 192.0.2.10 on ipvs0.1",
            "add tcp://192.0.2.10:80"
        ]
    );
}
