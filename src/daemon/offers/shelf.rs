//! What is desired at the moment, by ID: the fragments, and the files that they stand on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder;
use crate::api::{Claimed, Known};
use crate::config::{self, Foundation, Source};
use crate::model::{Desired, Offer, OfferedDestination, ServiceKey};

/// A service that came over the API.
#[derive(Debug)]
pub(super) struct Fragment {
    pub path: PathBuf,
    /// All that it claims; more than one only where a person wrote it.
    pub keys: BTreeSet<ServiceKey>,
    pub names: BTreeSet<String>,
    pub offer: Arc<Offer>,
    /// Somebody else has written its file, or changed it.
    pub edited: bool,
    /// Of all that stands in the file.
    pub sum: String,
}

impl Fragment {
    /// Of a file that was just written.
    pub(super) fn written(Source { path, text }: Source, offer: Offer) -> Self {
        let (keys, names) = ([offer.key].into(), [offer.name()].into());
        let sum = folder::sum(&offer.id, &text);
        Self { path, keys, names, offer: Arc::new(offer), edited: false, sum }
    }
}

/// Somebody claims the same.
pub(super) struct Claim {
    pub words: String,
}

/// See the module.
#[derive(Default)]
pub(super) struct Shelf {
    pub folder: PathBuf,
    pub foundation: Option<Arc<Foundation>>,
    pub default_host: Option<IpAddr>,
    /// The files' part of what is desired.
    files: Desired,
    names: BTreeMap<String, Vec<ServiceKey>>,
    fragments: BTreeMap<String, Arc<Fragment>>,
    keys: HashMap<ServiceKey, String>,
    /// Names of services to the IDs of fragments.
    claimed: HashMap<String, String>,
    /// Names of destinations to the IDs of the fragments that have such a one.
    backends: HashMap<String, BTreeSet<String>>,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, foundation: Foundation, desired: &Desired, fragments: &[Source]) -> Self {
        let mut shelf = Self { folder, foundation: Some(Arc::new(foundation)), ..Self::default() };
        let mut of_fragments: BTreeMap<&Path, Vec<ServiceKey>> = BTreeMap::new();
        for (key, origin) in &desired.origins {
            if origin.file.parent() == Some(&shelf.folder) {
                of_fragments.entry(&origin.file).or_default().push(*key);
                continue;
            }
            shelf.names.entry(origin.name.clone()).or_default().push(*key);
            shelf.files.origins.insert(*key, origin.clone());
            if let Some(service) = desired.table.services.get(key) {
                shelf.files.table.services.insert(*key, service.clone());
            }
            if let Some(policy) = desired.policies.get(key) {
                shelf.files.policies.insert(*key, policy.clone());
            }
        }
        for source in fragments {
            let id = folder::id_of(&source.path);
            let keys = of_fragments.remove(source.path.as_path()).unwrap_or_default();
            let note = config::note_of(&source.text).unwrap_or_default();
            let Some(offer) = keys.first().and_then(|key| offer(desired, *key, &id, note)) else { continue };
            let fragment = Fragment {
                path: source.path.clone(),
                names: keys.iter().filter_map(|key| desired.origins.get(key)).map(|of| of.name.clone()).collect(),
                edited: !folder::is_sealed(&id, &source.text),
                sum: folder::sum(&id, &source.text),
                keys: keys.into_iter().collect(),
                offer: Arc::new(offer),
            };
            shelf.put(&id, Some(Arc::new(fragment)));
        }
        shelf
    }

    /// Puts a fragment in the place of the one before, or takes it away.
    pub(super) fn put(&mut self, id: &str, fragment: Option<Arc<Fragment>>) {
        if let Some(before) = self.fragments.remove(id) {
            for key in &before.keys {
                self.keys.remove(key);
            }
            for name in &before.names {
                self.claimed.remove(name);
            }
            for destination in &before.offer.destinations {
                if let Some(ids) = self.backends.get_mut(&destination.name) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.backends.remove(&destination.name);
                    }
                }
            }
        }
        if let Some(fragment) = fragment {
            self.keys.extend(fragment.keys.iter().map(|key| (*key, id.to_owned())));
            self.claimed.extend(fragment.names.iter().map(|name| (name.clone(), id.to_owned())));
            for destination in &fragment.offer.destinations {
                self.backends.entry(destination.name.clone()).or_default().insert(id.to_owned());
            }
            self.fragments.insert(id.to_owned(), fragment);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<Fragment>> {
        self.fragments.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.fragments.len()
    }

    /// Who has the address or the name of this one, other than itself.
    pub(super) fn claim(&self, offer: &Offer) -> Option<Claim> {
        let name = offer.name();
        let foundation = self.foundation.as_ref()?;
        let file = |what: String, claim: config::Claim| Claim { words: format!("{what} is claimed at {claim}") };
        if let Some(claim) = foundation.claim(&offer.key) {
            return Some(file(format!("the address {}", offer.key), claim));
        }
        if let Some(claim) = foundation.name(&name) {
            return Some(file(format!("the name `{name}`"), claim));
        }
        let other = |map: Option<&String>| map.filter(|other| **other != offer.id).cloned();
        if let Some(other) = other(self.keys.get(&offer.key)) {
            return Some(Claim { words: format!("the address {} is that of the service `{other}`", offer.key) });
        }
        let other = other(self.claimed.get(&name))?;
        Some(Claim { words: format!("the name `{name}` is that of the service `{other}`") })
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.fragments.keys().chain(self.names.keys()).cloned().collect()
    }

    pub(super) fn known(&self, id: &str) -> Option<Known> {
        if let Some(fragment) = self.fragments.get(id) {
            let claimed = fragment.edited.then(|| Claimed { file: fragment.path.clone(), line: 1, edited: true });
            return Some(Known { offer: Arc::clone(&fragment.offer), claimed });
        }
        let key = *self.names.get(id)?.first()?;
        let origin = self.files.origins.get(&key)?;
        let claimed = Claimed { file: origin.file.clone(), line: origin.line, edited: false };
        Some(Known { offer: Arc::new(offer(&self.files, key, id, "")?), claimed: Some(claimed) })
    }

    pub(super) fn having(&self, destination: &str) -> Vec<String> {
        self.backends.get(destination).into_iter().flatten().take(2).cloned().collect()
    }
}

/// What is desired of a service, as something that came over the API; the other way round it need not be so.
fn offer(desired: &Desired, key: ServiceKey, id: &str, note: &str) -> Option<Offer> {
    let service = desired.table.services.get(&key)?;
    let (origin, policy) = (desired.origins.get(&key)?, desired.policies.get(&key));
    let mut destinations: Vec<OfferedDestination> = Vec::with_capacity(service.destinations.len());
    for (key, settings) in &service.destinations {
        let name = origin.destinations.get(key).cloned().unwrap_or_else(|| key.to_string());
        let checks = policy.and_then(|policy| policy.checks.get(key));
        let check = checks.and_then(|checks| checks.list.first()).map(|named| named.check.clone());
        destinations.push(OfferedDestination { name, key: *key, settings: *settings, check });
    }
    // By name, as they are written, so that the same service is the same text.
    destinations.sort_by(|one, other| one.name.cmp(&other.name));
    let settings = service.settings.clone();
    Some(Offer { id: id.to_owned(), key, settings, destinations, note: note.to_owned() })
}
