//! What is deleted over the API leaves as anything else does: nobody's connection is cut.

use std::fs;
use std::time::Duration;

use crate::netns::{self, ipvsadm};
use crate::network::{Network, VIP};
use crate::sessions::{InUse, Server, Session, Traffic, last};
use crate::table::{self, Table};

const SERVICE: &str = "tcp 192.0.2.10:80";
const A: &str = "10.2.0.11:9000";
const B: &str = "10.2.0.21:9000";
const SOON: Duration = Duration::from_secs(10);

#[test]
fn connections_go_on_when_their_backend_and_their_service_are_deleted() {
    drop(netns::enter());
    let network = Network::around_here(2);
    let _servers: Vec<Server> = network.servers.iter().map(|host| Server::start(host, 9000)).collect();
    ipvsadm(&["--set", "2", "2", "2"], "");
    let client = &network.client;
    let world = super::world("version = 1\nservices = []\n[daemon]\nresync = \"1h\"\nmax_delete = 0\n");
    world.done("PUT", "/service/web", r#"{"host":"192.0.2.10","port":80,"method":"rr"}"#);
    let backend = |id: &str, at: &str| {
        let (host, port) = at.split_once(':').unwrap();
        let body = format!(r#"{{"host":"{host}","port":{port},"pulse":{{"type":"none"}}}}"#);
        world.done("PUT", &format!("/service/web/{id}"), &body);
    };
    backend("a", A);
    backend("b", B);
    let traffic = Traffic::start(client, VIP, 2, Duration::from_millis(300));
    let (on_a, on_b) = (InUse::new(Session::open_at(client, VIP, A)), InUse::new(Session::open_at(client, VIP, B)));

    // A backend: who is there stays, and who comes goes elsewhere. The answer comes when that is so.
    world.done("DELETE", "/service/web/a", "");
    assert_eq!(Table::read().weight(SERVICE, A), Some(0));
    for _ in 0..10 {
        assert_eq!(Session::open(client, VIP).unwrap().at, last(B));
    }
    on_a.goes_on(20);
    // It comes back in the midst of that, under another ID, and goes again.
    backend("c", A);
    assert_eq!(Table::read().weight(SERVICE, A), Some(100));
    on_a.goes_on(3);
    world.done("PATCH", "/service/web/c", r#"{"weight":0}"#);
    world.done("DELETE", "/service/web/c", "");
    on_a.goes_on(3);
    // Those who never pause have noticed nothing of all this.
    let ended = traffic.tally().ended;
    traffic.wait("some lives to end", |tally| tally.ended > ended + 4);
    traffic.end().assert_whole();

    // The service: nobody comes any more, and who is there stays.
    world.done("DELETE", "/service/web", "");
    assert!(Table::read().services[SERVICE].values().all(|row| row.weight == 0));
    assert_eq!(Session::open(client, VIP).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!((world.ask("GET", "/service/web", "").status, world.kept()), (404, vec![]));
    on_a.goes_on(10);
    on_b.goes_on(10);
    // A restart in the midst of it goes on with it: it is asked for, however much that is.
    let world = super::again(world.end());
    on_a.goes_on(3);
    on_b.goes_on(3);
    // They end by themselves, and all of it goes.
    let rest = (on_a.rest(), on_b.rest());
    table::wait("an empty table", SOON, |table| table.services.is_empty());
    drop((rest, world));
}

/// As long as there is no room nothing is done, and nothing is half done.
#[test]
fn a_full_disk_is_said_and_changes_nothing() {
    let _kernel = netns::enter();
    let dir = super::world(super::world::NOTHING).end();
    let state = dir.path().join("state");
    fs::create_dir_all(&state).unwrap();
    netns::run("mount", &["-t", "tmpfs", "-o", "size=64k", "none", state.to_str().unwrap()], "");
    let world = super::again(dir);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    let (table, text) = (ipvsadm(&["-Sn"], ""), fs::read(world.folder().join("web.toml")).unwrap());
    fs::write(state.join("filler"), vec![0; 128 << 10]).unwrap_err();
    for (method, path, body) in [
        ("PUT", "/service/other", r#"{"port":81}"#),
        ("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#),
        ("PATCH", "/service/web", r#"{"method":"rr"}"#),
    ] {
        let (status, error) = world.refused(method, path, body);
        assert!(status == 507 && error.contains("No space left"), "{method} {path}: {status} {error}");
    }
    assert_eq!((ipvsadm(&["-Sn"], ""), world.kept()), (table, vec!["web.toml".to_owned()]));
    assert_eq!(fs::read(world.folder().join("web.toml")).unwrap(), text);
    assert_eq!(world.ask("GET", "/service/other", "").status, 404);
    // To delete takes no room, and makes some.
    world.done("DELETE", "/service/web", "");
    assert_eq!(ipvsadm(&["-Sn"], ""), "");
    fs::remove_file(state.join("filler")).unwrap();
    world.done("PUT", "/service/other", r#"{"port":81}"#);
    let dir = world.end();
    netns::run("umount", &[state.to_str().unwrap()], "");
    drop(dir);
}
