//! What can go wrong with the kernel, in words.

mod explain;

use std::fmt;

pub use crate::netlink::Errno;

use super::Setting;
use crate::netlink;
use crate::plan::Operation;

/// There is no talking to the kernel's IPVS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The generic netlink family `IPVS` does not exist, even after an attempt to load the module.
    #[error(
        "the ip_vs kernel module is not available ({0}); load it with `modprobe ip_vs`, or install the kernel's module package"
    )]
    NoFamily(String),
    /// EPERM.
    #[error(
        "not permitted: reading and changing IPVS takes CAP_NET_ADMIN in the initial user namespace (run as root, or grant the capability; rootless containers cannot)"
    )]
    NotPermitted,
    /// There is no talking to the kernel at all, or no understanding of its messages.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The kernel's IPVS answered something that makes no sense.
    #[error("netlink: {0}")]
    Protocol(String),
    /// A request that is not about one entry was refused.
    #[error("the kernel refused to {doing}: {refusal}")]
    Refused { doing: &'static str, refusal: Refusal },
}

/// What sense it makes to ask again for what the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The kernel was short of something for a moment.
    Soon,
    /// Something outside of the request must change first and may do so by itself: a module, a route, what
    /// another process did to the table. With backoff.
    Later,
    /// The request itself is at fault: pointless until it is another one.
    Never,
}

/// The kernel's answer to one operation that it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub errno: Errno,
    /// The reason in plain words, with the mend where there is one, made from the operation and the errno
    /// (kernel.md 5.3: ENOENT of a service add is a scheduler that is not available, and so on).
    pub reason: String,
    /// What the kernel itself added (the text of an extended ACK).
    pub kernel_text: Option<String>,
}

impl Refusal {
    /// The refusal of `operation`, put into words.
    pub fn new(operation: &Operation, errno: Errno, kernel_text: Option<String>) -> Self {
        Self { errno, reason: explain::operation(operation, errno), kernel_text }
    }

    /// The refusal of a request that is not an operation.
    pub fn of_request(errno: Errno, kernel_text: Option<String>) -> Self {
        Self { errno, reason: explain::plainly(errno), kernel_text }
    }

    /// The refusal of a change of the kernel's own settings.
    pub fn of_setting(setting: Setting<'_>, errno: Errno, kernel_text: Option<String>) -> Self {
        let reason = explain::setting(setting, errno).unwrap_or_else(|| explain::plainly(errno));
        Self { errno, reason, kernel_text }
    }

    /// Whether what a delete wanted gone is gone already (ENOENT, ESRCH).
    pub fn is_converged(&self, operation: &Operation) -> bool {
        operation.verb() == "delete" && self.is_missing()
    }

    /// Whether what an add wanted exists already (EEXIST): read it, and edit it if it differs.
    pub fn already_exists(&self, operation: &Operation) -> bool {
        operation.verb() == "add" && self.errno == Errno::EXIST
    }

    fn is_missing(&self) -> bool {
        self.errno == Errno::NOENT || self.errno == Errno::SRCH
    }

    /// Whether and when to ask again.
    pub fn retry(&self) -> Retry {
        match self.errno {
            Errno::AGAIN | Errno::BUSY | Errno::INTR | Errno::NOMEM | Errno::NOBUFS | Errno::NOPROTOOPT => Retry::Soon,
            Errno::RANGE | Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::PERM => Retry::Never,
            _ => Retry::Later,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(text) = &self.kernel_text {
            write!(f, " (kernel: {text})")?;
        }
        Ok(())
    }
}
