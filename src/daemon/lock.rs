//! One ipvsd for each network namespace and each state directory.
//!
//! Two locks, both dropped by the kernel with the process: an abstract unix socket, whose names are separate
//! in each network namespace (unix(7)), and a file lock in the state directory.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use crate::reconcile::hand_over;

/// The name of the abstract socket.
const NAME: &str = "ipvsd";

/// Why the locks were not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "another ipvsd is at work in this network namespace: {0}; `ipvsd show` says what it has in force, and \
         `systemctl stop ipvsd` ends it where it is the service"
    )]
    Namespace(Holder),
    #[error("another ipvsd uses the state directory {}: {holder}", directory.display())]
    StateDir { directory: PathBuf, holder: Holder },
    #[error("cannot lock {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pid: Option<i32>,
    command: Option<String>,
}

impl Holder {
    fn of(pid: Option<i32>) -> Self {
        let pid = pid.filter(|pid| *pid > 0);
        let command = pid.and_then(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok()).map(|bytes| {
            let words: Vec<_> = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
            String::from_utf8_lossy(&words.join(&b' ')).into_owned()
        });
        Self { pid, command: command.filter(|command| !command.is_empty()) }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, &self.command) {
            (Some(pid), Some(command)) => write!(f, "process {pid} ({command})"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => f.write_str("a process that cannot be seen from here"),
        }
    }
}

/// Both locks, for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _namespace: UnixListener,
    _state_dir: File,
}

impl Lock {
    /// Takes both locks or says who holds one. Creates the state directory.
    pub fn take(state_dir: &Path) -> Result<Self, LockError> {
        Self::take_named(state_dir, NAME)
    }

    fn take_named(state_dir: &Path, name: &str) -> Result<Self, LockError> {
        let namespace = lock_namespace(name).map_err(|error| match error {
            // The queue of those who asked is full. Mostly it is the same one that has the directory.
            LockError::Namespace(Holder { pid: None, command: None }) => match lock_directory(state_dir) {
                Err(LockError::StateDir { directory: _, holder }) => LockError::Namespace(holder),
                Ok(_) | Err(_) => error,
            },
            error => error,
        })?;
        Ok(Self { _namespace: namespace, _state_dir: lock_directory(state_dir)? })
    }
}

fn lock_namespace(name: &str) -> Result<UnixListener, LockError> {
    let failed = |source| LockError::Io { path: PathBuf::from(format!("@{name}")), source };
    let address = SocketAddr::from_abstract_name(name).map_err(failed)?;
    match UnixListener::bind_addr(&address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(LockError::Namespace(Holder::of(listener_pid(name).ok())))
        }
        Err(error) => Err(failed(error)),
    }
}

/// The process that listens there, as it was at its listen(2): unix(7), SO_PEERCRED.
fn listener_pid(name: &str) -> rustix::io::Result<i32> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};
    // Nobody accepts: a blocking connect would hang once the backlog is full.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(sockopt::socket_peercred(&socket)?.pid.as_raw_nonzero().get())
}

fn lock_directory(directory: &Path) -> Result<File, LockError> {
    let path = directory.join("lock");
    let failed = |source| LockError::Io { path: path.clone(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    // Not truncated: until the lock is ours, the text in it is the holder's.
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            hand_over(&file, &path).map_err(failed)?;
            // A courtesy to the next one; a full disk is no reason to leave the table as it is.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.rewind().and_then(|()| Read::by_ref(&mut file).take(32).read_to_string(&mut text));
            let pid = read.ok().and_then(|_| text.trim().parse().ok());
            Err(LockError::StateDir { directory: directory.to_owned(), holder: Holder::of(pid) })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests share a network namespace, so each takes a name of its own.
    fn name(test: &str) -> String {
        format!("ipvsd-test-{}-{test}", std::process::id())
    }

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take_named(dir.path(), &name("first")).unwrap();
        let me = std::process::id().to_string();

        let elsewhere = tempfile::tempdir().unwrap();
        let error = Lock::take_named(elsewhere.path(), &name("first")).unwrap_err();
        assert!(matches!(error, LockError::Namespace(_)) && error.to_string().contains(&me), "{error}");

        let error = Lock::take_named(dir.path(), &name("other")).unwrap_err();
        assert!(matches!(error, LockError::StateDir { .. }) && error.to_string().contains(&me), "{error}");

        drop(lock);
        // What another test starts has our descriptors as well, from its clone to its exec.
        let free = (0..10_000).any(|_| {
            let taken = Lock::take_named(dir.path(), &name("first")).is_ok();
            if !taken {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            taken
        });
        assert!(free);
    }

    #[test]
    fn whoever_asks_often_is_told_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let name = name("often");
        let _lock = Lock::take_named(dir.path(), &name).unwrap();
        // net.core.somaxconn bounds it.
        while listener_pid(&name).is_ok() {}
        let error = Lock::take_named(dir.path(), &name).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    }

    #[test]
    fn a_full_disk_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("lock")).unwrap();
        Lock::take_named(dir.path(), &name("full")).unwrap();
    }
}
