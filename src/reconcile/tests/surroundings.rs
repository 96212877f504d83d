//! A host in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::model::{Footing, HostKey, HostValue};
use crate::reconcile::Host;

/// A host in memory. Sysctls are there if they were set before; addresses need their interface.
#[derive(Default, Clone)]
pub(super) struct Surroundings(pub(super) Rc<RefCell<HostState>>);

#[derive(Default)]
pub(super) struct HostState {
    pub(super) there: BTreeMap<HostKey, HostValue>,
    /// What cannot be set, and why.
    pub(super) refused: BTreeMap<HostKey, String>,
    /// Where daemons would stand, by interface.
    pub(super) footings: BTreeMap<String, Footing>,
    /// What is set to what as well, when a key is set.
    pub(super) drags: BTreeMap<HostKey, (HostKey, HostValue)>,
    /// Nothing can be seen.
    pub(super) dark: bool,
    /// What was asked for, in order.
    pub(super) log: Vec<String>,
}

impl Host for Surroundings {
    fn look(&mut self, keys: &BTreeSet<HostKey>) -> Result<BTreeMap<HostKey, HostValue>, String> {
        let state = self.0.borrow();
        if state.dark {
            return Err("it is dark".to_owned());
        }
        let foreign = |name: &str| {
            let on = |key: &&HostKey| key.address().is_some() && key.interface() == Some(name) && !keys.contains(*key);
            state.there.keys().filter(on).count()
        };
        let there = state.there.iter().filter(|(key, _)| keys.contains(*key));
        let value = |(key, value): (&HostKey, &HostValue)| match (key, value) {
            (HostKey::Interface(name), HostValue::Link { dummy, up, .. }) => {
                (key.clone(), HostValue::Link { dummy: *dummy, up: *up, foreign: foreign(name) })
            }
            _ => (key.clone(), value.clone()),
        };
        Ok(there.map(value).collect())
    }

    fn set(&mut self, changes: &[(&HostKey, Option<&HostValue>)]) -> Vec<Result<(), String>> {
        let mut state = self.0.borrow_mut();
        let one = |(key, value): &(&HostKey, Option<&HostValue>)| {
            let verb = if value.is_some() { "set" } else { "delete" };
            state.log.push(format!("{verb} {key}"));
            if let Some(reason) = state.refused.get(*key) {
                return Err(reason.clone());
            }
            let (key, value) = ((*key).clone(), value.cloned());
            let interface = key.interface().map(|name| HostKey::Interface(name.to_owned()));
            match value {
                Some(_) if key.address().is_some() && !interface.is_some_and(|key| state.there.contains_key(&key)) => {
                    return Err("there is no such interface".to_owned());
                }
                Some(value) => {
                    if let Some((dragged, value)) = state.drags.get(&key).cloned() {
                        state.there.insert(dragged, value);
                    }
                    state.there.insert(key, value);
                }
                None => {
                    if let HostKey::Interface(name) = &key {
                        state.there.retain(|key, _| key.interface() != Some(name));
                    }
                    state.there.remove(&key);
                }
            }
            Ok(())
        };
        changes.iter().map(one).collect()
    }

    fn footing(&mut self, interface: &str) -> Result<Option<Footing>, String> {
        let state = self.0.borrow();
        if state.dark { Err("it is dark".to_owned()) } else { Ok(state.footings.get(interface).copied()) }
    }
}
