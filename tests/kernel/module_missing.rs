//! A kernel whose ip_vs is not loaded. It unloads the module, so it has a machine to itself: no other module of these
//! tests runs beside it, and it runs in the lab only.

use std::fs;
use std::process::Command;

use crate::netns::{self, ipvsadm};
use crate::program::Program;
use crate::rules::Rules;

const CONFIG: &str = "ipvsd.toml";
const HELPER: &str = "/proc/sys/kernel/modprobe";

fn loaded() -> Vec<String> {
    let modules = fs::read_to_string("/proc/modules").unwrap();
    modules.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn unload() {
    for module in loaded().iter().filter(|name| name.starts_with("ip_vs_")).map(String::as_str).chain(["ip_vs"]) {
        let status = Command::new("rmmod").arg(module).status().unwrap();
        assert!(status.success() || !loaded().iter().any(|name| name == module), "{module} stays");
    }
}

#[test]
fn without_the_module_every_command_says_so_and_how_to_mend_it() {
    let lab = std::env::var("LAB").unwrap_or_default();
    assert!(lab == "uml" || lab == "qemu", "this unloads a kernel module: it runs in the lab only");
    drop(netns::enter());
    let program = Program::new();
    program.write(
        CONFIG,
        "version = 1\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\nscheduler = \"wrr\"\n\
         destinations = [{ address = \"10.0.0.1\" }]\n",
    );
    let helper = fs::read_to_string(HELPER).unwrap();
    fs::write(HELPER, "/nonexistent").unwrap();
    unload();
    // PATH without a modprobe: ipvsd may try that, too.
    let command = |arguments: &[&str]| {
        let mut command = program.command(CONFIG, arguments);
        command.env("PATH", "/nonexistent");
        crate::program::end(command.spawn().unwrap())
    };
    for arguments in [&["plan"][..], &["apply"], &["show"], &["import"], &["run"]] {
        let ended = command(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("the ip_vs kernel module is not available"), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("load it with `modprobe ip_vs`"), "{arguments:?}: {}", ended.err);
        assert_eq!(ended.out, "", "{arguments:?}");
    }
    assert!(!loaded().iter().any(|name| name == "ip_vs"), "nothing has loaded it behind our back");
    assert_eq!(command(&["check"]).code, Some(0), "what needs no kernel works");

    // With the kernel's own loader it comes back by itself, the scheduler's module as well.
    fs::write(HELPER, helper.trim()).unwrap();
    let said = program.runs(CONFIG, &["apply"], 0);
    assert!(said.ends_with("changed=2 failed=0 unchanged=0\n"), "{said}");
    let rules = "-A -t 192.0.2.10:80 -s wrr\n-a -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 100\n";
    Rules::live().assert_are(&Rules::parse(rules), &"loaded again");
    ipvsadm(&["-C"], "");
}
