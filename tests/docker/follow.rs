//! The way from an engine to what is desired, with an engine that is replayed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ipvsd::daemon::{FileSource, Runtime, SourcesReader};
use ipvsd::model::{Desired, DestinationKey, DestinationSettings, Quiesced, ServiceKey};
use ipvsd::reconcile::{ConfigSource as _, DockerStatus, Event, Part, Place, Status};
use serde_json::{Value, json};

use super::recorded::{container, event, kill};
use super::replayed::{Replayed, Trouble};

const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const WEB: &str = "tcp://192.0.2.10:80";

/// How the engine is.
fn docker(reader: &SourcesReader) -> Option<DockerStatus> {
    let mut status = Status::default();
    reader(&mut status);
    status.docker
}

/// What the loop would be, with an engine on the other side.
pub(super) struct Scene {
    pub(super) engine: Replayed,
    pub(super) source: FileSource,
    pub(super) desired: Desired,
    events: Receiver<Event>,
    reader: SourcesReader,
    /// How often something came.
    parts: usize,
    pub(super) folder: tempfile::TempDir,
    runtime: Option<Runtime>,
}

pub(super) fn config(engine: &Replayed, folder: &tempfile::TempDir, services: &str) -> PathBuf {
    let file = folder.path().join("ipvsd.toml");
    let socket = engine.socket().display();
    fs::write(&file, format!("version = 1\n[docker]\nsocket = \"{socket}\"\nresync = \"1h\"\n{services}")).unwrap();
    file
}

pub(super) const SERVICE: &str =
    "[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\ndocker = {}\ncheck = \"none\"\n";

impl Scene {
    pub(super) fn start(engine: Replayed, services: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = config(&engine, &folder, services);
        Self::go_on(engine, file, folder)
    }

    fn go_on(engine: Replayed, file: PathBuf, folder: tempfile::TempDir) -> Self {
        let state_dir = folder.path().join("state");
        fs::create_dir_all(&state_dir).unwrap();
        let mut source = FileSource::new(vec![file], Some(state_dir.clone()));
        let desired = source.first().unwrap();
        let (wake, events) = channel();
        let runtime = Runtime::start().unwrap();
        let wake = move |event| wake.send(event).unwrap_or_default();
        runtime.spawner().spawn(source.containers().follower(&state_dir, Place::here().unwrap(), wake));
        let reader = source.containers().reader();
        Self { engine, source, desired, events, reader, parts: 0, folder, runtime: Some(runtime) }
    }

    /// The same daemon again.
    fn restart(mut self) -> Self {
        self.runtime.take().unwrap().end(PATIENCE);
        let file = self.folder.path().join("ipvsd.toml");
        Self::go_on(self.engine, file, self.folder)
    }

    /// Does what the loop does with a part.
    fn take(&mut self) -> bool {
        let Some(Part { services, desired, look: _ }) = self.source.part() else { return false };
        self.desired.put_part(&services, desired);
        self.parts += 1;
        true
    }

    /// Takes what comes until it is so.
    #[track_caller]
    pub(super) fn wait(&mut self, what: &str, mut is_it: impl FnMut(&Desired, &DockerStatus) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = docker(&self.reader).unwrap_or_default();
            if is_it(&self.desired, &status) {
                return;
            }
            assert!(Instant::now() < deadline, "waited for {what}: {:?} {status:?}", lines(&self.desired));
            // What is only told comes without an event.
            match self.events.recv_timeout(Duration::from_millis(20)) {
                Ok(event) => {
                    assert_eq!(event, Event::Docker);
                    self.take();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(super) fn list(&mut self, what: &str, want: &[&str]) {
        self.wait(what, |desired, _| lines(desired) == want);
    }
}

pub(super) fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

/// `ADDRESS NAME WEIGHT`, and why it is quiesced.
pub(super) fn lines(desired: &Desired) -> Vec<String> {
    let Some(service) = desired.table.services.get(&key(WEB)) else { return Vec::new() };
    let (origin, policy) = (&desired.origins[&key(WEB)], &desired.policies[&key(WEB)]);
    let line = |(key, settings): (&DestinationKey, &DestinationSettings)| {
        let quiesced: Option<&Quiesced> = policy.quiesced.get(key);
        let quiesced = quiesced.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{key} {} {}{quiesced}", origin.destinations[key], settings.weight)
    };
    service.destinations.iter().map(line).collect()
}

pub(super) fn web(name: &str, last: u8) -> Value {
    container(name, &format!("172.17.0.{last}"), &[("ipvsd.service", "web")])
}

#[test]
fn containers_come_are_quiesced_at_the_first_sign_and_go() {
    let engine = Replayed::start();
    engine.set_containers(vec![web("one", 2), container("other", "172.17.0.9", &[])]);
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("the first list", &["172.17.0.2:80 one 100"]);

    scene.engine.change(|list| list.push(web("two", 3)));
    scene.engine.event(&event("start", &web("two", 3)));
    scene.list("one that starts", &["172.17.0.2:80 one 100", "172.17.0.3:80 two 100"]);

    // No list says that it stops.
    scene.engine.event(&kill(15, &web("one", 2)));
    let stopping = ["172.17.0.2:80 one 100 (its container is stopping)", "172.17.0.3:80 two 100"];
    scene.list("one that is told to stop", &stopping);
    scene.engine.change(|list| drop(list.remove(0)));
    scene.engine.event(&event("die", &web("one", 2)));
    scene.list("one that has gone", &["172.17.0.3:80 two 100"]);
    let policy = &scene.desired.policies[&key(WEB)];
    assert!(policy.ended.contains(&"172.17.0.2:80".parse().unwrap()), "nobody waits for its connections");

    // Another one has its address now.
    scene.engine.change(|list| list.push(web("three", 2)));
    scene.engine.event(&event("start", &web("three", 2)));
    scene.list("one that has its address", &["172.17.0.2:80 three 100", "172.17.0.3:80 two 100"]);
    assert!(scene.desired.policies[&key(WEB)].ended.is_empty());

    scene.engine.change(|list| list[1]["State"] = json!("paused"));
    scene.engine.event(&event("pause", &web("two", 3)));
    scene.wait("a pause", |desired, _| lines(desired).iter().any(|line| line.ends_with("(its container is paused)")));
}

#[test]
fn only_the_signal_that_stops_it_stops_it() {
    let engine = Replayed::start();
    let one = web("one", 2);
    engine.set_containers(vec![one.clone(), web("two", 3)]);
    engine.set_inspected(one["Id"].as_str().unwrap(), json!({ "Config": { "StopSignal": "SIGQUIT" } }));
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("the first list", &["172.17.0.2:80 one 100", "172.17.0.3:80 two 100"]);
    scene.engine.event(&kill(1, &one));
    scene.engine.event(&kill(3, &one));
    scene.list("SIGQUIT", &["172.17.0.2:80 one 100 (its container is stopping)", "172.17.0.3:80 two 100"]);
    scene.engine.wait_count(&format!("/containers/{}/json", one["Id"].as_str().unwrap()), 2);
}

#[test]
fn two_hundred_events_are_one_change_or_two() {
    let engine = Replayed::start();
    let mut scene = Scene::start(engine, SERVICE);
    scene.wait("the first list", |_, status| status.listed_at.is_some());
    scene.engine.wait_streams(1);
    let lists = scene.engine.count("/containers/json");
    let all: Vec<Value> = (0..200_u8).map(|number| web(&format!("c{number}"), number + 2)).collect();
    scene.engine.set_containers(all.clone());
    for one in &all {
        scene.engine.event(&event("create", one));
        scene.engine.event(&event("start", one));
    }
    scene.parts = 0;
    scene.wait("all of them", |desired, _| lines(desired).len() == 200);
    assert!(scene.parts <= 2, "{} changes", scene.parts);
    // Events that come while a list is under way make one more.
    assert!(scene.engine.count("/containers/json") - lists <= 4, "{}", scene.engine.count("/containers/json"));
}

#[test]
fn an_engine_in_trouble_takes_nothing_away() {
    let engine = Replayed::start();
    engine.set_containers(vec![web("one", 2)]);
    let mut scene = Scene::start(engine, SERVICE);
    let one = ["172.17.0.2:80 one 100"];
    scene.list("the first list", &one);
    scene.engine.wait_streams(1);
    // What the engine would say, could it speak.
    scene.engine.set_containers(vec![]);
    for trouble in [Trouble::Status(500), Trouble::Garbage, Trouble::Truncated, Trouble::Closed] {
        let name = format!("{trouble:?}");
        scene.engine.trouble("/containers/json", Some(trouble));
        scene.engine.wait_streams(1);
        scene.engine.event(&event("die", &container("other", "172.17.0.9", &[])));
        scene.wait(&name, |_, status| status.trouble.is_some());
        assert_eq!(lines(&scene.desired), one, "{name}");
        scene.engine.set_containers(vec![web("one", 2)]);
        scene.engine.trouble("/containers/json", None);
        scene.wait("all is well", |_, status| status.trouble.is_none());
        assert_eq!(lines(&scene.desired), one, "{name}");
        scene.engine.set_containers(vec![]);
    }

    scene.engine.go_away();
    scene.wait("it is away", |_, status| status.trouble.as_ref().is_some_and(|why| why.contains("no socket")));
    assert_eq!(lines(&scene.desired), one);
    assert!(docker(&scene.reader).unwrap().away_since.is_some());
    scene.engine.set_containers(vec![web("two", 3)]);
    scene.engine.come_back();
    scene.list("one list makes it right", &["172.17.0.3:80 two 100"]);
    scene.wait("and it is told", |_, status| status.trouble.is_none());
    let asked: Vec<String> = scene.engine.requests().into_iter().filter(|path| path.starts_with("/events")).collect();
    assert!(asked.last().unwrap().contains("since="), "from where it ended: {asked:?}");
}

#[test]
fn a_restart_without_the_engine_takes_nothing_away() {
    let engine = Replayed::start();
    engine.set_containers(vec![web("one", 2), web("two", 3)]);
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("the first list", &["172.17.0.2:80 one 100", "172.17.0.3:80 two 100"]);
    scene.engine.event(&kill(15, &web("one", 2)));
    let known = ["172.17.0.2:80 one 100 (its container is stopping)", "172.17.0.3:80 two 100"];
    scene.list("a stop", &known);
    let kept = scene.folder.path().join("state/docker.json");
    let deadline = Instant::now() + PATIENCE;
    while !fs::read_to_string(&kept)
        .is_ok_and(|text| text.contains(r#""stopping":["#) && !text.contains(r#""stopping":[]"#))
    {
        assert!(Instant::now() < deadline, "it is not kept");
        std::thread::yield_now();
    }
    scene.engine.go_away();
    let mut scene = scene.restart();
    assert_eq!(lines(&scene.desired), known, "at once, before the engine is asked");
    scene.wait("it is away", |_, status| status.trouble.is_some());
    assert_eq!(lines(&scene.desired), known);
    scene.engine.set_containers(vec![web("two", 3)]);
    scene.engine.come_back();
    scene.list("one list makes it right", &["172.17.0.3:80 two 100"]);
}

#[test]
fn what_is_wrong_is_shown_and_nothing_else_goes_by_it() {
    let engine = Replayed::start();
    let wrong = |name: &str, last: u8, label: &str, value: &str| {
        container(name, &format!("172.17.0.{last}"), &[("ipvsd.service", "web"), (label, value)])
    };
    let lost = container("lost", "172.17.0.8", &[("ipvsd.service", "wbe")]);
    engine.set_containers(vec![
        web("one", 2),
        wrong("port", 3, "ipvsd.port", "http"),
        wrong("weight", 4, "ipvsd.weight", "70000"),
        lost,
        web("twin", 2),
    ]);
    let mut scene = Scene::start(engine, SERVICE);
    scene.list("those that are right", &["172.17.0.2:80 one 100"]);
    let findings: BTreeMap<String, String> =
        docker(&scene.reader).unwrap().findings.into_iter().map(|of| (of.container, of.message)).collect();
    assert_eq!(findings.len(), 4, "{findings:?}");
    assert!(findings["port"].contains("ipvsd.port says `http`"));
    assert!(findings["weight"].contains("ipvsd.weight says `70000`"));
    assert!(findings["lost"].contains("there is `web`"));
    assert!(findings["twin"].contains("is the container one already"));
}

#[test]
fn services_come_and_go_by_themselves() {
    let engine = Replayed::start();
    let auto = "services = []\n[docker.auto]\nservices_at = \"192.0.2.10\"\n";
    let mut one = container("one", "172.17.0.2", &[]);
    one["Ports"] = json!([{ "IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 32768, "Type": "tcp" }]);
    engine.set_containers(vec![one.clone()]);
    let folder = tempfile::tempdir().unwrap();
    let file = config(&engine, &folder, "");
    let text = fs::read_to_string(&file).unwrap().replace("version = 1\n", "version = 1\nservices = []\n");
    fs::write(&file, text + &auto.replace("services = []\n", "")).unwrap();
    let mut scene = Scene::go_on(engine, file, folder);
    scene.list("a service for its image", &["172.17.0.2:80 one-32768-tcp 100"]);
    assert_eq!(scene.desired.origins[&key(WEB)].name, "web-1-80-tcp");
    scene.engine.set_containers(vec![]);
    scene.engine.event(&event("die", &one));
    scene.list("nobody is left of it", &[]);
    let service = &scene.desired.policies[&key(WEB)];
    assert_eq!(service.ended.len(), 1, "it stays until what it had is deleted");
}

#[test]
fn tasks_of_a_swarm_are_destinations() {
    let engine = Replayed::start();
    let body = |name: &str| super::recorded::body(name).as_array().unwrap().clone();
    let mut services = body("swarm.plain.services");
    services[0]["Spec"]["Labels"]["ipvsd.service"] = json!("web");
    engine.set_containers(body("swarm.plain.list"));
    engine.set_swarm(Some((services, body("swarm.plain.tasks"))));
    let mut scene = Scene::start(engine, SERVICE);
    scene.wait("its three tasks", |desired, _| lines(desired).len() == 3);
    assert!(lines(&scene.desired).iter().all(|line| line.contains(" plain.")), "{:?}", lines(&scene.desired));
}
