//! gorb-docker-link: what it asks, and what it takes for an answer.
//!
//! `link.jsonl` is what the program itself sent, byte for byte: kobolog/gorb 9c0b796 (built with Go 1.19 and go-dockerclient 1.8.1)
//! between a Docker that listed two containers and told of nine events, and a stand-in for GORB. `docker` is what it was told; `gorb`
//! is the status that it got.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ipvsd::api::serve;
use ipvsd::model::{Api, ApiListen};
use serde_json::Value;
use tokio::sync::watch;

use super::Shared;
use crate::world::{NOTHING, World};

/// A server of its own for the routes; it ends with what is given back.
fn listen(world: &World) -> (SocketAddr, watch::Sender<Option<Arc<Api>>>) {
    let listen = ApiListen::Tcp(([127, 0, 0, 1], 0).into());
    let (wanted, of_server) = watch::channel(Some(Arc::new(Api { listen, ..Api::default() })));
    let (told, listening) = watch::channel(None);
    let router = world.router();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(router, of_server, told));
    });
    let started = Instant::now();
    loop {
        if let Some(ApiListen::Tcp(address)) = listening.borrow().clone() {
            return (address, wanted);
        }
        assert!(started.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
}

/// The status and the body, as Go's client reads them: it keeps the connection for the next request.
fn answer(from: &mut BufReader<TcpStream>) -> (u16, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(from.read_line(&mut head).unwrap() > 0, "the connection was ended: {head}");
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 ") && !head.contains("connection: close"), "{head}");
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or_else(|| panic!("{head}"));
    let mut body = vec![0; length.parse().unwrap()];
    from.read_exact(&mut body).unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

#[test]
fn what_it_sent_itself_does_here_what_it_did_there() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let (address, _server) = listen(&world);
    let mut connection = BufReader::new(TcpStream::connect(address).unwrap());
    connection.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut told, mut sent, mut otherwise) = (String::new(), 0, Vec::new());
    for line in include_str!("link.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(docker) = line["docker"].as_str() {
            docker.clone_into(&mut told);
            continue;
        }
        let request = line["request"].as_str().unwrap();
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        let (status, body) = answer(&mut connection);
        sent += 1;
        let first = request.lines().next().unwrap();
        // Whatever is not 200 it shows, and has to be able to read.
        if status != 200 {
            let error: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {first}: {body}"));
            assert!(!error["error"].as_str().unwrap().is_empty(), "{first}");
        } else if !first.starts_with("GET") {
            assert_eq!(body, "", "{first}");
        }
        if u64::from(status) != line["gorb"].as_u64().unwrap() {
            otherwise.push(format!("{told}: {first}: {status}"));
        }
    }
    assert_eq!(sent, 20);
    // Where it is started again as it was, which it takes for an error there.
    assert_eq!(otherwise, ["start a3: PUT /service/nginx-80-tcp/web-2-32770-tcp HTTP/1.1: 200"]);
    assert_eq!(
        kernel.table(),
        [
            "tcp://192.0.2.1:80 wrr []",
            "tcp://192.0.2.1:80 -> 127.0.0.1:32768 nat 100",
            "tcp://192.0.2.1:80 -> 127.0.0.1:32770 nat 100",
            "tcp://192.0.2.1:8081 wrr []",
            "tcp://192.0.2.1:8081 -> 10.0.0.5:8081 nat 100",
            "udp://192.0.2.1:53 wrr []",
        ]
    );
}

#[test]
fn containers_are_registered_and_go() {
    let kernel = Shared::default();
    let world = kernel.world(NOTHING);
    let images = [
        ("nginx-80-tcp", "tcp", 80),
        ("registry.example.com-team-project-a-very-long-image-name-1.27.3-alpine-slim-443-tcp", "tcp", 443),
        ("dns@sha256-0123-53-udp", "udp", 53),
    ];
    for (service, protocol, port) in images {
        let path = format!("/service/{service}");
        assert_eq!(world.ask("GET", &path, "").status, 404);
        let body =
            format!(r#"{{"host":"","port":{port},"protocol":"{protocol}","method":"","flags":"","persistent":false}}"#);
        world.done("PUT", &path, &body);
        assert_eq!(world.ask("GET", &path, "").status, 200);
        let pulse = if protocol == "udp" { r#"{"type":"none","interval":"","args":null}"# } else { "null" };
        for container in 1..=2 {
            let body =
                format!(r#"{{"host":"172.17.0.1","port":3276{container},"weight":0,"method":"","pulse":{pulse}}}"#);
            let path = format!("{path}/name-{container}-{service}");
            world.done("PUT", &path, &body);
            let shown = world.get(&path);
            assert_eq!((&shown["options"]["weight"], &shown["options"]["method"]), (&100.into(), &"nat".into()));
            let kind = if protocol == "udp" { "none" } else { "tcp" };
            assert_eq!(shown["options"]["pulse"], serde_json::json!({ "type": kind, "interval": "1m", "args": null }));
        }
    }
    assert_eq!(kernel.table().len(), 9);
    // A link that was restarted registers them again; one that lists another image finds them all the same.
    let body = r#"{"host":"172.17.0.1","port":32761,"weight":0,"method":"","pulse":null}"#;
    world.done("PUT", "/service/nginx-80-tcp/name-1-nginx-80-tcp", body);
    world.done("DELETE", "/service/4bb46517cac3-80-tcp/name-1-nginx-80-tcp", "");
    assert_eq!(world.ask("DELETE", "/service/nginx-80-tcp/name-1-nginx-80-tcp", "").status, 404);
    assert_eq!(kernel.table().len(), 8);
}
