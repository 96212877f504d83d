//! `[defaults]`, and how destinations are forwarded.

use std::sync::Arc;
use std::time::Duration;

use super::policy::PolicyKeys;
use super::{tell, tunnel_place};
use crate::config::checks::{Assigned, CheckKeys, Definitions};
use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::{names, raw, rules, values};
use crate::model::{Family, Policy, Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Tunnel};

/// `[defaults]`, resolved, over what is built in.
pub(in crate::config) struct Defaults {
    pub(super) scheduler: Scheduler,
    pub(super) scheduler_flags: ServiceFlags,
    pub(super) forward: Method,
    pub(super) weight: u32,
    pub(super) tunnel: Option<At<Tunnel>>,
    /// Without checks and fallback.
    pub(super) policy: Policy,
    pub(super) assigned: Option<Arc<Assigned>>,
    pub(super) raw: raw::Defaults,
}

/// A forwarding method without its tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Nat,
    Dr,
    Tunnel,
}

impl Defaults {
    /// `drain` is that of `[daemon]`.
    pub(in crate::config) fn new(
        raw: raw::Defaults,
        drain: Duration,
        definitions: &mut Definitions,
        faults: &mut Faults,
    ) -> Self {
        let scheduler = Scheduler::new(raw.scheduler.value().map_or("wlc", String::as_str));
        let scheduler_flags = raw
            .scheduler_flags
            .get()
            .map_or(ServiceFlags::default(), |at| values::scheduler_flags(&at.value, &scheduler, faults));
        let forward = raw.forward.get().and_then(|at| method(at, faults)).unwrap_or(Method::Nat);
        let weight =
            raw.weight.get().and_then(|at| values::number(at, "a weight", rules::WEIGHT_MAX, faults)).unwrap_or(100);
        let tunnel =
            raw.tunnel.get().and_then(|at| Some(At { place: at.place, value: values::tunnel(&at.value, faults)? }));
        let policy = PolicyKeys::of_defaults(&raw).over(&Policy::new(drain), faults);
        let keys = CheckKeys { check: &raw.check, checks: &raw.checks, pass: &raw.check_pass };
        let assigned = definitions.assigned(&keys, faults);
        let defaults = Self { scheduler, scheduler_flags, forward, weight, tunnel, policy, assigned, raw };
        defaults.check(faults);
        defaults
    }

    /// The rules that need no service, so that a default is judged even if nobody uses it.
    fn check(&self, faults: &mut Faults) {
        let nowhere = ServiceKey::Mark { family: Family::V4, mark: 1 };
        let settings =
            ServiceSettings { scheduler: self.scheduler.clone(), flags: self.scheduler_flags, persistence: None };
        tell(rules::service(&nowhere, &settings), faults, |_| self.raw.scheduler.place());
        if let Some(At { place, value }) = &self.tunnel {
            let raw = self.raw.tunnel.value();
            tell(rules::tunnel(*value), faults, |key| raw.and_then(|raw| tunnel_place(raw, key)).or(Some(*place)));
        }
    }
}

pub(super) fn method(at: &At<String>, faults: &mut Faults) -> Option<Method> {
    match at.value.as_str() {
        "nat" => return Some(Method::Nat),
        "dr" => return Some(Method::Dr),
        "tunnel" => return Some(Method::Tunnel),
        _ => {}
    }
    let fault = Fault::new(at.place, format!("unknown forwarding method `{}`", names::quote(&at.value)));
    let others = [
        ("masq", "nat"),
        ("masquerade", "nat"),
        ("masquerading", "nat"),
        ("m", "nat"),
        ("gate", "dr"),
        ("route", "dr"),
        ("direct", "dr"),
        ("g", "dr"),
        ("ipip", "tunnel"),
        ("tun", "tunnel"),
        ("i", "tunnel"),
        ("gue", "tunnel"),
        ("gre", "tunnel"),
    ];
    let word = at.value.to_lowercase();
    let meant = others.iter().find(|(other, _)| *other == word).map(|(_, method)| *method);
    faults.push(match meant.or_else(|| names::nearest(&at.value, ["nat", "dr", "tunnel"])) {
        Some(near) => fault.help(format!("there is \"{near}\"")),
        None => fault.help(rules::FORWARDS),
    });
    None
}
