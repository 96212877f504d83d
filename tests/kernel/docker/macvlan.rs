//! Containers in the LAN, with addresses of their own there, that answer the client themselves.

use std::collections::BTreeMap;

use serde_json::json;

use super::engine::{Engine, LAN_VIP};
use super::requests::spread;
use super::{FILE, configuration};
use crate::daemon_process::Daemon;
use crate::netns::ipvsadm;
use crate::oracle::wait_weights;
use crate::program::Program;

#[test]
fn containers_on_macvlan_answer_directly() {
    let engine = Engine::start();
    let program = Program::new();
    let service = format!(
        "[[services]]\nname = \"web\"\naddress = \"tcp://{LAN_VIP}\"\nscheduler = \"rr\"\ncheck = \"port\"\n\
         docker = {{ network = \"lan\", forward = \"dr\" }}\n"
    );
    program.write(FILE, &configuration(&engine, "", &service));
    let _daemon = Daemon::start(&program, FILE);

    // What dr asks of a server: the service's address, about which it keeps quiet.
    let vip = LAN_VIP.trim_end_matches(":80");
    let serve = format!("ip address add {vip}/32 dev lo; hostname >/www/index.html; exec httpd -f -p 80 -h /www");
    let spec = json!({
        "Cmd": ["sh", "-c", serve],
        "HostConfig": {
            "NetworkMode": "lan", "CapAdd": ["NET_ADMIN"],
            "Sysctls": {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"},
        },
    });
    let names = ["left", "right"];
    for name in names {
        engine.run(name, &json!({"ipvsd.service": "web"}), &spec);
    }
    let at = names.map(|name| format!("{}:80", engine.address(name, "lan")));
    assert!(at.iter().all(|at| at.starts_with("10.8.0.")), "{at:?}");
    wait_weights("both", "-t 10.8.0.100:80", |weights| at.iter().all(|at| weights.get(at) == Some(&100)));
    let saved = ipvsadm(&["-Sn"], "");
    assert_eq!(saved.matches(" -g ").count(), 2, "{saved}");

    let answers = spread(&engine.client, LAN_VIP, 20);
    assert_eq!(answers, BTreeMap::from(names.map(|name| (name.to_owned(), 10))));
    // Nothing came back through the director.
    let listed = ipvsadm(&["-Ln", "--stats", "--exact", "-t", LAN_VIP], "");
    let of_service = listed.lines().find(|line| line.starts_with("TCP")).unwrap();
    assert_eq!(of_service.split_whitespace().nth(4), Some("0"), "{listed}");
}
