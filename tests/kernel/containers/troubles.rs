//! Whatever an engine does wrong, what is known of its containers stays; and then one list makes it right.

use std::time::Duration;

use super::{FILE, LIST, SERVICE, WEB, of, stage};
use crate::daemon_process::Daemon;
use crate::oracle::{shown_text, wait_weights, weights};
use crate::recorded::{container, event};
use crate::replayed::Trouble;

#[test]
fn an_engine_in_trouble_takes_nothing_away() {
    let (mut engine, program) = stage("port = 80");
    let mut all = vec![container("web-1", "172.17.0.1", &WEB)];
    engine.set_containers(all.clone());
    let mut daemon = Daemon::start(&program, FILE);
    wait_weights("the first", SERVICE, |weights| *weights == of(&[("172.17.0.1:80", 100)]));
    engine.wait_streams(1);
    let troubles = [
        Trouble::Status(500),
        Trouble::Garbage,
        Trouble::Truncated,
        Trouble::Closed,
        Trouble::Stalled,
        Trouble::Slow(5, Duration::from_millis(20)),
    ];
    for (trouble, last) in troubles.into_iter().zip(2..) {
        let known = weights(SERVICE);
        let is_failure = !matches!(trouble, Trouble::Stalled | Trouble::Slow(..));
        daemon.skip();
        let lists = engine.count(LIST);
        engine.trouble(LIST, Some(trouble.clone()));
        // One comes, and the list that would say so does not.
        all.push(container(&format!("web-{last}"), &format!("172.17.0.{last}"), &WEB));
        engine.set_containers(all.clone());
        engine.event(&event("start", &all[all.len() - 1]));
        engine.wait_count(LIST, lists + 1);
        if is_failure {
            let said = daemon.wait("a warning", |line| line.message().contains("cannot be followed"));
            assert!(said.level() == "WARN", "{trouble:?}: {said}");
            assert!(shown_text(&program, FILE).contains("what is known of its containers stays"), "{trouble:?}");
        }
        if !matches!(trouble, Trouble::Slow(..)) {
            assert_eq!(weights(SERVICE), known, "{trouble:?}");
            engine.trouble(LIST, None);
        }
        wait_weights("one list makes it right", SERVICE, |weights| weights.len() == all.len());
        engine.trouble(LIST, None);
        engine.wait_streams(1);
    }

    // The stream ends, is garbage, or has a line without an end; nothing is missed.
    for (what, last) in ["end", "cut", "garbage", "long"].into_iter().zip(20..) {
        all.push(container(&format!("web-{last}"), &format!("172.17.0.{last}"), &WEB));
        engine.wait_streams(1);
        engine.set_containers(all.clone());
        match what {
            "end" => engine.end_streams(),
            "cut" => engine.cut(),
            "garbage" => engine.raw(b"<html>it works</html>\n"),
            _ => (0..40).for_each(|_| engine.raw(&[b' '; 1 << 15])),
        }
        wait_weights(what, SERVICE, |weights| weights.len() == all.len());
    }

    // It goes away, ipvsd is started anew, and all is as it was.
    let known = weights(SERVICE);
    daemon.skip();
    engine.wait_streams(1);
    engine.go_away();
    daemon.wait("a warning", |line| line.message().contains("cannot be followed"));
    drop(daemon);
    let daemon = Daemon::start(&program, FILE);
    assert_eq!(weights(SERVICE), known);
    assert!(shown_text(&program, FILE).contains("what is known of its containers stays"));
    engine.set_containers(all[..1].to_vec());
    engine.come_back();
    wait_weights("what is left", SERVICE, |weights| *weights == of(&[("172.17.0.1:80", 100)]));
    drop(daemon);
}
