//! What becomes of one container, and what of its destination.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::engine::{Engine, PATIENCE, VIP};
use super::requests::ask;
use super::{FILE, configuration};
use crate::daemon_process::Daemon;
use crate::oracle::{shown_text, wait_weights, weight};
use crate::program::Program;

const SERVICE: &str = "-t 192.0.2.10:80";

#[test]
fn whatever_becomes_of_a_container_its_destination_follows() {
    let mut engine = Engine::start();
    let program = Program::new();
    let service = format!(
        "[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\ncheck = \"port\"\ndocker = {{ port = 80, weight = 7 }}\n"
    );
    program.write(FILE, &configuration(&engine, "", &service));
    let mut daemon = Daemon::start(&program, FILE);
    engine.run("odd", &json!({"ipvsd.service": "web", "ipvsd.weight": "9"}), &json!({}));
    let at = |engine: &Engine, network| format!("{}:80", engine.address("odd", network));
    let address = at(&engine, "bridge");
    let wait = |what: &str, wanted: Option<u32>| {
        wait_weights(what, SERVICE, |weights| weights.get(&address).copied() == wanted);
    };
    wait("its start", Some(9));

    // A signal that ends nothing, and another name: nothing happens to it.
    daemon.skip();
    engine.post("/containers/odd/kill?signal=HUP");
    engine.post("/containers/odd/rename?name=even");
    let begin = Instant::now();
    while !shown_text(&program, FILE).contains("(even)") {
        assert!(begin.elapsed() < PATIENCE, "waited for its name: {}", shown_text(&program, FILE));
    }
    assert_eq!(weight(SERVICE, &address), Some(9));
    let changed = daemon.unseen().iter().filter(|line| line.is_pass() && line.number("changed") > 0).count();
    assert_eq!(changed, 0, "its name is no matter of the kernel's");
    engine.post("/containers/even/rename?name=odd");

    engine.post("/containers/odd/pause");
    wait("a pause", Some(0));
    assert!(shown_text(&program, FILE).contains("its container is paused"), "{}", shown_text(&program, FILE));
    engine.post("/containers/odd/unpause");
    wait("its end", Some(9));

    // On two networks the first counts, and it is said; then it is on the other one only.
    engine.must("/networks/blue/connect", &json!({"Container": "odd"}));
    let blue = at(&engine, "blue");
    let said = daemon.wait("a finding", |line| line.message().contains("it is on the networks"));
    assert!(said.message().contains("odd") && said.level() == "WARN", "{said}");
    engine.must("/networks/bridge/disconnect", &json!({"Container": "odd"}));
    wait_weights("the other network", SERVICE, |weights| {
        weights.get(&blue) == Some(&9) && weights.get(&address).is_none_or(|weight| *weight == 0)
    });
    assert_eq!(ask(&engine.client, VIP).unwrap(), "odd");

    // It comes back from a restart, wherever that puts it.
    engine.post("/containers/odd/restart?t=0");
    let blue = at(&engine, "blue");
    wait_weights("the restart", SERVICE, |weights| weights.get(&blue) == Some(&9));

    // It dies without the engine, which finds out when it is back.
    let pid = engine.pid("odd");
    engine.kill();
    kill_process(pid, Signal::KILL).unwrap();
    daemon.wait("a warning", |line| line.message().contains("cannot be followed"));
    assert!(weight(SERVICE, &blue).is_some(), "nobody has said that it is gone");
    engine.come_back();
    wait_weights("the end of it", SERVICE, |weights| !weights.contains_key(&blue));

    // It starts again, and dies by itself.
    engine.post("/containers/odd/start");
    let blue = at(&engine, "blue");
    wait_weights("its start", SERVICE, |weights| weights.get(&blue) == Some(&9));
    kill_process(engine.pid("odd"), Signal::KILL).unwrap();
    wait_weights("its death", SERVICE, |weights| weights.is_empty());
}

#[test]
fn a_connection_that_is_open_goes_on_while_its_container_stops() {
    let engine = Engine::start();
    let program = Program::new();
    let service = format!("[[services]]\nname = \"web\"\naddress = \"tcp://{VIP}\"\ndocker = {{ port = 80 }}\n");
    program.write(FILE, &configuration(&engine, "", &service));
    let _daemon = Daemon::start(&program, FILE);
    // Eight megabytes: more than lies in the buffers of a connection that nobody reads.
    let serve = "hostname >/www/index.html; echo 0123456789abcde >/www/large; for i in 0 1 2 3 4 5 6 7 8 9 a b c d e f g h i; do \
                 cat /www/large /www/large >/www/twice; cat /www/twice >/www/large; done; exec httpd -f -p 80 -h /www";
    engine.run("large", &json!({"ipvsd.service": "web"}), &json!({"Cmd": ["sh", "-c", serve]}));
    let address = format!("{}:80", engine.address("large", "bridge"));
    wait_weights("its start", SERVICE, |weights| weights.get(&address) == Some(&100));
    let begin = Instant::now();
    while let Err(error) = ask(&engine.client, VIP) {
        assert!(begin.elapsed() < PATIENCE, "it does not answer: {error}");
    }
    let mut open = engine.client.run(|| TcpStream::connect_timeout(&VIP.parse().unwrap(), PATIENCE)).unwrap();
    open.set_read_timeout(Some(PATIENCE)).unwrap();
    open.write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
    let mut first = [0; 12];
    open.read_exact(&mut first).unwrap();
    assert!(first.ends_with(b" 200"), "{first:?}");

    let stopped = engine.post_in_background("/containers/large/stop?t=3000");
    wait_weights("the first sign", SERVICE, |weights| weights.get(&address) == Some(&0));
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).unwrap();
    let head = rest.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(rest.len() - head, 16 << 19, "all of it came, most of it after the first sign");
    assert_eq!(weight(SERVICE, &address), Some(0), "it runs still");
    engine.post("/containers/large/kill");
    stopped.join().unwrap();
    wait_weights("its end", SERVICE, |weights| weights.is_empty());
}
