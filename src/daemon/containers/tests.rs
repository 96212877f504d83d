mod names;

use std::collections::BTreeMap;

use super::*;
use crate::config::{self, Source};
use crate::model::{DestinationKey, DestinationSettings, Forward, OwnedService};
use crate::source::docker::{Addresses, Container, Port};
use crate::source::names::Answers;

const WEB: &str = "tcp://192.0.2.10:80";
const TEXT: &str = "version = 1\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\ndocker = { weight = 7 }\n\
                    [[services.destinations]]\naddress = \"10.0.0.1\"\n";

fn desired(text: &str) -> Desired {
    config::parse(&[Source { path: "a.toml".into(), text: text.to_owned() }]).unwrap().desired
}

fn web() -> ServiceKey {
    WEB.parse().unwrap()
}

fn record(weights: &[(&str, u32)]) -> Record {
    let left = |weight| DestinationSettings { forward: Forward::Nat, weight, max_connections: 0, min_connections: 0 };
    let destinations = weights.iter().map(|(key, weight)| (key.parse().unwrap(), Some(left(*weight)))).collect();
    Record { services: [(web(), OwnedService { left: None, destinations, drain: None })].into(), ..Record::default() }
}

fn weights(desired: &Desired) -> Vec<String> {
    let line = |(key, settings): (&DestinationKey, &DestinationSettings)| format!("{key} {}", settings.weight);
    desired.table.services[&web()].destinations.iter().map(line).collect()
}

#[test]
fn what_is_owned_stays_where_nothing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut containers = Containers::default();
    let mut wanted = desired(TEXT);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    containers.in_force();
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100"]);
    // The second may have been quiesced by its checks.
    let record = record(&[("10.0.0.1:80", 5), ("172.17.0.2:80", 3), ("172.17.0.3:80", 0)]);
    containers.hold(&record, &mut wanted);
    let held = ["10.0.0.1:80 100", "172.17.0.2:80 3", "172.17.0.3:80 7"];
    assert_eq!(weights(&wanted), held);
    assert!(containers.part().is_none(), "an engine that was not listed says nothing");

    // A reload goes by the same.
    let mut again = desired(TEXT);
    containers.lay(&mut again);
    containers.in_force();
    assert_eq!(weights(&again), held);
    // But who does not ask for containers any more has none.
    let mut without = desired(&TEXT.replace("docker = { weight = 7 }\n", ""));
    containers.lay(&mut without);
    assert_eq!(weights(&without), ["10.0.0.1:80 100"]);

    let mut for_a_command = desired(TEXT);
    hold_unknown(&mut for_a_command, &record, folder.path());
    assert_eq!(weights(&for_a_command), held);
}

#[test]
fn what_was_kept_is_what_commands_and_the_next_daemon_go_by() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Snapshot::new(vec![container("a", 2)], BTreeSet::new());
    let here = Place::here().unwrap();
    kept::DOCKER.write(folder.path(), &here, &seen).unwrap();
    assert_eq!(kept::DOCKER.read::<Snapshot>(folder.path()), Some(seen.clone()));

    let mut wanted = desired(TEXT);
    lay_known(&mut wanted, folder.path(), Answers::new());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 7"]);
    hold_unknown(&mut wanted, &record(&[("172.17.0.3:80", 3)]), folder.path());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 7"], "it is known that the other has gone");

    let mut containers = Containers::default();
    let mut wanted = desired(TEXT);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 7"]);

    // Of another boot it says nothing.
    let text = std::fs::read_to_string(folder.path().join("docker.json")).unwrap();
    let boot = serde_json::to_value(&here).unwrap()["boot_id"].as_str().unwrap().to_owned();
    std::fs::write(folder.path().join("docker.json"), text.replace(&boot, "another")).unwrap();
    assert_eq!(kept::DOCKER.read::<Snapshot>(folder.path()), None);
    std::fs::write(folder.path().join("docker.json"), "{").unwrap();
    assert_eq!(kept::DOCKER.read::<Snapshot>(folder.path()), None);
}

fn container(id: &str, last: u8) -> Container {
    Container {
        id: id.into(),
        name: format!("c-{id}"),
        image: "web:1".into(),
        labels: [("ipvsd.service".to_owned(), "web".to_owned())].into(),
        networks: [("bridge".to_owned(), Addresses { v4: Some([172, 17, 0, last].into()), v6: None })].into(),
        ..Container::default()
    }
}

/// As it is after a list.
fn sees(containers: &mut Containers, all: Vec<Container>) -> Snapshot {
    let seen = Snapshot { origin: "engine".into(), ..Snapshot::new(all, BTreeSet::new()) };
    containers.window = Window::new(seen.clone());
    seen
}

/// With this text in force.
fn in_force(containers: &mut Containers, text: &str) -> Desired {
    let mut wanted = desired(text);
    containers.lay(&mut wanted);
    containers.in_force();
    wanted
}

fn ended(desired: &Desired) -> Vec<String> {
    desired.policies[&web()].ended.iter().map(ToString::to_string).collect()
}

#[test]
fn whoever_stops_and_leaves_by_a_change_of_the_file_drains_and_whoever_has_died_does_not() {
    for (dies, gone) in [(false, &[][..]), (true, &["172.17.0.2:80"][..])] {
        let mut containers = Containers::default();
        let mut seen = sees(&mut containers, vec![container("a", 2)]);
        in_force(&mut containers, TEXT);
        seen.stopping.insert("a".into());
        if dies {
            seen.dead.insert("a".into());
        }
        containers.window = Window::new(seen);
        let after = in_force(&mut containers, &TEXT.replace("weight = 7", "label = \"other\""));
        assert_eq!(weights(&after), ["10.0.0.1:80 100"]);
        assert_eq!(ended(&after), gone, "{dies}");
    }
}

#[test]
fn what_is_there_again_has_not_ended() {
    let mut containers = Containers::default();
    sees(&mut containers, vec![container("a", 2)]);
    in_force(&mut containers, TEXT);
    sees(&mut containers, vec![]);
    assert_eq!(ended(&containers.part().unwrap().desired), ["172.17.0.2:80"]);
    sees(&mut containers, vec![container("b", 2)]);
    assert_eq!(ended(&containers.part().unwrap().desired), [""; 0]);
    // It leaves a minute later, alive.
    let after = in_force(&mut containers, &TEXT.replace("weight = 7", "label = \"other\""));
    assert_eq!((weights(&after), ended(&after)), (vec!["10.0.0.1:80 100".to_owned()], vec![]));
}

#[test]
fn what_another_engine_does_not_know_drains() {
    let mut containers = Containers::default();
    sees(&mut containers, vec![container("a", 2)]);
    in_force(&mut containers, TEXT);
    let seen = Snapshot { origin: "another".into(), ..Snapshot::new(vec![container("b", 3)], BTreeSet::new()) };
    containers.window = Window::new(seen.clone());
    let Part { desired, .. } = containers.part().unwrap();
    assert_eq!((weights(&desired).len(), ended(&desired)), (2, vec![]), "its containers may run there still");
    containers.window = Window::new(Snapshot { containers: vec![], ..seen });
    assert_eq!(ended(&containers.part().unwrap().desired), ["172.17.0.3:80"], "of its own it knows");
}

#[test]
fn a_first_configuration_with_containers_takes_nothing_away_before_they_are_known() {
    let plain = TEXT.replace("docker = { weight = 7 }\n", "") + "[[services.destinations]]\naddress = \"10.0.0.2\"\n";
    let mut containers = Containers::default();
    containers.recall(tempfile::tempdir().unwrap().path());
    let before = in_force(&mut containers, &plain);
    let mut wanted = desired(TEXT);
    containers.lay(&mut wanted);
    containers.replaces(&before, &mut wanted);
    containers.in_force();
    let both = ["10.0.0.1:80 100", "10.0.0.2:80 100"];
    assert_eq!(weights(&wanted), both);
    assert!(containers.part().is_none());
    assert_eq!(weights(&in_force(&mut containers, TEXT)), both, "nor does the next");
    // And from the first list on that counts.
    let known = Snapshot { origin: "engine".into(), ..Snapshot::new(vec![container("a", 2)], BTreeSet::new()) };
    containers.window.shows(known);
    let Part { desired, .. } = containers.part().unwrap();
    assert_eq!(
        (weights(&desired), ended(&desired)),
        (vec!["10.0.0.1:80 100".into(), "172.17.0.2:80 7".into()], vec![])
    );
}

const AUTO: &str = "version = 1\nservices = []\n[docker]\nhost = \"192.0.2.10\"\nauto = true\n";

fn published(id: &str, last: u8) -> Container {
    let public = Some((None, 32_768 + u16::from(last)));
    let ports = vec![Port { protocol: 6, private: 80, public, family: None }];
    Container { labels: BTreeMap::new(), ports, ..container(id, last) }
}

#[test]
fn a_service_that_somebody_else_has_come_to_have_is_theirs() {
    let mut containers = Containers::default();
    sees(&mut containers, vec![published("a", 2), published("b", 3)]);
    in_force(&mut containers, AUTO);
    // One has ended a moment ago when somebody puts a service there over the API.
    sees(&mut containers, vec![published("b", 3)]);
    assert!(containers.part().unwrap().services.contains(&web()));
    let theirs = desired(&TEXT.replace("docker = { weight = 7 }\n", ""));
    let theirs = Part { services: [web()].into(), desired: theirs, look: BTreeSet::new() };
    containers.note(&theirs);
    assert!(containers.part().is_none_or(|part| !part.services.contains(&web())));

    // And so is one whose file asked for containers until then.
    in_force(&mut containers, TEXT);
    sees(&mut containers, vec![container("c", 4)]);
    assert!(containers.part().unwrap().services.contains(&web()));
    containers.note(&theirs);
    sees(&mut containers, vec![container("d", 5)]);
    assert!(containers.part().is_none_or(|part| !part.services.contains(&web())));
}

#[test]
fn what_may_have_come_about_by_itself_is_held_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut containers = Containers::default();
    let mut wanted = desired(AUTO);
    containers.recall(folder.path());
    containers.lay(&mut wanted);
    containers.in_force();
    let record = record(&[("192.0.2.10:32770", 100)]);
    containers.hold(&record, &mut wanted);
    assert_eq!(weights(&wanted), ["192.0.2.10:32770 100"]);
    assert_eq!(weights(&in_force(&mut containers, AUTO)), ["192.0.2.10:32770 100"]);
    let mut for_a_command = desired(AUTO);
    hold_unknown(&mut for_a_command, &record, folder.path());
    assert_eq!(weights(&for_a_command), ["192.0.2.10:32770 100"]);
    let mut elsewhere = desired(&AUTO.replace(".10", ".11"));
    hold_unknown(&mut elsewhere, &record, folder.path());
    assert!(elsewhere.table.services.is_empty(), "what is at another address is nobody's");
}
