//! What only a real kernel can show: permissions, and tables that change while they are read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ipvsd::ipvs::{Error, Ipvs, Kernel};
use ipvsd::model::{
    DestinationKey, DestinationSettings, Forward, Scheduler, ServiceFlags, ServiceKey, ServiceSettings,
};
use ipvsd::plan::Operation;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::netns;

fn settings() -> ServiceSettings {
    ServiceSettings { scheduler: Scheduler::new("rr"), flags: ServiceFlags::default(), persistence: None }
}

fn mark(mark: u32) -> ServiceKey {
    ServiceKey::Mark { family: ipvsd::model::Family::V4, mark }
}

#[test]
fn without_the_capability_it_is_said_so() {
    let _kernel = netns::enter();
    let done = thread::spawn(|| {
        let mut sets = capabilities(None).unwrap();
        sets.effective &= !CapabilitySet::NET_ADMIN;
        set_capabilities(None, sets).unwrap();
        let mut kernel = Kernel::open().unwrap();
        assert!(matches!(kernel.info(), Err(Error::NotPermitted)));
        assert!(matches!(kernel.read(), Err(Error::NotPermitted)));
        assert!(matches!(kernel.read_services(&[mark(1)]), Err(Error::NotPermitted)));
        let add = Operation::AddService { service: mark(1), settings: settings() };
        assert!(matches!(kernel.execute(&[&add, &add]), Err(Error::NotPermitted)));
    });
    done.join().unwrap();
}

/// Somebody else adds and deletes all the time; exact reads miss nothing that stays.
#[test]
fn exact_reads_do_not_tear() {
    let mut kernel = netns::enter();
    let keys: Vec<ServiceKey> = (1..=400).map(mark).collect();
    let weight = DestinationSettings { forward: Forward::Nat, weight: 1, max_connections: 0, min_connections: 0 };
    let mut operations: Vec<Operation> =
        keys.iter().map(|key| Operation::AddService { service: *key, settings: settings() }).collect();
    let stable: BTreeSet<DestinationKey> =
        (0..600u32).map(|number| format!("10.3.{}.{}:80", number / 200, number % 200 + 1).parse().unwrap()).collect();
    operations.extend(stable.iter().map(|destination| Operation::AddDestination {
        service: keys[0],
        destination: *destination,
        settings: weight,
    }));
    assert!(kernel.execute(&operations.iter().collect::<Vec<_>>()).unwrap().iter().all(Result::is_ok));

    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut kernel = Kernel::open().unwrap();
            let mut changes = 0u32;
            while !stop.load(Ordering::Relaxed) {
                let number = changes % 50;
                let destination = format!("10.4.0.{}:80", number + 1).parse().unwrap();
                let key = mark(1000 + number);
                let _ = kernel.execute(&[
                    &Operation::AddService { service: key, settings: settings() },
                    &Operation::AddDestination { service: mark(1), destination, settings: weight },
                ]);
                thread::yield_now();
                let _ = kernel.execute(&[
                    &Operation::DeleteService { service: key, from: settings(), destinations: 0 },
                    &Operation::DeleteDestination { service: mark(1), destination, from: weight },
                ]);
                changes += 1;
            }
            changes
        });
        let mut missing = BTreeSet::new();
        for _ in 0..20 {
            let found = kernel.read_services(&keys);
            let found = found.inspect_err(|_| stop.store(true, Ordering::Relaxed)).unwrap();
            missing.extend(keys.iter().filter(|key| !found.contains_key(key)).map(ToString::to_string));
            if let Some(first) = found.get(&keys[0]) {
                let unseen = stable.iter().filter(|destination| !first.destinations.contains_key(destination));
                missing.extend(unseen.map(ToString::to_string));
            }
        }
        // Before anything is asserted: the scope waits for the other one.
        stop.store(true, Ordering::Relaxed);
        assert!(other.join().unwrap() > 0, "the other one did change something");
        assert_eq!(missing, BTreeSet::new());
    });
}
