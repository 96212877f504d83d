//! What the ways of forwarding need around IPVS, and how each fails without it: what an operator sees, and what the kernel
//! counts. Each test breaks one thing that works, looks, mends it, and sees it work again.
//!
//! The rig is [`crate::forwarding`]'s; a timeout is all that most failures show. Tunnels are in [`crate::tunnel_needs`].

mod address;
mod dr;
mod nat;

use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use crate::forwarding::Stage;
use crate::network::Host;

/// How long a client waits for what does not come.
pub(crate) const SHORT: Duration = Duration::from_millis(400);
/// And for what comes.
pub(crate) const LONG: Duration = Duration::from_secs(4);

/// Both servers answer, each in its turn.
#[track_caller]
pub(crate) fn serves(stage: &Stage) {
    serves_to(stage, &stage.rig.client);
}

#[track_caller]
pub(crate) fn serves_to(stage: &Stage, host: &Host) {
    let mut answered = stage.ask_from(host, 2, LONG).unwrap();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2]);
}

/// Of two requests, one for each server, at least one is not answered: why.
#[track_caller]
pub(crate) fn fails(stage: &Stage) -> Error {
    fails_for(stage, &stage.rig.client)
}

#[track_caller]
pub(crate) fn fails_for(stage: &Stage, host: &Host) -> Error {
    stage.ask_from(host, 2, SHORT).expect_err("this cannot work")
}

/// The same, but the client is told. That may take a second, until TCP's second try: what comes while a program is in the call
/// that connects counts for nothing (`tcp_v4_err`).
#[track_caller]
pub(crate) fn is_told(stage: &Stage) -> ErrorKind {
    stage.ask(2, LONG).expect_err("this cannot work").kind()
}

/// Nothing comes back.
#[track_caller]
pub(crate) fn times_out(stage: &Stage) {
    silent(&fails(stage));
}

/// A connection that does not come about, or an answer that does not come.
#[track_caller]
pub(crate) fn silent(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait(what: &str, mut is_it: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_it() {
        assert!(begin.elapsed() < Duration::from_secs(10), "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs commands here, one a line.
#[track_caller]
pub(crate) fn sh(script: &str) {
    crate::forwarding::shell(&[script.to_owned()]);
}

/// Runs commands on a host.
#[track_caller]
pub(crate) fn sh_at(host: &Host, script: &str) {
    let script = script.to_owned();
    host.run(move || sh(&script));
}

/// Runs commands on all servers.
#[track_caller]
pub(crate) fn sh_servers(stage: &Stage, script: &str) {
    for host in &stage.rig.servers {
        sh_at(host, script);
    }
}
