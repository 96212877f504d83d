//! Kernel modules: whether they are there, and how to get them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Of `names`, those that are loaded or built in. The kernel's names have underscores.
pub(super) fn present<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let (there, absent): (BTreeSet<&str>, BTreeSet<&str>) =
        names.into_iter().partition(|name| Path::new("/sys/module").join(name).is_dir());
    let mut present: BTreeSet<String> = there.into_iter().map(str::to_owned).collect();
    if !absent.is_empty() {
        // One that is built in and has no parameters is not among those in sysfs.
        let built_in = built_in();
        present.extend(absent.into_iter().filter(|name| built_in.contains(*name)).map(str::to_owned));
    }
    present
}

/// What is built into the running kernel (modules.builtin(5)).
fn built_in() -> BTreeSet<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let list = Path::new("/lib/modules").join(release.trim()).join("modules.builtin");
    parse_built_in(&fs::read_to_string(list).unwrap_or_default())
}

fn parse_built_in(list: &str) -> BTreeSet<String> {
    let name = |line: &str| Some(line.rsplit('/').next()?.strip_suffix(".ko")?.replace('-', "_"));
    list.lines().filter_map(name).collect()
}

/// Loads a module with modprobe(8); a failure in words.
pub(super) fn load(name: &str) -> Result<(), String> {
    let run = Command::new("modprobe").arg("--").arg(name).stdin(Stdio::null()).stdout(Stdio::null()).output();
    match run {
        Err(error) => Err(format!("`modprobe {name}` could not be run: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let first = text.lines().next().unwrap_or("no message").trim();
            Err(format!("`modprobe {name}` failed: {first}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_has_underscores() {
        let list = "kernel/net/netfilter/ipvs/ip_vs.ko\nkernel/lib/crc-ccitt.ko\nodd\n";
        assert_eq!(parse_built_in(list), BTreeSet::from(["ip_vs".to_owned(), "crc_ccitt".to_owned()]));
    }

    #[test]
    fn what_is_no_module_is_not_there_and_cannot_be_loaded() {
        assert_eq!(present(["ip_vs_no_such_scheduler"]), BTreeSet::new());
        let error = load("ip_vs_no_such_scheduler").unwrap_err();
        assert!(error.starts_with("`modprobe ip_vs_no_such_scheduler` "), "{error}");
    }
}
