//! Schedulers by name, and the flags that each of them gives a meaning to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ServiceFlags;

/// A scheduler by the kernel's name for it, 1..=15 bytes (`IP_VS_SCHEDNAME_MAXLEN`).
///
/// Any name is passed on; [`Scheduler::KNOWN`] are those that Linux has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scheduler(Box<str>);

impl Scheduler {
    /// The schedulers in Linux 6.12 (`net/netfilter/ipvs/Kconfig`).
    pub const KNOWN: [&'static str; 14] =
        ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];
    /// The longest name that the kernel takes, in bytes.
    pub const MAX_LEN: usize = 15;

    /// A scheduler of that name.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The kernel's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The flag bits that can be named for this scheduler, with their names. The names `flag-1..3` fit a
    /// scheduler without names of its own; `sh` and `mh` name the first two.
    pub fn flags(&self) -> &'static [(ServiceFlags, &'static str)] {
        match self.as_str() {
            "sh" => &[
                (ServiceFlags::SCHED1, "sh-fallback"),
                (ServiceFlags::SCHED2, "sh-port"),
                (ServiceFlags::SCHED3, "flag-3"),
            ],
            "mh" => &[
                (ServiceFlags::SCHED1, "mh-fallback"),
                (ServiceFlags::SCHED2, "mh-port"),
                (ServiceFlags::SCHED3, "flag-3"),
            ],
            _ => {
                &[(ServiceFlags::SCHED1, "flag-1"), (ServiceFlags::SCHED2, "flag-2"), (ServiceFlags::SCHED3, "flag-3")]
            }
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
