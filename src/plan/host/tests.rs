use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::*;
use crate::model::{SyncRole, SyncSettings, Timeout};
use crate::plan::testing::table;

const WEB: &str = "192.0.2.10";
const WEB6: &str = "2001:db8::10";

fn desired(services: &[&str], host: Host) -> Desired {
    let services: Vec<(&str, &[(&str, u32)])> = services.iter().map(|key| (*key, &[][..])).collect();
    Desired { table: table(&services), host, ..Desired::default() }
}

fn on(interface: &str) -> Host {
    Host { addresses: Some(interface.to_owned()), ..Host::default() }
}

fn key(text: &str) -> HostKey {
    text.parse().unwrap()
}

fn map(pairs: &[(&str, HostValue)]) -> BTreeMap<HostKey, HostValue> {
    pairs.iter().map(|(text, value)| (key(text), value.clone())).collect()
}

/// What was added, and is left as it is.
fn added(live: &[(&str, HostValue)]) -> BTreeMap<HostKey, OwnedHost> {
    let own = |(text, value): &(&str, HostValue)| {
        (key(text), OwnedHost { left: Some(value.clone()), ..OwnedHost::default() })
    };
    live.iter().map(own).collect()
}

fn text(value: &str) -> HostValue {
    HostValue::Text(value.to_owned())
}

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

struct Case {
    desired: Desired,
    live: BTreeMap<HostKey, HostValue>,
    record: BTreeMap<HostKey, OwnedHost>,
    in_use: BTreeSet<IpAddr>,
    adrift: BTreeSet<HostKey>,
    restore: bool,
}

impl Case {
    fn plan(&self) -> HostPlan {
        let Self { desired, live, record, in_use, adrift, restore } = self;
        let wanted = host_wanted(desired, record, in_use);
        host_diff(&HostInputs { wanted: &wanted, live, record, in_use, adrift, restore: *restore })
    }

    fn lines(&self) -> Vec<String> {
        let plan = self.plan();
        let line = |step: &HostStep| {
            let HostOperation { key, .. } = &step.operation;
            let drift = if step.cause == Cause::Drift { " (drift)" } else { "" };
            format!("{} {key}{drift}", step.operation.kind())
        };
        plan.steps.iter().map(line).collect()
    }
}

fn case(desired: Desired, live: &[(&str, HostValue)]) -> Case {
    let in_use = addresses_of(desired.table.services.keys());
    Case { desired, live: map(live), record: added(live), in_use, adrift: BTreeSet::new(), restore: false }
}

#[test]
fn an_address_is_there_once_however_many_services_have_it() {
    let services = [
        "tcp://192.0.2.10:80",
        "udp://192.0.2.10:53",
        "tcp://[2001:db8::10]:80",
        "fwmark:7",
        "tcp://0.0.0.0:0",
        "tcp://127.0.0.1:80",
        "tcp://[::1]:80",
    ];
    let case = case(desired(&services, on("ipvs0")), &[]);
    assert_eq!(
        case.lines(),
        ["add interface ipvs0", "add address 192.0.2.10 on ipvs0", "add address 2001:db8::10 on ipvs0"]
    );
    assert!(
        host_diff(&HostInputs {
            wanted: &host_wanted(&case.desired, &case.record, &case.in_use),
            live: &host_wanted(&case.desired, &case.record, &case.in_use),
            record: &BTreeMap::new(),
            in_use: &case.in_use,
            adrift: &BTreeSet::new(),
            restore: false,
        })
        .is_empty()
    );
}

#[test]
fn it_stays_with_the_last_service_and_goes_with_it() {
    let live = [
        ("interface ipvs0", HostValue::LINK),
        ("address 192.0.2.10 on ipvs0", HostValue::There),
        ("address 2001:db8::10 on ipvs0", HostValue::There),
    ];
    let mut case = case(desired(&["udp://192.0.2.10:53"], on("ipvs0")), &live);
    assert_eq!(case.lines(), ["delete address 2001:db8::10 on ipvs0"]);
    case.in_use = addresses(&[WEB, WEB6]);
    assert_eq!(case.lines(), [""; 0], "a service that drains has it still");
    case.desired.table.services.clear();
    case.in_use = addresses(&[WEB6]);
    assert_eq!(case.lines(), ["delete address 192.0.2.10 on ipvs0"]);
    case.in_use = BTreeSet::new();
    assert_eq!(
        case.lines(),
        ["delete address 2001:db8::10 on ipvs0", "delete address 192.0.2.10 on ipvs0", "delete interface ipvs0"]
    );
    assert_eq!(case.plan().guard(MaxDelete::Percent(0)), Ok(()), "they go with their services");
}

#[test]
fn what_others_put_on_our_interface_keeps_it_there() {
    let live = [("interface ipvs0", HostValue::Link { dummy: true, up: true, foreign: 2 })];
    let case = case(desired(&[], on("ipvs0")), &live);
    assert_eq!(case.lines(), [""; 0]);
    assert_eq!(case.plan().notes, [HostNote::InUse { key: key("interface ipvs0"), addresses: 2 }]);
}

#[test]
fn what_is_not_on_record_is_not_deleted() {
    let live = [("interface ipvs0", HostValue::LINK), ("address 2001:db8::10 on ipvs0", HostValue::There)];
    let mut case = case(desired(&["tcp://192.0.2.10:80"], on("ipvs0")), &live);
    case.record.clear();
    assert_eq!(case.lines(), ["add address 192.0.2.10 on ipvs0"]);
}

#[test]
fn addresses_move_to_another_interface_before_they_leave_the_old_one() {
    let live = [("interface ipvs0", HostValue::LINK), ("address 192.0.2.10 on ipvs0", HostValue::There)];
    let case = case(desired(&["tcp://192.0.2.10:80"], on("vip0")), &live);
    assert_eq!(
        case.lines(),
        [
            "add interface vip0",
            "add address 192.0.2.10 on vip0",
            "delete address 192.0.2.10 on ipvs0",
            "delete interface ipvs0"
        ]
    );
    assert_eq!(case.plan().guard(MaxDelete::Percent(0)), Ok(()));
}

#[test]
fn to_take_addresses_from_services_that_go_on_is_guarded() {
    let live = [("interface ipvs0", HostValue::LINK), ("address 192.0.2.10 on ipvs0", HostValue::There)];
    let case = case(desired(&["tcp://192.0.2.10:80"], Host::default()), &live);
    assert_eq!(case.lines(), ["delete address 192.0.2.10 on ipvs0", "delete interface ipvs0"]);
    assert_eq!(case.plan().guard(MaxDelete::Percent(100)), Ok(()));
    let refused = case.plan().guard(MaxDelete::Percent(50)).unwrap_err();
    assert!(refused.to_string().starts_with("would delete 1 of 1 owned address (100%), more than"), "{refused}");
}

#[test]
fn settings_are_remembered_kept_and_put_back() {
    let name = "sysctl net.ipv4.ip_forward";
    let host =
        Host { sysctls: BTreeMap::from([("net.ipv4.ip_forward".to_owned(), "1".to_owned())]), ..Host::default() };
    let mut case = case(desired(&[], host), &[(name, text("0"))]);
    case.record.clear();
    assert_eq!(case.lines(), ["edit sysctl net.ipv4.ip_forward"]);
    case.record.insert(key(name), OwnedHost { before: Some(text("0")), left: Some(text("1")), footing: None });
    assert_eq!(case.lines(), ["edit sysctl net.ipv4.ip_forward (drift)"]);

    case.live = map(&[(name, text("1"))]);
    assert_eq!(case.lines(), [""; 0]);
    case.restore = true;
    let plan = case.plan();
    assert_eq!(case.lines(), ["edit sysctl net.ipv4.ip_forward"]);
    assert_eq!(plan.steps[0].operation.to, Some(text("0")));

    case.desired.host = Host::default();
    assert_eq!(case.plan().steps, plan.steps);
    case.restore = false;
    assert_eq!(case.lines(), [""; 0]);
    assert_eq!(case.plan().notes, [HostNote::Kept { key: key(name), value: text("1"), before: text("0") }]);
    case.live = map(&[(name, text("0"))]);
    assert_eq!(case.plan(), HostPlan::default(), "it is what it was");
}

#[test]
fn sysctls_come_after_those_that_would_undo_them() {
    let names = [
        "net.ipv6.conf.all.accept_ra",
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.ip_forward",
        "net.ipv4.conf.a.rp_filter",
    ];
    let sysctls = names.map(|name| (name.to_owned(), "2".to_owned())).into();
    let case = case(desired(&[], Host { sysctls, ..Host::default() }), &[]);
    let order = ["ipv6.conf.all.accept_ra", "ipv4.ip_forward", "ipv6.conf.all.forwarding", "ipv4.conf.a.rp_filter"];
    assert_eq!(case.lines(), order.map(|name| format!("add sysctl net.{name}")));
}

#[test]
fn a_setting_that_the_kernel_does_not_have_is_wanted_all_the_same() {
    let host = Host { timeouts: BTreeMap::from([(Timeout::Udp, 30)]), ..Host::default() };
    let case = case(desired(&[], host), &[]);
    assert_eq!(case.lines(), ["add timeout udp"]);
}

#[test]
fn daemons_of_others_are_left_alone_and_ours_follow_the_file() {
    let settings = |id| SyncSettings {
        interface: "eth1".to_owned(),
        id,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: None,
    };
    let wants = |id| Host { sync: BTreeMap::from([(SyncRole::Master, settings(id))]), ..Host::default() };
    let live = [("sync master", HostValue::Sync(SyncSettings { sync_maxlen: Some(1472), ..settings(7) }))];
    assert_eq!(case(desired(&[], wants(7)), &live).plan(), HostPlan { unchanged: 1, ..HostPlan::default() });
    assert_eq!(case(desired(&[], wants(8)), &live).lines(), ["edit sync master"]);
    // It runs as it should, and reaches nobody.
    let adrift = BTreeSet::from([key("sync master")]);
    assert_eq!(Case { adrift, ..case(desired(&[], wants(7)), &live) }.lines(), ["edit sync master (drift)"]);
    let mut case = case(desired(&[], Host::default()), &live);
    assert_eq!(case.lines(), ["delete sync master"]);
    case.record.clear();
    assert_eq!(case.lines(), [""; 0]);
    assert_eq!(case.plan().notes, [HostNote::Foreign { key: key("sync master") }]);
}

#[test]
fn modules_are_those_of_the_table_and_never_taken_out() {
    let mut desired = desired(&["tcp://192.0.2.10:80"], Host { modules: true, ..Host::default() });
    let case_of = |desired: &Desired, live: &[(&str, HostValue)]| case(desired.clone(), live);
    let scheduler = desired.table.services.values().next().unwrap().settings.scheduler.to_string();
    let module = format!("module ip_vs_{scheduler}");
    assert_eq!(case_of(&desired, &[("module ip_vs", HostValue::There)]).lines(), [format!("add {module}")]);
    desired.host.modules = false;
    assert_eq!(case_of(&desired, &[(&module, HostValue::There)]).lines(), [""; 0]);
}

#[test]
fn what_failed_waits_and_the_rest_goes_on() {
    let case = case(desired(&["tcp://192.0.2.10:80"], on("ipvs0")), &[]);
    let held = |found: &HostKey| {
        (*found == key("interface ipvs0")).then(|| Held { seconds: 5, reason: "no dummies".to_owned() })
    };
    let plan = case.plan().hold(&held);
    assert_eq!(plan.steps, [], "nor can an address be put on an interface that is not there");
    assert_eq!(plan.notes.len(), 2);
    assert!(plan.is_waiting());
}
