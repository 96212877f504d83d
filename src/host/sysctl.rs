//! Sysctls: files below `/proc/sys`, as the calling thread's network namespace has them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where they are.
const ROOT: &str = "/proc/sys";

/// The file of a sysctl by its canonical name: dots separate, and `/` stands for a dot within a part.
fn path(root: &Path, name: &str) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(name.split('.').map(|part| part.replace('/', ".")));
    path
}

/// Its value, fields separated by single spaces; nothing if there is no such sysctl, or it cannot be read.
pub(super) fn read(name: &str) -> Option<String> {
    try_read(name).ok().flatten()
}

/// As [`read`]; a failure in words if this process can open nothing for now, whatever there is: what it does not see then it
/// must not take for gone.
pub(super) fn try_read(name: &str) -> Result<Option<String>, String> {
    read_in(Path::new(ROOT), name)
}

fn read_in(root: &Path, name: &str) -> Result<Option<String>, String> {
    let path = path(root, name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.split_whitespace().collect::<Vec<_>>().join(" "))),
        Err(error) if is_our_own(&error) => Err(format!("{}: {error}", path.display())),
        Err(_) => Ok(None),
    }
}

/// Whether the system had nothing to spare, so that it says nothing of the file.
fn is_our_own(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOMEM))
}

/// Sets it; a failure in words.
pub(super) fn write(name: &str, value: &str) -> Result<(), String> {
    let path = path(Path::new(ROOT), name);
    // With the end of the line, since an empty write is none at all.
    fs::write(&path, format!("{value}\n")).map_err(|error| why(name, value, &path, &error))
}

fn why(name: &str, value: &str, path: &Path, error: &io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => missing(name),
        Some(rustix::io::Errno::ROFS) => {
            format!("{} is mounted read-only, as containers have it: set {name} on the host", ROOT)
        }
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
            format!(
                "not permitted: setting {name} takes root, or CAP_NET_ADMIN in the network namespace's own user namespace"
            )
        }
        Some(rustix::io::Errno::INVAL | rustix::io::Errno::RANGE) => {
            format!("the kernel does not take \"{value}\" for {name}")
        }
        _ => format!("{}: {error}", path.display()),
    }
}

/// Why there is no such sysctl.
pub(super) fn missing(name: &str) -> String {
    let mut parts = name.split('.');
    let reason = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (_, Some("ipv4"), Some("vs"), _) => {
            "this kernel's IPVS does not have it, or the module ip_vs is not loaded".to_owned()
        }
        (_, Some("ipv4" | "ipv6"), Some("conf" | "neigh"), Some(interface)) if parts.next().is_some() => {
            format!("this kernel does not have it, or there is no interface {}", interface.replace('/', "."))
        }
        (_, Some("netfilter"), ..) => {
            "this kernel does not have it, or the module nf_conntrack is not loaded".to_owned()
        }
        _ => "this kernel does not have it".to_owned(),
    };
    format!("there is no sysctl {name}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_and_slashes_are_dots_within_them() {
        let file = |name| path(Path::new("/proc/sys"), name);
        assert_eq!(file("net.ipv4.ip_forward"), Path::new("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(file("net.ipv4.conf.eth0/100.rp_filter"), Path::new("/proc/sys/net/ipv4/conf/eth0.100/rp_filter"));
    }

    #[test]
    fn what_is_missing_says_what_would_bring_it() {
        for (name, reason) in [
            ("net.ipv4.vs.conntrack", "this kernel's IPVS does not have it, or the module ip_vs is not loaded"),
            ("net.ipv4.conf.eth0/1.rp_filter", "this kernel does not have it, or there is no interface eth0.1"),
            (
                "net.netfilter.nf_conntrack_max",
                "this kernel does not have it, or the module nf_conntrack is not loaded",
            ),
            ("net.ipv4.none", "this kernel does not have it"),
        ] {
            assert_eq!(missing(name), format!("there is no sysctl {name}: {reason}"));
        }
    }

    #[test]
    fn what_is_missing_can_neither_be_read_nor_written() {
        let name = "net.ipv4.ipvsd.none";
        assert_eq!(read(name), None);
        assert_eq!(write(name, "1"), Err(format!("there is no sysctl {name}: this kernel does not have it")));
    }

    #[test]
    fn fields_are_separated_by_single_spaces() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("net")).unwrap();
        fs::write(dir.path().join("net/ports"), "32768\t60999\n").unwrap();
        assert_eq!(read_in(dir.path(), "net.ports"), Ok(Some("32768 60999".to_owned())));
    }

    #[test]
    fn one_that_cannot_be_opened_for_now_is_not_taken_for_gone() {
        use rustix::io::Errno;
        for (errno, own) in [(Errno::MFILE, true), (Errno::NFILE, true), (Errno::NOENT, false), (Errno::ACCESS, false)]
        {
            assert_eq!(is_our_own(&errno.into()), own, "{errno}");
        }
    }
}
