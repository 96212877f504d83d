//! The host around the table, pass by pass.

mod daemons;
mod upsets;

use super::*;
use crate::model::{Drain, Host as Wanted, HostKey, HostValue, SyncRole, SyncSettings, Timeout};
use crate::plan::{Held, HostNote};
use crate::reconcile::HostResult;

const VIP: &str = "address 192.0.2.10 on ipvs0";
const FORWARDS: &str = "sysctl net.ipv4.ip_forward";

fn host_key(text: &str) -> HostKey {
    text.parse().unwrap()
}

fn on(interface: &str) -> Wanted {
    Wanted { addresses: Some(interface.to_owned()), ..Wanted::default() }
}

fn forwarding(value: &str) -> Wanted {
    Wanted { sysctls: BTreeMap::from([("net.ipv4.ip_forward".to_owned(), value.to_owned())]), ..Wanted::default() }
}

fn master(id: u8) -> SyncSettings {
    SyncSettings {
        interface: "lo".to_owned(),
        id,
        group: SyncSettings::GROUP,
        port: SyncSettings::PORT,
        ttl: SyncSettings::TTL,
        sync_maxlen: None,
    }
}

/// A kernel that writes into the host's log when the table changes.
struct Ordered(Fake, Surroundings);

impl Ipvs for Ordered {
    fn info(&mut self) -> Result<Info, Error> {
        self.0.info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        self.0.read()
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.0.read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        let lines = operations.iter().map(|operation| format!("{} {}", operation.kind(), operation.service()));
        self.1.0.borrow_mut().log.extend(lines);
        self.0.execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.0.settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        let line = match setting {
            Setting::Timeout(timeout, seconds) => format!("timeout {} {seconds}", timeout.as_str()),
            Setting::StartSync(role, _) => format!("start {}", role.as_str()),
            Setting::StopSync(role) => format!("stop {}", role.as_str()),
        };
        self.1.0.borrow_mut().log.push(line);
        self.0.set(setting)
    }
}

/// A table and a host, from pass to pass.
struct Stage {
    kernel: Ordered,
    record: Record,
    store: Memory,
}

impl Stage {
    fn new() -> Self {
        let kernel = Ordered(Fake::new(), Surroundings::default());
        Self { kernel, record: Record::default(), store: Memory::default() }
    }

    fn there(&self, text: &str) -> Option<HostValue> {
        self.host().0.borrow().there.get(&host_key(text)).cloned()
    }

    fn set(&self, text: &str, value: HostValue) {
        self.host().0.borrow_mut().there.insert(host_key(text), value);
    }

    fn remove(&self, text: &str) {
        self.host().0.borrow_mut().there.remove(&host_key(text));
    }

    fn host(&self) -> &Surroundings {
        &self.kernel.1
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.host().0.borrow_mut().log)
    }

    fn pass(&mut self, desired: &Desired) -> Report {
        self.pass_with(desired, false)
    }

    fn pass_with(&mut self, desired: &Desired, restore_host: bool) -> Report {
        self.pass_held(desired, restore_host, &|_| None)
    }

    fn pass_held(
        &mut self,
        desired: &Desired,
        restore_host: bool,
        host_held: &dyn Fn(&HostKey) -> Option<Held>,
    ) -> Report {
        let options = Options { force: false, only: None, held: &|_| None, host_held };
        let mut host = self.host().clone();
        let ground = Ground { ipvs: &mut self.kernel, host: &mut host };
        let hands = Hands { ground, record: &mut self.record, store: &mut self.store };
        let terms = Terms { restore_host, ..Terms::plain(desired, UNIX) };
        pass(hands, terms, &mut Sight::Once { status: None }, &options).unwrap()
    }

    /// A pass that does nothing, and has nothing to say.
    #[track_caller]
    fn is_settled(&mut self, desired: &Desired) {
        let report = self.pass(desired);
        assert!(report.plan.is_empty(), "{:?}", report.plan);
        assert_eq!(self.log(), [""; 0]);
    }
}

fn with(services: &[(&str, &[(&str, u32)])], host: Wanted) -> Desired {
    Desired { host, ..desired(services) }
}

#[test]
fn the_host_is_ready_before_the_table_and_cleared_after_it() {
    let mut stage = Stage::new();
    let mut wanted = with(&[(WEB, &[(A, 1)])], on("ipvs0"));
    wanted.host.timeouts.insert(Timeout::Udp, 30);
    wanted.host.sync.insert(SyncRole::Master, master(7));
    stage.pass(&wanted);
    let before = ["set interface ipvs0", "timeout udp 30", "set address 192.0.2.10 on ipvs0", "start master"];
    let table = ["add tcp://192.0.2.10:80", "add tcp://192.0.2.10:80"];
    assert_eq!(stage.log(), [&before[..], &table[..]].concat());
    stage.is_settled(&wanted);

    let nothing = desired(&[]);
    let report = stage.pass(&nothing);
    assert_eq!(report.failed(), 0, "{report:?}");
    assert_eq!(
        stage.log(),
        [
            "edit tcp://192.0.2.10:80",
            "delete tcp://192.0.2.10:80",
            "stop master",
            "delete address 192.0.2.10 on ipvs0",
            "delete interface ipvs0"
        ]
    );
    assert_eq!(stage.host().0.borrow().there, BTreeMap::new());
    let left: Vec<&HostKey> = stage.record.host.keys().collect();
    assert_eq!(left, [&host_key("timeout udp")], "a setting is kept, and what it was is known");
}

#[test]
fn the_address_of_a_service_that_drains_stays_until_it_is_gone() {
    let mut stage = Stage::new();
    stage.pass(&with(&[(WEB, &[(A, 1)])], on("ipvs0")));
    let connections = |stage: &mut Stage, count| {
        let table = stage.kernel.0.table();
        table.get_mut(&key(WEB)).unwrap().destinations.get_mut(&destination(A)).unwrap().active_connections = count;
    };
    connections(&mut stage, 3);
    let nothing = with(&[], on("ipvs0"));
    let report = stage.pass(&nothing);
    assert_eq!(report.failed(), 0, "{report:?}");
    let drain: Vec<&Drain> = stage.record.drains.values().flat_map(BTreeMap::values).collect();
    assert_eq!(drain.len(), 1);
    assert_eq!(report.plan.host.notes, [HostNote::Draining { key: host_key(VIP) }]);
    assert_eq!(stage.there(VIP), Some(HostValue::There));
    stage.pass(&nothing);
    assert_eq!(stage.there(VIP), Some(HostValue::There));
    connections(&mut stage, 0);
    stage.pass(&nothing);
    assert_eq!(stage.there(VIP), None, "it goes in the same pass as its service");
    stage.log();
    stage.is_settled(&nothing);
    assert_eq!(stage.record, Record::default());
}

#[test]
fn drift_is_repaired_and_called_so() {
    let mut stage = Stage::new();
    stage.set(FORWARDS, HostValue::Text("0".to_owned()));
    let wanted =
        Desired { host: Wanted { addresses: Some("ipvs0".into()), ..forwarding("1") }, ..desired(&[(WEB, &[])]) };
    let report = stage.pass(&wanted);
    assert!(report.host_outcomes().all(|(step, _)| step.cause == Cause::Change));
    for (object, value) in [
        (FORWARDS, HostValue::Text("0".to_owned())),
        ("interface ipvs0", HostValue::Link { dummy: true, up: false, foreign: 0 }),
    ] {
        stage.set(object, value);
        let report = stage.pass(&wanted);
        let steps: Vec<_> = report.host_outcomes().collect();
        assert_eq!(steps.len(), 1, "{object}: {steps:?}");
        assert_eq!((&steps[0].0.operation.key, steps[0].0.cause), (&host_key(object), Cause::Drift));
        assert!(steps[0].1.is_ok());
    }
    stage.remove(VIP);
    assert!(stage.pass(&wanted).plan.has_drift());
    stage.remove(VIP);
    stage.remove("interface ipvs0");
    assert_eq!(stage.pass(&wanted).host_results, [HostResult::Done, HostResult::Done]);
    stage.log();
    stage.is_settled(&wanted);
}

#[test]
fn what_a_sysctl_was_is_known_to_the_next_process_and_put_back_once() {
    let mut stage = Stage::new();
    stage.set(FORWARDS, HostValue::Text("0".to_owned()));
    stage.pass(&with(&[], forwarding("1")));
    stage.pass(&with(&[], forwarding("2")));
    stage.record = stage.store.saved.last().cloned().unwrap();
    let report = stage.pass_with(&with(&[], forwarding("2")), true);
    assert_eq!(report.changed(), 1);
    assert_eq!(stage.there(FORWARDS), Some(HostValue::Text("0".to_owned())));
    assert_eq!(stage.record.host, BTreeMap::new());

    stage.pass(&with(&[], forwarding("1")));
    let nothing = desired(&[]);
    let report = stage.pass(&nothing);
    assert!(matches!(&report.plan.host.notes[..], [HostNote::Kept { .. }]), "{report:?}");
    assert_eq!(stage.there(FORWARDS), Some(HostValue::Text("1".to_owned())));
    stage.pass_with(&nothing, true);
    assert_eq!(stage.there(FORWARDS), Some(HostValue::Text("0".to_owned())));
    assert_eq!(stage.record, Record::default());
    stage.log();
    stage.is_settled(&nothing);
}

#[test]
fn what_was_there_before_is_ours_only_on_an_interface_of_ours() {
    let wanted = with(&[(WEB, &[])], on("eth0"));
    for (dummy, owned) in [(true, true), (false, false)] {
        let mut stage = Stage::new();
        stage.set("interface eth0", HostValue::Link { dummy, up: true, foreign: 0 });
        stage.set("address 192.0.2.10 on eth0", HostValue::There);
        assert!(stage.pass(&wanted).plan.host.is_empty());
        assert_eq!(stage.record.host.contains_key(&host_key("address 192.0.2.10 on eth0")), owned, "{dummy}");
        assert!(!stage.record.host.contains_key(&host_key("interface eth0")));
        stage.pass(&with(&[], on("eth0")));
        assert_eq!(stage.there("address 192.0.2.10 on eth0").is_none(), owned);
        assert!(stage.there("interface eth0").is_some());
    }
}

#[test]
fn one_that_fails_stops_no_other_and_is_not_owned() {
    let mut stage = Stage::new();
    stage.host().0.borrow_mut().refused.insert(host_key("interface ipvs0"), "no dummies here".to_owned());
    let wanted =
        Desired { host: Wanted { addresses: Some("ipvs0".into()), ..forwarding("1") }, ..desired(&[(WEB, &[(A, 1)])]) };
    let report = stage.pass(&wanted);
    let results: Vec<String> = report.host_results.iter().map(ToString::to_string).collect();
    assert_eq!(results, ["no dummies here", "done", "skipped: its interface is not there"]);
    assert_eq!((report.changed(), report.failed()), (3, 2), "the table is set, and so is the sysctl");
    assert_eq!(stage.record.host.keys().collect::<Vec<_>>(), [&host_key(FORWARDS)]);
}

#[test]
fn a_host_that_cannot_be_seen_is_left_alone_and_nothing_is_forgotten() {
    let mut stage = Stage::new();
    let wanted = with(&[(WEB, &[(A, 1)])], on("ipvs0"));
    stage.pass(&wanted);
    stage.log();
    let before = stage.record.clone();
    stage.host().0.borrow_mut().dark = true;
    let report = stage.pass(&desired(&[]));
    assert_eq!(report.failed(), 1);
    assert_eq!(stage.record.host, before.host);
    assert!(!stage.log().iter().any(|line| line.contains("address")));
    stage.host().0.borrow_mut().dark = false;
    stage.pass(&desired(&[]));
    assert_eq!(stage.there(VIP), None);
}

#[test]
fn what_is_about_to_be_added_is_written_down_before() {
    let mut stage = Stage::new();
    stage.set(FORWARDS, HostValue::Text("0".to_owned()));
    let wanted =
        Desired { host: Wanted { addresses: Some("ipvs0".into()), ..forwarding("1") }, ..desired(&[(WEB, &[])]) };
    stage.pass(&wanted);
    let intents = &stage.store.saved[0].host;
    assert_eq!(intents[&host_key(VIP)].left, None);
    assert_eq!(intents[&host_key(FORWARDS)].before, Some(HostValue::Text("0".to_owned())));
    // A process that dies right then leaves nothing that nobody owns.
    stage.record = stage.store.saved[0].clone();
    stage.pass(&desired(&[]));
    assert_eq!((stage.there(VIP), stage.there("interface ipvs0")), (None, None));
}

impl Stage {
    #[track_caller]
    fn is_settled_after(&mut self, log: &[&str], desired: &Desired) {
        assert_eq!(self.log(), log);
        self.is_settled(desired);
    }
}
