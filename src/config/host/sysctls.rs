//! `[host.sysctls]`: each once, by its canonical name, with a value that it takes.

use std::collections::BTreeMap;

use super::known::{self, IPVS};
use super::name;
use crate::config::decode::At;
use crate::config::fault::{Fault, Faults};
use crate::config::names;
use crate::config::problem::Severity;
use crate::config::raw::Sysctls;
use crate::config::tree::Place;
use crate::model::Family;

/// The two names of one setting.
const FORWARD: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"];
const FORWARD6: &str = "net.ipv6.conf.all.forwarding";

/// Values by canonical name, and where the names stand.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<String, At<String>>);

impl Resolved {
    /// What is right in the list; all else is a fault.
    pub(super) fn new(list: &Sysctls, faults: &mut Faults) -> Self {
        let mut resolved = BTreeMap::new();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        for sysctl in &list.0 {
            let name = match name::canonical(sysctl) {
                Ok(name) => name,
                Err((message, help)) => {
                    faults.push(Fault::new(sysctl.place, message).help(help));
                    continue;
                }
            };
            let shown = names::quote(&name);
            if let Some(first) = seen.get(&name) {
                let fault = Fault::new(sysctl.place, format!("the sysctl {shown} is set twice")).label("again here");
                faults.push(fault.related(*first, "first here").help("keep one of the two"));
                continue;
            }
            seen.insert(name.clone(), sysctl.place);
            unknown(sysctl.place, &name, faults);
            let Some(At { place, value }) = &sysctl.value else { continue };
            match known::fault(&name, value) {
                Some((message, help)) => faults.push(Fault::new(*place, message).help(help)),
                None => {
                    resolved.insert(name, At { place: sysctl.place, value: value.clone() });
                }
            }
        }
        let resolved = Self(resolved);
        resolved.one_setting(faults);
        resolved.larger_wins(faults);
        resolved
    }

    /// Without the places.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, at)| (name.clone(), at.value.clone())).collect()
    }

    /// Where it is said that the host is not to forward packets of a family, if it is.
    pub(super) fn forbids_forwarding(&self, family: Family) -> Option<Place> {
        let names = if family == Family::V4 { &FORWARD[..] } else { &[FORWARD6] };
        names.iter().filter_map(|name| self.0.get(*name)).find(|at| at.value == "0").map(|at| at.place)
    }

    /// Two names with two values would be set in turns, for ever.
    fn one_setting(&self, faults: &mut Faults) {
        let [one, other] = FORWARD;
        if let (Some(first), Some(second)) = (self.0.get(one), self.0.get(other))
            && first.value != second.value
        {
            let fault = Fault::new(second.place, format!("{other} and {one} are one setting, with two values here"));
            faults.push(fault.related(first.place, "the other one").help("keep one of the two"));
        }
    }

    /// Of these the kernel takes the larger one of `all` and the interface (`IN_DEV_MAXCONF`).
    fn larger_wins(&self, faults: &mut Faults) {
        let number = |at: &At<String>| at.value.parse::<u32>().unwrap_or(0);
        for key in ["rp_filter", "arp_ignore", "arp_announce"] {
            let name = format!("net.ipv4.conf.all.{key}");
            let Some(all) = self.0.get(&name) else { continue };
            for (other, at) in &self.0 {
                let parts: Vec<&str> = other.split('.').collect();
                let of_interface = matches!(parts[..], ["net", "ipv4", "conf", interface, last]
                    if last == key && interface != "default");
                if of_interface && number(at) < number(all) {
                    let message =
                        format!("{} has no effect: the larger one of it and {name} counts", names::quote(other));
                    let fault = Fault::new(at.place, message).severity(Severity::Warning);
                    let help = format!("give {name} the value {}, too, or remove this", at.value);
                    faults.push(fault.related(all.place, "the larger one").help(help));
                }
            }
        }
    }
}

/// A kernel may have more than are known here.
fn unknown(place: Place, name: &str, faults: &mut Faults) {
    let Some(name) = name.strip_prefix("net.ipv4.vs.") else { return };
    if IPVS.iter().any(|(known, _)| *known == name) {
        return;
    }
    let message = format!("ipvsd knows no sysctl net.ipv4.vs.{}", names::quote(name));
    let help = match names::nearest(name, IPVS.iter().map(|(known, _)| *known)) {
        Some(near) => format!("there is \"net.ipv4.vs.{near}\""),
        None => "a kernel that does not have it refuses it".to_owned(),
    };
    faults.push(Fault::new(place, message).severity(Severity::Warning).help(help));
}
