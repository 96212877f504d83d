//! `ipvsd doctor` on ailments that clients feel: with the finding gone, packets come through that did not before.

mod checks;
mod forwarding;
mod network;
mod server;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::crowd::request;
use crate::doctor::{Clinic, FILE, WEB, answers, command, id, ip_batch_forced, is_silent, set, texts, wait};
use crate::network::Host;

/// Sets a sysctl of `net.` on another host.
fn set_on(host: &Host, name: &'static str, value: &'static str) {
    host.run(move || set(name, value));
}
