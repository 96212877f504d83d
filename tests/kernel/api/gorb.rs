//! GORB's interface.

use std::fs;

use super::world::NOTHING;
use super::{again, world};
use crate::netns::{self, ipvsadm};
use crate::nlmon::Tap;
use crate::program::Program;

/// `ipvsadm -Sn`, sorted.
fn saved() -> Vec<String> {
    let mut lines: Vec<String> = ipvsadm(&["-Sn"], "").lines().map(|line| line.trim_end().to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn a_service_from_put_to_delete() {
    let _kernel = netns::enter();
    let world = world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    assert_eq!(saved(), ["-A -t 192.0.2.1:80 -s wrr"]);
    world.done("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":8080}"#);
    world.done("PUT", "/service/web/r2", r#"{"host":"10.0.0.2","port":80,"weight":7,"method":"dr"}"#);
    world.done("PUT", "/service/web/r3", r#"{"host":"10.0.0.3","port":80,"method":"ipip"}"#);
    world.done("PATCH", "/service/web/r1", r#"{"weight":0}"#);
    assert_eq!(
        saved(),
        [
            "-A -t 192.0.2.1:80 -s wrr",
            "-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 0",
            "-a -t 192.0.2.1:80 -r 10.0.0.2:80 -g -w 7",
            "-a -t 192.0.2.1:80 -r 10.0.0.3:80 -i -w 100 --tun-type ipip",
        ]
    );
    world.done("PATCH", "/service/web", r#"{"method":"sh","flags":"sh-port","persistent":true}"#);
    assert_eq!(saved()[0], "-A -t 192.0.2.1:80 -s sh -p 300 -b sh-port");
    world.done("DELETE", "/service/web/r3", "");
    assert_eq!(saved().len(), 3);
    world.done("DELETE", "/service/web", "");
    assert_eq!(saved(), Vec::<String>::new());
}

#[test]
fn ipv6_and_udp() {
    let _kernel = netns::enter();
    let world = world(NOTHING);
    world.done("PUT", "/service/dns", r#"{"host":"2001:db8::1","port":53,"protocol":"udp","method":"rr"}"#);
    world.done("PUT", "/service/dns/a", r#"{"host":"2001:db8::11","port":53,"pulse":{"type":"none"}}"#);
    assert_eq!(saved(), ["-A -u [2001:db8::1]:53 -s rr", "-a -u [2001:db8::1]:53 -r [2001:db8::11]:53 -m -w 100"]);
}

#[test]
fn what_the_kernel_refuses_is_taken_back_and_the_reason_is_the_kernels() {
    let _kernel = netns::enter();
    let world = world(NOTHING);
    let (status, error) = world.refused("PUT", "/service/x", r#"{"port":80,"method":"nosuch"}"#);
    assert_eq!(status, 500, "{error}");
    assert!(error.starts_with("error while calling into IPVS: ") && error.contains("nosuch"), "{error}");
    assert_eq!((saved(), world.kept()), (vec![], vec![]));
    world.done("PUT", "/service/x", r#"{"port":80}"#);
    // Broadcast: the kernel looks at the route of a destination.
    let (status, error) = world.refused("PUT", "/service/x/r", r#"{"host":"192.0.2.255","port":80}"#);
    assert!(status == 500 && error.contains("192.0.2.255:80"), "{status} {error}");
    assert_eq!(saved(), ["-A -t 192.0.2.1:80 -s wrr"]);
    assert_eq!(world.get("/service/x")["backends"], serde_json::Value::Null);
}

/// GORB has no way out of these: 500 for ever, or a crash.
#[test]
fn what_others_did_to_the_table_is_no_dead_end() {
    let _kernel = netns::enter();
    ipvsadm(&["-R"], "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n-A -t 192.0.2.9:99 -s rr\n");
    let foreign = "-A -t 192.0.2.9:99 -s rr";
    let world = world(NOTHING);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":80}"#);
    let table = ["-A -t 192.0.2.1:80 -s wrr", foreign, "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 100"];
    assert_eq!(saved(), table, "what is there is adopted, and made as it was put");
    ipvsadm(&["-d", "-t", "192.0.2.1:80", "-r", "10.0.0.1:80"], "");
    world.done("DELETE", "/service/web/r1", "");
    world.done("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":80}"#);
    assert_eq!(saved(), table);
    ipvsadm(&["-C"], "");
    world.done("DELETE", "/service/web", "");
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    assert_eq!(saved(), ["-A -t 192.0.2.1:80 -s wrr"]);
}

#[test]
fn it_outlives_a_restart_and_an_apply() {
    let _kernel = netns::enter();
    let config =
        "version = 1\n[daemon]\ndrain = \"0s\"\n[[services]]\nname = \"filed\"\naddress = \"tcp://192.0.2.2:80\"\n";
    let world = world(config);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r1", r#"{"host":"10.0.0.1","port":80}"#);
    let table = saved();
    assert_eq!(table.len(), 3);
    let dir = world.end();
    assert_eq!(saved(), table, "its end touches nothing");

    // The commands read the same folder.
    let program = Program::new();
    program.write("ipvsd.toml", config);
    fs::create_dir_all(program.state()).unwrap();
    for entry in fs::read_dir(dir.path().join("state")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), program.state().join(entry.file_name())).unwrap();
        }
    }
    let fragments = program.state().join("api.d");
    fs::create_dir_all(&fragments).unwrap();
    fs::copy(dir.path().join("state/api.d/web.toml"), fragments.join("web.toml")).unwrap();
    program.runs("ipvsd.toml", &["plan"], 0);
    let out = program.runs("ipvsd.toml", &["apply"], 0);
    assert!(out.contains("changed=0 failed=0"), "{out}");
    assert!(program.runs("ipvsd.toml", &["check"], 0).contains("2 services, 1 destination"));
    assert_eq!(saved(), table);
    // And without it they take it for what it is then: deleted.
    fs::remove_file(fragments.join("web.toml")).unwrap();
    program.runs("ipvsd.toml", &["apply", "--force"], 0);
    assert_eq!(saved(), ["-A -t 192.0.2.2:80 -s wlc"]);

    // The loop that comes again mends that, and goes on.
    let world = again(dir);
    assert_eq!(saved(), table);
    world.done("PATCH", "/service/web/r1", r#"{"weight":3}"#);
    assert!(saved().contains(&"-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 3".to_owned()));
}

#[test]
fn a_change_asks_the_kernel_for_the_same_in_a_table_of_any_size() {
    let mut costs = Vec::new();
    for services in [2, 100] {
        let _kernel = netns::enter();
        let mut tap = Tap::place();
        let world = world("version = 1\nservices = []\n[daemon]\nresync = \"1h\"\n");
        for number in 1..=services {
            world.done("PUT", &format!("/service/s{number}"), &format!(r#"{{"port":{number}}}"#));
        }
        tap.commands();
        assert!(tap.works());
        world.done("PUT", "/service/s1/r", r#"{"host":"10.0.0.1","port":80}"#);
        let put = tap.commands();
        world.done("PATCH", "/service/s1/r", r#"{"weight":1}"#);
        costs.push((put, tap.commands()));
    }
    assert_eq!(costs[0], costs[1]);
}
