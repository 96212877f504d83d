//! What can go wrong between here and the kernel.

use std::io;
use std::time::Duration;

use super::Errno;

/// There is no talking to the kernel, or no understanding of what it answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed, after the retries that make sense.
    #[error("netlink: {doing}: {source}")]
    Socket { doing: &'static str, source: io::Error },
    /// The kernel did not answer in time.
    #[error("netlink: no answer from the kernel within {0:?} while {1}")]
    Timeout(Duration, &'static str),
    /// The kernel answered something that makes no sense.
    #[error("netlink: {0}")]
    Protocol(String),
}

impl Error {
    /// Whether a read that failed so is worth another try at once (messages were lost, or made no sense): the socket is
    /// a new one by now.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Socket { source, .. } => source.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()),
            Error::Protocol(_) => true,
            Error::Timeout(..) => false,
        }
    }
}
