//! What a real engine answers, read.

use std::collections::HashMap;

use super::*;
use crate::source::docker::facts::{Health, Port};
use crate::source::docker::swarm;
use crate::source::docker::wire::{Info, Inspected, Version, signal};

#[test]
fn lists_of_a_real_engine() {
    let one = |name: &str| list(name).remove(0);
    let started = one("start");
    assert_eq!((started.name.as_str(), started.image.as_str()), ("one", "web:1"));
    assert_eq!(started.labels, [(SERVICE_LABEL.to_owned(), "web".to_owned())].into());
    assert_eq!(started.networks["bridge"].v4, Some([172, 17, 0, 2].into()));
    assert!(!started.paused && started.health == Health::None && started.created > 1_700_000_000);
    assert!(one("pause").paused && !one("unpause").paused);
    assert_eq!(one("health-starting").health, Health::Starting);
    assert_eq!(one("healthy").health, Health::Healthy);
    assert_eq!(one("unhealthy").health, Health::Unhealthy);
    assert_eq!(one("rename").name, "other");
    assert_eq!(one("network-connect").networks.len(), 2);
    for gone in ["stop", "kill", "die", "restarting", "auto-remove"] {
        assert!(list(gone).is_empty(), "{gone}");
    }
    assert!(list("stop-under-way").len() == 1, "it is listed as if nothing were");
}

#[test]
fn ports_of_a_real_engine() {
    let published = list("ports").into_iter().find(|container| container.name == "published").unwrap();
    let port = |protocol, private, public, family| Port { protocol, private, public, family };
    assert_eq!(
        published.ports,
        [
            port(6, 80, Some((None, 32768)), Some(true)),
            port(6, 80, Some((Some([127, 0, 0, 1].into()), 8081)), None),
            port(6, 9000, None, None),
            port(17, 53, Some((None, 5353)), Some(true)),
        ]
    );
}

#[test]
fn networks_of_a_real_engine() {
    let all: HashMap<String, Container> = list("networks").into_iter().map(|of| (of.name.clone(), of)).collect();
    let mut names: Vec<&str> = all.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["blue", "guest", "lan", "lonely", "shared"], "one that was only made is none");
    assert!(all["shared"].on_host && all.values().filter(|of| of.on_host).count() == 1);
    let host = all.values().find(|of| Some(&of.id) == all["guest"].shares.as_ref()).unwrap();
    assert!(host.networks.values().any(|of| of.v4.is_some()) && all["guest"].networks.is_empty());
    assert_eq!(all["lan"].networks["lan"].v4, Some([10, 8, 0, 2].into()));
    assert!(all["lonely"].networks.values().all(|of| *of == Addresses::default()));
}

#[test]
fn tasks_of_a_real_swarm() {
    let parse = |name: &str| serde_json::from_str(&recorded(name)).unwrap();
    let services = serde_json::from_str(&recorded("swarm.plain.services")).unwrap();
    let here: HashMap<String, Container> = {
        let summaries: Vec<Summary> = parse("swarm.plain.list");
        let of = |summary: Summary| {
            let task = summary.task()?.to_owned();
            Some((task, summary.container()?))
        };
        summaries.into_iter().filter_map(of).collect()
    };
    let tasks = serde_json::from_str(&recorded("swarm.plain.tasks")).unwrap();
    let found = swarm::containers((services, tasks, &[]), &here);
    assert_eq!((found.containers.len(), found.orphans.len()), (3, 0));
    for task in &found.containers {
        assert!(task.name.starts_with("plain.") && task.name.ends_with(&task.id), "{}", task.name);
        assert_eq!(task.swarm.as_deref(), Some("plain"));
        assert_eq!(task.image, "web:1");
        assert!(!task.ending && task.created > 1_700_000_000);
        assert!(task.networks.values().any(|of| of.v4.is_some()), "its container is here: {task:?}");
    }
    let tasks = serde_json::from_str(&recorded("swarm.plain.tasks")).unwrap();
    let removed = swarm::containers((Vec::new(), tasks, &[]), &here);
    let known: BTreeSet<String> = found.containers.into_iter().map(|task| task.id).collect();
    assert_eq!((removed.containers.len(), removed.orphans), (0, known), "without their service they are not forgotten");
}

#[test]
fn nothing_is_expected_of_an_answer() {
    let read = |text: &str| {
        let summaries: Vec<Summary> = serde_json::from_str(text).unwrap();
        summaries.into_iter().filter_map(Summary::container).collect::<Vec<_>>()
    };
    assert!(read("[]").is_empty());
    assert!(read("[{}]").is_empty());
    let bare = read(
        r#"[{"Id":"0123456789abcdef","State":"running","Names":null,"Labels":null,"Ports":null,
        "NetworkSettings":{"Networks":{"a":null,"b":{"IPAddress":"nonsense","GlobalIPv6Address":null}}},"HostConfig":null}]"#,
    );
    assert_eq!(bare[0].name, "0123456789ab");
    assert_eq!(bare[0].networks["b"], Addresses::default());
    let both = read(
        r#"[{"Id":"a","State":"running","Names":["/other/one","/one"],"Ports":[
        {"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
        {"IP":"10.0.0.1","PrivatePort":53,"PublicPort":53,"Type":"udp"},{"PrivatePort":9,"Type":"tcp"},{"PrivatePort":9,"Type":"x"}]}]"#,
    );
    assert_eq!(both[0].name, "one");
    let port = |protocol, private, public, family| Port { protocol, private, public, family };
    assert_eq!(
        both[0].ports,
        [
            port(6, 9, None, None),
            port(6, 80, Some((None, 8080)), Some(false)),
            port(6, 80, Some((None, 8080)), Some(true)),
            port(17, 53, Some((Some([10, 0, 0, 1].into()), 53)), None),
        ]
    );
}

#[test]
fn signals_by_number_and_name() {
    for (word, number) in [("15", 15), ("SIGTERM", 15), ("term", 15), ("SIGQUIT", 3), ("SIGRTMIN+3", 37), ("RTMIN", 34)]
    {
        assert_eq!(signal(word), Some(number), "{word}");
    }
    assert_eq!(signal("SIGNONSENSE"), None);
    let of = |text: &str| serde_json::from_str::<Inspected>(text).unwrap().stop_signal();
    assert_eq!(of(r#"{"Config":{"StopSignal":"SIGQUIT"}}"#), 3);
    assert_eq!(of(r#"{"Config":{"StopSignal":28}}"#), 28);
    assert_eq!(of(r#"{"Config":{}}"#), 15);
    assert_eq!(of("{}"), 15);
}

#[test]
fn what_an_engine_is_in_a_swarm() {
    let of = |state: &str, control: bool| {
        let info = serde_json::json!({ "Swarm": { "LocalNodeState": state, "ControlAvailable": control } });
        serde_json::from_value::<Info>(info).unwrap().is_manager()
    };
    assert_eq!(of("active", true), Ok(true));
    assert_eq!((of("active", false), of("inactive", false)), (Ok(false), Ok(false)));
    // It has just started, and will know.
    assert_eq!(of("pending", false), Err("the engine's part in a swarm is \"pending\"".into()));
    assert_eq!(serde_json::from_str::<Info>("{}").unwrap().is_manager(), Ok(false));
}

#[test]
fn podman_lists_what_is_paused_or_stopping_only_with_all_others() {
    let of = |version: serde_json::Value| serde_json::from_value::<Version>(version).unwrap().list();
    assert_eq!(
        of(serde_json::json!({ "Components": [{ "Name": "Podman Engine" }, { "Name": "Conmon" }] })),
        "/containers/json?all=1"
    );
    assert_eq!(of(serde_json::from_str(&recorded("version.json")).unwrap()), "/containers/json");
    let mut one: serde_json::Value = serde_json::from_str(&recorded("start.list")).unwrap();
    (one[0]["State"], one[0]["Status"]) = ("stopping".into(), "Stopping".into());
    let one = serde_json::from_value::<Vec<Summary>>(one).unwrap().remove(0).container();
    assert!(one.is_some_and(|one| one.ending), "it serves those whom it has");
}
