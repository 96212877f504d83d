//! What `tests/docker/record` has written down of a real engine, and things made after its pattern.

#![allow(dead_code, reason = "of its users each needs another part")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/recorded").join(name)
}

/// A file of the recording as it is.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("tests/docker/recorded/{name}: {error}"))
}

/// A body: `start.list`, `stop.one.inspect`, `swarm.pods.tasks`, …
pub(crate) fn body(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("tests/docker/recorded/{name}: {error}"))
}

/// What `/containers/json?all=1` answered at the end of a scene.
pub(crate) fn list(scene: &str) -> Vec<Value> {
    body(&format!("{scene}.list")).as_array().unwrap().clone()
}

/// The events of a scene, in their order.
pub(crate) fn events(scene: &str) -> Vec<Value> {
    text(&format!("{scene}.events")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The scenes that have been recorded, by name.
pub(crate) fn scenes() -> Vec<String> {
    let files = fs::read_dir(path("")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut scenes: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".events")?.to_owned())).collect();
    scenes.sort();
    scenes
}

/// A running container as the list has it: after the recorded one, with this name, address on the network `bridge`, and labels. Its
/// identifier is made of its name, so the same name is the same container.
pub(crate) fn container(name: &str, address: &str, labels: &[(&str, &str)]) -> Value {
    let mut container = list("start").remove(0);
    let mut id: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    id.truncate(64);
    container["Id"] = json!(format!("{id:0<64}"));
    container["Names"] = json!([format!("/{name}")]);
    container["Labels"] = labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    container["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] = json!(address);
    container
}

/// An event of a container of the list: after the recorded one.
pub(crate) fn event(action: &str, container: &Value) -> Value {
    let mut event = events("start").pop().unwrap();
    let id = container["Id"].clone();
    (event["status"], event["Action"]) = (json!(action), json!(action));
    (event["id"], event["Actor"]["ID"]) = (id.clone(), id);
    event["from"] = container["Image"].clone();
    let mut attributes = container["Labels"].clone();
    attributes["image"] = container["Image"].clone();
    attributes["name"] = json!(container["Names"][0].as_str().unwrap().trim_start_matches('/'));
    event["Actor"]["Attributes"] = attributes;
    event
}

/// The event of a signal that a container is sent, by the number that the engine writes there.
pub(crate) fn kill(signal: u32, container: &Value) -> Value {
    let mut event = event("kill", container);
    event["Actor"]["Attributes"]["signal"] = json!(signal.to_string());
    event
}
