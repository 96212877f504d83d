//! What becomes of a service by a request. Pure.
//!
//! What the kernel refuses is undone, as in GORB: a service or a backend that was put is gone again, a weight is what it was. What was
//! deleted stays so, and is tried again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::options::{ServicePatch, WantedBackend, WantedService};
use super::pulse::Pulse;
use super::{Failed, NOT_FOUND};
use crate::api::desired::{Edit, Edited, IfRefused, Known, NotDone};
use crate::model::{Offer, OfferedDestination, ServiceKey};

/// What was sent and is not in the configuration: it is only shown again.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    pub host: String,
    pub flags: String,
    pub backends: BTreeMap<String, BackendNote>,
}

/// The same of a backend.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BackendNote {
    pub host: String,
    pub method: String,
    pub pulse: Pulse,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vsid: String,
}

impl Note {
    /// Of a service that did not come by this interface there is none.
    pub(super) fn of(offer: &Offer) -> Option<Self> {
        serde_json::from_str(&offer.note).ok()
    }

    fn text(&self) -> String {
        // Only maps whose keys are not text cannot be written, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The address that a service got for this host, when it was put.
pub(super) fn host_of(known: &Known, host: &str) -> Option<IpAddr> {
    let ServiceKey::Address { address, .. } = known.offer.key else { return None };
    Note::of(&known.offer).filter(|note| note.host == host).map(|_| address)
}

/// The same of a backend.
pub(super) fn backend_host_of(known: &Known, rs: &str, host: &str) -> Option<IpAddr> {
    let backend = known.offer.destinations.iter().find(|backend| backend.name == rs)?;
    let note = Note::of(&known.offer)?;
    note.backends.get(rs).filter(|note| note.host == host).map(|_| backend.key.address)
}

pub(super) fn put_service(id: String, wanted: WantedService) -> Edit {
    Box::new(move |known| {
        let WantedService { host, flags, key, settings } = wanted;
        let Some(known) = known else {
            let note = Note { host, flags, backends: BTreeMap::new() }.text();
            let offer = Offer { id, key, settings, destinations: Vec::new(), note };
            return Ok(Edited::Put { offer, about: None, refused: IfRefused::Undo });
        };
        ours(known)?;
        if known.offer.key == key && known.offer.settings == settings {
            return Ok(Edited::Same { about: None });
        }
        Err(exists(""))
    })
}

pub(super) fn patch_service(patch: ServicePatch) -> Edit {
    Box::new(move |known| {
        let known = known.ok_or_else(not_found)?;
        ours(known)?;
        let mut note = Note::of(&known.offer).unwrap_or_default();
        if !patch.is_about(&note.host, &known.offer.key) {
            let words = "host, port and protocol of a service cannot be changed: delete it, and put it anew";
            return Err(Failed::bad(words).into());
        }
        let settings = patch.over(&known.offer.settings, known.offer.key.family());
        if settings == known.offer.settings {
            return Ok(Edited::Same { about: None });
        }
        if let Some(flags) = &patch.flags {
            note.flags.clone_from(flags);
        }
        let offer = Offer { settings, note: note.text(), ..Offer::clone(&known.offer) };
        Ok(Edited::Put { offer, about: None, refused: IfRefused::Undo })
    })
}

pub(super) fn delete_service() -> Edit {
    Box::new(|known| match &known.ok_or_else(not_found)?.claimed {
        Some(claimed) if !claimed.edited => Err(NotDone::new(StatusCode::CONFLICT, claimed.to_string())),
        Some(_) | None => Ok(Edited::Delete),
    })
}

pub(super) fn put_backend(rs: String, wanted: WantedBackend) -> Edit {
    Box::new(move |known| {
        let known = known.ok_or_else(not_found)?;
        ours(known)?;
        let WantedBackend { host, method, pulse, vsid, key, settings, check } = wanted;
        let mut offer = Offer::clone(&known.offer);
        if let Some(other) = offer.destinations.iter().find(|other| other.name == rs) {
            let is_same = other.key == key && other.settings == settings && other.check == check;
            return if is_same { Ok(Edited::Same { about: Some(key) }) } else { Err(exists("")) };
        }
        if key.family() != offer.key.family() {
            return Err(Failed::bad("incompatible address families").into());
        }
        if let Some(other) = offer.destinations.iter().find(|other| other.key == key) {
            return Err(exists(&format!("the backend `{}` is at {key}", other.name)));
        }
        let mut note = Note::of(&offer).unwrap_or_default();
        note.backends.insert(rs.clone(), BackendNote { host, method, pulse, vsid });
        offer.note = note.text();
        offer.destinations.push(OfferedDestination { name: rs, key, settings, check });
        Ok(Edited::Put { offer, about: Some(key), refused: IfRefused::Undo })
    })
}

pub(super) fn patch_backend(rs: String, weight: u32) -> Edit {
    Box::new(move |known| {
        let known = known.ok_or_else(not_found)?;
        let mut offer = Offer::clone(&known.offer);
        let backend = offer.destinations.iter_mut().find(|backend| backend.name == rs).ok_or_else(not_found)?;
        ours(known)?;
        let about = Some(backend.key);
        if backend.settings.weight == weight {
            return Ok(Edited::Same { about });
        }
        backend.settings.weight = weight;
        Ok(Edited::Put { offer, about, refused: IfRefused::Undo })
    })
}

pub(super) fn delete_backend(rs: String) -> Edit {
    Box::new(move |known| {
        let known = known.ok_or_else(not_found)?;
        let mut offer = Offer::clone(&known.offer);
        let backend = offer.destinations.iter().find(|backend| backend.name == rs).ok_or_else(not_found)?;
        let about = Some(backend.key);
        ours(known)?;
        offer.destinations.retain(|backend| backend.name != rs);
        let mut note = Note::of(&offer).unwrap_or_default();
        note.backends.remove(&rs);
        offer.note = note.text();
        Ok(Edited::Put { offer, about, refused: IfRefused::Keep })
    })
}

/// What a person has written is a person's to change.
fn ours(known: &Known) -> Result<(), NotDone> {
    match &known.claimed {
        Some(claimed) => Err(exists(&claimed.to_string())),
        None => Ok(()),
    }
}

fn exists(words: &str) -> NotDone {
    NotDone::new(StatusCode::CONFLICT, words)
}

fn not_found() -> NotDone {
    NotDone::new(StatusCode::NOT_FOUND, NOT_FOUND)
}
