//! GORB: what its store holds and what its API takes and answers, as one JSON document.
//!
//! Four forms of it, which may be mixed: objects under `services` and `backends` (the folders of its store); an object whose
//! keys are paths, of the store or of the API (`/service/web`, `/service/web/r1`); a list of `key` and `value` as key-value
//! stores export them, the values in base64 or not; and the documents of the later fork, with backends in their service.

mod options;
mod pulse;

use std::path::PathBuf;

use super::checks::Checks;
use super::document::{Item as Value, with_tree};
use super::report::{Place, Report};
use super::services::{self, Item};
use super::{Surroundings, names};
use crate::config::{Draft, Source};
use crate::model::{Initial, OnDown};
use options::{BackendOptions, ServiceOptions};

/// What the document holds.
#[derive(Default)]
struct Found {
    services: Vec<ServiceOptions>,
    backends: Vec<BackendOptions>,
}

pub(super) fn read(report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
    let mut found = Found::default();
    let mut values = Vec::new();
    with_tree(0, report, |root, report| {
        if root.is_list() {
            values = pairs(root, report);
        } else {
            found.whole(root, report);
        }
    });
    for (key, text) in values {
        let file = report.add_source(Source { path: PathBuf::from(&key), text });
        with_tree(file, report, |value, report| found.at_path(&key, value, report));
    }
    found.finish(report, surroundings)
}

/// The keys and values of an export.
fn pairs(root: Value<'_>, report: &mut Report) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for item in root.list("the export", report) {
        let (mut key, mut value) = (None, None);
        for (name, _, item) in item.table("an entry of the export", report) {
            match name.to_ascii_lowercase().as_str() {
                "key" => key = item.text("a key", report),
                "value" => value = item.text("a value", report),
                // What a store knows besides: flags, numbers of revisions.
                _ => {}
            }
        }
        let (Some(key), Some(value)) = (key, value) else {
            if !item.place().span.is_empty() {
                report.error(&item.place(), "an entry has no key or no value", "it is left out");
            }
            continue;
        };
        let text = if value.trim_start().starts_with('{') { Some(value) } else { base64(&value) };
        match text {
            Some(text) => found.push((key, text)),
            None => drop(report.error(
                &item.place(),
                format!("the value of {key} is neither JSON nor base64"),
                "it is left out",
            )),
        }
    }
    found
}

/// Bytes of text in base64 (RFC 4648, section 4).
fn base64(text: &str) -> Option<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.trim().trim_end_matches('=').bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = LETTERS.iter().position(|letter| *letter == byte)?;
        bits = bits << 6 & 0xffff | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

impl Found {
    fn whole(&mut self, root: Value<'_>, report: &mut Report) {
        let entries = root.table("the document", report);
        let is = |key: &str, names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
        if entries.iter().any(|(key, ..)| is(key, &["options", "service_options", "ServiceOptions", "host", "port"])) {
            // One service, without a name.
            self.service("service", &root.place(), root, report);
            return;
        }
        for (key, place, value) in entries {
            match key.to_ascii_lowercase().as_str() {
                "services" => {
                    for (id, place, value) in value.table("services", report) {
                        self.service(id, &place, value, report);
                    }
                }
                "backends" => {
                    for (id, place, value) in value.table("backends", report) {
                        self.backends.extend(BackendOptions::read(id, None, place, value, report));
                    }
                }
                _ if key.contains('/') => self.at_path(key, value, report),
                _ => {
                    let help = "write `services` and `backends`, or paths such as /service/ID";
                    report.error(&place, format!("unknown key `{key}` of the document"), help);
                }
            }
        }
    }

    fn at_path(&mut self, path: &str, value: Value<'_>, report: &mut Report) {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let folder = parts.iter().rposition(|part| matches!(*part, "service" | "services" | "backends"));
        match folder.map(|at| (parts[at], &parts[at + 1..])) {
            Some(("backends", [id])) => {
                self.backends.extend(BackendOptions::read(id, None, value.place(), value, report))
            }
            Some((_, [id])) => self.service(id, &value.place(), value, report),
            Some((_, [service, id])) => {
                self.backends.extend(BackendOptions::read(id, Some(service), value.place(), value, report));
            }
            // The folders themselves, which stores export as empty values.
            Some((_, [])) => {}
            _ => {
                let help = "a path ends in service/ID, service/ID/BACKEND, services/ID or backends/ID; it is left out";
                report.error(&value.place(), format!("`{path}` is no path of GORB"), help);
            }
        }
    }

    fn service(&mut self, id: &str, place: &Place, value: Value<'_>, report: &mut Report) {
        let (service, backends) = ServiceOptions::read(id, place.clone(), value, report);
        self.services.extend(service);
        self.backends.extend(backends);
    }

    fn finish(self, report: &mut Report, surroundings: &mut dyn Surroundings) -> Draft {
        let mut draft = Draft::default();
        let mut checks = Checks::default();
        let mut items: Vec<(String, Item)> = Vec::new();
        for service in &self.services {
            let Some((key, settings)) = service.settings(report, surroundings) else { continue };
            let mut item = Item::new(service.place.clone(), vec![key], settings);
            item.name = Some(service.id.clone());
            item.comments.clone_from(&service.comments);
            item.on_down = Some(OnDown::Quiesce);
            item.initial = Some(Initial::Up);
            items.push((service.id.clone(), item));
        }
        for backend in &self.backends {
            let of = self.services.iter().find(|service| Some(&service.id) == backend.service.as_ref());
            let item = items.iter_mut().find(|(id, _)| Some(id) == backend.service.as_ref());
            let (Some(of), Some((_, item))) = (of, item) else {
                let message = match &backend.service {
                    Some(service) => format!("the service {service} of the backend {} is not there", backend.id),
                    None => format!("the backend {} does not say its service, as `vsid` does", backend.id),
                };
                report.error(&backend.place, message, "it is left out");
                continue;
            };
            let Some(mut destination) = backend.destination(of, report, surroundings) else { continue };
            let label = item.name.clone().unwrap_or_else(|| item.keys.first().map(names::of_key).unwrap_or_default());
            let pulse = backend.pulse.as_ref().or(of.pulse.as_ref()).cloned().unwrap_or_default();
            let mut said = Vec::new();
            if let Some((kind, check)) = pulse.check(&backend.place, report, &mut said) {
                match checks.name(&format!("{label}.{kind}"), check, said, &backend.place, report) {
                    Ok(name) => destination.checks.push(name),
                    Err(comment) => destination.comments.push(comment),
                }
            }
            item.destinations.push((backend.place.clone(), destination));
        }
        for service in &self.services {
            for (place, id) in &service.listed {
                let is_it =
                    |backend: &BackendOptions| backend.id == *id && backend.service.as_ref() == Some(&service.id);
                if !self.backends.iter().any(is_it) {
                    let message = format!("the backend {id} of {} is not in the document", service.id);
                    let help = format!("it is left out: add what GORB answers to /service/{}/{id}", service.id);
                    report.error(place, message, help);
                }
            }
        }
        if !items.is_empty() {
            let line = "GORB gives a server its weight back as its checks of the last 100 intervals went; `slow_start` is a ramp in time";
            draft.comments.push(line.to_owned());
        }
        draft.checks = checks.list;
        services::put(items.into_iter().map(|(_, item)| item).collect(), &mut draft, report);
        draft
    }
}

/// A port of a service or backend, of which none is 0.
fn port(number: i128) -> Option<u16> {
    u16::try_from(number).ok().filter(|port| *port != 0)
}
