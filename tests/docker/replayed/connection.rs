//! One connection: its requests, in turn, and the answers to them.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::sync::{Arc, PoisonError};
use std::thread;

use serde_json::Value;

use super::answers::Answer;
use super::{Shared, Trouble};

/// The head of a request.
pub(super) struct Request {
    /// Without a prefix `/v1.41`.
    pub(super) path: String,
    query: Vec<(String, String)>,
    closes: bool,
}

impl Request {
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut closes, mut length) = (false, 0);
        loop {
            let mut header = String::new();
            from.read_line(&mut header)?;
            let header = header.trim().to_ascii_lowercase();
            match header.split_once(':') {
                None => break,
                Some(("connection", value)) => closes = value.trim() == "close",
                Some(("content-length", value)) => length = value.trim().parse().unwrap_or(0),
                Some(_) => {}
            }
        }
        io::copy(&mut from.by_ref().take(length), &mut io::sink())?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let versioned = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/'));
        let path = versioned.map_or_else(|| path.to_owned(), |(_, rest)| format!("/{rest}"));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        Ok(Some(Self { path, query: query.map(|(k, v)| (decode(k), decode(v))).collect(), closes }))
    }

    /// A parameter, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn said(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// `filters`, as the engine has them: all the keys, and of each any of its values.
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Both spellings: `{"label": ["a"]}`, and the older `{"label": {"a": true}}`.
    pub(super) fn of(request: &Request) -> Result<Self, String> {
        let Some(text) = request.query("filters").filter(|text| !text.is_empty()) else {
            return Ok(Self(BTreeMap::new()));
        };
        let value: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let known = ["label", "status", "network", "name", "health", "type", "event", "desired-state"];
        let filters = value.into_iter().map(|(key, values)| match values {
            _ if !known.contains(&key.as_str()) => Err(format!("Invalid filter '{key}'")),
            Value::Array(values) => Ok((key, values.iter().map(|v| v.as_str().unwrap().to_owned()).collect())),
            Value::Object(values) => Ok((key, values.into_iter().map(|(value, _)| value).collect())),
            other => Err(format!("Invalid filter {other}")),
        });
        filters.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn all(&self, key: &str, is_it: impl Fn(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.iter().all(|value| is_it(value)))
    }

    fn any(&self, key: &str, is_it: impl Fn(&str) -> bool) -> bool {
        self.0.get(key).is_none_or(|values| values.iter().any(|value| is_it(value)))
    }

    /// Whether a container of the list passes.
    pub(super) fn pass(&self, container: &Value) -> bool {
        let networks = &container["NetworkSettings"]["Networks"];
        self.all("label", |wanted| has_label(&container["Labels"], wanted))
            && self.any("status", |wanted| container["State"] == wanted)
            && self.any("network", |wanted| networks.get(wanted).is_some())
    }

    /// Whether a task of a swarm passes.
    pub(super) fn pass_task(&self, task: &Value) -> bool {
        self.any("desired-state", |wanted| task["DesiredState"] == wanted)
    }

    /// Whether an event passes.
    pub(super) fn pass_event(&self, event: &Value) -> bool {
        let action = event["Action"].as_str().unwrap_or_default();
        self.any("type", |wanted| event["Type"] == wanted)
            // `health_status` is every one of `health_status: …`.
            && self.any("event", |wanted| action == wanted || action.split(':').next() == Some(wanted))
            && self.all("label", |wanted| has_label(&event["Actor"]["Attributes"], wanted))
    }
}

fn has_label(labels: &Value, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels[key] == value,
        None => labels.get(wanted).is_some(),
    }
}

/// Serves it in a thread of its own, for as long as it stands.
pub(super) fn start(shared: &Arc<Shared>, stream: UnixStream) {
    let shared = Arc::clone(shared);
    let mut state = shared.state();
    state.next += 1;
    let id = state.next;
    state.connections.insert(id, stream.try_clone().unwrap());
    drop(state);
    thread::spawn(move || {
        // A client that goes away in the middle is its own affair.
        let _ = serve(&shared, id, &stream);
        let _ = stream.shutdown(Shutdown::Both);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.connections.remove(&id);
        state.streams.remove(&id);
        drop(state);
        shared.changed.notify_all();
    });
}

fn serve(shared: &Arc<Shared>, id: u64, stream: &UnixStream) -> io::Result<()> {
    let mut from = BufReader::new(stream);
    while let Some(request) = Request::read(&mut from)? {
        let trouble = {
            let mut state = shared.state();
            *state.counts.entry(request.path.clone()).or_default() += 1;
            state.requests.push(request.said());
            shared.changed.notify_all();
            // A stall is over when the trouble is another.
            while let Some(Trouble::Stalled) = state.troubles.get(&request.path) {
                state = shared.changed.wait(state).unwrap();
            }
            state.troubles.get(&request.path).cloned()
        };
        match trouble {
            Some(Trouble::Closed) => return Ok(()),
            None if request.path == "/events" => return events(shared, id, stream, &request),
            trouble => {
                let answer = match &trouble {
                    Some(Trouble::Status(status)) => Answer::error(*status, "it is in trouble"),
                    Some(Trouble::Garbage) => Answer { status: 200, body: "<html>it works</html>".to_owned() },
                    Some(Trouble::Oversized(length)) => {
                        Answer { status: 200, body: format!("[{}", "{},".repeat(length / 3)) }
                    }
                    _ => Answer::to(&request, &shared.state()),
                };
                send(stream, &answer, trouble.as_ref())?;
                if request.closes || matches!(trouble, Some(Trouble::Truncated)) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn head(status: u16, kind: &str, rest: &str) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Whatever",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nApi-Version: 1.41\r\nContent-Type: {kind}\r\nDocker-Experimental: false\r\n\
         Ostype: linux\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\n{rest}\r\n\r\n"
    )
}

fn send(mut stream: &UnixStream, answer: &Answer, trouble: Option<&Trouble>) -> io::Result<()> {
    let body = answer.body.as_bytes();
    let length = format!("Content-Length: {}", body.len());
    stream.write_all(head(answer.status, "application/json", &length).as_bytes())?;
    match trouble {
        Some(Trouble::Truncated) => stream.write_all(&body[..body.len() / 2]),
        Some(Trouble::Slow(pieces, pause)) => {
            for piece in body.chunks(body.len().div_ceil(*pieces).max(1)) {
                thread::sleep(*pause);
                stream.write_all(piece)?;
            }
            Ok(())
        }
        _ => stream.write_all(body),
    }
}

fn events(shared: &Arc<Shared>, id: u64, mut stream: &UnixStream, request: &Request) -> io::Result<()> {
    let filters = match Filters::of(request) {
        Ok(filters) => filters,
        Err(error) => return send(stream, &Answer::error(400, &error), None),
    };
    stream.write_all(head(200, "application/json", "Transfer-Encoding: chunked").as_bytes())?;
    let (sender, chunks) = channel::<Vec<u8>>();
    shared.state().streams.insert(id, (filters, sender));
    shared.changed.notify_all();
    // The client's going away ends it.
    let watched = stream.try_clone()?;
    let watcher = Arc::clone(shared);
    thread::spawn(move || {
        let _ = io::copy(&mut &watched, &mut io::sink());
        watcher.state().streams.remove(&id);
        watcher.changed.notify_all();
    });
    for chunk in chunks {
        write!(stream, "{:x}\r\n", chunk.len())?;
        stream.write_all(&chunk)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}
