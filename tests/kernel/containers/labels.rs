//! What is wrong with a container is said of it, and hurts nobody else.

use super::{FILE, SERVICE, WEB, of, stage};
use crate::daemon_process::Daemon;
use crate::oracle::{shown, shown_text, wait_weights, weights};
use crate::recorded::{container, event};

type Labels = &'static [(&'static str, &'static str)];

/// A container's name, its labels, and what is to be said of it.
const WRONG: [(&str, Labels, &str); 8] = [
    (
        "port",
        &[("ipvsd.service", "web"), ("ipvsd.port", "http")],
        "its label ipvsd.port says `http`: a port is 1 to 65535",
    ),
    (
        "heavy",
        &[("ipvsd.service", "web"), ("ipvsd.weight", "70000")],
        "its label ipvsd.weight says `70000`: a weight is 0 to 65535",
    ),
    (
        "forward",
        &[("ipvsd.service", "web"), ("ipvsd.forward", "fast")],
        "its label ipvsd.forward says `fast`: there are nat, dr and tunnel",
    ),
    (
        "check",
        &[("ipvsd.service", "web"), ("ipvsd.check", "exce")],
        "its label ipvsd.check says `exce`, and there is no such check; there is `exec`",
    ),
    (
        "service",
        &[("ipvsd.service", "wbe")],
        "its label ipvsd.service says `wbe`, and there is no such service; there is `web`",
    ),
    (
        "static",
        &[("ipvsd.service", "plain")],
        "its label ipvsd.service says `plain`, a service that asks for no such containers",
    ),
    ("network", &[("ipvsd.service", "web"), ("ipvsd.network", "blue")], "it is not on the network `blue`"),
    ("dr", &[("ipvsd.service", "web"), ("ipvsd.forward", "dr"), ("ipvsd.port", "8080")], "dr leaves the port alone"),
];

#[test]
fn wrong_labels_are_said_and_hurt_nobody_else() {
    let (engine, program) = stage("port = 80");
    let good = container("good", "172.17.0.2", &WEB);
    engine.set_containers(vec![good.clone()]);
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("the good one", SERVICE, |weights| *weights == of(&[("172.17.0.2:80", 100)]));
    engine.wait_streams(1);

    let wrong =
        WRONG.iter().zip(10..).map(|((name, labels, _), last)| container(name, &format!("172.17.0.{last}"), labels));
    // One has the address of the good one, one a label that means nothing, and is good otherwise.
    let twin = container("twin", "172.17.0.2", &WEB);
    let odd = container("odd", "172.17.0.3", &[("ipvsd.service", "web"), ("ipvsd.weight", "0"), ("ipvsd.wieght", "5")]);
    engine.set_containers(wrong.chain([good, twin.clone(), odd]).collect());
    engine.event(&event("start", &twin));
    wait_weights("the odd one", SERVICE, |weights| weights.contains_key("172.17.0.3:80"));
    assert_eq!(weights(SERVICE), of(&[("172.17.0.2:80", 100), ("172.17.0.3:80", 0)]));
    assert_eq!(weights("-t 192.0.2.11:80"), of(&[("10.0.0.1:80", 100)]));

    let mut expected: Vec<(&str, &str)> = WRONG.iter().map(|(name, _, message)| (*name, *message)).collect();
    expected.push(("odd", "its label ipvsd.wieght means nothing; there is ipvsd.weight"));
    // Which of the two has the address is as the engine lists them; only one does.
    let said = shown_text(&program, FILE);
    let twice = "172.17.0.2:80 of `web` is the container good already; it is left out";
    expected.push(("twin", twice));
    daemon.drain();
    for (name, message) in &expected {
        assert!(said.contains(&format!("container {name}: {message}")), "{name}: {message}\nin:\n{said}");
        let logged = daemon.log.iter().find(|line| line.message().contains(message) && line.message().contains(name));
        assert!(logged.is_some_and(|line| line.level() == "WARN"), "{name}: {message}");
    }
    let status = shown(&program, FILE);
    assert_eq!(
        status["daemon"]["docker"]["findings"].as_array().unwrap().len(),
        expected.len(),
        "{:#}",
        status["daemon"]["docker"]
    );

    // Mended, all is said to be well.
    engine.change(|containers| containers.retain(|one| one["Names"][0] == "/good"));
    engine.event(&event("die", &twin));
    daemon.wait("the end of it", |line| line.message().contains("nothing is wrong with containers any more"));
    wait_weights("the good one alone", SERVICE, |weights| *weights == of(&[("172.17.0.2:80", 100)]));
    assert!(!shown_text(&program, FILE).contains("container "), "{}", shown_text(&program, FILE));
}
