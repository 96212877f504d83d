//! All of a service is down, or all of it is said to be.

use std::time::Instant;

use super::{FILE, WEB, at, frail, service};
use crate::crowd::{Crowd, answered};
use crate::daemon_process::Daemon;
use crate::frail::{Met, Mood};
use crate::netns;
use crate::network::{Network, VIP};
use crate::oracle::{service_in, shown_text, status_in, wait_shown, wait_weights, weights};
use crate::program::Program;

const CHECK: &str = "[checks.web]\ninterval = \"400ms\"\ntimeout = \"350ms\"\nrise = 2\nfall = 2\njitter = \"0%\"\n";

fn configuration(kind: &str, service: &str) -> String {
    format!("version = 1\n[daemon]\nresync = \"1s\"\n{CHECK}{kind} = {{}}\n{service}")
}

#[test]
fn with_all_destinations_down_the_fallback_answers_and_that_is_said() {
    let _kernel = netns::enter();
    let network = Network::around_here(3);
    let servers = frail(&network);
    let program = Program::new();
    let keys = format!("check = \"web\"\ninitial = \"up\"\nmin_healthy = 1\ndrain = \"3s\"\nfallback = \"{}\"", at(3));
    program.write(FILE, &configuration("tcp", &service("web", &keys, &[1, 2])));
    let mut daemon = Daemon::start(&program, FILE);
    let crowd = Crowd::start(&network.client, VIP);
    let begin = Instant::now();
    crowd.wait("answers", begin, |tries| answered(tries, 1) >= 20 && answered(tries, 2) >= 20);
    assert_eq!(answered(&crowd.since(begin), 3), 0, "nobody needs the fallback yet");
    assert!(!weights(WEB).contains_key(&at(3)));

    for (host, server) in network.servers.iter().zip(&servers).take(2) {
        server.become_(host, Mood::Gone);
    }
    let is_used = |weights: &std::collections::BTreeMap<String, u32>| {
        weights[&at(1)] == 0 && weights[&at(2)] == 0 && weights.get(&at(3)).is_some_and(|weight| *weight > 0)
    };
    wait_weights("the fallback", WEB, is_used);
    let from = Instant::now();
    crowd.wait("answers of the fallback", from, |tries| answered(tries, 3) >= 50);
    let failed: Vec<_> = crowd.since(from).into_iter().filter(|one| one.answer != Ok(3)).collect();
    assert!(failed.is_empty(), "{failed:?}");

    let failure = daemon.wait("the failure", |line| line.message().contains("has failed: "));
    assert!(failure.level() == "ERROR" && failure.message().contains("0 of 2 destinations are up"), "{failure}");
    let is_said = |shown: &serde_json::Value| service_in(shown, "web")["status"]["fallback"] == true;
    let shown = wait_shown(&program, FILE, "the fallback", is_said);
    let status = &service_in(&shown, "web")["status"];
    assert_eq!((&status["failed"], &status["up"], &status["panic"]), (&true.into(), &0.into(), &false.into()));
    let text = shown_text(&program, FILE);
    assert!(text.contains("failed: 0 of 2 up, min_healthy 1; fallback in use"), "{text}");

    // One is back: nobody needs the fallback any more.
    servers[0].become_(&network.servers[0], Mood::Well);
    let is_left = |weights: &std::collections::BTreeMap<String, u32>| {
        weights[&at(1)] == 10 && weights.get(&at(3)).is_none_or(|weight| *weight == 0)
    };
    wait_weights("the first one back", WEB, is_left);
    let from = Instant::now();
    crowd.wait("answers of the first one", from, |tries| answered(tries, 1) >= 50);
    let others: Vec<_> = crowd.since(from).into_iter().filter(|one| one.answer != Ok(1)).collect();
    assert!(others.is_empty(), "{others:?}");
    daemon.wait("the restoration", |line| line.message().contains("is restored: 1 of 2"));
    // It drains as whatever is deleted: the kernel remembers its closed connections for longer than `drain`.
    wait_weights("the end of the fallback", WEB, |weights| !weights.contains_key(&at(3)));
    crowd.end();
}

/// A bad rollout: all checks fail at once, on servers that serve. One of them is really dead.
#[test]
fn pain_11_when_all_checks_fail_at_once_the_weights_are_kept_and_that_is_said() {
    let _kernel = netns::enter();
    let network = Network::around_here(3);
    let servers = frail(&network);
    let program = Program::new();
    let keys = "check = \"web\"\ninitial = \"up\"\npanic_threshold = \"50%\"";
    program.write(FILE, &configuration("http", &service("web", keys, &[1, 2, 3])));
    let mut daemon = Daemon::start(&program, FILE);
    let crowd = Crowd::start(&network.client, VIP);
    let begin = Instant::now();
    crowd.wait("answers", begin, |tries| [1, 2, 3].iter().all(|server| answered(tries, *server) >= 20));
    let before: Vec<usize> = servers.iter().map(|server| server.count(Met::Check)).collect();

    let from = Instant::now();
    for (host, server) in network.servers.iter().zip(&servers) {
        server.become_(host, Mood::Failing);
    }
    let line = daemon.wait("the panic", |line| line.message().contains("the checker is suspected"));
    assert!(line.level() == "ERROR" && line.message().contains("destinations of tcp://192.0.2.10:80"), "{line}");
    let is_said = |shown: &serde_json::Value| {
        let service = &service_in(shown, "web")["status"];
        service["panic"] == true && service["up"] == 0
    };
    let shown = wait_shown(&program, FILE, "the panic", is_said);
    let status = status_in(&shown, "web", &at(2));
    assert_eq!((&status["health"], &status["effective"]), (&"down".into(), &10.into()), "{status}");
    assert_eq!(status["reason"], "http: status 500, expected 200-299");
    let suspicion = shown["daemon"]["suspicions"][0].as_str().unwrap();
    assert!(suspicion.starts_with("every http check fails, on all 3 addresses"), "{suspicion}");
    let text = shown_text(&program, FILE);
    assert!(text.contains("panic: 0 of 3 up") && text.contains(suspicion), "{text}");

    // It lasts: the weights stay over many more checks, and clients are served all the time.
    let kept = weights(WEB);
    assert!(kept.len() == 3 && kept.values().all(|weight| *weight == 10), "{kept:?}");
    crowd.wait("answers in the panic", Instant::now(), |tries| {
        let checked = servers.iter().zip(&before).all(|(server, before)| server.count(Met::Check) >= before + 8);
        checked && [1, 2, 3].iter().all(|server| answered(tries, *server) >= 50)
    });
    assert_eq!(weights(WEB), kept);
    let failed: Vec<_> = crowd.since(from).into_iter().filter(|one| one.answer.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");

    // One of them really dies: the others still work, and get what they got.
    servers[2].become_(&network.servers[2], Mood::Gone);
    let from = Instant::now();
    crowd.wait("answers of those that work", from, |tries| answered(tries, 1) >= 50 && answered(tries, 2) >= 50);
    assert_eq!(weights(WEB), kept);

    // Two of them are well again: the checks are believed again.
    for (host, server) in network.servers.iter().zip(&servers).take(2) {
        server.become_(host, Mood::Well);
    }
    wait_weights("the end of the panic", WEB, |weights| weights[&at(3)] == 0);
    daemon.wait("the end of the panic", |line| line.message().contains("are believed to be down or up again"));
    let from = Instant::now();
    crowd.wait("answers", from, |tries| answered(tries, 1) >= 30 && answered(tries, 2) >= 30);
    let failed: Vec<_> = crowd.since(from).into_iter().filter(|one| one.was_for(3)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    crowd.end();
}
