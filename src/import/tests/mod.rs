//! Imports, each of which is read back as a configuration.

mod gorb;
mod ipvsadm;
mod ipvsctl;
mod keepalived;
mod keepalived_language;
mod keepalived_table;
mod laws;
mod ldirectord;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::*;
use crate::config::{Emitted, Severity, draft_json, draft_toml, draft_yaml, parse};
use crate::model::{Desired, ServiceKey, Table};

/// A machine with two hosts, a few files and a variable.
#[derive(Debug, Default)]
pub(super) struct World {
    pub files: BTreeMap<String, String>,
}

impl Surroundings for World {
    fn files(&mut self, pattern: &str, _: &Source) -> Result<Vec<Source>, String> {
        if pattern == "secret" {
            return Err("permission denied".to_owned());
        }
        let start = pattern.trim_end_matches('*');
        let fits = |name: &&String| **name == pattern || pattern.ends_with('*') && name.starts_with(start);
        let names: Vec<String> = self.files.keys().filter(fits).cloned().collect();
        Ok(names
            .into_iter()
            .map(|name| Source { path: PathBuf::from(&name), text: self.files[&name].clone() })
            .collect())
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Option<IpAddr> {
        match (name, family) {
            ("director", Some(Family::V6)) => Some("2001:db8::10".parse().unwrap()),
            ("director", _) => Some("192.0.2.10".parse().unwrap()),
            ("server", _) => Some("10.0.0.1".parse().unwrap()),
            _ => None,
        }
    }

    fn port(&mut self, name: &str, _: Protocol) -> Option<u16> {
        match name {
            "http" => Some(80),
            "domain" => Some(53),
            _ => None,
        }
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        (name == "VIP").then(|| "192.0.2.10".to_owned())
    }

    fn config_id(&mut self) -> String {
        "lb1".to_owned()
    }
}

/// What came of a text.
pub(super) struct Outcome {
    pub imported: Imported,
    pub text: String,
    pub desired: Desired,
}

/// Imports a text, and reads the configuration back in each format.
#[track_caller]
pub(super) fn import_in(language: Language, text: &str, world: &mut World) -> Outcome {
    let source = Source { path: PathBuf::from("it"), text: text.to_owned() };
    let imported = import(language, source, world);
    let read = |name: &str, Emitted { text, omitted }: Emitted| {
        // All else the import has asked before.
        assert!(omitted.iter().all(|words| words.starts_with("the synchronisation daemon")), "{omitted:?}");
        let source = Source { path: PathBuf::from(name), text: text.clone() };
        let parsed = parse(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        (parsed.desired, text)
    };
    let (desired, toml) = read("it.toml", draft_toml(&imported.draft));
    let (of_yaml, yaml) = read("it.yaml", draft_yaml(&imported.draft));
    let (of_json, _) = read("it.yaml", draft_json(&imported.draft));
    assert_eq!((&of_yaml.table, &of_json.table), (&desired.table, &desired.table));
    assert_eq!(of_yaml.policies, desired.policies, "{toml}\n{yaml}");
    Outcome { imported, text: toml, desired }
}

#[track_caller]
pub(super) fn import_text(language: Language, text: &str) -> Outcome {
    import_in(language, text, &mut World::default())
}

impl Outcome {
    /// Everything that is said, as `LINE error: MESSAGE`.
    pub(super) fn said(&self) -> Vec<String> {
        let say = |problem: &crate::config::Problem| {
            let name = if problem.severity == Severity::Error { "error" } else { "warning" };
            assert!(problem.help.as_ref().is_some_and(|help| !help.is_empty()), "what to do: {problem:?}");
            format!("{} {name}: {}", problem.line.unwrap_or(0), problem.message)
        };
        self.imported.report.list.iter().map(say).collect()
    }

    /// What is said holds this.
    #[track_caller]
    pub(super) fn says(&self, line: usize, words: &str) {
        let said = self.said();
        let fits = |said: &&String| said.starts_with(&format!("{line} ")) && said.contains(words);
        assert!(said.iter().any(|said| fits(&said)), "line {line}: {words}: {said:#?}");
    }

    /// Nothing was not understood.
    #[track_caller]
    pub(super) fn is_understood(&self) {
        let errors: Vec<String> = self.said().into_iter().filter(|said| said.contains(" error: ")).collect();
        assert_eq!(errors, [""; 0]);
    }

    /// The table is the one of this configuration.
    #[track_caller]
    pub(super) fn is_table_of(&self, toml: &str) {
        let text = format!("version = 1\n{toml}");
        let source = Source { path: PathBuf::from("wanted.toml"), text };
        let wanted: Table = parse(&[source]).unwrap_or_else(|problems| panic!("{problems}")).desired.table;
        assert_eq!(self.desired.table, wanted, "{}", self.text);
    }

    pub(super) fn policy(&self, service: &str) -> &crate::model::Policy {
        let key: ServiceKey = service.parse().unwrap();
        &self.desired.policies[&key]
    }

    /// The checks of a destination.
    pub(super) fn checks(&self, service: &str, destination: &str) -> Vec<crate::model::Check> {
        let shared = self.policy(service).checks.get(&destination.parse().unwrap());
        shared.map(|shared| shared.list.iter().map(|named| named.check.clone()).collect()).unwrap_or_default()
    }
}
