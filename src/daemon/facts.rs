//! What a configuration needs to know of the machine.

use std::fs;
use std::path::Path;

use crate::config::Facts;

/// The settings of IPVS in this network namespace; what is not there (IPVS is not loaded) is as the kernel would have it.
pub fn facts() -> Facts {
    read(Path::new("/proc/sys/net/ipv4/vs"))
}

fn read(directory: &Path) -> Facts {
    let number = |name: &str| fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u32>().ok();
    let plain = Facts::default();
    Facts {
        expire_nodest_conn: number("expire_nodest_conn").map_or(plain.expire_nodest_conn, |value| value != 0),
        expire_quiescent_template: number("expire_quiescent_template")
            .map_or(plain.expire_quiescent_template, |value| value != 0),
        conn_reuse_mode: number("conn_reuse_mode").unwrap_or(plain.conn_reuse_mode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_as_the_kernel_has_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Facts::default());
        fs::write(dir.path().join("expire_nodest_conn"), "1\n").unwrap();
        fs::write(dir.path().join("expire_quiescent_template"), "odd\n").unwrap();
        fs::write(dir.path().join("conn_reuse_mode"), "0\n").unwrap();
        let facts = read(dir.path());
        assert_eq!(facts, Facts { expire_nodest_conn: true, expire_quiescent_template: false, conn_reuse_mode: 0 });
    }
}
