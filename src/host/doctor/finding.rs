//! What the doctor has to say.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Some of what is configured cannot work.
    Error,
    /// It works, and not for every client, or not in every case.
    Warning,
    /// Worth knowing.
    Hint,
}

impl Severity {
    /// The worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Hint];

    /// `error`, `warning` or `hint`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way to make an end of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Lines for a shell of root on this host. What they do lasts until the next boot, unless they say otherwise.
    Command(String),
    /// TOML for the configuration, which ipvsd keeps so from its next pass on.
    Configuration(String),
    /// What is to be done in another place, or takes a decision: in words.
    Advice(String),
}

/// A kind of finding, as packaging/doc/doctor.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Lower case and hyphens. Programs may rely on it: it never changes its meaning.
    pub id: &'static str,
    /// Its usual severity, which is the worst that it has.
    pub severity: Severity,
}

impl Kind {
    const fn error(id: &'static str) -> Self {
        Self { id, severity: Severity::Error }
    }

    const fn warning(id: &'static str) -> Self {
        Self { id, severity: Severity::Warning }
    }

    const fn hint(id: &'static str) -> Self {
        Self { id, severity: Severity::Hint }
    }

    /// A finding of that kind without a mend.
    pub(super) fn of(self, subject: impl Into<String>, saw: impl Into<String>, why: impl Into<String>) -> Finding {
        let Self { id, severity } = self;
        Finding { id, severity, subject: subject.into(), saw: saw.into(), why: why.into(), mend: Vec::new() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $severity:ident $id:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: Kind = Kind::$severity($id);)*

        /// Every kind there is.
        pub const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    // The program.
    NOT_PERMITTED = error "not-permitted";
    USER_NAMESPACE = error "user-namespace";
    TABLE_UNREADABLE = error "table-unreadable";
    OTHER_MANAGER = error "other-manager";
    // The kernel.
    IPVS_MISSING = error "ipvs-missing";
    SCHEDULER_MISSING = error "scheduler-missing";
    ENGINE_MISSING = error "engine-missing";
    MODULES_LOCKED = error "modules-locked";
    KERNEL_LOCKED_DOWN = hint "kernel-locked-down";
    KERNEL_TOO_OLD = warning "kernel-too-old";
    // Addresses.
    ADDRESS_MISSING = error "address-missing";
    ADDRESS_SILENT = warning "address-silent";
    // The way to destinations, and back.
    DESTINATION_UNREACHABLE = error "destination-unreachable";
    DR_THROUGH_ROUTER = error "dr-through-router";
    FORWARDING_OFF = error "forwarding-off";
    REDIRECTS_SENT = warning "redirects-sent";
    NAT_SAME_NETWORK = warning "nat-same-network";
    CONNTRACK_OFF = warning "conntrack-off";
    TUNNEL_MTU = warning "tunnel-mtu";
    CHECK_ANSWERS_DROPPED = error "check-answers-dropped";
    // This host as a real server.
    SERVER_ANSWERS_ARP = warning "server-answers-arp";
    SERVER_DROPS_TUNNELLED = warning "server-drops-tunnelled";
    // Connections.
    REUSE_DELAY = warning "reuse-delay";
    QUIESCED_REUSE = warning "quiesced-reuse";
    QUIESCED_PERSISTENCE = warning "quiesced-persistence";
    QUIESCED_UDP = warning "quiesced-udp";
    // What `[host]` and `[sync]` ask for.
    SYSCTL_MISSING = warning "sysctl-missing";
    SYNC_INTERFACE_MISSING = error "sync-interface-missing";
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// [`Kind::id`].
    pub id: &'static str,
    pub severity: Severity,
    /// What it is about: `service web`, `interface eth1`, `10.0.0.11`.
    pub subject: String,
    /// What was seen, with the values.
    pub saw: String,
    /// What comes of it.
    pub why: String,
    /// The best one first; never empty. A command or configuration is enough by itself, unless advice behind it says what more
    /// it takes.
    pub mend: Vec<Mend>,
}

impl Finding {
    #[must_use]
    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    #[must_use]
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.mend.push(Mend::Command(command.into()));
        self
    }

    #[must_use]
    pub(super) fn configuration(mut self, text: impl Into<String>) -> Self {
        self.mend.push(Mend::Configuration(text.into()));
        self
    }

    #[must_use]
    pub(super) fn advice(mut self, text: impl Into<String>) -> Self {
        self.mend.push(Mend::Advice(text.into()));
        self
    }

    #[must_use]
    pub(super) fn mends(mut self, mends: impl IntoIterator<Item = Mend>) -> Self {
        self.mend.extend(mends);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kebab_case_and_unlike() {
        for (index, Kind { id, .. }) in KINDS.iter().enumerate() {
            let good = |byte: u8| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit();
            assert!(id.bytes().all(good) && !id.starts_with('-') && !id.ends_with('-'), "{id}");
            assert!(KINDS[..index].iter().all(|kind| kind.id != *id), "{id} is there twice");
        }
    }
}
