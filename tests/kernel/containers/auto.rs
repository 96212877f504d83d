//! `docker.auto` on what GORB's link stumbled over: ports that are published on both families, images without a name, two at once.

use serde_json::{Value, json};

use super::{FILE, of, tell};
use crate::daemon_process::Daemon;
use crate::netns::{self, ipvsadm};
use crate::oracle::{shown, wait_weights, weights};
use crate::program::Program;
use crate::recorded::{event, list};
use crate::replayed::Replayed;

const TCP: &str = "-t 192.0.2.10:80";
const UDP: &str = "-u 192.0.2.10:53";

/// The recorded container, without its labels.
fn published(name: &str, port: u16) -> Value {
    let mut one = list("ports-of-both-families").remove(0);
    one["Labels"] = json!({});
    one["Id"] = json!(format!("{port:064x}"));
    one["Names"] = json!([format!("/{name}")]);
    for of in one["Ports"].as_array_mut().unwrap() {
        if of["PublicPort"].is_u64() && of["IP"] != "127.0.0.1" && of["Type"] == "tcp" {
            of["PublicPort"] = json!(port);
        }
    }
    one
}

#[test]
fn a_service_for_each_image_and_port() {
    netns::enter();
    let (engine, program) = (Replayed::start(), Program::new());
    let text = format!(
        "version = 1\nservices = []\n[daemon]\nresync = \"1h\"\n[docker]\nsocket = \"{}\"\nresync = \"1h\"\n\
         host = \"10.1.0.1\"\nauto = {{ services_at = \"192.0.2.10\", address = \"published\" }}\n\
         [checks.true]\nexec = {{ argv = [\"/bin/true\"] }}\n[defaults]\ncheck = \"true\"\n",
        engine.socket().display()
    );
    program.write(FILE, &text);
    engine.set_containers(vec![published("first", 32_768)]);
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("by tcp", TCP, |weights| *weights == of(&[("10.1.0.1:32768", 100)]));
    assert_eq!(weights(UDP), of(&[("10.1.0.1:5353", 100)]), "it has no check that could pass");
    engine.wait_streams(1);

    // Another of the same image, that was there before; its port by udp is taken.
    let second = published("second", 32_769);
    engine.change(|containers| containers.push(second.clone()));
    engine.event(&event("start", &second));
    wait_weights("both", TCP, |weights| *weights == of(&[("10.1.0.1:32768", 100), ("10.1.0.1:32769", 100)]));
    let status = shown(&program, FILE);
    let names: Vec<&str> =
        status["services"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"registry.example-5000-shop-web-2.1-80-tcp"), "{names:?}");
    assert!(names.contains(&"registry.example-5000-shop-web-2.1-53-udp"), "{names:?}");
    assert_eq!(names.len(), 2, "nothing for what is published on loopback, or on IPv6 only");

    // One dies by itself, without a `kill`: the link left it there for ever.
    engine.change(|containers| containers.truncate(1));
    tell(&engine, &[event("die", &second), event("destroy", &second)]);
    wait_weights("its death", TCP, |weights| *weights == of(&[("10.1.0.1:32768", 100)]));

    // An image whose name was taken from it is called what it is; nothing is left of the old name soon after.
    let mut first = published("first", 32_768);
    first["Image"] = list("untagged")[0]["Image"].clone();
    engine.set_containers(vec![first.clone()]);
    engine.event(&event("rename", &first));
    daemon.wait("a part", |line| line.is_pass());
    assert_eq!(weights(TCP), of(&[("10.1.0.1:32768", 100)]));

    // The last one goes, and no destination stays.
    engine.set_containers(Vec::new());
    engine.event(&event("die", &first));
    wait_weights("the end", TCP, |weights| weights.is_empty());
    wait_weights("the end", UDP, |weights| weights.is_empty());
    assert!(!ipvsadm(&["-Sn"], "").contains("-a "));
}
