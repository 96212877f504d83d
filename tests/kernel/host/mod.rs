//! The host around the table: addresses, sysctls and modules, set by ipvsd and looked at with `ip` and in `/proc`.

mod addresses;
mod killed;
mod modules;
mod sysctls;
mod traffic;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::netns::ip;
use crate::program::Program;

const FILE: &str = "ipvsd.toml";

/// The addresses of an interface, without link-local ones: `192.0.2.10/32`. Nothing if there is no such interface.
fn addresses(interface: &str) -> BTreeSet<String> {
    let listed = ip(&["-o", "address", "show"]);
    let lines = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_interface = lines.filter(|words| words.get(1) == Some(&interface));
    let addresses = of_interface.filter_map(|words| Some((*words.get(3)?).to_owned()));
    addresses.filter(|address| !address.starts_with("fe80:")).collect()
}

/// The line of an interface, if there is one: `7: ipvs0: <BROADCAST,NOARP,UP,LOWER_UP> mtu 1500 … dummy …`.
fn link(interface: &str) -> Option<String> {
    let listed = ip(&["-o", "-d", "link", "show"]);
    listed.lines().find(|line| line.split_whitespace().nth(1) == Some(&format!("{interface}:"))).map(str::to_owned)
}

fn is_up(interface: &str) -> bool {
    link(interface).is_some_and(|line| line.contains(",UP,") || line.contains(",UP>"))
}

fn sysctl(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn set_sysctl(name: &str, value: &str) {
    fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value).unwrap();
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Waits until something is so.
#[track_caller]
fn wait(what: &str, is_it: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_it() {
        assert!(begin.elapsed() < Duration::from_secs(30), "waited for {what}\n{}", ip(&["address"]));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration with services at these addresses, each with one destination.
fn configuration(head: &str, services: &[&str]) -> String {
    let none = if services.is_empty() { "services = []\n" } else { "" };
    let mut text = format!("version = 1\n{none}{head}\n");
    for (number, address) in services.iter().enumerate() {
        let destination =
            if address.contains('[') || address.starts_with("fwmark6") { "[2001:db8::1]:80" } else { "10.0.0.1:80" };
        text += &format!(
            "[[services]]\nname = \"s{number}\"\naddress = \"{address}\"\nscheduler = \"rr\"\n\
             destinations = [{{ address = \"{destination}\" }}]\n"
        );
    }
    text
}

/// The last line of `ipvsd apply`.
#[track_caller]
fn applied(program: &Program, arguments: &[&str]) -> String {
    let said = program.runs(FILE, &[&["apply"], arguments].concat(), 0);
    said.lines().last().unwrap().to_owned()
}
