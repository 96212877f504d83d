use super::*;
use crate::config::{self, Source};
use crate::model::{DestinationSettings, Forward, OwnedService};

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
    hold_containers(&mut for_a_command, &record, folder.path());
    assert_eq!(weights(&for_a_command), held);
}

#[test]
fn what_was_kept_is_what_commands_and_the_next_daemon_go_by() {
    use crate::source::docker::{Addresses, Container};
    let folder = tempfile::tempdir().unwrap();
    let container = Container {
        id: "a".into(),
        name: "one".into(),
        labels: [("ipvsd.service".to_owned(), "web".to_owned())].into(),
        networks: [("bridge".to_owned(), Addresses { v4: Some([172, 17, 0, 2].into()), v6: None })].into(),
        ..Container::default()
    };
    let seen = Snapshot::new(vec![container], BTreeSet::new());
    let here = Place::here().unwrap();
    kept::write(folder.path(), &here, &seen).unwrap();
    assert_eq!(kept::read(folder.path()), Some(seen.clone()));

    let mut wanted = desired(TEXT);
    lay_kept(&mut wanted, folder.path());
    assert_eq!(weights(&wanted), ["10.0.0.1:80 100", "172.17.0.2:80 7"]);
    hold_containers(&mut wanted, &record(&[("172.17.0.3:80", 3)]), folder.path());
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
    assert_eq!(kept::read(folder.path()), None);
    std::fs::write(folder.path().join("docker.json"), "{").unwrap();
    assert_eq!(kept::read(folder.path()), None);
}
