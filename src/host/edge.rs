//! The host as the loop sees it, and what is done to it.

use std::collections::{BTreeMap, BTreeSet};

use super::{modules, sysctl};
use crate::model::{HostKey, HostValue};
use crate::reconcile::Host;

/// The host around IPVS, in the network namespace of the thread that uses it.
#[derive(Debug, Default)]
pub struct Edge {}

impl Host for Edge {
    fn look(&mut self, keys: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, String> {
        let mut found = BTreeMap::new();
        let names = keys.iter().filter_map(|key| match key {
            HostKey::Module(name) => Some(&**name),
            _ => None,
        });
        found.extend(modules::present(names).into_iter().map(|name| (HostKey::Module(name), HostValue::There)));
        for key in keys {
            if let HostKey::Sysctl(name) = key
                && let Some(value) = sysctl::read(name)
            {
                found.insert(key.clone(), HostValue::Text(value));
            }
        }
        Ok(found)
    }

    fn set(&mut self, changes: &[(&HostKey, Option<&HostValue>)]) -> Vec<Result<(), String>> {
        let one = |(key, value): &(&HostKey, Option<&HostValue>)| match (key, value) {
            (HostKey::Module(name), Some(_)) => modules::load(name),
            (HostKey::Sysctl(name), Some(HostValue::Text(value))) => sysctl::write(name, value),
            (key, _) => Err(format!("{key} cannot be set so")),
        };
        changes.iter().map(one).collect()
    }
}
