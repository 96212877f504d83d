//! Modules are there before they are needed.

use super::*;
use crate::netns;
use crate::program::{Ended, end};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

const HELPER: &str = "/proc/sys/kernel/modprobe";

fn loaded(name: &str) -> bool {
    fs::read_to_string("/proc/modules").unwrap().lines().any(|line| line.split(' ').next() == Some(name))
}

fn unload(name: &str) {
    if loaded(name) {
        assert!(Command::new("rmmod").arg(name).status().unwrap().success());
    }
}

/// With the kernel's own loader taken away, what is loaded was loaded by ipvsd.
#[test]
fn those_of_the_schedulers_and_engines_in_use_are_loaded_first() {
    let lab = std::env::var("LAB").unwrap_or_default();
    assert!(lab == "uml" || lab == "qemu", "this unloads kernel modules: it runs in the lab only");
    let _kernel = netns::enter();
    let helper = fs::read_to_string(HELPER).unwrap();
    fs::write(HELPER, "/nonexistent").unwrap();
    for name in ["ip_vs_sed", "ip_vs_pe_sip"] {
        unload(name);
    }
    let text = "[[services]]\nname = \"sip\"\naddress = \"udp://192.0.2.10:5060\"\nscheduler = \"sed\"\n\
                persistence = { engine = \"sip\" }\n[[services]]\nname = \"none\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"rr\"\n";
    let program = Program::new();
    // The lab's modules are not where modprobe looks; its own loader knows.
    let bin = tempfile::tempdir().unwrap();
    let modprobe = bin.path().join("modprobe");
    fs::write(&modprobe, format!("#!/bin/sh\nexec {} \"$@\"\n", helper.trim())).unwrap();
    fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let apply = || end(program.command(FILE, &["apply"]).env("PATH", &path).spawn().unwrap());
    program.write(FILE, &format!("version = 1\n{text}"));
    let ended = apply();
    assert_eq!(ended.code, Some(1), "without it, nobody loads them: {}", ended.out);
    assert!(!loaded("ip_vs_sed") && !loaded("ip_vs_pe_sip"));

    program.write(FILE, &format!("version = 1\n[host]\nmodules = true\n{text}"));
    let Ended { code, out: said, err } = apply();
    assert_eq!(code, Some(0), "{said}{err}");
    for line in
        ["add module ip_vs_sed\n", "add module ip_vs_pe_sip\n", "add service udp://192.0.2.10:5060: scheduler sed"]
    {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    assert!(loaded("ip_vs_sed") && loaded("ip_vs_pe_sip"));
    assert!(apply().out.starts_with("changed=0 failed=0"));

    // A scheduler that does not exist: modprobe's own words, and the kernel's.
    program.write(FILE, &format!("version = 1\n[host]\nmodules = true\n{}", text.replace("\"rr\"", "\"nonesuch\"")));
    let ended = program.run(FILE, &["apply"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.out.contains("FAILED add module ip_vs_nonesuch: `modprobe ip_vs_nonesuch` failed: "),
        "{}",
        ended.out
    );
    fs::write(HELPER, helper.trim()).unwrap();
}
