//! Two configurations side by side: what would change in the table from one to the other, and what besides it. Pure, and
//! without a kernel: nothing is live, owned or foreign here.

mod checks;
mod settings;

use std::collections::BTreeMap;

use crate::model::{Desired, HostKey, Manage, Record, ServiceKey, ServiceOrigin};

use super::leave::Leave;
use super::{Operation, Plan, Stage, diff};

/// What is otherwise in the second of two configurations than in the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What would make the first one's table the second one's. No step of it is drift.
    pub plan: Plan,
    /// What is not the table's, in order; each once.
    pub settings: Vec<Difference>,
    /// Names of the services of both; the second one's where they have the same.
    pub origins: BTreeMap<ServiceKey, ServiceOrigin>,
}

/// A setting that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub about: About,
    /// The configuration's key for it, or a path into its tables; empty if the object is all there is to it.
    pub setting: String,
    /// In the configuration's words; nothing where it is not written.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// What a setting belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    Service(ServiceKey),
    /// By its name.
    Check(String),
    Daemon,
    Hooks,
    Api,
    Docker,
    Host(HostKey),
}

impl About {
    /// `service`, `check`, `daemon`, `hooks`, `api`, `docker` or `host`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::Check(_) => "check",
            Self::Daemon => "daemon",
            Self::Hooks => "hooks",
            Self::Api => "api",
            Self::Docker => "docker",
            Self::Host(_) => "host",
        }
    }

    /// Which of its kind it is, where there is more than one.
    pub fn object(&self) -> Option<String> {
        match self {
            Self::Service(key) => Some(key.to_string()),
            Self::Check(name) => Some(name.clone()),
            Self::Host(key) => Some(key.to_string()),
            Self::Daemon | Self::Hooks | Self::Api | Self::Docker => None,
        }
    }
}

impl Comparison {
    /// Whether both ask for the same.
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.settings.is_empty()
    }
}

/// What would change from one configuration to the other.
pub fn compare(from: &Desired, to: &Desired) -> Comparison {
    let mut plan = diff(&from.table, &to.table, &Manage::All, &Record::default());
    for index in plan.stage(Stage::Delete) {
        if let Some(step) = plan.steps.get_mut(index) {
            step.leave = leave(&step.operation, from, to);
        }
    }
    let mut origins = from.origins.clone();
    origins.extend(to.origins.iter().map(|(key, origin)| (*key, origin.clone())));
    Comparison { plan, settings: settings::differences(from, to), origins }
}

/// How what is deleted would leave: as long as the second configuration waits for its connections, or, of a service that is
/// not in it any more, as long as the first one did.
fn leave(operation: &Operation, from: &Desired, to: &Desired) -> Leave {
    let service = operation.service();
    let policy = to.policies.get(service).or_else(|| from.policies.get(service));
    let wait = policy.map_or(to.drain, |policy| policy.drain).as_secs();
    Leave { wait: (wait > 0).then_some(wait), ..Leave::default() }
}

#[cfg(test)]
mod tests;
