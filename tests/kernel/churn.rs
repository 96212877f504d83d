//! Somebody else adds and deletes as fast as they can, so that dumps tear, while ipvsd makes passes over a large table.
//!
//! What ipvsd sends is recorded on its way to the kernel. The kernel's own witness is its counters: every owned
//! service has counted a packet before, which a service that was deleted and added again would not show.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::host::Edge;
use ipvsd::ipvs::{Error, Info, Ipvs, Kernel, KernelSettings, Refusal, Setting};
use ipvsd::model::{
    Desired, DestinationKey, DestinationSettings, Forward, Live, LiveService, Manage, MaxDelete, Record, Scheduler,
    Service, ServiceFlags, ServiceKey, ServiceSettings, Table,
};
use ipvsd::plan::Operation;
use ipvsd::reconcile::{
    FileStore, Ground, Hands, Options, Place, RecordStore as _, Report, Sight, Terms, pass, unix_now,
};

use crate::netns::{self, ipvsadm};
use crate::program::{Program, SOON};

const SERVICES: usize = 2000;
const PASSES: usize = 200;
/// Every so many passes there is something to do.
const EDIT_EVERY: usize = 8;

fn single(ipvs: &mut dyn Ipvs, desired: &Desired, record: &mut Record, store: &mut FileStore) -> Report {
    let options = Options { force: false, only: None, held: &|_| None, host_held: &|_| None };
    let hands = Hands { ground: Ground { ipvs, host: &mut Edge::default() }, record, store };
    pass(hands, Terms::plain(desired, unix_now()), &mut Sight::Once { status: None }, &options).unwrap()
}

fn settings() -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new("wrr"), flags: ServiceFlags::default(), persistence: None }
}

fn weighing(weight: u32) -> DestinationSettings {
    DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 }
}

fn address(number: usize) -> String {
    format!("10.70.{}.{}:5000", number / 200, number % 200 + 1)
}

fn destinations(number: usize) -> [String; 2] {
    let third = number % 200;
    [format!("10.71.{third}.1:5000"), format!("10.71.{third}.2:5000")]
}

fn owned() -> Table {
    let mut table = Table::default();
    for number in 0..SERVICES {
        let key = format!("udp://{}", address(number)).parse().unwrap();
        let destinations =
            destinations(number).iter().map(|destination| (destination.parse().unwrap(), weighing(10))).collect();
        table.services.insert(key, Service { settings: settings(), destinations });
    }
    table
}

/// The same as [`owned`], as a configuration.
fn configuration() -> String {
    let mut text = "version = 1\n[defaults]\nscheduler = \"wrr\"\nweight = 10\n".to_owned();
    for number in 0..SERVICES {
        let [one, two] = destinations(number);
        text += &format!(
            "[[services]]\nname = \"s{number}\"\naddress = \"udp://{}\"\ndestinations = [{{ address = \"{one}\" }}, \
             {{ address = \"{two}\" }}]\n",
            address(number)
        );
    }
    text
}

/// The kernel, with a note of everything that it is asked to change, and of dumps in which something was missing.
struct Recording<'a> {
    kernel: &'a mut Kernel,
    owned: &'a Table,
    executed: Vec<Operation>,
    torn: usize,
}

impl Ipvs for Recording<'_> {
    fn info(&mut self) -> Result<Info, Error> {
        self.kernel.info()
    }

    fn read(&mut self) -> Result<Live, Error> {
        let live = self.kernel.read()?;
        self.torn += usize::from(self.owned.services.keys().any(|key| !live.services.contains_key(key)));
        Ok(live)
    }

    fn read_services(&mut self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, LiveService>, Error> {
        self.kernel.read_services(keys)
    }

    fn execute(&mut self, operations: &[&Operation]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.executed.extend(operations.iter().map(|operation| (*operation).clone()));
        self.kernel.execute(operations)
    }

    fn settings(&mut self) -> Result<KernelSettings, Error> {
        self.kernel.settings()
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        self.kernel.set(setting)
    }
}

/// Adds and deletes services of its own, and destinations of its own in owned services, until told to stop. Leaves
/// nothing behind. Counts its operations.
fn churn(guests: &[ServiceKey], stop: &AtomicBool, count: &AtomicU64) {
    // A quarter of the processor, where there is but one: enough to tear many a dump.
    rustix::process::nice(5).unwrap();
    let mut kernel = Kernel::open().unwrap();
    let guest: DestinationKey = "10.72.0.1:5000".parse().unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut operations = Vec::new();
        for number in 0..100 {
            let service = format!("tcp://10.73.{}.{}:{}", round % 50, number + 1, 1000 + round % 7).parse().unwrap();
            operations.push(Operation::AddService { service, settings: settings() });
        }
        let service = guests[round % guests.len()];
        operations.push(Operation::AddDestination { service, destination: guest, settings: weighing(1) });
        let deletes: Vec<Operation> = operations
            .iter()
            .rev()
            .map(|operation| match operation {
                Operation::AddService { service, settings } => {
                    Operation::DeleteService { service: *service, from: settings.clone(), destinations: 0 }
                }
                Operation::AddDestination { service, destination, settings } => {
                    Operation::DeleteDestination { service: *service, destination: *destination, from: *settings }
                }
                other => other.clone(),
            })
            .collect();
        for operations in [operations, deletes] {
            let results = kernel.execute(&operations.iter().collect::<Vec<_>>()).unwrap();
            for (operation, result) in operations.iter().zip(results) {
                assert!(result.is_ok(), "somebody meddles with the other one: {operation:?}: {result:?}");
            }
            count.fetch_add(operations.len() as u64, Ordering::Relaxed);
        }
        round += 1;
    }
}

const FOREIGN: &str = "\
-A -t 198.51.100.1:80 -s rr
-a -t 198.51.100.1:80 -r 10.60.0.1:80 -m -w 5
-a -t 198.51.100.1:80 -r 10.60.0.2:80 -g -w 0
-A --sctp-service 198.51.100.1:99 -s lc
-a --sctp-service 198.51.100.1:99 -r 10.60.0.1:99 -m -w 1
-A -t [2001:db8::99]:80 -s wrr
-a -t [2001:db8::99]:80 -r [2001:db8::1]:80 -m -w 3
-A -f 77 -s sh
-a -f 77 -r 10.60.0.9:0 -i -w 2
";

/// The services of `ipvsadm -Ln --stats` that are owned, with the connections and packets that they have counted.
fn counted() -> BTreeMap<String, (String, String)> {
    let text = ipvsadm(&["-Ln", "--stats", "--exact"], "");
    let lines = text.lines().filter_map(|line| line.strip_prefix("UDP "));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[0].to_owned(), (words[1].to_owned(), words[2].to_owned()))
        })
        .collect()
}

#[test]
fn nothing_owned_is_deleted_and_nothing_foreign_touched_while_others_churn() {
    let mut kernel = netns::enter();
    let program = Program::new();
    program.write("ipvsd.toml", &configuration());
    ipvsadm(&["-R"], FOREIGN);
    let foreign = ipvsadm(&["-Sn"], "");

    let table = owned();
    let keys: Vec<ServiceKey> = table.services.keys().copied().collect();
    let mut desired = Desired {
        table: table.clone(),
        origins: BTreeMap::new(),
        manage: Manage::Owned,
        max_delete: MaxDelete::Percent(100),
        resync: Duration::from_secs(30),
        state_dir: program.state(),
        ..Desired::default()
    };
    let mut store = FileStore::new(&program.state(), Place::here().unwrap());
    let (mut record, _) = store.load().unwrap();
    let mut ipvs = Recording { kernel: &mut kernel, owned: &table, executed: Vec::new(), torn: 0 };
    let report = single(&mut ipvs, &desired, &mut record, &mut store);
    assert_eq!((report.changed(), report.failed()), (SERVICES * 3, 0));
    ipvs.executed.clear();
    ipvs.torn = 0;

    let begin = Instant::now();
    let client = UdpSocket::bind("0.0.0.0:0").unwrap();
    for number in 0..SERVICES {
        client.send_to(b"1", address(number)).unwrap();
    }
    // The kernel sums its counters up every two seconds.
    let before = loop {
        let counted = counted();
        assert_eq!(counted.len(), SERVICES);
        let done = counted.values().filter(|counted| counted.0 == "1" && counted.1 == "1").count();
        if done == SERVICES {
            break counted;
        }
        assert!(begin.elapsed() < SOON, "only {done} of {SERVICES} services have counted a packet");
        thread::sleep(Duration::from_millis(300));
    };
    let saved = ipvsadm(&["-Sn"], "");

    let (stop, churned) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    let mut expected = Vec::new();
    thread::scope(|scope| {
        let churner = scope.spawn(|| churn(&keys[..50], &stop, &churned));
        for number in 1..=PASSES {
            if number % EDIT_EVERY == 0 {
                for (from, key) in keys.iter().skip(number).step_by(97).enumerate() {
                    let service = desired.table.services.get_mut(key).unwrap();
                    let (destination, settings) = service.destinations.first_key_value().unwrap();
                    let (destination, from) = (*destination, (*settings, from).0);
                    let to = weighing(from.weight + 1);
                    service.destinations.insert(destination, to);
                    expected.push(Operation::EditDestination { service: *key, destination, from, to });
                }
            }
            let report = single(&mut ipvs, &desired, &mut record, &mut store);
            assert_eq!(report.failed(), 0, "pass {number}: {:?}", report.results);
            if ipvs.executed != expected {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(ipvs.executed, expected, "pass {number}");
            ipvs.executed.clear();
            expected.clear();
        }
        // Put back what the edits changed: the processes want the table of the configuration.
        desired.table = table.clone();
        single(&mut ipvs, &desired, &mut record, &mut store);
        assert!(ipvs.executed.iter().all(|operation| matches!(operation, Operation::EditDestination { .. })));
        println!("{PASSES} passes over {SERVICES} services: {:?}", begin.elapsed());
        for _ in 0..3 {
            let said = program.runs("ipvsd.toml", &["apply"], 0);
            assert_eq!(said, format!("changed=0 failed=0 unchanged={}\n", SERVICES * 3));
        }
        stop.store(true, Ordering::Relaxed);
        churner.join().unwrap();
    });
    let torn = ipvs.torn;
    println!("{torn} dumps tore; the other one made {} operations", churned.load(Ordering::Relaxed));

    let counted = counted();
    let other: Vec<_> = before.iter().filter(|(service, before)| counted.get(*service) != Some(before)).collect();
    assert!(other.is_empty(), "these have not counted on: {other:?}");
    let after = ipvsadm(&["-Sn"], "");
    // The newest destination of a service comes first, so one that was deleted and added again stands elsewhere.
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let by_service = |text: &str| {
        let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in lines(text) {
            services.entry(line.split(' ').skip(1).take(2).collect()).or_default().push(line);
        }
        services
    };
    assert_eq!(by_service(&after), by_service(&saved));
    let ours: BTreeSet<String> = lines(&foreign).into_iter().collect();
    let still: Vec<String> = lines(&after).into_iter().filter(|line| ours.contains(line)).collect();
    assert_eq!(still, lines(&foreign), "what is foreign");
    assert!(torn >= 5, "the dumps hardly tore ({torn} of {PASSES}): this has shown nothing");
}
