use super::*;
use crate::model::{Forced, HealthOverride};
use proptest::prelude::*;

const SERVICES: [&str; 4] = [WEB, DNS, "tcp://192.0.2.7:81", "fwmark:7"];
const DESTINATIONS: [&str; 3] = [A, B, C];

#[derive(Debug, Clone)]
enum Happening {
    Found(usize, usize, Health),
    Given(usize, usize, u8),
    Weight(usize, usize, u32),
    Gone(usize, usize),
    Policy(usize, bool, bool, bool),
    Dropped(usize),
    Time(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let of = || (0..SERVICES.len(), 0..DESTINATIONS.len());
    prop_oneof![
        4 => (of(), any::<bool>()).prop_map(|((service, at), up)| {
            Happening::Found(service, at, if up { Health::Up } else { Health::Down })
        }),
        2 => (of(), 0u8..6).prop_map(|((service, at), what)| Happening::Given(service, at, what)),
        2 => (of(), 0u32..4).prop_map(|((service, at), weight)| Happening::Weight(service, at, weight)),
        1 => of().prop_map(|(service, at)| Happening::Gone(service, at)),
        1 => (0..SERVICES.len(), any::<[bool; 3]>()).prop_map(|(service, [checks, delete, fallback])| {
            Happening::Policy(service, checks, delete, fallback)
        }),
        1 => (0..SERVICES.len()).prop_map(Happening::Dropped),
        1 => (100u64..4_000).prop_map(Happening::Time),
    ]
}

fn set_policy(desired: &mut Desired, service: usize, [checks, delete, fallback]: [bool; 3]) {
    let at = key(SERVICES[service]);
    let Some(found) = desired.table.services.get(&at) else { return };
    let checked = found.destinations.keys().filter(|_| checks).map(|destination| (*destination, shared(check())));
    let policy = Policy {
        checks: checked.collect(),
        on_down: if delete { OnDown::Delete } else { OnDown::Quiesce },
        fallback: fallback.then(|| (destination(SORRY), weight(1))),
        ..Policy::new(Duration::from_secs(2))
    };
    desired.policies.insert(at, policy);
}

/// The oracle does not know since when.
fn timeless(mut status: Status) -> Status {
    let all = status.services.values_mut().flat_map(|service| service.destinations.values_mut());
    all.for_each(|destination| destination.since = None);
    status
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens, and in whichever order: after passes over parts, one over everything finds nothing to do.
    #[test]
    fn parts_add_up(happenings in proptest::collection::vec(happening(), 1..30)) {
        let world = World::new();
        let of = [(A, 1), (B, 2), (C, 3)];
        let services = SERVICES.map(|service| (service, &of[..]));
        let mut desired = desired(&services);
        (0..2).for_each(|service| set_policy(&mut desired, service, [true, false, false]));
        let mut process = world.begin(&desired, 0);
        for happening in happenings {
            let mut edited = desired.clone();
            match happening {
                Happening::Found(service, at, health) => {
                    let of = (key(SERVICES[service]), destination(DESTINATIONS[at]));
                    if world.oracle.0.borrow().assigned.contains_key(&of) {
                        world.find(SERVICES[service], DESTINATIONS[at], health);
                    }
                    process.pass(Why { health: true, ..Why::default() });
                }
                Happening::Given(service, at, what) => {
                    let health = |health| Some(HealthOverride { health, since: UNIX, until: None });
                    let given = match what {
                        0 => Override { drained_since: Some(UNIX), ..Override::default() },
                        1 => Override { health: health(Forced::Up), ..Override::default() },
                        2 => Override { health: health(Forced::Down), ..Override::default() },
                        3 => Override {
                            weight: Some(WeightOverride { weight: 7, since: UNIX, until: None }),
                            ..Override::default()
                        },
                        _ => Override::default(),
                    };
                    let (service, at) = (key(SERVICES[service]), destination(DESTINATIONS[at]));
                    world.heard.0.borrow_mut().2.set(service, at, given);
                    process.pass(Why { overrides: true, ..Why::default() });
                }
                Happening::Weight(service, at, of) => {
                    let service = edited.table.services.entry(key(SERVICES[service])).or_insert_with(|| super::service(&[]));
                    service.destinations.insert(destination(DESTINATIONS[at]), weight(of));
                }
                Happening::Gone(service, at) => {
                    let (service, at) = (key(SERVICES[service]), destination(DESTINATIONS[at]));
                    edited.table.services.get_mut(&service).map(|service| service.destinations.remove(&at));
                    edited.policies.get_mut(&service).map(|policy| policy.checks.remove(&at));
                }
                Happening::Policy(service, checks, delete, fallback) => {
                    set_policy(&mut edited, service, [checks, delete, fallback]);
                }
                Happening::Dropped(service) => {
                    edited.table.services.remove(&key(SERVICES[service]));
                    edited.policies.remove(&key(SERVICES[service]));
                }
                Happening::Time(ms) => process.wait(ms),
            }
            if edited != desired {
                process.configure(&edited);
                desired = edited;
            }
        }
        world.sent();
        let (before, status) = (world.kept.0.borrow().clone(), world.status());
        process.pass(Why { resync: true, ..Why::default() });
        prop_assert_eq!(world.sent(), Vec::<String>::new());
        prop_assert_eq!(&*world.kept.0.borrow(), &before);
        prop_assert_eq!(timeless(world.status()).services, timeless(status).services);
    }
}
