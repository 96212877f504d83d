//! What is allowed, and probably not meant: what has no effect, and where clients would not go where they should.

use super::Gather;
use super::destinations::Listed;
use crate::config::fault::Fault;
use crate::config::problem::Severity;
use crate::config::tree::Place;
use crate::config::{Facts, names, raw, values};
use crate::model::{DestinationKey, OnDown, Policy, Protocol, ServiceKey, ServiceSettings, Share};

/// A service at all its addresses.
pub(super) struct Outlook<'r> {
    pub raw: &'r raw::Service,
    pub keys: &'r [(Place, ServiceKey)],
    pub settings: &'r ServiceSettings,
    pub listed: &'r [Listed<'r>],
    /// Without checks and fallback.
    pub policy: &'r Policy,
}

impl Outlook<'_> {
    /// Whether a destination is checked.
    fn is_checked(&self) -> bool {
        self.has_containers() || self.listed.iter().any(Listed::is_checked)
    }

    /// Containers come and go, and their labels may say anything.
    fn has_containers(&self) -> bool {
        !self.raw.docker.is_absent()
    }

    /// How many destinations there are is not known from the file.
    fn has_names(&self) -> bool {
        let addresses = self.listed.iter().filter_map(|listed| listed.raw.address.value());
        addresses.into_iter().any(|address| DestinationKey::parse(address, 0).is_err())
    }

    /// Whether a destination that is down gets weight 0.
    pub(super) fn quiesces(&self) -> bool {
        self.policy.on_down == OnDown::Quiesce && self.is_checked()
    }

    pub(super) fn drains(&self) -> bool {
        !self.policy.drain.is_zero() && !self.listed.is_empty()
    }

    fn name(&self) -> String {
        names::quote(self.raw.name.value().map_or("", String::as_str))
    }
}

impl Gather<'_, '_> {
    /// All of them, of one service.
    pub(super) fn warn(&mut self, outlook: &Outlook<'_>) {
        self.of_scheduler(outlook);
        self.without_effect(outlook);
        self.nothing_to_ramp(outlook);
        self.never_healthy(outlook);
        if let Some(facts) = self.facts {
            self.on_this_machine(outlook, facts);
        }
    }

    pub(super) fn warning(&mut self, fault: Fault, help: impl Into<String>) {
        self.faults.push(fault.severity(Severity::Warning).help(help));
    }

    /// Keys that wait for the word of a check, where there is none.
    fn without_effect(&mut self, outlook: &Outlook<'_>) {
        if outlook.is_checked() || outlook.listed.is_empty() {
            return;
        }
        let raw = outlook.raw;
        let written = [
            ("on_down", raw.on_down.place()),
            ("slow_start", raw.slow_start.place()),
            ("min_healthy", raw.min_healthy.place()),
            ("initial", raw.initial.place()),
            ("panic_threshold", raw.panic_threshold.place()),
            ("fallback", raw.fallback.place()),
        ];
        for (key, place) in written {
            if let Some(place) = place {
                let fault =
                    Fault::new(place, format!("`{key}` has no effect: no destination of this service is checked"));
                self.warning(fault, "add a check, for example check = \"tcp\", or remove it");
            }
        }
    }

    fn nothing_to_ramp(&mut self, outlook: &Outlook<'_>) {
        let Outlook { raw, listed, policy, .. } = outlook;
        let some = listed.iter().any(|listed| listed.settings.is_none_or(|settings| settings.weight > 1));
        if policy.slow_start.is_zero() || some || outlook.has_containers() || !outlook.is_checked() {
            return;
        }
        let Some(place) = raw.slow_start.place().or(self.defaults.raw.slow_start.place()) else { return };
        let mut fault = Fault::new(place, "a slow start has nothing to ramp: there is no weight over 1");
        if let Some(name) = raw.name.place() {
            fault = fault.related(name, "in this service");
        }
        self.warning(fault, "multiply the weights of its destinations, for example by 100, or remove the slow start");
    }

    fn never_healthy(&mut self, outlook: &Outlook<'_>) {
        let Outlook { raw, listed, policy, .. } = outlook;
        let (Some(Share::Count(count)), Some(place)) = (policy.min_healthy, raw.min_healthy.place()) else { return };
        let there = listed.len();
        if Share::Count(count).is_missed(there, there)
            && outlook.is_checked()
            && !outlook.has_containers()
            && !outlook.has_names()
        {
            let is = if there == 1 { "is" } else { "are" };
            let message =
                format!("the service would count as failed with all of its destinations up: there {is} {there}");
            self.warning(Fault::new(place, message), format!("write {there} or less, or a percentage"));
        }
    }

    /// What the settings of the machine make of quiesced destinations (`ip_vs_in_hook`, `ip_vs_check_template`).
    fn on_this_machine(&mut self, outlook: &Outlook<'_>, facts: &Facts) {
        let Outlook { raw, keys, policy, .. } = outlook;
        let Facts { expire_nodest_conn, expire_quiescent_template, conn_reuse_mode } = facts;
        let (name, drain) = (outlook.name(), values::written(policy.drain));
        let of = |wanted: &[Protocol]| {
            let is =
                |key: &ServiceKey| matches!(key, ServiceKey::Address { protocol, .. } if wanted.contains(protocol));
            keys.iter().find(|(_, key)| is(key)).map(|(place, _)| *place)
        };
        if let Some(place) = of(&[Protocol::Udp])
            && outlook.drains()
            && !expire_nodest_conn
        {
            let message = format!(
                "udp flows of `{name}` stick to a quiesced destination while packets flow: a drain ends with its deadline, \
                 {drain}, and what still flows then falls into a black hole"
            );
            let help = "write \"net.ipv4.vs.expire_nodest_conn\" = 1 under [host.sysctls], or a shorter `drain`";
            self.warning(Fault::new(place, message), help);
        }
        if let Some(place) = raw.persistence.place()
            && (outlook.drains() || outlook.quiesces())
            && !expire_quiescent_template
        {
            let message = format!(
                "persistence keeps sending the clients of `{name}` to a quiesced destination: drains are of no use, and one \
                 that is down keeps its clients"
            );
            let help = "write \"net.ipv4.vs.expire_quiescent_template\" = 1 under [host.sysctls]";
            self.warning(Fault::new(place, message), help);
        }
        if let Some((place, _)) = keys.iter().find(|(_, key)| may_be_tcp(key))
            && (outlook.drains() || outlook.quiesces())
            && *conn_reuse_mode == 0
        {
            let message = format!("clients of `{name}` that use a port again go on to a quiesced destination");
            let help = "write \"net.ipv4.vs.conn_reuse_mode\" = 1, the kernel's default, under [host.sysctls]";
            self.warning(Fault::new(*place, message), help);
        }
    }
}

/// Whether a service can have connections that start with a SYN.
fn may_be_tcp(key: &ServiceKey) -> bool {
    match key {
        ServiceKey::Address { protocol, .. } => matches!(protocol, Protocol::Tcp | Protocol::Sctp),
        ServiceKey::Mark { .. } => true,
    }
}
