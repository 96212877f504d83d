use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::health::testing::{assignment, check, key};
use crate::model::Pass;
use Health::{Down, Unknown, Up};

const SECOND: Duration = Duration::from_secs(1);

fn assignments(list: impl IntoIterator<Item = (Key, Assignment)>) -> Assignments {
    list.into_iter().collect()
}

fn bad() -> Result<(), String> {
    Err("refused".to_owned())
}

/// The targets by where they go.
fn places(registry: &Registry) -> Vec<String> {
    let mut places: Vec<String> = registry.targets.iter().map(|target| target.job.address.to_string()).collect();
    places.sort();
    places
}

fn id_of(registry: &Registry, address: &str) -> Id {
    let target = registry.targets.iter().find(|target| target.job.address.to_string() == address).unwrap();
    registry.targets.find(&target.job).unwrap()
}

/// Feeds a result to the target of an address.
fn feed(registry: &mut Registry, address: &str, result: Result<(), String>, now: Instant) -> bool {
    let id = id_of(registry, address);
    registry.result(id, result, SECOND / 10, now).unwrap();
    !registry.take_changed().is_empty()
}

#[test]
fn services_that_share_a_destination_and_a_check_share_one_run() {
    // keepalived#1495: as many checks as services.
    let start = Instant::now();
    let mut registry = Registry::default();
    let same = |name: &str| assignment(Unknown, Pass::All, &[(name, check("tcp"))]);
    let wanted = assignments([
        (key("tcp://192.0.2.1:80", "10.0.0.1:80"), same("web")),
        (key("tcp://192.0.2.2:80", "10.0.0.1:80"), same("what another file calls it")),
        (key("fwmark:7", "10.0.0.1:80"), same("web")),
        (key("tcp://192.0.2.1:80", "10.0.0.2:80"), same("web")),
    ]);
    let changes = registry.assign(None, &wanted, start);
    assert_eq!(changes.added.len(), 2);
    assert_eq!(places(&registry), ["10.0.0.1:80", "10.0.0.2:80"]);
    assert!(feed(&mut registry, "10.0.0.1:80", Ok(()), start));
    let verdicts = registry.verdicts(start);
    let ups = verdicts.destinations.values().filter(|verdict| verdict.health == Up).count();
    assert_eq!(ups, 3);
    // The run goes with the last who wants it.
    let one = assignments([(key("fwmark:7", "10.0.0.1:80"), same("web"))]);
    assert_eq!(registry.assign(None, &one, start).removed.len(), 1);
    assert_eq!(registry.verdicts(start).destinations.len(), 1);
    assert_eq!(registry.verdicts(start).destinations.values().next().unwrap().health, Up);
    assert_eq!(registry.assign(None, &Assignments::new(), start).removed.len(), 1);
    assert_eq!((registry.len(), registry.targets.iter().count()), (0, 0));
}

#[test]
fn what_is_checked_is_resolved_before_it_is_compared() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let mut elsewhere = check("tcp");
    (elsewhere.address, elsewhere.port) = (Some("10.0.0.1".parse().unwrap()), Some(81));
    let mut port = check("tcp");
    port.port = Some(81);
    let wanted = assignments([
        (key("tcp://192.0.2.1:80", "10.0.0.1:80"), assignment(Unknown, Pass::All, &[("a", port)])),
        (key("tcp://192.0.2.1:80", "10.0.0.2:80"), assignment(Unknown, Pass::All, &[("a", elsewhere)])),
        (key("tcp://192.0.2.1:80", "10.0.0.1:81"), assignment(Unknown, Pass::All, &[("a", check("tcp"))])),
        // A destination of port 0 has the service's.
        (key("tcp://192.0.2.1:81", "10.0.0.1:0"), assignment(Unknown, Pass::All, &[("a", check("tcp"))])),
    ]);
    registry.assign(None, &wanted, start);
    assert_eq!(places(&registry), ["10.0.0.1:81"]);
}

#[test]
fn via_the_service_goes_to_its_address_with_the_mark() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let mut vip = check("tcp");
    vip.via = Via::Vip;
    let (one, other) = (key("tcp://192.0.2.1:80", "10.0.0.1:80"), key("tcp://192.0.2.1:80", "10.0.0.2:80"));
    let with = |seed, mark| Assignment { mark, ..assignment(seed, Pass::All, &[("a", vip.clone())]) };
    let changes = registry.assign(None, &assignments([(one, with(Up, None)), (other, with(Unknown, Some(7)))]), start);
    assert_eq!(changes.added.len(), 1, "without a way there is nothing to run");
    assert_eq!(registry.verdicts(start).destinations[&one].health, Up, "and it counts as it did");
    let changes =
        registry.assign(None, &assignments([(one, with(Up, Some(8))), (other, with(Unknown, Some(7)))]), start);
    assert_eq!((changes.added.len(), changes.removed.len()), (1, 0));
    let mut jobs: Vec<_> =
        registry.targets.iter().map(|target| &target.job).map(|job| (job.address, job.mark, job.destination)).collect();
    jobs.sort();
    let vip = "192.0.2.1:80".parse().unwrap();
    assert_eq!(jobs, [(vip, Some(7), other.1.address), (vip, Some(8), one.1.address)]);
}

#[test]
fn a_mark_means_nothing_to_checks_of_the_destination_itself() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let one = key("tcp://192.0.2.1:80", "10.0.0.1:80");
    let with = |mark| Assignment { mark, ..assignment(Unknown, Pass::All, &[("a", check("tcp"))]) };
    registry.assign(None, &assignments([(one, with(None))]), start);
    let changes = registry.assign(None, &assignments([(one, with(Some(7)))]), start);
    assert_eq!((changes.added.len(), changes.removed.len()), (0, 0));
}

#[test]
fn programs_are_run_for_each_service_and_know_it() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let exec = || assignment(Unknown, Pass::All, &[("a", check("exec"))]);
    let (one, other) = (key("tcp://192.0.2.1:80", "10.0.0.1:80"), key("tcp://192.0.2.2:80", "10.0.0.1:80"));
    registry.assign(None, &assignments([(one, exec()), (other, exec())]), start);
    assert_eq!(registry.len(), 2);
    let renamed = Assignment { name: "shop".to_owned(), ..exec() };
    let changes = registry.assign(None, &assignments([(one, renamed), (other, exec())]), start);
    assert_eq!((changes.added.len(), changes.removed.len()), (1, 1), "its environment is another one");
}

#[test]
fn an_assignment_that_stays_changes_nothing() {
    // keepalived#608: after a reload a server never came back, because its state was made anew.
    let start = Instant::now();
    let mut registry = Registry::default();
    let (one, other) = (key("tcp://192.0.2.1:80", "10.0.0.1:80"), key("tcp://192.0.2.1:80", "10.0.0.2:80"));
    // Equal by value, never the same object, and the seed follows the kernel.
    let wanted = |seed| assignments([(one, assignment(seed, Pass::All, &[("web", check("tcp"))]))]);
    registry.assign(None, &wanted(Unknown), start);
    feed(&mut registry, "10.0.0.1:80", Ok(()), start + SECOND);
    feed(&mut registry, "10.0.0.1:80", bad(), start + 2 * SECOND);
    feed(&mut registry, "10.0.0.1:80", bad(), start + 3 * SECOND);
    let before = registry.verdicts(start + 3 * SECOND);
    let id = id_of(&registry, "10.0.0.1:80");
    for seed in [Unknown, Up, Down] {
        let mut again = wanted(seed);
        again.insert(other, assignment(seed, Pass::All, &[("web", check("tcp"))]));
        for wanted in [&wanted(seed), &again, &wanted(seed)] {
            let changes = registry.assign(None, wanted, start + 4 * SECOND);
            assert!(!changes.added.iter().any(|(added, ..)| *added == id) && !changes.removed.contains(&id));
            assert_eq!(registry.verdicts(start + 4 * SECOND).destinations[&one], before.destinations[&one]);
        }
    }
    assert!(feed(&mut registry, "10.0.0.1:80", bad(), start + 5 * SECOND), "two bad results were counted before");
}

#[test]
fn changed_checks_keep_the_health_until_they_have_spoken() {
    let start = Instant::now();
    let one = key("tcp://192.0.2.1:80", "10.0.0.1:80");
    for (result, health) in [(Ok(()), Up), (bad(), Down)] {
        let mut registry = Registry::default();
        let with = |port| {
            let mut check = check("tcp");
            check.port = port;
            // The seed of the reload is not asked for: it is known better.
            assignments([(one, assignment(Unknown, Pass::All, &[("web", check)]))])
        };
        registry.assign(None, &with(None), start);
        feed(&mut registry, "10.0.0.1:80", result.clone(), start);
        let changes = registry.assign(None, &with(Some(81)), start + SECOND);
        assert_eq!((changes.added.len(), changes.removed.len()), (1, 1));
        assert!(!registry.has_changed());
        assert!(!changes.added[0].2, "nobody waits for it: it keeps its health");
        let verdict = &registry.verdicts(start + SECOND).destinations[&one];
        assert_eq!((verdict.health, verdict.since), (health, start));
        // And then it takes as many results as for any other.
        let (opposite, count) = if health == Up { (bad(), 3) } else { (Ok(()), 2) };
        for index in 1..=count {
            let turned = feed(&mut registry, "10.0.0.1:81", opposite.clone(), start + 2 * SECOND);
            assert_eq!(turned, index == count);
        }
    }
}

#[test]
fn a_changed_check_leaves_the_others_alone() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let one = key("tcp://192.0.2.1:80", "10.0.0.1:80");
    let mut web = check("http");
    web.port = Some(81);
    let list = |port| {
        let mut tcp = check("tcp");
        tcp.port = port;
        assignments([(one, assignment(Unknown, Pass::All, &[("tcp", tcp), ("web", web.clone())]))])
    };
    registry.assign(None, &list(None), start);
    feed(&mut registry, "10.0.0.1:80", Ok(()), start);
    feed(&mut registry, "10.0.0.1:81", bad(), start);
    registry.assign(None, &list(Some(82)), start + SECOND);
    let verdict = &registry.verdicts(start + SECOND).destinations[&one];
    assert_eq!(verdict.health, Down);
    assert_eq!(verdict.reason, "tcp (tcp): not checked yet; web (http): refused");
    assert_eq!(verdict.checks[1].reason, "refused");
    assert_eq!(verdict.checks[1].took, Some(SECOND / 10));
}

#[test]
fn verdicts_say_what_and_why() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let one = key("tcp://192.0.2.1:80", "10.0.0.1:80");
    registry.assign(None, &assignments([(one, assignment(Unknown, Pass::All, &[("web", check("http"))]))]), start);
    let verdict = registry.verdicts(start).destinations[&one].clone();
    assert_eq!((verdict.health, verdict.reason.as_str(), verdict.since), (Unknown, "", start));
    let reason = "status 500, expected 200-299";
    assert!(feed(&mut registry, "10.0.0.1:80", Err(reason.to_owned()), start + SECOND));
    let verdict = registry.verdicts(start + SECOND).destinations[&one].clone();
    assert_eq!((verdict.health, verdict.since), (Down, start + SECOND));
    assert_eq!(verdict.reason, format!("http: {reason}"));
    assert_eq!((verdict.checks[0].name.as_str(), verdict.checks[0].kind), ("web", "http"));
    assert!(!feed(&mut registry, "10.0.0.1:80", Ok(()), start + 2 * SECOND));
    let verdict = registry.verdicts(start + 2 * SECOND).destinations[&one].clone();
    assert_eq!(verdict.reason, format!("http: {reason}; 1 of 2 good results since"));
    assert_eq!(verdict.since, start + SECOND);
    assert!(feed(&mut registry, "10.0.0.1:80", Ok(()), start + 3 * SECOND));
    let verdict = registry.verdicts(start + 3 * SECOND).destinations[&one].clone();
    assert_eq!((verdict.health, verdict.reason.as_str(), verdict.since), (Up, "", start + 3 * SECOND));
}

#[test]
fn two_services_that_show_different_health_keep_it_until_the_shared_check_has_spoken() {
    // After a restart no weight moves: one service has it at weight 0, the other has not.
    let start = Instant::now();
    let (one, other, third) = (
        key("tcp://192.0.2.1:80", "10.0.0.1:80"),
        key("tcp://192.0.2.2:80", "10.0.0.1:80"),
        key("tcp://192.0.2.3:80", "10.0.0.1:80"),
    );
    let with = |seed| assignment(seed, Pass::All, &[("web", check("tcp"))]);
    let wanted = assignments([(one, with(Down)), (other, with(Up)), (third, with(Unknown))]);
    let healths = |registry: &mut Registry| {
        let verdicts = registry.verdicts(start);
        [one, other, third].map(|key| verdicts.destinations[&key].health)
    };
    let mut registry = Registry::default();
    assert_eq!(registry.assign(None, &wanted, start).added.len(), 1);
    assert_eq!(healths(&mut registry), [Down, Up, Unknown]);
    for (result, want) in [
        (Ok(()), [Down, Up, Up]),
        (bad(), [Down, Up, Up]),
        (Ok(()), [Down, Up, Up]),
        (Ok(()), [Up, Up, Up]),
        (bad(), [Up, Up, Up]),
        (bad(), [Up, Up, Up]),
        (bad(), [Down, Down, Down]),
    ] {
        feed(&mut registry, "10.0.0.1:80", result, start);
        assert_eq!(healths(&mut registry), want);
    }
    assert!(registry.targets.iter().all(|target| target.machines.len() == 1), "once they agree, they are one");
    // Whoever comes later takes what is known.
    let fourth = key("tcp://192.0.2.4:80", "10.0.0.1:80");
    let mut more = wanted.clone();
    more.insert(fourth, with(Up));
    registry.assign(None, &more, start);
    assert_eq!(registry.take_changed(), BTreeSet::from([fourth.0]));
    assert_eq!(registry.verdicts(start).destinations[&fourth].health, Down);
}

#[test]
fn a_kind_of_check_that_fails_everywhere_at_once_is_said_to_be_our_trouble() {
    let start = Instant::now();
    let mut registry = Registry::default();
    let with = |kind| assignment(Up, Pass::All, &[("web", check(kind))]);
    let wanted = (1..=4).map(|index| {
        let kind = if index == 4 { "tcp" } else { "http" };
        (key("tcp://192.0.2.1:80", &format!("10.0.0.{index}:80")), with(kind))
    });
    registry.assign(None, &wanted.collect(), start);
    for round in 1..=3 {
        assert_eq!(registry.verdicts(start).trouble, Vec::<String>::new(), "round {round}");
        for index in 1..=3 {
            feed(&mut registry, &format!("10.0.0.{index}:80"), bad(), start + round * SECOND);
        }
    }
    let trouble = registry.verdicts(start + 3 * SECOND).trouble.clone();
    assert_eq!(trouble.len(), 1);
    assert!(trouble[0].starts_with("every http check fails, on all 3 addresses"), "{trouble:?}");
    feed(&mut registry, "10.0.0.2:80", Ok(()), start + 4 * SECOND);
    assert_eq!(registry.verdicts(start).trouble, Vec::<String>::new(), "one good result is enough");
}

proptest! {
    /// After any sequence of assignments and results: every destination that is assigned has a verdict, which is what
    /// its checks say together; there is one target for each different run, and none for anything else.
    #[test]
    fn the_registry_is_what_was_assigned_last(
        steps in vec((vec((0usize..4, 0usize..4, 0u8..6, any::<bool>(), 0usize..3), 0..8), vec((any::<u8>(), any::<bool>()), 0..20)), 1..8),
    ) {
        let start = Instant::now();
        let mut registry = Registry::default();
        let mut known: BTreeSet<Id> = Default::default();
        for (wanted, results) in steps {
            let wanted: Assignments = wanted.into_iter().map(|(service, destination, list, any, seed)| {
                let mut tcp = check("tcp");
                tcp.port = (list % 2 == 0).then_some(81);
                let list: &[(&str, Check)] = match list / 2 {
                    0 => &[("a", tcp)],
                    1 => &[("a", tcp), ("b", check("http"))],
                    _ => &[("a", check("exec")), ("b", tcp.clone()), ("c", tcp)],
                };
                let pass = if any { Pass::Any } else { Pass::All };
                let key = key(&format!("tcp://192.0.2.{service}:80"), &format!("10.0.0.{destination}:80"));
                (key, assignment([Unknown, Up, Down][seed], pass, list))
            }).collect();
            let changes = registry.assign(None, &wanted, start);
            for id in &changes.removed {
                prop_assert!(known.remove(id));
            }
            for (id, ..) in &changes.added {
                prop_assert!(known.insert(*id));
            }
            let again = registry.assign(None, &wanted.clone(), start);
            registry.take_changed();
            prop_assert!(again.added.is_empty() && again.removed.is_empty() && !registry.has_changed());
            // What is assigned service by service is what is assigned at once.
            for number in 0..4 {
                let service = key(&format!("tcp://192.0.2.{number}:80"), "10.0.0.1:80").0;
                let part = wanted.iter().filter(|((of, _), _)| *of == service).map(|(of, one)| (*of, one.clone())).collect();
                let again = registry.assign(Some(&[service].into()), &part, start);
                prop_assert!(again.added.is_empty() && again.removed.is_empty() && !registry.has_changed());
                if part.is_empty() {
                    continue;
                }
                let gone = registry.assign(Some(&[service].into()), &Assignments::new(), start);
                let back = registry.assign(Some(&[service].into()), &part, start);
                prop_assert_eq!(gone.removed.len(), back.added.len());
                gone.removed.iter().for_each(|id| { known.remove(id); });
                known.extend(back.added.iter().map(|(id, ..)| *id));
                registry.take_changed();
            }
            let runs: std::collections::HashSet<Job> = wanted.iter().flat_map(|(key, assignment)| {
                assignment.checks.list.iter().filter_map(|named| registry.targets.job(*key, assignment, &named.check)).collect::<Vec<_>>()
            }).collect();
            prop_assert_eq!(registry.len(), runs.len());
            prop_assert_eq!(known.len(), runs.len());
            for (which, good) in results {
                if let Some(id) = known.iter().nth(usize::from(which) % known.len().max(1)).copied() {
                    let before = registry.verdicts(start);
                    let outcome = registry.result(id, if good { Ok(()) } else { bad() }, SECOND, start).unwrap();
                    let after = registry.verdicts(start);
                    let differ = before.destinations.iter().filter(|(of, one)| after.destinations[of].health != one.health);
                    let differ: BTreeSet<ServiceKey> = differ.map(|((service, _), _)| *service).collect();
                    prop_assert_eq!(registry.take_changed(), differ);
                    prop_assert!(outcome.interval > Duration::ZERO);
                }
            }
            let verdicts = registry.verdicts(start);
            for service in wanted.keys().map(|(service, _)| *service) {
                let part = registry.verdicts_of(&[service].into(), start);
                let of = verdicts.destinations.iter().filter(|((of, _), _)| *of == service);
                prop_assert!(part.destinations.iter().eq(of));
                prop_assert_eq!(&part.trouble, &verdicts.trouble);
            }
            // Those of which all fail are found without a look at all.
            let fails = |target: &crate::health::targets::Target| target.machines.iter().all(|machine| machine.down_and_failing_since().is_some());
            let well: BTreeSet<&str> =
                registry.targets.iter().filter(|target| !fails(target)).map(|target| target.job.check.probe.kind()).collect();
            let failing = registry.targets.iter().filter(|target| !well.contains(target.job.check.probe.kind()));
            prop_assert_eq!(registry.targets.failing().count(), failing.count());
            prop_assert!(verdicts.destinations.keys().eq(wanted.keys()));
            for (key, verdict) in &verdicts.destinations {
                let checks = &wanted[key].checks;
                prop_assert_eq!(verdict.checks.len(), checks.list.len());
                prop_assert_eq!(verdict.health, combine::health(checks.pass, verdict.checks.iter().map(|check| check.health)));
                prop_assert_eq!(verdict.reason.is_empty(), verdict.health != Down);
            }
        }
        registry.assign(None, &Assignments::new(), start);
        prop_assert_eq!(registry.len(), 0);
    }
}
