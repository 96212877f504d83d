//! The engine that is replayed behaves as the one that was recorded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
mod follow;
mod recorded;
mod replayed;

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use recorded::{container, event, kill};
use replayed::{Replayed, Trouble};
use serde_json::{Value, json};

fn request(engine: &Replayed, target: &str) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(engine.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: docker\r\nconnection: close\r\n\r\n").unwrap();
    BufReader::new(stream)
}

/// Everything up to the end of the connection.
fn whole(engine: &Replayed, target: &str) -> String {
    let mut answer = String::new();
    request(engine, target).read_to_string(&mut answer).unwrap();
    answer
}

fn ask(engine: &Replayed, target: &str) -> (u16, Value) {
    let answer = whole(engine, target);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// Status and body of a recorded answer that has a length.
fn recorded_answer(name: &str) -> (u16, Value) {
    let answer = recorded::text(name);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Length: "), "{name}");
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// The next line of a stream that is chunked, a chunk a line.
fn next(stream: &mut impl BufRead) -> Value {
    let (mut size, mut line) = (String::new(), String::new());
    stream.read_line(&mut size).unwrap();
    stream.read_line(&mut line).unwrap();
    assert_eq!(usize::from_str_radix(size.trim(), 16).unwrap(), line.len(), "{line}");
    stream.read_line(&mut String::new()).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn skip_head(stream: &mut impl BufRead) {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "it ended");
    }
}

#[test]
fn it_answers_as_the_recorded_one() {
    let engine = Replayed::start();
    assert_eq!(ask(&engine, "/v1.41/containers/json?all=1"), recorded_answer("list-of-none.http"));
    assert_eq!(ask(&engine, "/containers/none/json"), recorded_answer("no-such-container.http"));
    assert_eq!(ask(&engine, "/services"), recorded_answer("not-a-manager.http"));
    assert_eq!(ask(&engine, "/version").0, recorded_answer("version.http").0);
    engine.set_containers(recorded::list("start"));
    assert_eq!(ask(&engine, "/containers/json"), (200, recorded::body("start.list")));
    engine.set_containers(recorded::list("stop"));
    assert_eq!(ask(&engine, "/containers/json"), (200, json!([])));
    assert_eq!(ask(&engine, "/containers/json?all=1"), (200, recorded::body("stop.list")));
    assert_eq!(engine.count("/containers/json"), 4);
    let (services, tasks) = (recorded::body("swarm.pods.services"), recorded::body("swarm.pods.tasks"));
    let list = |value: &Value| value.as_array().unwrap().clone();
    engine.set_swarm(Some((list(&services), list(&tasks))));
    assert_eq!(ask(&engine, "/services"), (200, services));
    assert_eq!(ask(&engine, "/tasks"), (200, tasks));
    assert_eq!(ask(&engine, "/nodes"), (200, recorded::body("swarm.nodes")));
}

#[test]
fn filters_are_kept_to() {
    let engine = Replayed::start();
    let web = container("web", "172.17.0.2", &[("ipvsd.service", "web")]);
    let other = container("other", "172.17.0.3", &[]);
    engine.set_containers(vec![web.clone(), other.clone()]);
    for filters in ["%7B%22label%22:%5B%22ipvsd.service%22%5D%7D", "{\"label\":{\"ipvsd.service=web\":true}}"] {
        assert_eq!(ask(&engine, &format!("/containers/json?filters={filters}")), (200, json!([web])));
    }
    assert_eq!(ask(&engine, "/containers/json?filters={\"colour\":[\"red\"]}").0, 400);

    let mut stream =
        request(&engine, "/events?filters={\"type\":[\"container\"],\"event\":[\"start\",\"health_status\"]}");
    skip_head(&mut stream);
    engine.wait_streams(1);
    let well = event("health_status: healthy", &other);
    engine.event(&event("exec_start: test", &web));
    engine.event(&well);
    engine.event(&event("start", &web));
    assert_eq!(next(&mut stream), well);
    assert_eq!(next(&mut stream), event("start", &web));
}

/// What is made after the recorded pattern has its every key, and no other.
#[test]
fn what_is_made_up_looks_like_what_was_recorded() {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let made = container("one", "172.17.0.9", &[("ipvsd.service", "web")]);
    assert_eq!(keys(&made), keys(&recorded::list("start")[0]));
    assert_eq!(made["Id"].as_str().unwrap().len(), 64);
    let real = recorded::events("kill").into_iter().find(|event| event["Action"] == "kill").unwrap();
    let signalled = kill(9, &made);
    assert_eq!(keys(&signalled), keys(&real));
    assert_eq!(signalled["Actor"]["Attributes"], real["Actor"]["Attributes"]);
    assert!(recorded::scenes().len() > 20);
    for scene in recorded::scenes() {
        assert!(!recorded::events(&scene).is_empty(), "{scene}");
    }
}

#[test]
fn events_are_streamed_until_the_end() {
    let mut engine = Replayed::start();
    let mut first = request(&engine, "/v1.41/events");
    let mut second = request(&engine, "/events");
    skip_head(&mut first);
    skip_head(&mut second);
    engine.wait_streams(2);
    for event in recorded::events("stop") {
        engine.event(&event);
        assert_eq!((next(&mut first), next(&mut second)), (event.clone(), event));
    }
    drop(first);
    engine.wait_streams(1);
    engine.end_streams();
    let mut rest = String::new();
    second.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "0\r\n\r\n", "a proper end");

    let mut third = request(&engine, "/events");
    skip_head(&mut third);
    engine.wait_streams(1);
    engine.go_away();
    let _ = third.read_to_string(&mut rest);
    assert!(UnixStream::connect(engine.socket()).is_err());
    engine.come_back();
    assert_eq!(ask(&engine, "/containers/json").0, 200);
}

#[test]
fn it_misbehaves_as_it_is_told_to() {
    let engine = Replayed::start();
    engine.set_containers(recorded::list("start"));
    let list = "/containers/json";
    engine.trouble(list, Some(Trouble::Status(500)));
    assert_eq!(ask(&engine, list).0, 500);
    engine.trouble(list, Some(Trouble::Garbage));
    assert!(whole(&engine, list).ends_with("<html>it works</html>"));
    engine.trouble(list, Some(Trouble::Oversized(1 << 20)));
    assert!(whole(&engine, list).len() > 1_000_000);
    engine.trouble(list, Some(Trouble::Closed));
    assert_eq!(whole(&engine, list), "");
    engine.trouble(list, Some(Trouble::Truncated));
    assert!(whole(&engine, list).len() < recorded::text("list.http").len());
    engine.trouble(list, Some(Trouble::Slow(4, Duration::from_millis(1))));
    assert_eq!(ask(&engine, list), (200, recorded::body("start.list")));

    engine.trouble(list, Some(Trouble::Stalled));
    let mut stalled = request(&engine, list);
    engine.wait_count(list, 7);
    engine.trouble(list, None);
    let mut answer = String::new();
    stalled.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(engine.requests().len(), 7);
    engine.trouble("/events", Some(Trouble::Status(503)));
    assert_eq!(ask(&engine, "/events").0, 503);
    assert_eq!(engine.streams(), 0);
}

#[test]
fn anything_can_be_streamed() {
    let engine = Replayed::start();
    let mut stream = request(&engine, "/events");
    skip_head(&mut stream);
    engine.wait_streams(1);
    engine.raw(b"{\"half\":");
    engine.raw(b"1}\n");
    engine.cut();
    let mut rest = String::new();
    let _ = stream.read_to_string(&mut rest);
    assert!("8\r\n{\"half\":\r\n3\r\n1}\n\r\n".starts_with(&rest), "{rest:?}");
    engine.wait_streams(0);
}
