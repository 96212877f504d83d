//! Processes that manage IPVS, or the addresses of its services, in the same network namespace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::host::doctor::facts::{Process, Role};

/// Programs by the names of their processes, what they do, and an interface that is there if they do it: that of kube-proxy in
/// its IPVS mode, and that of kube-router as a service proxy.
const KNOWN: &[(&str, Role, Option<&str>)] = &[
    ("keepalived", Role::Both, None),
    ("ldirectord", Role::ManagesTable, None),
    ("kube-proxy", Role::ManagesTable, Some("kube-ipvs0")),
    ("kube-router", Role::ManagesTable, Some("kube-dummy-if")),
    ("pybal", Role::ManagesTable, None),
    ("nanny", Role::ManagesTable, None),
    ("seesaw_ncc", Role::ManagesTable, None),
    ("surealived", Role::ManagesTable, None),
    ("merlin", Role::ManagesTable, None),
    ("gorb", Role::ManagesTable, None),
    ("ipvsd", Role::ManagesTable, None),
    ("kube-vip", Role::MovesAddresses, None),
    ("vrrpd", Role::MovesAddresses, None),
    ("ucarp", Role::MovesAddresses, None),
    ("pacemakerd", Role::MovesAddresses, None),
    ("heartbeat", Role::MovesAddresses, None),
];
/// What runs programs that are texts: their names follow.
const INTERPRETERS: &[&str] = &["perl", "python", "python2", "python3", "sh", "bash"];

pub(super) fn look(ours: &BTreeSet<i32>, interfaces: &[&str]) -> Vec<Process> {
    let Ok(here) = fs::read_link("/proc/thread-self/ns/net") else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let of = |pid: i32| {
        let place = PathBuf::from(format!("/proc/{pid}"));
        let process = known(pid, &place, interfaces).filter(|_| !ours.contains(&pid))?;
        // Last: it takes the right to look into the process.
        (fs::read_link(place.join("ns/net")).ok()? == here).then_some(process)
    };
    pids.into_iter().filter_map(of).collect()
}

/// A process of one of the programs, if it does what the program is known for. One that ends meanwhile is none.
fn known(pid: i32, place: &Path, interfaces: &[&str]) -> Option<Process> {
    let short = fs::read_to_string(place.join("comm")).ok()?;
    let line = fs::read(place.join("cmdline")).ok()?;
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let (name, role, sign) = program(short.trim(), &words)?;
    if sign.is_some_and(|sign| !interfaces.contains(&sign)) {
        return None;
    }
    let role = match name {
        "ipvsd" if !words.iter().any(|word| word == "run") => return None,
        "keepalived" if !serves(&words, &place.join("root")) => Role::MovesAddresses,
        _ => role,
    };
    Some(Process { pid, name: name.to_owned(), command: words.join(" "), role })
}

/// By the kernel's name for the process, by its first word, or by the text that it runs.
fn program(short: &str, words: &[String]) -> Option<(&'static str, Role, Option<&'static str>)> {
    let base = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let first = words.first().map(base).unwrap_or_default();
    let text = words.iter().skip(1).find(|word| !word.starts_with('-')).map(base).unwrap_or_default();
    let by_text = INTERPRETERS.contains(&first.as_str());
    let is = |name: &str| name == short || name == first || (by_text && name == text);
    KNOWN.iter().find(|(name, ..)| is(name)).copied()
}

/// Whether a keepalived manages virtual servers, by its options and its configuration. What cannot be read may say so.
fn serves(words: &[String], root: &Path) -> bool {
    if words.iter().any(|word| word == "-P" || word == "--vrrp") {
        return false;
    }
    let mut file = "/etc/keepalived/keepalived.conf";
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "-f" | "--use-file" => file = words.get(index + 1).map_or(file, String::as_str),
            other => file = other.strip_prefix("--use-file=").unwrap_or(file),
        }
    }
    fs::read_to_string(root.join(file.trim_start_matches('/'))).map_or(true, |text| has_services(&text))
}

fn has_services(configuration: &str) -> bool {
    let firsts = configuration.lines().filter_map(|line| line.split_whitespace().next());
    firsts.into_iter().any(|word| word.starts_with("virtual_server") || word.starts_with("include"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn programs_are_known_by_name() {
        for (short, line, want) in [
            ("keepalived", "/usr/sbin/keepalived --dont-fork", Some("keepalived")),
            ("perl", "/usr/bin/perl -w /usr/sbin/ldirectord start", Some("ldirectord")),
            ("ldirectord", "ldirectord tcp:192.0.2.1:80", Some("ldirectord")),
            ("kube-proxy", "/usr/local/bin/kube-proxy --config=/var/lib/kube-proxy/config.conf", Some("kube-proxy")),
            ("vim", "vim /usr/sbin/ldirectord", None),
            ("grep", "grep keepalived", None),
            ("sleep", "sleep 5", None),
        ] {
            assert_eq!(program(short, &words(line)).map(|(name, ..)| name), want, "{line}");
        }
    }

    #[test]
    fn a_keepalived_that_only_moves_addresses_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/keepalived")).unwrap();
        let serves = |line: &str| serves(&words(line), dir.path());
        assert!(serves("keepalived"), "there is no configuration to see");
        let write = |name: &str, text: &str| fs::write(dir.path().join("etc/keepalived").join(name), text).unwrap();
        write("keepalived.conf", "vrrp_instance one {\n  virtual_ipaddress {\n  }\n}\n# virtual_server\n");
        write("more.conf", "vrrp_instance one {\n}\n  virtual_server 192.0.2.1 80 {\n}\n");
        write("split.conf", "include services/*.conf\n");
        assert!(!serves("keepalived"));
        assert!(serves("keepalived -f /etc/keepalived/more.conf"));
        assert!(serves("keepalived --use-file=/etc/keepalived/more.conf"));
        assert!(serves("keepalived --use-file /etc/keepalived/split.conf"));
        assert!(!serves("keepalived --vrrp -f /etc/keepalived/more.conf"));
        assert!(!serves("keepalived -P"));
    }
}
