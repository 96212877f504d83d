//! The service manager's socket.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A manager that takes no message for so long does not get it. It is read all the time, as a rule.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where to send messages.
#[derive(Debug)]
pub(super) struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    troubled: AtomicBool,
}

impl Manager {
    /// The one that listens at `name`: a path, or an abstract name behind `@`. It need not be there yet.
    ///
    /// # Errors
    ///
    /// The name is neither, or too long.
    pub(super) fn named(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
            _ => {
                let words = format!("NOTIFY_SOCKET={} is no socket of this machine", name.display());
                return Err(io::Error::new(io::ErrorKind::Unsupported, words));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, address, troubled: AtomicBool::new(false) })
    }

    /// Sends lines of `NAME=VALUE`.
    pub(super) fn tell(&self, lines: &str) -> io::Result<()> {
        // Not connected: a manager that was started anew listens at the same address.
        self.socket.send_to_addr(lines.as_bytes(), &self.address).map(drop)
    }

    /// True once: trouble with it is said only then.
    pub(super) fn is_first_trouble(&self) -> bool {
        !self.troubled.swap(true, Ordering::Relaxed)
    }
}
